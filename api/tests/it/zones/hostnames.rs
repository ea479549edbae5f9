//! Custom hostnames: what was set comes back as it was set, in the shapes and statuses of the hosted product.

use http::StatusCode;
use serde_json::{Value, json};

use super::{texts, zone};
use crate::common::{Answer, Api};

/// The result of a call that succeeded with this status.
#[track_caller]
fn with_status(answer: &Answer, status: u16) -> Value {
    let envelope = answer.json();
    assert_eq!((answer.status.as_u16(), &envelope["success"]), (status, &json!(true)), "{envelope}");
    envelope["result"].clone()
}

async fn made(api: &Api, zone: &str, body: &Value) -> Value {
    with_status(&api.post(&format!("{zone}/custom_hostnames"), body).await, 201)
}

#[tokio::test]
async fn a_hostname_is_made_shown_and_deleted() {
    let api = Api::with_reserved_names().await;
    let (_, path) = zone(&api, "saas.test").await;
    let hostnames = format!("{path}/custom_hostnames");
    let body = json!({
        "hostname": "Shop.customer.test",
        "ssl": {"method": "txt", "type": "dv", "wildcard": false, "certificate_authority": "",
            "settings": {"min_tls_version": "1.2", "ciphers": ["ECDHE-RSA-AES128-GCM-SHA256", "AES128-SHA"]}},
        "custom_metadata": {"customer_id": "12345", "redirect_to_https": true, "deep": {"n": [1, 2.5, null]}},
    });
    let answer = api.post(&hostnames, &body).await;
    let hostname = with_status(&answer, 201);
    assert!(answer.json()["messages"][0]["message"].as_str().unwrap().contains("AES128-SHA"));
    let id = hostname["id"].as_str().unwrap().to_owned();
    let token = hostname["ownership_verification"]["value"].as_str().unwrap().to_owned();
    assert_eq!(
        hostname,
        json!({
            "id": id, "hostname": "shop.customer.test", "status": "pending", "created_at": hostname["created_at"],
            "ownership_verification": {"type": "txt", "name": "_cf-custom-hostname.shop.customer.test", "value": token},
            "ownership_verification_http": {
                "http_url": format!("http://shop.customer.test/.well-known/cf-custom-hostname-challenge/{id}"),
                "http_body": token,
            },
            "custom_metadata": body["custom_metadata"],
            "ssl": {
                "id": hostname["ssl"]["id"], "type": "dv", "method": "txt", "status": "pending_validation",
                "wildcard": false, "settings": body["ssl"]["settings"],
            },
        })
    );
    let one = format!("{hostnames}/{id}");
    assert_eq!(api.get(&one).await.result(), hostname);
    let answer = api.delete(&one).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        answer.json(),
        json!({"id": id, "success": true, "errors": [], "messages": [], "result": {"id": id}})
    );
    api.get(&one).await.refused(404, 1436);
    api.delete(&one).await.refused(404, 1436);
}

#[tokio::test]
async fn nothing_is_made_up_and_a_whole_resource_can_be_sent_back() {
    let api = Api::with_reserved_names().await;
    let (_, path) = zone(&api, "saas.test").await;
    let plain = made(&api, &path, &json!({"hostname": "plain.customer.test", "ssl": null})).await;
    for absent in ["ssl", "custom_metadata", "custom_origin_server", "custom_origin_sni"] {
        assert_eq!(plain.get(absent), None);
    }
    let managed = made(&api, &path, &json!({"hostname": "managed.customer.test", "ssl": {}})).await;
    assert_eq!(managed["ssl"], json!({"id": managed["ssl"]["id"], "status": "pending_validation"}));
    let partial = json!({"hostname": "a.customer.test", "ssl": {"method": "http", "type": "dv"}});
    let before = made(&api, &path, &partial).await;
    let one = format!("{path}/custom_hostnames/{}", before["id"].as_str().unwrap());
    // As the provider of Terraform sends it: everything, the name among it.
    let whole = json!({
        "hostname": "a.customer.test", "ssl": {"method": "http", "type": "dv", "settings": {"http2": "off"}},
        "custom_metadata": {"plan": "gold"}, "custom_origin_server": "",
    });
    let after = with_status(&api.patch(&one, &whole).await, 202);
    assert_eq!(after["ssl"]["settings"], json!({"http2": "off"}));
    assert_eq!(after["ssl"]["id"], before["ssl"]["id"]);
    let metadata = with_status(&api.patch(&one, &json!({"custom_metadata": {"plan": "silver"}})).await, 202);
    assert_eq!((&metadata["custom_metadata"], &metadata["ssl"]), (&json!({"plan": "silver"}), &after["ssl"]));
    let wildcard = with_status(&api.patch(&one, &json!({"ssl": {"wildcard": false}})).await, 202);
    assert_eq!((&wildcard["ssl"]["wildcard"], &wildcard["ssl"]["method"]), (&json!(false), &json!("http")));
    for none in [json!({"custom_metadata": {}}), json!({"custom_metadata": null})] {
        assert_eq!(with_status(&api.patch(&one, &none).await, 202).get("custom_metadata"), None);
    }
}

