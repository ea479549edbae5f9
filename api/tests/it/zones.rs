//! Zones: what clients of the hosted product send first, their settings, hold and DNS records.

use serde_json::{Value, json};

use crate::common::Api;

mod budget;
pub(crate) mod certificates;
mod client_ca;
mod csrs;
mod hostnames;
mod refused;

const ZONES: &str = "/client/v4/zones";

/// A zone, and its path.
async fn zone(api: &Api, name: &str) -> (Value, String) {
    let made =
        api.post(ZONES, &json!({"name": name, "account": {"id": "acc1"}, "type": "full"})).await.result();
    let path = format!("{ZONES}/{}", made["id"].as_str().unwrap());
    (made, path)
}

fn texts(rows: &Value, field: &str) -> Vec<String> {
    rows.as_array().unwrap().iter().map(|row| row[field].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_zone_is_made_found_by_name_and_deleted() {
    let api = Api::new().await;
    let (made, path) = zone(&api, "SaaS.test").await;
    assert_eq!(
        (&made["name"], &made["status"], &made["type"]),
        (&json!("saas.test"), &json!("active"), &json!("full"))
    );
    // What strict clients insist on.
    for (field, is) in [
        ("account", Value::is_object as fn(&Value) -> bool),
        ("owner", Value::is_object),
        ("meta", Value::is_object),
        ("plan", Value::is_object),
        ("name_servers", Value::is_array),
        ("development_mode", Value::is_number),
        ("created_on", Value::is_string),
        ("modified_on", Value::is_string),
        ("activated_on", Value::is_string),
        ("original_dnshost", Value::is_null),
        ("original_registrar", Value::is_null),
        ("original_name_servers", Value::is_null),
    ] {
        assert!(made.get(field).is_some_and(is), "{field}: {made}");
    }
    assert_eq!(api.get(&path).await.result(), made);
    zone(&api, "other.test").await;
    for (query, names) in [
        ("", vec!["other.test", "saas.test"]),
        ("?direction=desc", vec!["saas.test", "other.test"]),
        ("?name=saas.test&account.id=acc1", vec!["saas.test"]),
        ("?name=contains:aas", vec!["saas.test"]),
        ("?name=starts_with:o", vec!["other.test"]),
        ("?name=not_equal:saas.test", vec!["other.test"]),
        ("?type=partial&type=secondary", vec![]),
        ("?type=partial,full&status=active", vec!["other.test", "saas.test"]),
        ("?page=2", vec![]),
        ("?page=2.0&per_page=1.0", vec!["saas.test"]),
    ] {
        assert_eq!(texts(&api.get(&format!("{ZONES}{query}")).await.result(), "name"), names, "{query}");
    }
    assert_eq!(api.get(&format!("{ZONES}?per_page=1")).await.json()["result_info"]["total_pages"], 2);
    let paused = api.patch(&path, &json!({"paused": true})).await.result();
    assert_eq!(paused["paused"], true);
    let id = json!({"id": made["id"]});
    assert_eq!(api.put(&format!("{path}/activation_check"), &json!({})).await.result(), id);
    assert_eq!(api.delete(&path).await.result(), id);
    api.get(&path).await.refused(404, 7003);
    api.delete(&path).await.refused(404, 7003);
    api.get(&format!("{ZONES}/nonsense")).await.refused(404, 7003);
}

#[tokio::test]
async fn bad_zones_are_refused() {
    let api = Api::new().await;
    zone(&api, "saas.test").await;
    api.post(ZONES, &json!({"name": "saas.test"})).await.refused(400, 1061);
    for (name, word) in
        [("co.uk", "eTLD+1"), ("*.a.test", "labels"), ("127.0.0.1", "address"), ("", "characters")]
    {
        let text = api.post(ZONES, &json!({"name": name})).await.refused(400, 10021);
        assert!(text.contains(word), "{name}: {text}");
    }
    api.post(ZONES, &json!({"name": "b.test", "type": "odd"})).await.refused(400, 10021);
    let (_, path) = zone(&api, "a.test").await;
    let servers = json!({"vanity_name_servers": ["ns1.a.test"]});
    assert!(api.patch(&path, &servers).await.refused(400, 10021).contains("name server"));
    let without_token = http::Request::get(&path).body(axum::body::Body::empty()).unwrap();
    api.raw(without_token).await.refused(401, 10000);
}

#[tokio::test]
async fn settings_are_read_and_set_one_at_a_time() {
    let api = Api::new().await;
    let (_, path) = zone(&api, "saas.test").await;
    let ssl = format!("{path}/settings/ssl");
    let unset = json!({"id": "ssl", "value": "full", "editable": true, "modified_on": null});
    assert_eq!(api.get(&ssl).await.result(), unset);
    assert_eq!(api.patch(&ssl, &json!({"value": "strict"})).await.result()["value"], "strict");
    assert!(api.get(&ssl).await.result()["modified_on"].is_string());
    let all = api.get(&format!("{path}/settings")).await.result();
    assert_eq!(
        texts(&all, "id"),
        [
            "ssl",
            "min_tls_version",
            "tls_1_3",
            "ciphers",
            "http2",
            "http3",
            "early_hints",
            "always_use_https",
            "0rtt"
        ]
    );
    for (id, value) in [("ssl", json!("very")), ("min_tls_version", json!(1.2)), ("0rtt", json!("on"))] {
        let answer = api.patch(&format!("{path}/settings/{id}"), &json!({ "value": value })).await;
        answer.refused(400, 1007);
        assert!(answer.json()["errors"][0]["error_chain"][0]["message"].as_str().unwrap().contains(id));
    }
    assert!(api.get(&format!("{path}/settings/brotli")).await.refused(400, 10004).contains("brotli"));
    let ciphers = json!({"value": ["ECDHE-RSA-AES128-GCM-SHA256", "AES128-SHA"]});
    let answer = api.patch(&format!("{path}/settings/ciphers"), &ciphers).await;
    assert_eq!(answer.result()["value"], ciphers["value"]);
    assert!(answer.json()["messages"][0]["message"].as_str().unwrap().starts_with("AES128-SHA:"));
}

#[tokio::test]
async fn a_hold_is_in_the_query_and_its_flag_a_text() {
    let api = Api::new().await;
    let (_, path) = zone(&api, "saas.test").await;
    let hold = format!("{path}/hold");
    let none = json!({"hold": false, "include_subdomains": "false", "hold_after": null});
    assert_eq!(api.get(&hold).await.result(), none);
    let held = api.post(&format!("{hold}?include_subdomains=true"), &Value::Null).await.result();
    assert_eq!(held, json!({"hold": true, "include_subdomains": "true", "hold_after": null}));
    api.post(ZONES, &json!({"name": "eu.saas.test"})).await.refused(403, 90017);
    let until = "2999-01-01T00:00:00Z";
    let released = api.delete(&format!("{hold}?hold_after={until}")).await.result();
    assert_eq!((&released["hold"], &released["include_subdomains"]), (&json!(false), &json!("true")));
    assert_eq!(released["hold_after"], "2999-01-01T00:00:00.000000Z");
    zone(&api, "eu.saas.test").await;
    let edited = api.patch(&hold, &json!({"include_subdomains": false, "hold_after": ""})).await.result();
    assert_eq!(edited, json!({"hold": true, "include_subdomains": "false", "hold_after": null}));
    assert_eq!(api.delete(&hold).await.result(), none);
    api.delete(&format!("{hold}?hold_after=soon")).await.refused(400, 10004);
}

#[tokio::test]
async fn dns_records_are_added_filtered_changed_and_deleted() {
    let api = Api::new().await;
    let (zone, path) = zone(&api, "saas.test").await;
    let records = format!("{path}/dns_records");
    let origin = json!({"type": "A", "name": "origin", "content": "192.0.2.1", "ttl": 1.0, "proxied": true, "comment": "the first"});
    let made = api.post(&records, &origin).await.result();
    assert_eq!((&made["name"], &made["zone_id"]), (&json!("origin.saas.test"), &zone["id"]));
    assert_eq!(
        (&made["proxied"], &made["ttl"], &made["comment"]),
        (&json!(true), &json!(1), &json!("the first"))
    );
    api.post(&records, &json!({"type": "CNAME", "name": "*.customers", "content": "origin.saas.test"}))
        .await
        .result();
    for (query, names) in [
        ("", vec!["*.customers.saas.test", "origin.saas.test"]),
        ("?type=A", vec!["origin.saas.test"]),
        ("?name=ORIGIN.saas.test", vec!["origin.saas.test"]),
        ("?name.startswith=*.", vec!["*.customers.saas.test"]),
        ("?content.contains=192", vec!["origin.saas.test"]),
        ("?proxied=false", vec!["*.customers.saas.test"]),
        ("?search=origin&order=type&direction=desc", vec!["*.customers.saas.test", "origin.saas.test"]),
        ("?page=2", vec![]),
    ] {
        assert_eq!(texts(&api.get(&format!("{records}{query}")).await.result(), "name"), names, "{query}");
    }
    let one = format!("{records}/{}", made["id"].as_str().unwrap());
    let edited = api.patch(&one, &json!({"content": "192.0.2.2"})).await.result();
    assert_eq!((&edited["content"], &edited["comment"]), (&json!("192.0.2.2"), &json!("the first")));
    let whole = json!({"type": "AAAA", "name": "origin", "content": "100::"});
    let replaced = api.put(&one, &whole).await.result();
    assert_eq!(
        (&replaced["type"], &replaced["proxied"], &replaced["comment"]),
        (&json!("AAAA"), &json!(false), &Value::Null)
    );
    assert_eq!(api.get(&one).await.result(), replaced);
    assert_eq!(api.delete(&one).await.result(), json!({"id": made["id"]}));
    api.get(&one).await.refused(404, 81044);
    api.delete(&one).await.refused(404, 81044);
    api.get(&format!("{records}/nonsense")).await.refused(404, 81044);
    for (body, code) in [
        (json!({"type": "TXT", "name": "a", "content": "x"}), 1004),
        (json!({"type": "A", "name": "a", "content": "::1"}), 1004),
        (json!({"type": "A", "name": "a", "content": "192.0.2.1", "ttl": 2}), 1004),
        (json!({"type": "CNAME", "name": "*.customers", "content": "origin.saas.test"}), 81058),
        (json!({"type": "A", "name": "*.customers", "content": "192.0.2.1"}), 81053),
    ] {
        let answer = api.post(&records, &body).await;
        answer.refused(400, code);
        assert!(answer.json()["errors"][0]["error_chain"][0]["message"].is_string(), "{body}");
    }
}
