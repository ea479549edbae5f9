//! Validation that is delegated to the platform's own name server, which the authority asks by way of the customer's CNAME.

use serde_json::{Value, json};

use super::{Platform, Setup, has_both, hostname, shows, zone_named};
use crate::support::eventually;

#[tokio::test]
async fn one_cname_delegates_validation_to_the_platform_for_a_wildcard_and_all_that_follows() {
    let platform = Platform::start(Setup::default()).await;
    let server = platform.serve().await;
    let api = server.api();
    platform.dns.delegate("dcv.saas.test", server.dcv().await);
    let zone = zone_named(&api, "saas.test").await;
    let label = api.get(&format!("{zone}/dcv_delegation/uuid")).await.result()["uuid"].clone();
    let ssl = json!({"method": "txt", "type": "dv", "wildcard": true});
    let path = hostname(&api, &zone, "shop.customer.test", ssl).await;
    let target = format!("shop.customer.test.{}.dcv.saas.test", label.as_str().unwrap());
    let shown = api.get(&path).await.result().clone();
    assert_eq!(
        shown["ssl"]["dcv_delegation_records"],
        json!([{"cname": "_acme-challenge.shop.customer.test", "cname_target": target}])
    );
    let listed = api.get(&format!("{zone}/custom_hostnames")).await.result().clone();
    assert_eq!(listed[0]["ssl"]["dcv_delegation_records"], shown["ssl"]["dcv_delegation_records"]);
    platform.leads_here("shop.customer.test");
    platform.dns.cname("_acme-challenge.shop.customer.test", &target);
    let again = api.patch(&path, &json!({"ssl": {"method": "txt", "type": "dv"}})).await;
    assert_eq!(again.status, 202, "{}", again.envelope);
    let done = |ssl: &Value| has_both(ssl) && ssl["validation_records"].is_null();
    let first = shows(&api, &path, "both certificates", done).await;
    assert_eq!(first["ssl"]["hosts"].as_array().unwrap().len(), 2, "{first}");
    eventually("the name is served", async || {
        (api.get(&path).await.result()["status"] == "active").then_some(())
    })
    .await;
    platform.is_served(&server, "a.shop.customer.test").await;
    // Another certificate, and nothing for the customer to do.
    let again = api.patch(&path, &json!({"ssl": {"certificate_authority": "lets_encrypt"}})).await;
    assert_eq!(again.status, 202, "{}", again.envelope);
    let next =
        shows(&api, &path, "the next certificates", |ssl| done(ssl) && ssl["id"] != first["ssl"]["id"]);
    let next = next.await;
    assert_ne!(next["ssl"]["serial_number"], first["ssl"]["serial_number"]);
    platform.is_served(&server, "a.shop.customer.test").await;
    let metrics = server.metric(r#"wasmyard_dcv_questions_total{result="answered"}"#).await;
    assert!(metrics >= 4.0, "{metrics}");
}
