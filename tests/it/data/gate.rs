//! The gate: what a namespace's scripts send out goes through its outbound worker.

mod examples;
mod failing;
mod named;
mod no_bypass;
mod parameters;
mod passing;
mod patience;

use http::Method;

use crate::support::{Answer, Server, body, guest, origin::Origin, request};

/// Outbound workers by what they do: each is a script `NAME` and the gate of the namespace `NAME`, whose script `user`
/// answers for `user.NAME.test`.
const MODES: [&str; 11] =
    ["show", "pass", "last", "auth", "block", "fail", "trap", "spin", "wait", "silent", "stall"];

fn config(origin: &Origin) -> String {
    let gate = guest::main("gate");
    let mut config = origin.egress()
        + &format!(
            r#"
            [limits]
            cpu_ms = 10000
            [scripts.hello]
            {hello}
            [[routes]]
            pattern = "hello.test/*"
            script = "hello"
            "#,
            hello = guest::main("hello"),
        );
    for mode in MODES {
        let limits = match mode {
            "spin" => "limits = { cpu_ms = 100 }",
            "wait" => "limits = { first_byte_ms = 300 }",
            _ => "",
        };
        config += &format!(
            r#"
            [scripts.{mode}]
            {gate}
            {limits}
            vars = {{ ROLE = "outbound", MODE = "{mode}" }}
            bindings = [{{ type = "secret_text", name = "KEY", text = "hunter2" }}]
            [namespaces.{mode}]
            outbound = {{ script = "{mode}" }}
            egress = {{ allow_private = ["127.0.0.1"] }}
            [namespaces.{mode}.scripts.user]
            {gate}
            vars = {{ ROLE = "user" }}
            [[routes]]
            pattern = "*.{mode}.test/*"
            namespace = "{mode}"
            "#
        );
    }
    config
}

/// What the script `user` of a namespace answers that is to ask `target`.
async fn asked(server: &Server, namespace: &str, path: &str, target: &str) -> Answer {
    let host = format!("user.{namespace}.test");
    let asked = request(Method::GET, &host, path).header("x-target", target).body(body("")).unwrap();
    server.send(asked).await
}
