//! What a restart of `serve` leaves as it was: all that the API made, and of what the configuration declares exactly
//! what it names. `writes` is a table over all write endpoints, which a new one has to join.

mod files;
mod hangup;
mod tokens;
mod writes;

use serde_json::{Value, json};

use crate::support::{NAMESPACES, PLATFORM_SCRIPTS, Server, Site, guest, wat};

/// A platform script and a user script, a namespace with bounds, a route: each names some of its keys.
const CONFIG: &str = r#"
[scripts.front]
main = "front.wasm"
vars = { GREETING = "hello" }
limits = { cpu_ms = 40 }

[namespaces.production]
limits = { cpu_ms = 30 }
[namespaces.production.egress]
deny_hosts = ["denied.test"]

[namespaces.production.scripts.shop]
main = "shop.wasm"
tags = ["paid"]

[[routes]]
pattern = "front.test/*"
script = "front"
"#;

fn site(config: &str) -> Site {
    let site = Site::new(config);
    site.write("front.wasm", wat::answer("front"));
    site.write("shop.wasm", wat::answer("shop"));
    site
}

/// The same folder, served by another process.
async fn restarted(site: &Site, server: Server) -> Server {
    server.kill().await;
    site.serve().await
}

async fn result(server: &Server, path: &str) -> Value {
    server.api().get(path).await.result().clone()
}

/// What the log says of a start, by the key that it names.
async fn said(server: &Server, text: &str) -> String {
    let line = server.logged(text, |line| line["message"].as_str().is_some_and(|said| said.contains(text)));
    line.await["keys"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_restart_keeps_secrets_and_bounds_of_what_the_file_declares_and_makes_no_version() {
    let config = format!(
        "[scripts.hello]\n{}\n[namespaces.production]\n[[routes]]\npattern = \"*/*\"\nscript = \"hello\"\n",
        guest::main("customer")
    );
    let site = Site::new(&config);
    let server = site.serve().await;
    let secret = json!({"name": "GREETING", "text": "hola", "type": "secret_text"});
    server.api().put(&format!("{PLATFORM_SCRIPTS}/hello/secrets"), &secret).await.result();
    assert!(server.get("any.test", "/").await.text().starts_with("hola from hello"));
    let namespace = format!("{NAMESPACES}/production");
    let bounds = json!({"egress": {"allow_hosts": []}, "limits": {"cpu_ms": 7}});
    let patched = server.api().patch(&namespace, &bounds).await;
    assert_eq!(patched.envelope["messages"], json!([]));
    let before = (result(&server, PLATFORM_SCRIPTS).await, result(&server, &namespace).await);

    let server = restarted(&site, server).await;
    assert!(server.get("any.test", "/").await.text().starts_with("hola from hello"));
    let after = (result(&server, PLATFORM_SCRIPTS).await, result(&server, &namespace).await);
    assert_eq!(after, before, "the times and the number of the version, too");
    assert_eq!(after.1["egress"], json!({"allow_hosts": []}), "what was closed stays closed");
    assert!(!server.log().contains("the configuration replaced"), "{}", server.log());
}

#[tokio::test]
async fn an_upload_over_a_declared_script_serves_until_the_next_start_and_says_so() {
    let site = site(CONFIG);
    let server = site.serve().await;
    let path = format!("{PLATFORM_SCRIPTS}/front");
    let metadata = json!({"main_module": "worker.wasm"});
    let uploaded = server.api().upload(&path, &metadata, wat::answer("other")).await;
    let note = uploaded.envelope["messages"][0]["message"].as_str().unwrap().to_owned();
    for key in ["main", "bindings.GREETING", "limits.cpu_ms", "next start"] {
        assert!(note.contains(key), "{key}: {note}");
    }
    assert_eq!(server.get("front.test", "/").await.text(), "other");
    let server = restarted(&site, server).await;
    assert_eq!(server.get("front.test", "/").await.text(), "front");
    let replaced = said(&server, "the configuration replaced what script front had").await;
    assert_eq!(replaced, "bindings.GREETING, limits.cpu_ms, main");
}
