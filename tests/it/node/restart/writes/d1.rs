//! The rows of SQL databases.

use serde_json::{Value, json};

use super::{Declared::Beside, Row};
use crate::support::Api;

const D1: &str = "/client/v4/accounts/0/d1/database";

/// Calls that are no writes, though their method could be one's: an import writes by what it carries out, which its own
/// test asks for after a kill.
pub(super) const READS: &[&str] = &[
    "PUT d1/database/{database_id}",
    "PATCH d1/database/{database_id}",
    "POST d1/database/{database_id}/export",
    "POST d1/database/{database_id}/import",
    "PUT d1/uploads/{place}",
];

/// What the rows write to.
pub(super) async fn prepare(api: &Api) {
    for name in ["kept", "d1-gone", "back"] {
        api.post(D1, &json!({ "name": name })).await.result();
        let made = json!({"sql": "CREATE TABLE t (a); INSERT INTO t VALUES (1)"});
        api.post(&format!("{D1}/{name}/query"), &made).await.result();
    }
    // What is in it afterwards is the name of the moment before.
    let told = api.get(&format!("{D1}/back/time_travel/bookmark")).await;
    let put = json!({"sql": "INSERT INTO t VALUES (?)", "params": [told.result()["bookmark"]]});
    api.post(&format!("{D1}/back/query"), &put).await.result();
}

/// Every database with what is in its table, where it has one.
pub(super) async fn seen(api: &Api) -> Value {
    let mut all = Vec::new();
    for database in api.get(D1).await.result().as_array().unwrap() {
        let path = format!("{D1}/{}", database["uuid"].as_str().unwrap());
        let there = api.post(&format!("{path}/query"), &json!({"sql": "SELECT a FROM t"})).await;
        let rows = &there.envelope["result"][0]["results"];
        all.push(json!([database["uuid"], database["name"], database["created_at"], rows]));
    }
    json!(all)
}

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row {
            endpoint: "POST d1/database",
            seen: "d1",
            write: |c| Box::pin(c.call("POST", D1, json!({"name": "made"}))),
            declared: Beside,
        },
        Row {
            endpoint: "DELETE d1/database/{database_id}",
            seen: "d1",
            write: |c| Box::pin(async move { c.call("DELETE", &format!("{D1}/d1-gone"), json!(null)).await }),
            declared: Beside,
        },
        Row {
            endpoint: "POST d1/database/{database_id}/query",
            seen: "d1",
            write: |c| {
                let put = json!({"sql": "INSERT INTO t VALUES (2)"});
                Box::pin(async move { c.call("POST", &format!("{D1}/kept/query"), put).await })
            },
            declared: Beside,
        },
        Row {
            endpoint: "POST d1/database/{database_id}/raw",
            seen: "d1",
            write: |c| {
                let put = json!({"sql": "INSERT INTO t VALUES (3)"});
                Box::pin(async move { c.call("POST", &format!("{D1}/kept/raw"), put).await })
            },
            declared: Beside,
        },
        Row {
            endpoint: "POST d1/database/{database_id}/time_travel/restore",
            seen: "d1",
            write: |c| {
                Box::pin(async move {
                    let told = json!({"sql": "SELECT a FROM t WHERE a LIKE '00000000-%'"});
                    let told = c.api.post(&format!("{D1}/back/query"), &told).await;
                    let bookmark =
                        told.result()[0]["results"][0]["a"].as_str().unwrap_or_default().to_owned();
                    let path = format!("{D1}/back/time_travel/restore?bookmark={bookmark}");
                    c.call("POST", &path, json!(null)).await
                })
            },
            declared: Beside,
        },
    ]
}
