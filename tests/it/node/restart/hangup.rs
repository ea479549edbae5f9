//! SIGHUP is no restart: the configuration is read again while everything goes on.

use crate::support::{Server, Site, eventually, wat};

const BEFORE: &str = r#"
[scripts.one]
main = "one.wasm"
[[routes]]
pattern = "one.test/*"
script = "one"
"#;

const AFTER: &str = r#"
[server]
idle_ms = 60000
[scripts.one]
main = "one.wasm"
[scripts.two]
main = "two.wasm"
[[routes]]
pattern = "two.test/*"
script = "two"
"#;

fn site() -> Site {
    let site = Site::new(BEFORE);
    for name in ["one", "two"] {
        site.write(&format!("{name}.wasm"), wat::answer(name));
    }
    site
}

async fn becomes(server: &Server, host: &str, status: u16) {
    eventually(host, async || (server.get(host, "/").await.status == status).then_some(())).await;
}

#[tokio::test]
async fn a_changed_configuration_is_taken_over_and_no_connection_is_lost() {
    let site = site();
    let server = site.serve().await;
    let mut kept = server.connect().await;
    assert_eq!(kept.get("one.test", "/").await.text(), "one");
    site.write("wasmyard.toml", AFTER);
    server.hang_up();
    becomes(&server, "two.test", 200).await;
    becomes(&server, "one.test", 404).await;
    assert_eq!(kept.get("two.test", "/").await.text(), "two", "on the connection from before");
    server.noted("[server] takes effect with the next start").await;
    server.noted("configuration reloaded").await;
}

#[tokio::test]
async fn a_configuration_with_a_mistake_changes_nothing_and_the_log_names_it() {
    let site = site();
    let server = site.serve().await;
    site.write("wasmyard.toml", AFTER.replace("two.wasm", "missing.wasm"));
    server.hang_up();
    server.noted("the configuration before stays in force").await;
    server.noted("missing.wasm").await;
    assert_eq!(server.get("one.test", "/").await.text(), "one");
    site.write("wasmyard.toml", AFTER);
    server.hang_up();
    becomes(&server, "two.test", 200).await;
}
