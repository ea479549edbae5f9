//! Rate limits, as components and scripts in JavaScript reach them: granted, not granted, of another tenant, over the limit.

use serde_json::json;

use crate::support::{Server, guest, script_path};

const ASKS: &str = r#"
    export default {
      async fetch(request, env) {
        try {
          const { success } = await env.LIMIT.limit({ key: new URL(request.url).pathname });
          return new Response(success ? "in" : "out");
        } catch (error) {
          return new Response(`${error.name}: ${error.message}`);
        }
      },
    };
"#;

async fn platform() -> Server {
    let site = super::dispatching_by_label();
    site.serve().await
}

fn limit(name: &str, id: &str, limit: u32) -> serde_json::Value {
    json!({ "type": "ratelimit", "name": name, "namespace_id": id, "simple": { "limit": limit, "period": 60 } })
}

#[tokio::test]
async fn a_key_is_let_through_so_often_and_each_tenant_counts_for_itself() {
    let server = platform().await;
    let api = server.api();
    for (script, bindings) in
        [("one", json!([limit("LIMIT", "7", 3)])), ("two", json!([limit("LIMIT", "7", 3)]))]
    {
        let metadata = json!({ "main_module": "worker.js", "bindings": bindings });
        let reply = api.javascript_with(&script_path(script), &metadata, ASKS).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    let told = async |host: &'static str, path: &str, times: usize| {
        let mut told = Vec::new();
        for _ in 0..times {
            told.push(server.get(host, path).await.text().to_owned());
        }
        told
    };
    assert_eq!(told("one.localhost", "/a", 4).await, ["in", "in", "in", "out"]);
    assert_eq!(told("one.localhost", "/b", 1).await, ["in"], "another key");
    assert_eq!(
        told("two.localhost", "/a", 4).await,
        ["in", "in", "in", "out"],
        "another tenant, the same id"
    );
    // A new version counts on.
    let metadata = json!({ "main_module": "worker.js", "bindings": [limit("LIMIT", "7", 3)] });
    api.javascript_with(&script_path("one"), &metadata, &format!("{ASKS}//")).await;
    assert_eq!(told("one.localhost", "/a", 1).await, ["out"]);
    let long = format!("/{}", "k".repeat(600));
    assert!(told("one.localhost", &long, 1).await[0].contains("the key has 601 bytes"));
}

#[tokio::test]
async fn a_component_asks_as_well_and_what_is_not_granted_is_not_there() {
    let server = platform().await;
    let api = server.api();
    let upload = async |bindings: serde_json::Value| {
        let metadata = json!({ "main_module": "worker.wasm", "bindings": bindings });
        api.upload(&script_path("gate"), &metadata, guest::bytes("rate_limit")).await
    };
    assert_eq!(upload(json!([limit("VISITS", "1", 2)])).await.status, 200);
    let mut statuses = Vec::new();
    for path in ["/ann", "/ann/again", "/ann", "/bob"] {
        statuses.push(server.get("gate.localhost", path).await.status);
    }
    assert_eq!(statuses, [200, 200, 429, 200]);
    let shown = api.get(&format!("{}/settings", script_path("gate"))).await.result()["bindings"][0].clone();
    assert_eq!(shown, limit("VISITS", "1", 2), "as it was given");
    // Not granted, and of another type under that name.
    for bindings in [json!([]), json!([{ "type": "plain_text", "name": "VISITS", "text": "x" }])] {
        assert_eq!(upload(bindings).await.status, 200);
        assert_eq!(server.get("gate.localhost", "/ann").await.status, 500);
    }
    for (field, value) in [
        ("namespace_id", json!("one")),
        ("namespace_id", json!(0)),
        ("simple", json!({ "limit": 0, "period": 60 })),
        ("simple", json!({ "limit": 1, "period": 61 })),
        ("simple", json!(null)),
    ] {
        let mut wrong = limit("VISITS", "1", 2);
        wrong[field] = value;
        let refused = upload(json!([wrong])).await;
        assert!(refused.refused(400, 10021).contains(field), "{refused:?}");
    }
}
