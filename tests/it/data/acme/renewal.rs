//! Renewal as the authority would have it (RFC 9773), and when it says to come again.

use std::time::{Duration, SystemTime};

use http::StatusCode;
use serde_json::{Value, json};
use wasmyard_namespaces::Timestamp;

use super::proxy::AT_ONCE;
use super::{Platform, Setup, has_both, hostname, shows, zone_named};

#[tokio::test]
async fn certificates_are_renewed_when_the_authority_says_so_and_served_all_the_while() {
    let platform = Platform::start(Setup { says_when: true, ..Setup::default() }).await;
    let server = platform.serve().await;
    let api = server.api();
    let zone = zone_named(&api, "saas.test").await;
    platform.leads_here("shop.customer.test");
    let path = hostname(&api, &zone, "shop.customer.test", json!({"method": "http", "type": "dv"})).await;
    shows(&api, &path, "both certificates", has_both).await;
    let first = platform.is_served(&server, "shop.customer.test").await;
    // Both kinds of one order after the other, each in the place of its own.
    let renewed = |ssl: &Value| has_both(ssl) && platform.said.lock().unwrap().asked.len() >= 2 * AT_ONCE;
    shows(&api, &path, "both are renewed", renewed).await;
    let second = platform.is_served(&server, "shop.customer.test").await;
    assert_ne!(first, second);
    let said = platform.said.lock().unwrap();
    let (mut replaced, mut asked) = (said.replaced.clone(), said.asked[..AT_ONCE].to_vec());
    replaced.sort();
    asked.sort();
    assert_eq!(replaced, asked, "each once, and none of those that are to be renewed later");
    assert_eq!(said.asked.len(), 2 * AT_ONCE);
}

/// How many seconds it is until the platform goes on.
fn waits(ssl: &Value) -> Option<u64> {
    let next: Timestamp = ssl["validation_checks"]["next_check_at"].as_str()?.parse().unwrap();
    Some(next.since(Timestamp::now()).as_secs())
}

#[tokio::test]
async fn an_authority_that_says_when_to_come_again_is_asked_then_in_whatever_form_it_says_so() {
    let platform = Platform::start(Setup { by_proxy: true, ..Setup::default() }).await;
    let server = platform.serve().await;
    let api = server.api();
    let zone = zone_named(&api, "saas.test").await;
    let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(7_200));
    for (name, status, again, seconds) in [
        ("one.customer.test", StatusCode::TOO_MANY_REQUESTS, "3600".to_owned(), 3_600),
        ("two.customer.test", StatusCode::SERVICE_UNAVAILABLE, date, 7_200),
        ("three.customer.test", StatusCode::SERVICE_UNAVAILABLE, "999999".to_owned(), 4 * 3_600),
    ] {
        platform.said.lock().unwrap().refusals.push_back((status, again));
        let path = hostname(&api, &zone, name, json!({"method": "http", "type": "dv"})).await;
        let is_told = |ssl: &Value| waits(ssl).is_some_and(|wait| wait > 600);
        let shown = shows(&api, &path, "when it goes on", is_told).await;
        let wait = waits(&shown["ssl"]).unwrap();
        assert!(wait <= seconds && wait > seconds - 300, "{name}: {wait}");
    }
    assert_eq!(platform.said.lock().unwrap().orders, 0);
}
