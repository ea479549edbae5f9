//! Dispatch namespaces: list, create, show, change, delete.

use http::Method;
use serde_json::{Value, json};

use crate::common::{Api, NAMESPACES, SCRIPT};

fn at(name: &str) -> String {
    format!("{NAMESPACES}/{name}")
}

#[tokio::test]
async fn a_namespace_is_created_shown_and_listed() {
    let api = Api::new().await;
    let made = api.post(NAMESPACES, &json!({"name": "production"})).await.result();
    assert_eq!(made["namespace_id"].as_str().unwrap().len(), 36);
    assert_eq!((&made["namespace_name"], &made["script_count"]), (&json!("production"), &json!(0)));
    assert_eq!((&made["trusted_workers"], &made["origin"]), (&json!(false), &json!("api")));
    assert!(made["created_by"].as_str().unwrap().len() <= 32);
    assert_eq!(api.get(&at("production")).await.result(), made);
    let listed = api.get(NAMESPACES).await;
    assert_eq!(listed.json()["result_info"]["total_count"], 1);
    assert_eq!(listed.result(), json!([made]));
}

#[tokio::test]
async fn a_later_page_is_empty_so_that_clients_stop_asking() {
    let api = Api::with_scripts().await;
    assert_eq!(
        api.get(&format!("{NAMESPACES}?page=1&per_page=5")).await.result().as_array().unwrap().len(),
        1
    );
    assert_eq!(api.get(&format!("{NAMESPACES}?page=2")).await.result(), json!([]));
    api.get(&format!("{NAMESPACES}?page=x")).await.refused(400, 10004);
}

#[tokio::test]
async fn a_namespace_is_counted_renamed_changed_and_deleted_with_its_scripts() {
    let api = Api::with_scripts().await;
    let before = api.get(&at("production")).await.result();
    assert_eq!(before["script_count"], 1);
    let renamed = api.put(&at("production"), &json!({"name": "live"})).await.result();
    assert_eq!(
        (&renamed["namespace_name"], &renamed["namespace_id"]),
        (&json!("live"), &before["namespace_id"])
    );
    api.get(SCRIPT).await.refused(404, 100_119);
    api.get(&format!("{NAMESPACES}/live/scripts/customer-a")).await.result();

    let outbound = json!({"worker": {"service": "out"}, "params": [{"name": "customer"}]});
    let change = json!({"trusted_workers": true, "limits": {"cpu_ms": 20, "memory_bytes": "64MiB"}, "outbound": outbound});
    let changed = api.patch(&at("live"), &change).await.result();
    assert_eq!((&changed["trusted_workers"], &changed["outbound"]), (&json!(true), &outbound));
    assert_eq!(changed["limits"], json!({"cpu_ms": 20, "memory_bytes": 64 << 20}));
    // What is left out stays; null removes.
    let changed = api.patch(&at("live"), &json!({"outbound": null})).await.result();
    assert_eq!((&changed["trusted_workers"], &changed["outbound"]), (&json!(true), &Value::Null));

    let rules = json!({"allow_hosts": ["*.example.com"], "allow_private": ["10.1.0.0/16"], "ports": [443]});
    let changed = api.patch(&at("live"), &json!({"egress": rules})).await.result();
    assert_eq!((&changed["trusted_workers"], &changed["egress"]), (&json!(true), &rules));
    assert_eq!(api.patch(&at("live"), &json!({"trusted_workers": false})).await.result()["egress"], rules);
    assert_eq!(api.get(&at("live")).await.result()["egress"], rules);
    let changed = api.patch(&at("live"), &json!({"egress": null})).await.result();
    assert_eq!(changed["egress"], Value::Null);

    assert_eq!(api.delete(&at("live")).await.result(), Value::Null);
    api.get(&at("live")).await.refused(404, 100_119);
    assert_eq!(api.get(NAMESPACES).await.result(), json!([]));
}

#[tokio::test]
async fn bad_bodies_are_refused_by_the_rule_they_break() {
    let api = Api::with_scripts().await;
    for (body, named) in [
        (json!({}), "name"),
        (json!({"name": "Upper"}), "Upper"),
        (json!({"name": ""}), "1 to 64"),
        (json!({"name": "x".repeat(65)}), "1 to 64"),
        (json!({"name": 5}), "integer"),
        (json!({"name": "a", "nmae": "b"}), "nmae"),
        (json!({"name": "a", "limits": {"cpu_ms": 0}}), "cpu_ms"),
        (json!({"name": "a", "limits": {"cpus": 1}}), "cpus"),
        (json!({"name": "a", "outbound": {"worker": "out"}}), "outbound"),
        (json!({"name": "a", "egress": {"allow_host": []}}), "allow_host"),
        (json!({"name": "a", "egress": {"deny_hosts": ["http://a.test"]}}), "without scheme"),
        (json!({"name": "a", "egress": {"ports": [0]}}), "from 1 to 65535"),
        (json!({"name": "a", "egress": {"deny_hosts": vec!["a.test"; 257]}}), "at most 256"),
        (json!("production"), "string"),
    ] {
        let message = api.post(NAMESPACES, &body).await.refused(400, 10021);
        assert!(message.contains(named), "{body}: {message}");
    }
    for text in ["", "{", "name=production", "\u{0}"] {
        api.send(Method::POST, NAMESPACES, "application/json", text).await.refused(400, 10006);
    }
    assert!(
        api.post(NAMESPACES, &json!({"name": "production"})).await.refused(409, 90001).contains("production")
    );
    api.post(NAMESPACES, &json!({"name": "staging"})).await.result();
    api.put(&at("staging"), &json!({"name": "production"})).await.refused(409, 90001);
    api.put(&at("staging"), &json!({"name": "No Good"})).await.refused(400, 10021);
}

#[tokio::test]
async fn what_is_not_there_says_so() {
    let api = Api::new().await;
    let message = api.get(&at("nowhere")).await.refused(404, 100_119);
    assert!(message.contains("nowhere"), "{message}");
    api.put(&at("nowhere"), &json!({"name": "x"})).await.refused(404, 100_119);
    api.patch(&at("nowhere"), &json!({})).await.refused(404, 100_119);
    api.delete(&at("nowhere")).await.refused(404, 100_119);
    api.get(&at("nowhere.at.all")).await.refused(400, 10004);
}
