//! What the zone's records say holds for the next request.

use super::*;

#[tokio::test]
async fn a_change_of_a_record_holds_for_the_next_request() {
    let origin = Origin::start().await;
    let places = Places::beside(origin.address);
    let other = places.listen(7).await;
    let router = axum::Router::new().fallback(|| async { "other" });
    tokio::spawn(async move { axum::serve(other, router).await });
    let saas = Saas::start(&http_port(origin.address)).await;
    saas.ssl("off").await;
    let machine = saas.record("machine", "127.0.0.1").await;
    saas.record("fallback", "machine.saas.test").await;
    saas.fallback("fallback.saas.test").await;
    let path = saas.hostname("shop.customer.test", json!({})).await;
    let shop = async || saas.get("shop.customer.test", "/").await;
    assert_eq!(shop().await.text(), "origin");
    let to = |content: &str| json!({"type": "A", "name": "machine", "content": content, "proxied": false});
    saas.api.put(&machine, &to("127.0.0.7")).await.result();
    assert_eq!(shop().await.text(), "other");
    // An origin of its own, by a name that a name server knows.
    saas.dns.address_of("host.provider.test", "127.0.0.1".parse().unwrap());
    saas.record("own", "host.provider.test").await;
    let own = json!({"custom_origin_server": "own.saas.test"});
    assert_eq!(saas.api.patch(&path, &own).await.status, 202);
    assert_eq!(shop().await.text(), "origin");
    assert_eq!(saas.api.patch(&path, &json!({"custom_origin_server": ""})).await.status, 202);
    assert_eq!(shop().await.text(), "other");
    // Without a record there is no origin, and without an origin the hostname goes on being its customer's.
    saas.api.delete(&machine).await;
    assert_eq!(shop().await.status, 530);
    saas.api.delete(&format!("{}/custom_hostnames/fallback_origin", saas.zone)).await;
    let answer = shop().await;
    assert_eq!(answer.status, 530);
    assert!(answer.text().starts_with("error 1016: Origin DNS error."), "{}", answer.text());
    assert_eq!(saas.get("own.saas.test", "/").await.text(), "origin", "others go on");
    // The hostname is told of it with its next check, and stays its customer's.
    let again = saas.api.patch(&path, &json!({"ssl": {"method": "http", "type": "dv"}})).await;
    assert_eq!(again.status, 202, "{}", again.envelope);
    let shown = eventually("a check", async || {
        let shown = saas.api.get(&path).await.result().clone();
        (!shown["verification_errors"].is_null()).then_some(shown)
    });
    let shown = shown.await;
    assert_eq!(shown["verification_errors"], json!(["zone does not have a fallback origin set."]));
    assert_eq!(shown["status"], "active");
    saas.api.patch(&saas.zone, &json!({"paused": true})).await.result();
    assert_eq!(saas.get("own.saas.test", "/").await.status, 530);
}

#[tokio::test]
async fn a_record_for_all_names_below_makes_each_of_them_an_origins() {
    let origin = Origin::start().await;
    let saas = Saas::start(&http_port(origin.address)).await;
    saas.ssl("off").await;
    saas.record("*.apps", "127.0.0.1").await;
    assert_eq!(saas.get("one.apps.saas.test", "/").await.text(), "origin");
    assert_eq!(origin.seen().pop().unwrap().header("host"), "one.apps.saas.test");
    assert_eq!(saas.get("apps.saas.test", "/").await.status, 404);
}
