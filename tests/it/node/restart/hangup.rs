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

#[tokio::test]
async fn a_zone_of_the_file_is_made_and_changed_by_a_reload_and_stays_when_it_leaves_the_file() {
    let zone = |ssl: &str, hostnames: &[&str]| {
        let hostname = |name: &&str| {
            format!(
                "[zones.\"saas.dev\".hostnames.\"{name}\"]\nssl = {{ method = \"txt\", type = \"dv\" }}\n"
            )
        };
        let hostnames: String = hostnames.iter().map(hostname).collect();
        format!("[zones.\"saas.dev\"]\nsettings = {{ ssl = \"{ssl}\" }}\n{hostnames}")
    };
    let site = Site::new(&zone("strict", &["a.customer.dev", "b.customer.dev"]));
    let server = site.serve().await;
    let api = server.api();
    let found = api.get("/client/v4/zones?name=saas.dev").await.result()[0].clone();
    assert_eq!(found["declared"], serde_json::json!(["settings.ssl"]));
    let path = format!("/client/v4/zones/{}", found["id"].as_str().unwrap());
    let hostnames = async || {
        let found = api.get(&format!("{path}/custom_hostnames")).await.result().clone();
        let row = |row: &serde_json::Value| {
            (row["hostname"].as_str().unwrap().to_owned(), row["declared"].is_array())
        };
        found.as_array().unwrap().iter().map(row).collect::<Vec<_>>()
    };
    let named = |names: &[(&str, bool)]| {
        names.iter().map(|(name, declared)| ((*name).to_owned(), *declared)).collect::<Vec<_>>()
    };
    assert_eq!(hostnames().await, named(&[("a.customer.dev", true), ("b.customer.dev", true)]));
    site.write("wasmyard.toml", zone("off", &["b.customer.dev", "c.customer.dev"]));
    server.hang_up();
    server.noted("configuration reloaded").await;
    server.noted("the configuration replaced what zone saas.dev had").await;
    assert_eq!(api.get(&format!("{path}/settings/ssl")).await.result()["value"], "off");
    let now = [("a.customer.dev", false), ("b.customer.dev", true), ("c.customer.dev", true)];
    assert_eq!(hostnames().await, named(&now));
    site.write("wasmyard.toml", "");
    server.hang_up();
    server.noted("zone saas.dev is no longer in the configuration").await;
    eventually("all are the API's", async || {
        hostnames().await.iter().all(|(_, declared)| !declared).then_some(())
    })
    .await;
    let deleted = api.delete(&path).await;
    assert_eq!(deleted.envelope["success"], true, "{}", deleted.envelope);
}
