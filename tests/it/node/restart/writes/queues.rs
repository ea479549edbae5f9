//! The rows of queues.

use serde_json::{Value, json};

use super::{Calls, Declared::Beside, Row};
use crate::support::{Api, guest};

const QUEUES: &str = "/client/v4/accounts/0/queues";

/// Calls that are no writes, though their method could be one's.
pub(super) const READS: &[&str] = &["POST queues/{queue_id}/messages/preview"];

/// What the rows write to: queues, of which some are pulled.
pub(super) async fn prepare(api: &Api) {
    for name in ["kept", "changed", "edited", "gone", "emptied", "pulled", "unpulled", "repulled"] {
        let made = api.post(QUEUES, &json!({ "queue_name": name })).await;
        let path = format!("{QUEUES}/{}", made.result()["queue_id"].as_str().unwrap());
        let messages = json!({ "messages": [{ "body": 1 }, { "body": 2 }] });
        api.post(&format!("{path}/messages/batch"), &messages).await.result();
        if name.ends_with("pulled") {
            let settings = json!({ "visibility_timeout_ms": 43_200_000 });
            let wanted = json!({ "type": "http_pull", "settings": settings });
            api.post(&format!("{path}/consumers"), &wanted).await.result();
        }
    }
    api.deploy("consumes", guest::bytes("handlers")).await;
}

/// Every queue with what is in it.
pub(super) async fn seen(api: &Api) -> Value {
    let mut all = Vec::new();
    for queue in api.get(QUEUES).await.result().as_array().unwrap() {
        let path = format!("{QUEUES}/{}/messages/preview", queue["queue_id"].as_str().unwrap());
        let messages = api.post(&path, &json!({})).await;
        all.push(json!([queue, messages.result()]));
    }
    json!(all)
}

impl Calls {
    /// A call below the queue of a name; `{consumer}` is its consumer.
    async fn on_queue(&self, method: &str, name: &str, rest: &str, body: Value) -> Value {
        let found = self.api.get(&format!("{QUEUES}?name={name}")).await.result()[0].clone();
        let consumer = found["consumers"][0]["consumer_id"].as_str().unwrap_or_default().to_owned();
        let id = found["queue_id"].as_str().unwrap();
        self.call(method, &format!("{QUEUES}/{id}{}", rest.replace("{consumer}", &consumer)), body).await
    }

    /// Has a message handed over and handled.
    async fn pulled_and_acked(&self) -> Value {
        let pulled = self.on_queue("POST", "pulled", "/messages/pull", json!({ "batch_size": 1 })).await;
        let lease = pulled["result"]["messages"][0]["lease_id"].clone();
        self.on_queue("POST", "pulled", "/messages/ack", json!({ "acks": [{ "lease_id": lease }] })).await
    }
}

pub(super) fn rows() -> Vec<Row> {
    let row = |endpoint, write| Row { endpoint, seen: "queues", write, declared: Beside };
    vec![
        row("POST queues", |c| Box::pin(c.call("POST", QUEUES, json!({ "queue_name": "made" })))),
        row("PUT queues/{queue_id}", |c| {
            Box::pin(c.on_queue("PUT", "changed", "", json!({ "settings": { "delivery_delay": 7 } })))
        }),
        row("PATCH queues/{queue_id}", |c| {
            Box::pin(c.on_queue("PATCH", "edited", "", json!({ "settings": { "delivery_paused": true } })))
        }),
        row("DELETE queues/{queue_id}", |c| Box::pin(c.on_queue("DELETE", "gone", "", json!(null)))),
        row("POST queues/{queue_id}/purge", |c| {
            Box::pin(c.on_queue("POST", "emptied", "/purge", json!({ "delete_messages_permanently": true })))
        }),
        row("POST queues/{queue_id}/consumers", |c| {
            let wanted = json!({ "script_name": "consumes", "dispatch_namespace": "production" });
            Box::pin(c.on_queue("POST", "emptied", "/consumers", wanted))
        }),
        row("PUT queues/{queue_id}/consumers/{consumer_id}", |c| {
            let wanted = json!({ "type": "http_pull", "settings": { "batch_size": 3 } });
            Box::pin(c.on_queue("PUT", "repulled", "/consumers/{consumer}", wanted))
        }),
        row("DELETE queues/{queue_id}/consumers/{consumer_id}", |c| {
            Box::pin(c.on_queue("DELETE", "unpulled", "/consumers/{consumer}", json!(null)))
        }),
        row("POST queues/{queue_id}/messages", |c| {
            Box::pin(c.on_queue("POST", "kept", "/messages", json!({ "body": "pushed" })))
        }),
        row("POST queues/{queue_id}/messages/batch", |c| {
            Box::pin(c.on_queue(
                "POST",
                "kept",
                "/messages/batch",
                json!({ "messages": [{ "body": "batch" }] }),
            ))
        }),
        row("POST queues/{queue_id}/messages/pull", |c| {
            Box::pin(c.on_queue("POST", "pulled", "/messages/pull", json!({ "batch_size": 1 })))
        }),
        row("POST queues/{queue_id}/messages/ack", |c| Box::pin(c.pulled_and_acked())),
    ]
}
