//! The rows of stores of secrets.

use serde_json::{Value, json};

use super::{Calls, Declared::Beside, Row};
use crate::support::Api;

const STORES: &str = "/client/v4/accounts/0/secrets_store/stores";

/// What the rows write to.
pub(super) async fn prepare(api: &Api) {
    for name in ["kept", "gone"] {
        let made = api.post(STORES, &json!({ "name": name })).await;
        let path = format!("{STORES}/{}/secrets", made.result()["id"].as_str().unwrap());
        let secrets: Vec<Value> =
            ["changed", "copied", "goes"].map(|name| json!({"name": name, "value": "x"})).to_vec();
        api.post(&path, &json!(secrets)).await.result();
    }
}

/// Where the secrets of the store are that is kept.
async fn secrets(api: &Api) -> String {
    let stores = api.get(STORES).await.result().clone();
    let kept = stores.as_array().unwrap().iter().find(|store| store["name"] == "kept").cloned().unwrap();
    format!("{STORES}/{}/secrets", kept["id"].as_str().unwrap())
}

/// Every store with its secrets. Their values nobody sees.
pub(super) async fn seen(api: &Api) -> Value {
    let mut all = Vec::new();
    for store in api.get(STORES).await.result().as_array().unwrap() {
        let path = format!("{STORES}/{}/secrets", store["id"].as_str().unwrap());
        all.push(json!([store, api.get(&path).await.result()]));
    }
    json!(all)
}

async fn on(calls: &Calls, method: &str, name: &str, rest: &str, body: Value) -> Value {
    let list = secrets(&calls.api).await;
    calls.call_below(method, &list, "name", name, rest, body).await
}

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row {
            endpoint: "POST secrets_store/stores",
            seen: "secret stores",
            write: |c| Box::pin(c.call("POST", STORES, json!({"name": "made"}))),
            declared: Beside,
        },
        Row {
            endpoint: "DELETE secrets_store/stores/{store_id}",
            seen: "secret stores",
            write: |c| Box::pin(c.call_on("DELETE", STORES, "name", "gone", json!(null))),
            declared: Beside,
        },
        Row {
            endpoint: "POST secrets_store/stores/{store_id}/secrets",
            seen: "secret stores",
            write: |c| {
                Box::pin(async {
                    let list = secrets(&c.api).await;
                    c.call("POST", &list, json!([{"name": "made", "value": "y"}])).await
                })
            },
            declared: Beside,
        },
        Row {
            endpoint: "PATCH secrets_store/stores/{store_id}/secrets/{secret_id}",
            seen: "secret stores",
            write: |c| Box::pin(on(c, "PATCH", "changed", "", json!({"value": "z", "comment": "another"}))),
            declared: Beside,
        },
        Row {
            endpoint: "POST secrets_store/stores/{store_id}/secrets/{secret_id}/duplicate",
            seen: "secret stores",
            write: |c| Box::pin(on(c, "POST", "copied", "/duplicate", json!({"name": "copy"}))),
            declared: Beside,
        },
        Row {
            endpoint: "DELETE secrets_store/stores/{store_id}/secrets/{secret_id}",
            seen: "secret stores",
            write: |c| Box::pin(on(c, "DELETE", "goes", "", json!(null))),
            declared: Beside,
        },
    ]
}
