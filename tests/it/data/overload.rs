//! Too many at once, too much memory, visitors who do not read, visitors who go away: refused or ended, in
//! words that say why, and nobody else notices.

mod gone;
mod memory;
mod places;
mod slow;

use http::Method;
use serde_json::Value;

use crate::support::{Answer, Connection, Server, body, eventually, guest, request};

/// `probe` and `hello`, both as themselves and behind a dispatcher, on a server with these settings.
fn config(server: &str) -> String {
    format!(
        r#"
        [server]
        {server}

        [limits]
        cpu_ms = 30000

        [scripts.probe]
        {probe}

        [scripts.over]
        {over}

        [scripts.neighbour]
        {hello}

        [scripts.dispatcher]
        {dispatcher}
        bindings = [{{ type = "dispatch_namespace", name = "DISPATCHER", namespace = "production" }}]

        [namespaces.production.scripts.busy]
        {probe}

        [namespaces.production.scripts.quiet]
        {hello}
        "#,
        probe = guest::main("probe"),
        over = guest::main("over_limit"),
        hello = guest::main("hello"),
        dispatcher = guest::main("dispatcher_subdomain"),
    ) + &["probe", "over", "neighbour"]
        .map(|name| format!("[[routes]]\npattern = \"{name}.test/*\"\nscript = \"{name}\"\n"))
        .concat()
        + "[[routes]]\npattern = \"*.localhost/*\"\nscript = \"dispatcher\"\n"
}

/// A request on its way, given up when it is dropped.
struct Going(tokio::task::JoinHandle<Answer>);

impl Drop for Going {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn get(server: &Server, host: &'static str, path: &'static str) -> Going {
    let address = server.visitors;
    Going(tokio::spawn(async move { Connection::http1(address).await.get(host, path).await }))
}

/// So many invocations are under way.
async fn under_way(server: &Server, number: u32) {
    let reached =
        async || (server.metric("wasmyard_invocations_in_flight").await == f64::from(number)).then_some(());
    eventually(&format!("{number} invocations are under way"), reached).await;
}

/// The platform's page, which must say when to come again.
async fn refused(server: &Server, host: &str, path: &str) -> (u16, Value) {
    let asked = request(Method::GET, host, path).header("accept", "application/json").body(body("")).unwrap();
    let answer = server.send(asked).await;
    assert_eq!(answer.header("retry-after"), "1", "{answer:?}");
    (answer.status, serde_json::from_slice::<Value>(&answer.body).unwrap()["error"].take())
}