#[tokio::test]
async fn an_origin_is_set_and_taken_away() {
    let api = Api::with_reserved_names().await;
    let (_, path) = zone(&api, "saas.test").await;
    let record = json!({"type": "CNAME", "name": "origin", "content": "elsewhere.test", "proxied": true});
    api.post(&format!("{path}/dns_records"), &record).await.result();
    let body = json!({
        "hostname": "a.customer.test", "custom_origin_server": "origin.saas.test",
        "custom_origin_sni": ":request_host_header:",
    });
    let hostname = made(&api, &path, &body).await;
    assert_eq!(hostname["custom_origin_server"], "origin.saas.test");
    assert_eq!(hostname["custom_origin_sni"], ":request_host_header:");
    let one = format!("{path}/custom_hostnames/{}", hostname["id"].as_str().unwrap());
    let named = with_status(&api.patch(&one, &json!({"custom_origin_sni": "sni.customer.test"})).await, 202);
    assert_eq!(named["custom_origin_sni"], "sni.customer.test");
    for none in [json!({"custom_origin_server": null}), json!({"custom_origin_server": ""})] {
        let cleared = with_status(&api.patch(&one, &none).await, 202);
        assert_eq!((cleared.get("custom_origin_server"), cleared.get("custom_origin_sni")), (None, None));
    }
}

#[tokio::test]
async fn lists_are_filtered_ordered_and_end_with_an_empty_page() {
    let api = Api::with_reserved_names().await;
    let (_, path) = zone(&api, "saas.test").await;
    let record = json!({"type": "A", "name": "origin", "content": "192.0.2.1", "proxied": true});
    api.post(&format!("{path}/dns_records"), &record).await.result();
    let txt = json!({"method": "txt", "type": "dv", "wildcard": true, "certificate_authority": "google"});
    for body in [
        json!({"hostname": "b.customer.test", "ssl": txt}),
        json!({"hostname": "a.customer.test"}),
        json!({"hostname": "a.other.test", "ssl": {}, "custom_origin_server": "origin.saas.test"}),
    ] {
        made(&api, &path, &body).await;
    }
    let all = api.get(&format!("{path}/custom_hostnames")).await;
    let id = all.result()[1]["id"].as_str().unwrap().to_owned();
    assert_eq!(all.json()["result_info"]["total_count"], 3);
    for (query, names) in [
        ("", vec!["b.customer.test", "a.customer.test", "a.other.test"]),
        ("?per_page=2", vec!["b.customer.test", "a.customer.test"]),
        ("?per_page=2.0&page=2", vec!["a.other.test"]),
        ("?per_page=2&page=3", vec![]),
        ("?per_page=100000", vec!["b.customer.test", "a.customer.test", "a.other.test"]),
        ("?hostname=A.customer.test", vec!["a.customer.test"]),
        ("?hostname.exact=a.customer", vec![]),
        ("?hostname.startsWith=a.", vec!["a.customer.test", "a.other.test"]),
        ("?hostname.contain=customer", vec!["a.customer.test", "b.customer.test"]),
        (&format!("?id={id}"), vec!["a.customer.test"]),
        ("?ssl=1", vec!["b.customer.test", "a.other.test"]),
        ("?ssl=0", vec!["a.customer.test"]),
        ("?wildcard=true", vec!["b.customer.test"]),
        ("?certificate_authority=google", vec!["b.customer.test"]),
        ("?custom_origin_server=origin.saas.test", vec!["a.other.test"]),
        ("?hostname_status=pending&ssl_status=pending_validation", vec!["b.customer.test", "a.other.test"]),
        ("?hostname_status=active", vec![]),
        ("?order=ssl", vec!["a.customer.test", "b.customer.test", "a.other.test"]),
        ("?order=ssl_status&direction=desc&per_page=2", vec!["a.other.test", "b.customer.test"]),
    ] {
        let found = api.get(&format!("{path}/custom_hostnames{query}")).await.result();
        assert_eq!(texts(&found, "hostname"), names, "{query}");
    }
    let quota = api.get(&format!("{path}/custom_hostnames/quota")).await.result();
    assert_eq!(quota, json!({"allocated": 1_000_000, "used": 3, "hard_cap": 1_000_000, "exceeded": false}));
}

#[tokio::test]
async fn a_fallback_origin_waits_for_its_record() {
    let api = Api::with_reserved_names().await;
    let (_, path) = zone(&api, "saas.test").await;
    let fallback = format!("{path}/custom_hostnames/fallback_origin");
    api.get(&fallback).await.refused(404, 1551);
    api.delete(&fallback).await.refused(404, 1551);
    let set = api.put(&fallback, &json!({"origin": "Proxy-fallback.saas.test"})).await.result();
    assert_eq!(
        (&set["origin"], &set["status"]),
        (&json!("proxy-fallback.saas.test"), &json!("pending_deployment"))
    );
    assert!(set["errors"][0].as_str().unwrap().contains("no proxied A, AAAA or CNAME record"));
    let record = json!({"type": "AAAA", "name": "proxy-fallback", "content": "100::", "proxied": true});
    api.post(&format!("{path}/dns_records"), &record).await.result();
    let there = api.get(&fallback).await.result();
    assert_eq!((&there["status"], &there["errors"]), (&json!("active"), &json!([])));
    api.put(&fallback, &json!({"origin": "elsewhere.test"})).await.refused(400, 90018);
    assert_eq!(api.delete(&fallback).await.result()["origin"], "proxy-fallback.saas.test");
    api.get(&fallback).await.refused(404, 1551);
}

#[tokio::test]
async fn the_label_of_delegated_validation_stays() {
    let api = Api::with_reserved_names().await;
    let (_, path) = zone(&api, "saas.test").await;
    let label = api.get(&format!("{path}/dcv_delegation/uuid")).await.result();
    let uuid = label["uuid"].as_str().unwrap();
    assert!(uuid.len() == 16 && uuid.bytes().all(|byte| byte.is_ascii_hexdigit()), "{label}");
    assert_eq!(api.get(&format!("{path}/dcv_delegation/uuid")).await.result(), label);
}
