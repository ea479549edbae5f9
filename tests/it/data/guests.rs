//! Components that were made without our SDK: whatever runs on another host of `wasi:http/proxy` runs here.

use crate::support::{Server, guest};

async fn serving(name: &str) -> Server {
    let main = guest::main(name);
    let config = format!(
        "[limits]\ncpu_ms = 10000\n[scripts.it]\n{main}\n[[routes]]\npattern = \"*/*\"\nscript = \"it\"\n"
    );
    Server::serving(&config).await
}

#[tokio::test]
async fn a_component_on_plain_bindings_answers() {
    let server = serving("plain_wasip2").await;
    let answer = server.get("any.test", "/here?a=b").await;
    assert_eq!((answer.status, answer.text()), (200, "Hello from plain wasip2, at /here?a=b\n"));
}

#[tokio::test]
async fn a_component_on_wstd_answers() {
    let server = serving("wstd_hello").await;
    let answer = server.get("any.test", "/here").await;
    assert_eq!((answer.status, answer.text()), (200, "Hello from wstd, at /here\n"));
}
