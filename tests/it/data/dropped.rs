//! What a script lets go of is stopped: whoever produces it does not run on until the script ends. What it holds counts.

use http::Method;

use crate::support::{Server, body, eventually, guest, request};

fn config() -> String {
    format!(
        r#"
        [limits]
        cpu_ms = 10000
        first_byte_ms = 60000
        stream_idle_ms = 60000
        [scripts.probe]
        {probe}
        bindings = [{{ type = "service", name = "OTHER", service = "other" }}]
        [scripts.other]
        {probe}
        [scripts.small]
        {probe}
        limits = {{ memory = "16MiB" }}
        bindings = [{{ type = "service", name = "OTHER", service = "other" }}]
        [[routes]]
        pattern = "probe.test/*"
        script = "probe"
        [[routes]]
        pattern = "small.test/*"
        script = "small"
        "#,
        probe = guest::main("probe"),
    )
}

#[tokio::test]
async fn whoever_answers_a_script_ends_when_the_script_lets_go_of_the_answer() {
    let server = Server::serving(&config()).await;
    for (before, how) in ["response", "body", "chunk", "call", "many"].into_iter().enumerate() {
        let mut visitor = server.connect().await;
        let asked = request(Method::GET, "probe.test", &format!("/let-go?how={how}")).body(body("")).unwrap();
        let waits = async { visitor.send(asked).await };
        let looks = async {
            let noted = async || (server.log().matches("let go").count() > before).then_some(());
            eventually(&format!("{how}: the script has let go"), noted).await;
            // The script itself is left.
            let one = async || (server.metric("wasmyard_invocations_in_flight").await == 1.0).then_some(());
            eventually(&format!("{how}: the other script has ended"), one).await;
        };
        tokio::select! {
            answer = waits => panic!("{how}: the script answered: {answer:?}"),
            () = looks => {}
        }
        drop(visitor);
        let none = async || (server.metric("wasmyard_invocations_in_flight").await == 0.0).then_some(());
        eventually(&format!("{how}: nobody is left"), none).await;
    }
}

#[tokio::test]
async fn answers_that_a_script_holds_are_memory_that_it_holds() {
    let server = Server::serving(&config()).await;
    let few = server.get("small.test", "/hoard?n=4&bytes=800000").await;
    assert_eq!((few.status, few.text()), (200, "4 held\n"));
    let many = server.get("small.test", "/hoard?n=40&bytes=800000").await;
    assert_eq!(many.status, 503, "{}", many.text());
    assert!(many.text().contains("1102"), "{}", many.text());
    let ended = |line: &serde_json::Value| line["script"] == "small" && line["outcome"] == "exceededMemory";
    server.logged("the end of it", ended).await;
}
