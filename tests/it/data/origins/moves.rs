//! A customer's name moves from one zone to another, and no visitor notices anything but who answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// Asks for a name again and again, and says who answered, in the order of changes.
struct Visitors {
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<Vec<String>>,
}

impl Visitors {
    fn of(address: SocketAddr, host: &'static str) -> Visitors {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let mut connection = crate::support::Connection::http1(address).await;
            let mut who: Vec<String> = Vec::new();
            while !stopped.load(Ordering::Acquire) {
                let answer = connection.get(host, "/").await;
                assert_eq!(answer.status, 200, "{}", answer.text());
                if who.last().is_none_or(|last| last != answer.text()) {
                    who.push(answer.text().to_owned());
                }
            }
            who
        });
        Visitors { stop, task }
    }

    async fn saw(self) -> Vec<String> {
        self.stop.store(true, Ordering::Release);
        self.task.await.unwrap()
    }
}

/// Two zones with an origin each, which say which they are.
async fn two_zones(hostnames: &str) -> (Saas, String) {
    let first = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = first.local_addr().unwrap();
    let second = Places::beside(address).listen(2).await;
    for (listener, name) in [(first, "one"), (second, "two")] {
        let router = axum::Router::new().fallback(move || async move { name });
        tokio::spawn(async move { axum::serve(listener, router).await });
    }
    let saas = Saas::in_folder(&Site::new(""), hostnames, &http_port(address)).await;
    let other = zone(&saas.api, "other.test").await;
    for (zone, name, place) in [(&saas.zone, "saas.test", "127.0.0.1"), (&other, "other.test", "127.0.0.2")] {
        record(&saas.api, zone, "fallback", place).await;
        fallback(&saas.api, zone, &format!("fallback.{name}")).await;
        saas.api.patch(&format!("{zone}/settings/ssl"), &json!({"value": "off"})).await.result();
    }
    (saas, other)
}

async fn is_served_by(saas: &Saas, host: &str, name: &str) {
    eventually(&format!("{host} is served by {name}"), async || {
        (saas.get(host, "/").await.text() == name).then_some(())
    })
    .await;
}

async fn again(api: &Api, path: &str) {
    let again = api.patch(path, &json!({"ssl": {"method": "http", "type": "dv"}})).await;
    assert_eq!(again.status, 202, "{}", again.envelope);
}

#[tokio::test]
async fn a_name_moves_with_its_cname() {
    let (saas, other) = two_zones("").await;
    let old = saas.hostname("shop.customer.test", json!({})).await;
    let visitors = Visitors::of(saas.server.visitors, "shop.customer.test");
    is_served_by(&saas, "shop.customer.test", "one").await;
    let new = hostname(&saas.api, &other, "shop.customer.test", json!({})).await;
    eventually("a check", async || {
        (!saas.api.get(&new).await.result()["verification_errors"].is_null()).then_some(())
    })
    .await;
    is_served_by(&saas, "shop.customer.test", "one").await;
    saas.dns.cname("shop.customer.test", "customers.other.test");
    again(&saas.api, &new).await;
    becomes_active(&saas.api, &new).await;
    is_served_by(&saas, "shop.customer.test", "two").await;
    assert_eq!(saas.api.get(&old).await.result()["status"], "moved");
    assert_eq!(saas.api.delete(&old).await.status, 200);
    is_served_by(&saas, "shop.customer.test", "two").await;
    assert_eq!(visitors.saw().await, ["one", "two"]);
}

/// Publishes the token of a hostname.
async fn show(saas: &Saas, path: &str) {
    let shown = saas.api.get(path).await.result().clone();
    let record = &shown["ownership_verification"];
    saas.dns.text(record["name"].as_str().unwrap(), record["value"].as_str().unwrap());
}

#[tokio::test]
async fn a_name_with_an_address_moves_by_its_token_and_back_with_an_edit() {
    let (saas, other) = two_zones("apex_addresses = [\"198.51.100.0/28\"]").await;
    let shop = "customer.test";
    saas.dns.address_of(shop, "198.51.100.3".parse().unwrap());
    let old = hostname(&saas.api, &saas.zone, shop, json!({})).await;
    becomes_active(&saas.api, &old).await;
    let visitors = Visitors::of(saas.server.visitors, shop);
    is_served_by(&saas, shop, "one").await;
    // Its address is every zone's: the token says which one is meant.
    let new = hostname(&saas.api, &other, shop, json!({})).await;
    show(&saas, &new).await;
    again(&saas.api, &new).await;
    becomes_active(&saas.api, &new).await;
    is_served_by(&saas, shop, "two").await;
    assert_eq!(saas.api.get(&old).await.result()["status"], "moved");
    // Whichever was shown last to be the customer's is served.
    show(&saas, &old).await;
    again(&saas.api, &old).await;
    becomes_active(&saas.api, &old).await;
    is_served_by(&saas, shop, "one").await;
    assert_eq!(saas.api.get(&new).await.result()["status"], "moved");
    assert_eq!(visitors.saw().await, ["one", "two", "one"]);
}
