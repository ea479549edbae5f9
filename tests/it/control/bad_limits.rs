//! A limit that cannot be is refused wherever somebody sets it, with its name, the value, and the range.
//! At `get`, that is `meters`.

use serde_json::{Value, json};

use crate::support::{Api, NAMESPACES, Server, Site, guest, script_path, wat};

/// Wishes, and what the refusal must say.
fn bad() -> Vec<(Value, Vec<&'static str>)> {
    let range = |field, value, range| vec![field, value, range];
    vec![
        (json!({"cpu_ms": 0}), range("cpu_ms", "= 0 ms", "1 to 20000")),
        (json!({"cpu_ms": 20_001}), range("cpu_ms", "= 20001 ms", "1 to 20000")),
        (json!({"fuel": 0}), range("fuel", "= 0 units", "1 to ")),
        (json!({"subrequests": 0}), range("subrequests", "= 0", "1 to 1000")),
        (json!({"subrequests": 1_001}), range("subrequests", "= 1001", "1 to 1000")),
        (json!({"memory_bytes": 1}), range("memory_bytes", "= 1 bytes", "65536 to 536870912")),
        (json!({"memory_bytes": 1_u64 << 32}), range("memory_bytes", "= 4294967296 bytes", "65536 to ")),
        (json!({"first_byte_ms": 0}), range("first_byte_ms", "= 0 ms", "1 to 300000")),
        (json!({"stream_idle_ms": 99}), range("stream_idle_ms", "= 99 ms", "100 to 3600000")),
        (json!({"depth": 17}), range("depth", "= 17", "1 to 16")),
        (json!({"concurrent_subrequests": 65}), range("concurrent_subrequests", "= 65", "1 to 64")),
        (json!({"log_bytes": 1_023}), range("log_bytes", "= 1023 bytes", "1024 to ")),
        (json!({"cpu_ms": -1}), range("cpu_ms", "= -1", "1 to 30000")),
        (json!({"cpu_ms": 1.5}), range("cpu_ms", "= 1.5", "1 to 30000")),
        (json!({"cpu_ms": "fast"}), range("cpu_ms", "fast", "1 to 30000")),
        (json!({"cpu": 5}), vec!["cpu", "cpu_ms"]),
    ]
}

#[track_caller]
fn assert_says(text: &str, wanted: &[&str], way: &str) {
    for word in wanted {
        assert!(text.contains(word), "{way}: {word:?} is missing in {text:?}");
    }
}

async fn upload(api: &Api, limits: &Value) -> String {
    let metadata = json!({"main_module": "worker.wasm", "limits": limits});
    let refused = api.upload(&script_path("greedy"), &metadata, wat::answer("greedy")).await;
    refused.refused(400, 10021).to_owned()
}

#[tokio::test]
async fn at_upload_and_when_a_namespace_is_made_or_changed() {
    let server = Server::serving("[limits.ceiling]\ncpu_ms = 20000\n[namespaces.production]\n").await;
    let api = server.api();
    for (limits, wanted) in bad() {
        assert_says(&upload(&api, &limits).await, &wanted, "upload");
        let made = api.post(NAMESPACES, &json!({"name": "new", "limits": limits})).await;
        assert_eq!(made.status, 400, "{made:?}");
        assert_says(&made.envelope.to_string(), &wanted, "a new namespace");
        let changed = api.put(&format!("{NAMESPACES}/production"), &json!({"limits": limits})).await;
        assert_eq!(changed.status, 400, "{changed:?}");
        assert_says(&changed.envelope.to_string(), &wanted, "a changed namespace");
    }
    assert_eq!(api.get(&format!("{NAMESPACES}/new")).await.status, 404, "nothing of it stays");
    assert_eq!(api.get(&script_path("greedy")).await.status, 404, "nothing of it stays");
}

#[tokio::test]
async fn a_component_that_cannot_start_within_its_limits_is_refused_with_the_limit() {
    let server = Server::serving("[namespaces.production]\n").await;
    let api = server.api();
    let metadata = json!({"main_module": "worker.wasm", "limits": {"memory_bytes": "1MiB"}});
    let refused = api.upload(&script_path("hello"), &metadata, guest::bytes("hello")).await;
    let text = refused.refused(400, 10021);
    assert!(text.contains("start-up") && text.contains("The limit is: memory 1 MiB."), "{text}");
    let metadata =
        json!({"main_module": "worker.wasm", "limits": {"memory_bytes": "8MiB", "fuel": 1_000_000_000}});
    api.upload(&script_path("hello"), &metadata, guest::bytes("hello")).await.result();
}

#[tokio::test]
async fn in_the_configuration() {
    for (limits, _) in bad() {
        let (name, value) = limits.as_object().unwrap().iter().next().unwrap();
        // The file has names of its own for sizes.
        let name = name.replace("memory_bytes", "memory").replace("log_bytes", "logs");
        let value = value.to_string();
        // What the file says of a value that is no number at all is the reader's.
        let range = if value.parse::<u64>().is_ok() && name != "cpu" { " to " } else { "" };
        let value_told = if name == "cpu" { "cpu_ms" } else { value.trim_matches('"') };
        let wanted = [name.as_str(), value_told, range];
        for place in
            ["[limits]\n", "[namespaces.production.limits]\n", "[scripts.a]\nmain = \"a.wasm\"\nlimits."]
        {
            let config = format!("{place}{name} = {value}\n[limits.ceiling]\ncpu_ms = 20000\n");
            let site = Site::new(&config);
            site.write("a.wasm", wat::answer("a"));
            let checked = site.run(&["check"]).await;
            assert_eq!(checked.status.code(), Some(64), "{config}: {checked:?}");
            let text = String::from_utf8_lossy(&checked.stderr).into_owned()
                + &String::from_utf8_lossy(&checked.stdout);
            assert_says(&text, &wanted, &config);
        }
    }
}
