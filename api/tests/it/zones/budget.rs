//! How often certificates may be asked for, and what clients are told of it.

use serde_json::json;

use super::zone;
use crate::common::Api;

#[tokio::test]
async fn certificates_that_are_asked_for_too_often_are_refused_with_when_to_ask_again() {
    let api = Api::with_certificates_per_minute(2).await;
    let (_, path) = zone(&api, "saas.dev").await;
    let hostnames = format!("{path}/custom_hostnames");
    let ssl = json!({"method": "txt", "type": "dv"});
    for name in ["a.customer.dev", "b.customer.dev"] {
        let made = api.post(&hostnames, &json!({"hostname": name, "ssl": ssl})).await;
        assert_eq!(made.status.as_u16(), 201);
        assert_eq!(made.json()["result"]["ssl"]["status"], "initializing");
    }
    let quota = api.get(&format!("{hostnames}/quota")).await.result();
    let certificates = &quota["certificates"];
    assert_eq!((&certificates["used"], &certificates["blocked"]), (&json!(2), &json!(false)));
    assert!(certificates["returns_at"].is_string(), "{quota}");
    // A name that is there already is refused for that, and makes nothing worse.
    let again = api.post(&hostnames, &json!({"hostname": "a.customer.dev", "ssl": ssl})).await;
    again.refused(409, 1406);
    let answer = api.post(&hostnames, &json!({"hostname": "c.customer.dev", "ssl": ssl})).await;
    let refused = answer.refused(429, 90021);
    assert!(
        refused.contains("2 certificates within a minute") && refused.contains("30 seconds"),
        "{refused}"
    );
    assert_eq!(answer.headers["retry-after"], "30");
    let quota = api.get(&format!("{hostnames}/quota")).await.result();
    assert_eq!((&quota["certificates"]["blocked"], &quota["used"]), (&json!(true), &json!(2)));
    let plain = api.post(&hostnames, &json!({"hostname": "c.customer.dev"})).await;
    assert_eq!(plain.status.as_u16(), 201, "without a certificate it is none of them");
}

#[tokio::test]
async fn where_nobody_issues_nobody_counts() {
    let api = Api::new().await;
    let (_, path) = zone(&api, "saas.dev").await;
    let quota = api.get(&format!("{path}/custom_hostnames/quota")).await.result();
    assert_eq!(quota.as_object().unwrap().len(), 4, "{quota}");
}
