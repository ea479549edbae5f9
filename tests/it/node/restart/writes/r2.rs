//! The rows of objects.

use serde_json::{Value, json};

use super::{Declared::Beside, Row};
use crate::support::Api;

const BUCKETS: &str = "/client/v4/accounts/0/r2/buckets";

/// What the rows write to.
pub(super) async fn prepare(api: &Api) {
    for name in ["kept", "r2-gone"] {
        api.post(BUCKETS, &json!({ "name": name })).await.result();
    }
    for key in ["gone", "gone/2", "stays"] {
        api.put(&format!("{BUCKETS}/kept/objects/{key}"), &json!("x")).await.result();
    }
}

/// Every bucket with its objects.
pub(super) async fn seen(api: &Api) -> Value {
    let mut all = Vec::new();
    for bucket in api.get(BUCKETS).await.result()["buckets"].as_array().unwrap() {
        let path = format!("{BUCKETS}/{}/objects", bucket["name"].as_str().unwrap());
        all.push(json!([bucket, api.get(&path).await.result()]));
    }
    json!(all)
}

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row {
            endpoint: "POST r2/buckets",
            seen: "r2",
            write: |c| Box::pin(c.call("POST", BUCKETS, json!({"name": "made"}))),
            declared: Beside,
        },
        Row {
            endpoint: "PATCH r2/buckets/{bucket_name}",
            seen: "r2",
            write: |c| Box::pin(c.reclassed("/client/v4/accounts/0/r2/buckets/kept", "InfrequentAccess")),
            declared: Beside,
        },
        Row {
            endpoint: "DELETE r2/buckets/{bucket_name}",
            seen: "r2",
            write: |c| Box::pin(c.call("DELETE", "/client/v4/accounts/0/r2/buckets/r2-gone", json!(null))),
            declared: Beside,
        },
        Row {
            endpoint: "PUT r2/buckets/{bucket_name}/objects/{object_key}",
            seen: "r2",
            write: |c| {
                Box::pin(c.call("PUT", "/client/v4/accounts/0/r2/buckets/kept/objects/a/b", json!("content")))
            },
            declared: Beside,
        },
        Row {
            endpoint: "DELETE r2/buckets/{bucket_name}/objects/{object_key}",
            seen: "r2",
            write: |c| {
                Box::pin(c.call("DELETE", "/client/v4/accounts/0/r2/buckets/kept/objects/gone", json!(null)))
            },
            declared: Beside,
        },
        Row {
            endpoint: "DELETE r2/buckets/{bucket_name}/objects",
            seen: "r2",
            write: |c| {
                Box::pin(c.call("DELETE", "/client/v4/accounts/0/r2/buckets/kept/objects", json!(["gone/2"])))
            },
            declared: Beside,
        },
    ]
}
