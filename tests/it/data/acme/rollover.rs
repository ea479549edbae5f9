//! Another key for the account that is had with an authority, also where the process ends in the middle of that.

use std::sync::Arc;

use serde_json::json;

use super::proxy::Stop;
use super::{Platform, Setup, has_both, hostname, shows, zone_named};
use crate::support::{Api, within};

const KEY: &str = "/client/v4/accounts/0/acme_accounts/lets_encrypt/key";

/// What an account's key makes of a token: another key makes something else of it.
async fn thumbprint(api: &Api, zone: &str, name: &str) -> String {
    let path = hostname(api, zone, name, json!({"method": "http", "type": "dv"})).await;
    let wanted = |ssl: &serde_json::Value| !ssl["validation_records"].is_null();
    let shown = shows(api, &path, "what the authority wants to see", wanted).await;
    let body = shown["ssl"]["validation_records"][0]["http_body"].as_str().unwrap().to_owned();
    body.split_once('.').unwrap().1.to_owned()
}

#[tokio::test]
async fn an_account_goes_on_with_another_key() {
    let platform = Platform::start(Setup::default()).await;
    let server = platform.serve().await;
    let api = server.api();
    let zone = zone_named(&api, "saas.test").await;
    let first = thumbprint(&api, &zone, "one.customer.test").await;
    let rolled = api.put(KEY, &json!({})).await;
    assert_eq!(rolled.result(), &json!({"certificate_authority": "lets_encrypt"}), "{}", rolled.envelope);
    let second = thumbprint(&api, &zone, "two.customer.test").await;
    assert_ne!(first, second);
    let output = platform.site.run(&["authority", "roll-key", "lets_encrypt", "--api-url", &api.url]).await;
    let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(told.contains("has another key"), "{told}");
    let unknown = api.put("/client/v4/accounts/0/acme_accounts/google/key", &json!({})).await;
    assert_eq!(unknown.status, 400);
    assert!(unknown.envelope.to_string().contains("certificates.authorities.google"), "{}", unknown.envelope);
    server.kill().await;
    let server = platform.serve().await;
    let api = server.api();
    let third = thumbprint(&api, &zone, "three.customer.test").await;
    assert!(third != first && third != second);
    // An order that was begun under the first key goes on under the last.
    platform.leads_here("one.customer.test");
    let found =
        api.get(&format!("{zone}/custom_hostnames?hostname=one.customer.test")).await.result().clone();
    let path = format!("{zone}/custom_hostnames/{}", found[0]["id"].as_str().unwrap());
    let again = api.patch(&path, &json!({"ssl": {"method": "http", "type": "dv"}})).await;
    assert_eq!(again.status, 202, "{}", again.envelope);
    shows(&api, &path, "both certificates", has_both).await;
}

#[tokio::test]
async fn a_process_that_ends_while_a_key_changes_finds_out_which_one_the_authority_knows() {
    for is_done in [false, true] {
        let stop = Stop { path: "rollover-account-key", after: 0, is_done };
        let platform = Platform::start(Setup { stop: Some(stop), ..Setup::default() }).await;
        let server = platform.serve().await;
        let api = server.api();
        let zone = zone_named(&api, "saas.test").await;
        let first = thumbprint(&api, &zone, "one.customer.test").await;
        let stopped = Arc::clone(&platform.said.lock().unwrap().stopped);
        let changing = server.api();
        let asked = tokio::spawn(async move { changing.put(KEY, &json!({})).await });
        within("it is asked for", stopped.notified()).await;
        server.kill().await;
        asked.abort();
        let server = platform.serve().await;
        let api = server.api();
        let second = thumbprint(&api, &zone, "two.customer.test").await;
        assert_eq!(first != second, is_done, "the key that the authority knows");
        let rolled = api.put(KEY, &json!({})).await;
        assert_eq!(rolled.status, 200, "{}", rolled.envelope);
        let third = thumbprint(&api, &zone, "three.customer.test").await;
        assert!(third != second && third != first);
    }
}
