//! Authorities that take nobody without an account elsewhere, and who is asked where the first one is down.

use serde_json::{Value, json};

use super::{EXTERNAL_KEY, Platform, Setup, has_both, hostname, shows, zone_named};

#[tokio::test]
async fn where_the_first_authority_is_down_the_next_is_asked_by_the_account_that_it_keeps_elsewhere() {
    let platform = Platform::start(Setup { is_second: true, ..Setup::default() }).await;
    let server = platform.serve().await;
    let api = server.api();
    let zone = zone_named(&api, "saas.test").await;
    platform.leads_here("shop.customer.test");
    let ssl = json!({"method": "http", "type": "dv"});
    let path = hostname(&api, &zone, "shop.customer.test", ssl.clone()).await;
    shows(&api, &path, "both certificates", has_both).await;
    platform.is_served(&server, "shop.customer.test").await;
    // Who was chosen is asked, and nobody in its place.
    let chosen = json!({"method": "http", "type": "dv", "certificate_authority": "lets_encrypt"});
    let path = hostname(&api, &zone, "other.customer.test", chosen).await;
    let is_down = |ssl: &Value| ssl["validation_errors"].to_string().contains("cannot be reached");
    let shown = shows(&api, &path, "why there is none", is_down).await;
    assert_eq!(shown["ssl"]["status"], "initializing");
    assert!(shown["ssl"]["certificates"].is_null());
    assert!(!server.log().contains(EXTERNAL_KEY), "the key is in no log");
}
