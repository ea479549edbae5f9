//! The page *Configuring Cloudflare for SaaS* of the product, step by step, under the page's own names: what a builder and their
//! customer do, and a visitor sees, over HTTPS.

use serde_json::{Value, json};

use super::{Platform, Setup, hostname, is_active, shows};
use crate::support::{Api, eventually};

/// Initial setup, steps 1 and 2: a fallback origin, and a friendlier name in front of it that customers point at. The path of the
/// zone in the API.
async fn initial_setup(api: &Api) -> String {
    let zone = api.post("/client/v4/zones", &json!({"name": "saasprovider.com"})).await.result().clone();
    let zone = format!("/client/v4/zones/{}", zone["id"].as_str().unwrap());
    // Step 1: a proxied record for the fallback origin, which is set as such and becomes active.
    let record = json!({"type": "AAAA", "name": "proxy-fallback", "content": "100::", "proxied": true});
    api.post(&format!("{zone}/dns_records"), &record).await.result();
    let fallback = format!("{zone}/custom_hostnames/fallback_origin");
    let set = json!({"origin": "proxy-fallback.saasprovider.com"});
    api.put(&fallback, &set).await.result();
    let shown = api.get(&fallback).await.result().clone();
    assert_eq!((&shown["origin"], &shown["status"]), (&set["origin"], &json!("active")), "{shown}");
    // Step 2: the CNAME target, also for all names below one.
    for name in ["customers", "*.customers"] {
        let record = json!({
            "type": "CNAME", "name": name, "content": "proxy-fallback.saasprovider.com", "proxied": true,
        });
        api.post(&format!("{zone}/dns_records"), &record).await.result();
    }
    zone
}

async fn is_validated(api: &Api, path: &str) -> Value {
    eventually("both statuses are active", async || {
        let shown = api.get(path).await.result().clone();
        (shown["status"] == "active" && is_active(&shown["ssl"])).then_some(shown)
    })
    .await
}

#[tokio::test]
async fn the_page_that_begins_it_all_works_as_it_is_written() {
    let platform = Platform::start(Setup::default()).await;
    let server = platform.serve().await;
    let api = server.api();
    let zone = initial_setup(&api).await;

    // Per-hostname setup, step 1: planned is validation before the customer changes where the name leads.
    // Step 2: the custom hostname is created.
    let ssl = json!({"method": "txt", "type": "dv"});
    let path = hostname(&api, &zone, "mystore.com", ssl.clone()).await;
    let shown = shows(&api, &path, "what to publish", |ssl| !ssl["validation_records"].is_null()).await;
    let ownership = &shown["ownership_verification"];
    assert_eq!(ownership["name"], "_cf-custom-hostname.mystore.com");
    platform.dns.text("_cf-custom-hostname.mystore.com", ownership["value"].as_str().unwrap());
    let record = &shown["ssl"]["validation_records"][0];
    assert_eq!(record["txt_name"], "_acme-challenge.mystore.com");
    platform.dns.text("_acme-challenge.mystore.com", record["txt_value"].as_str().unwrap());
    let again = api.patch(&path, &json!({"ssl": ssl})).await;
    assert_eq!(again.status, 202, "{}", again.envelope);
    // "Before your customer does this step, confirm that the hostname's Certificate status and Hostname status are both Active."
    let shown = is_validated(&api, &path).await;
    assert_eq!(shown["ssl"]["hosts"], json!(["mystore.com"]));
    platform.is_served(&server, "mystore.com").await;

    // Step 3: the customer creates the CNAME record, and visitors come by way of it.
    platform.dns.cname("mystore.com", "customers.saasprovider.com");
    platform.dns.cname("customers.saasprovider.com", "proxy-fallback.saasprovider.com");
    platform.dns.address_of("mystore.com", platform.listen.ip());
    let again = api.patch(&path, &json!({"ssl": ssl})).await;
    assert_eq!(again.status, 202, "{}", again.envelope);
    let shown = is_validated(&api, &path).await;
    assert!(shown["verification_errors"].is_null(), "{shown}");
    platform.is_served(&server, "mystore.com").await;

    // "If not, ... validation that occurs after your customer adds their CNAME record": http, and a target below the wildcard.
    let path = hostname(&api, &zone, "www.mystore.com", json!({"method": "http", "type": "dv"})).await;
    let shown = eventually("it waits for the record", async || {
        let shown = api.get(&path).await.result().clone();
        (!shown["verification_errors"].is_null()).then_some(shown)
    })
    .await;
    assert_eq!(shown["verification_errors"], json!(["custom hostname does not CNAME to this zone."]));
    platform.dns.cname("www.mystore.com", "mystore.customers.saasprovider.com");
    platform.dns.address_of("www.mystore.com", platform.listen.ip());
    let again = api.patch(&path, &json!({"ssl": {"method": "http", "type": "dv"}})).await;
    assert_eq!(again.status, 202, "{}", again.envelope);
    is_validated(&api, &path).await;
    platform.is_served(&server, "www.mystore.com").await;

    // Service continuation: the record stays for as long as the service is used; the hostname ends it.
    server.kill().await;
    let server = platform.serve().await;
    platform.is_served(&server, "mystore.com").await;
    assert_eq!(server.api().delete(&path).await.status, 200);
    platform.visit(&server, "www.mystore.com").await.unwrap_err();
    platform.is_served(&server, "mystore.com").await;
}
