//! The rows of keys and values.

use serde_json::{Value, json};

use super::{Declared::Beside, Row};
use crate::support::Api;

const KV: &str = "/client/v4/accounts/0/storage/kv/namespaces";

/// Calls that are no writes, though their method could be one's.
pub(super) const READS: &[&str] = &["POST storage/kv/namespaces/{namespace_id}/bulk/get"];

/// What the rows write to.
pub(super) async fn prepare(api: &Api) {
    for title in ["kept", "kv gone"] {
        let made = api.post(KV, &json!({ "title": title })).await;
        let path = format!("{KV}/{}", made.result()["id"].as_str().unwrap());
        let values: Vec<Value> =
            ["gone", "gone 2", "gone 3", "stays"].map(|key| json!({"key": key, "value": "x"})).to_vec();
        api.put(&format!("{path}/bulk"), &json!(values)).await.result();
    }
}

/// Every namespace with its keys and their values.
pub(super) async fn seen(api: &Api) -> Value {
    let mut all = Vec::new();
    for namespace in api.get(KV).await.result().as_array().unwrap() {
        let path = format!("{KV}/{}", namespace["id"].as_str().unwrap());
        let keys = api.get(&format!("{path}/keys")).await.result().clone();
        let names: Vec<&Value> = keys.as_array().unwrap().iter().map(|key| &key["name"]).collect();
        let values = api.post(&format!("{path}/bulk/get"), &json!({ "keys": names })).await;
        all.push(json!([namespace["id"], namespace["title"], keys, values.result()]));
    }
    json!(all)
}

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row {
            endpoint: "POST storage/kv/namespaces",
            seen: "kv",
            write: |c| Box::pin(c.call("POST", KV, json!({"title": "made"}))),
            declared: Beside,
        },
        Row {
            endpoint: "PUT storage/kv/namespaces/{namespace_id}",
            seen: "kv",
            write: |c| Box::pin(c.call_on("PUT", KV, "title", "made", json!({"title": "renamed"}))),
            declared: Beside,
        },
        Row {
            endpoint: "DELETE storage/kv/namespaces/{namespace_id}",
            seen: "kv",
            write: |c| Box::pin(c.call_on("DELETE", KV, "title", "kv gone", json!(null))),
            declared: Beside,
        },
        Row {
            endpoint: "PUT storage/kv/namespaces/{namespace_id}/values/{key_name}",
            seen: "kv",
            write: |c| Box::pin(c.call_below("PUT", KV, "title", "kept", "/values/put", json!("x"))),
            declared: Beside,
        },
        Row {
            endpoint: "DELETE storage/kv/namespaces/{namespace_id}/values/{key_name}",
            seen: "kv",
            write: |c| Box::pin(c.call_below("DELETE", KV, "title", "kept", "/values/gone", json!(null))),
            declared: Beside,
        },
        Row {
            endpoint: "PUT storage/kv/namespaces/{namespace_id}/bulk",
            seen: "kv",
            write: |c| {
                let values =
                    json!([{"key": "bulk", "value": "x", "metadata": {"a": 1}, "expiration_ttl": 86_400}]);
                Box::pin(c.call_below("PUT", KV, "title", "kept", "/bulk", values))
            },
            declared: Beside,
        },
        Row {
            endpoint: "DELETE storage/kv/namespaces/{namespace_id}/bulk",
            seen: "kv",
            write: |c| Box::pin(c.call_below("DELETE", KV, "title", "kept", "/bulk", json!(["gone 2"]))),
            declared: Beside,
        },
        Row {
            endpoint: "POST storage/kv/namespaces/{namespace_id}/bulk/delete",
            seen: "kv",
            write: |c| Box::pin(c.call_below("POST", KV, "title", "kept", "/bulk/delete", json!(["gone 3"]))),
            declared: Beside,
        },
    ]
}
