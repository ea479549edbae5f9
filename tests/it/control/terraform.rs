//! A client that works like Terraform: it knows what it wants, applies it, reads it again, and must find no difference.
//! Updates carry the whole resource, as the provider's do; a 404 on reading means that it is gone, and nothing else does.

use serde_json::{Map, Value, json};

use crate::support::{Api, Site};

/// What a configuration says of one resource, and where it is.
struct Resource<'a> {
    api: &'a Api,
    /// Where it is made, and listed.
    collection: String,
    id: Option<String>,
    /// "PATCH" or "PUT".
    update: &'static str,
    wanted: Value,
}

/// What the provider compares: every attribute of the configuration, and of the optional ones that it has not, that
/// the answer has them neither.
fn drift(wanted: &Value, read: &Value, optional: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    compare("", wanted, read, &mut found);
    for name in optional {
        let pointer = format!("/{}", name.replace('.', "/"));
        let set = wanted.pointer(&pointer).is_some_and(|value| !value.is_null());
        if !set && read.pointer(&pointer).is_some_and(|value| !value.is_null()) {
            found.push(format!("{name} was not set, and is {}", read.pointer(&pointer).unwrap()));
        }
    }
    found
}

fn compare(path: &str, wanted: &Value, read: &Value, found: &mut Vec<String>) {
    match wanted {
        Value::Object(fields) => {
            for (name, value) in fields {
                compare(&format!("{path}.{name}"), value, &read[name], found);
            }
        }
        other if other == read => {}
        other => found.push(format!("{path}: {other} is wanted, and it is {read}")),
    }
}

/// What the provider leaves alone where the configuration does not say it, and would show as a difference.
const NOT_COMPUTED: &[&str] = &[
    "ssl",
    "ssl.settings",
    "ssl.settings.http2",
    "ssl.settings.min_tls_version",
    "ssl.settings.ciphers",
    "ssl.wildcard",
    "ssl.method",
    "ssl.type",
    "custom_origin_server",
    "custom_origin_sni",
    "custom_metadata",
];

impl Resource<'_> {
    /// Makes it, or brings it to what is wanted, and reads it again: there is no difference, nor one at the next plan.
    async fn apply(&mut self) -> Value {
        let sent = match &self.id {
            None => self.api.post(&self.collection, &self.wanted).await,
            Some(id) => {
                let path = format!("{}/{id}", self.collection);
                match self.update {
                    "PUT" => self.api.put(&path, &self.wanted).await,
                    _ => self.api.patch(&path, &self.wanted).await,
                }
            }
        };
        assert_eq!(sent.envelope["success"], true, "{}: {}", self.wanted, sent.envelope);
        self.id = sent.envelope["result"]["id"].as_str().map(str::to_owned);
        for _ in 0..2 {
            let read = self.read().await.expect("it is there");
            assert_eq!(drift(&self.wanted, &read, NOT_COMPUTED), [""; 0], "{read}");
        }
        self.read().await.unwrap()
    }

    async fn read(&self) -> Option<Value> {
        let read = self.api.get(&format!("{}/{}", self.collection, self.id.as_ref()?)).await;
        match read.status {
            404 => None,
            200 => Some(read.envelope["result"].clone()),
            other => panic!("{other}: {}", read.envelope),
        }
    }

    async fn destroy(&self) {
        let path = format!("{}/{}", self.collection, self.id.as_ref().unwrap());
        assert_eq!(self.api.delete(&path).await.status, 200);
        assert_eq!(self.read().await, None);
        assert_eq!(self.api.delete(&path).await.status, 404, "a second time it is gone, and no failure");
    }
}

fn whole(hostname: &str, more: Value) -> Value {
    let mut wanted = Map::from_iter([("hostname".to_owned(), json!(hostname))]);
    wanted.extend(more.as_object().unwrap().clone());
    Value::Object(wanted)
}

#[tokio::test]
async fn what_is_applied_is_read_again_without_a_difference() {
    let site = Site::new("[server]\nreserved_names = true\n");
    let server = site.serve().await;
    let api = server.api();
    let zone =
        json!({"name": "saas.test", "account": {"id": "0123456789abcdef0123456789abcdef"}, "type": "full"});
    let zone = api.post("/client/v4/zones", &zone).await.result().clone();
    let zone = format!("/client/v4/zones/{}", zone["id"].as_str().unwrap());

    let record = json!({
        "name": "service.saas.test", "type": "AAAA", "content": "100::", "ttl": 1, "proxied": true, "comment": null,
        "tags": [], "settings": {},
    });
    let collection = format!("{zone}/dns_records");
    let mut record = Resource { api: &api, collection, id: None, update: "PUT", wanted: record };
    record.apply().await;
    record.wanted["comment"] = json!("an origin");
    record.apply().await;
    for (setting, value) in [("ssl", "strict"), ("min_tls_version", "1.2")] {
        let path = format!("{zone}/settings/{setting}");
        api.patch(&path, &json!({"id": setting, "value": value})).await.result();
        assert_eq!(api.get(&path).await.result()["value"], value);
    }
    // The fallback origin goes by the zone's id, and is there until it is 404.
    let fallback = format!("{zone}/custom_hostnames/fallback_origin");
    api.put(&fallback, &json!({"origin": "service.saas.test"})).await.result();
    assert_eq!(api.get(&fallback).await.result()["origin"], "service.saas.test");

    let hostnames = format!("{zone}/custom_hostnames");
    let hostname =
        |wanted| Resource { api: &api, collection: hostnames.clone(), id: None, update: "PATCH", wanted };
    let mut plain = hostname(whole("plain.customer.test", json!({})));
    let read = plain.apply().await;
    assert!(read["ssl"].is_null(), "no certificate is made up: {read}");
    let mut shop = hostname(whole("shop.customer.test", json!({"ssl": {"method": "txt", "type": "dv"}})));
    let made = shop.apply().await;
    // A provider of before waits for exactly this status.
    assert_eq!(made["ssl"]["status"], "pending_validation");
    // Updates carry everything, the name among it.
    shop.wanted = whole(
        "shop.customer.test",
        json!({
            "ssl": {
                "method": "txt", "type": "dv", "wildcard": false, "certificate_authority": "google",
                "bundle_method": "ubiquitous",
                "settings": {"http2": "on", "min_tls_version": "1.2", "tls_1_3": "on", "early_hints": "off",
                    "ciphers": ["ECDHE-RSA-AES128-GCM-SHA256"]},
            },
            "custom_metadata": {"plan": "gold"}, "custom_origin_server": "service.saas.test",
            "custom_origin_sni": "service.saas.test",
        }),
    );
    let changed = shop.apply().await;
    assert_eq!(changed["id"], made["id"]);
    // A member of the settings that leaves the configuration leaves the answer.
    shop.wanted["ssl"]["settings"] = json!({"min_tls_version": "1.3"});
    shop.wanted["custom_metadata"] = json!({"plan": "free"});
    shop.apply().await;
    shop.apply().await;
    let other = whole("other.customer.test", json!({"ssl": {"method": "txt", "type": "dv"}}));
    let path = format!("{hostnames}/{}", shop.id.as_ref().unwrap());
    let renamed = api.patch(&path, &other).await;
    assert_eq!((renamed.status, &renamed.envelope["errors"][0]["code"]), (409, &json!(1439)));

    shop.destroy().await;
    plain.destroy().await;
    api.delete(&fallback).await;
    assert_eq!(api.get(&fallback).await.status, 404);
    record.destroy().await;
    assert_eq!(api.delete(&zone).await.status, 200);
    assert_eq!(api.get(&zone).await.status, 404);
}
