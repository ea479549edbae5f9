//! The rows of webhooks and notification policies. A file declares none of them.

use serde_json::{Value, json};

use super::{Calls, Declared::Beside, Row};
use crate::support::Api;
use crate::support::origin::Origin;

const WEBHOOKS: &str = "/client/v4/accounts/0/alerting/v3/destinations/webhooks";
const POLICIES: &str = "/client/v4/accounts/0/alerting/v3/policies";

/// Lets the receiver be reached.
pub(super) fn config(receiver: &Origin) -> String {
    format!("[webhooks]\nports = [{}]\nallow_private = [\"127.0.0.1\"]\n", receiver.address.port())
}

fn policy(name: &str, webhook: &str) -> Value {
    json!({
        "name": name, "enabled": true, "alert_type": "custom_ssl_certificate_event_type",
        "mechanisms": {"webhooks": [{"id": webhook}]},
    })
}

/// What the rows write to.
pub(super) async fn prepare(api: &Api, receiver: &Origin) {
    let hook = |name: &str| json!({"name": name, "url": receiver.url("/"), "secret": "s"});
    for name in ["changed", "gone"] {
        api.post(WEBHOOKS, &hook(name)).await.result();
    }
    let webhook = api.post(WEBHOOKS, &hook("named")).await.result()["id"].as_str().unwrap().to_owned();
    for name in ["changed", "gone"] {
        api.post(POLICIES, &policy(name, &webhook)).await.result();
    }
}

/// All of them.
pub(super) async fn seen(api: &Api) -> Value {
    json!([api.get(WEBHOOKS).await.envelope["result"], api.get(POLICIES).await.envelope["result"]])
}

impl Calls {
    /// The webhook that policies name: its id and address.
    async fn named_webhook(&self) -> (String, String) {
        let all = self.api.get(WEBHOOKS).await.result().clone();
        let found = all.as_array().unwrap().iter().find(|row| row["name"] == "named").unwrap().clone();
        (found["id"].as_str().unwrap().to_owned(), found["url"].as_str().unwrap().to_owned())
    }
}

fn row(endpoint: &'static str, write: super::Step) -> Row {
    Row { endpoint, seen: "alerting", write, declared: Beside }
}

pub(super) fn rows() -> Vec<Row> {
    vec![
        row("POST alerting/v3/destinations/webhooks", |c| {
            Box::pin(async move {
                let (_, url) = c.named_webhook().await;
                c.call("POST", WEBHOOKS, json!({"name": "made", "url": url})).await
            })
        }),
        row("PUT alerting/v3/destinations/webhooks/{webhook_id}", |c| {
            Box::pin(async move {
                let (_, url) = c.named_webhook().await;
                c.call_on("PUT", WEBHOOKS, "name", "changed", json!({"name": "other", "url": url})).await
            })
        }),
        row("DELETE alerting/v3/destinations/webhooks/{webhook_id}", |c| {
            Box::pin(c.call_on("DELETE", WEBHOOKS, "name", "gone", json!(null)))
        }),
        row("POST alerting/v3/policies", |c| {
            Box::pin(
                async move { c.call("POST", POLICIES, policy("made", &c.named_webhook().await.0)).await },
            )
        }),
        row("PUT alerting/v3/policies/{policy_id}", |c| {
            Box::pin(async move {
                let changed = policy("other", &c.named_webhook().await.0);
                c.call_on("PUT", POLICIES, "name", "changed", changed).await
            })
        }),
        row("DELETE alerting/v3/policies/{policy_id}", |c| {
            Box::pin(c.call_on("DELETE", POLICIES, "name", "gone", json!(null)))
        }),
    ]
}
