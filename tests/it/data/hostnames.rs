//! Customers' own names: shown to be theirs by a name server or a web server of this machine, and served from then on.

use serde_json::{Value, json};

use crate::support::dns::NameServer;
use crate::support::{Api, Server, Site, eventually, guest};

/// A platform whose fallback origin is a script that shows what it was asked for, with checks that ask these.
pub(super) fn config(servers: &[&NameServer], more: &str) -> String {
    let servers: Vec<String> = servers.iter().map(|server| server.address.to_string()).collect();
    format!(
        r#"
        [server]
        reserved_names = true
        [hostnames]
        name_servers = {servers:?}
        {more}
        [scripts.origin]
        {hello}
        [[routes]]
        pattern = "service.saas.test/*"
        script = "origin"
        "#,
        hello = guest::main("hello"),
    )
}

/// A zone `saas.test` with a fallback origin; its path in the API.
async fn zone(api: &Api) -> String {
    zone_named(api, "saas.test").await
}

/// A zone with the fallback origin `service` in it; its path in the API.
pub(super) async fn zone_named(api: &Api, name: &str) -> String {
    let zone = api.post("/client/v4/zones", &json!({"name": name})).await.result().clone();
    let path = format!("/client/v4/zones/{}", zone["id"].as_str().unwrap());
    let record = json!({"type": "AAAA", "name": "service", "content": "100::", "proxied": true});
    api.post(&format!("{path}/dns_records"), &record).await.result();
    let origin = json!({"origin": format!("service.{name}")});
    api.put(&format!("{path}/custom_hostnames/fallback_origin"), &origin).await.result();
    path
}

/// Makes a hostname; its path in the API, and what it was answered with.
pub(super) async fn hostname(api: &Api, zone: &str, name: &str) -> (String, Value) {
    let made = api.post(&format!("{zone}/custom_hostnames"), &json!({"hostname": name})).await;
    assert_eq!(made.status, 201, "{}", made.envelope);
    let made = made.envelope["result"].clone();
    (format!("{zone}/custom_hostnames/{}", made["id"].as_str().unwrap()), made)
}

/// Waits until a hostname has this status, and shows it.
pub(super) async fn becomes(api: &Api, path: &str, status: &str) -> Value {
    eventually(&format!("{path} is {status}"), async || {
        let shown = api.get(path).await.result().clone();
        (shown["status"] == status).then_some(shown)
    })
    .await
}

/// Waits until a check was made of a hostname that is pending, and shows it.
pub(super) async fn is_refused(api: &Api, path: &str) -> Value {
    eventually("a check", async || {
        let shown = api.get(path).await.result().clone();
        (!shown["verification_errors"].is_null()).then_some(shown)
    })
    .await
}

/// The same `ssl` again: all checks begin anew.
async fn refresh(api: &Api, path: &str) {
    let again = api.patch(path, &json!({"ssl": {"method": "http", "type": "dv"}})).await;
    assert_eq!(again.status, 202, "{}", again.envelope);
}

async fn is_served(server: &Server, name: &str) {
    let answer = server.get(name, "/").await;
    assert_eq!((answer.status, answer.text()), (200, "Hello from Wasmyard!\n"), "{name}");
}

#[tokio::test]
async fn a_customers_cname_makes_their_name_theirs_and_served() {
    let dns = NameServer::start().await;
    let server = Server::serving(&config(&[&dns], "")).await;
    let api = server.api();
    let zone = zone(&api).await;
    let (path, made) = hostname(&api, &zone, "shop.customer.test").await;
    assert_eq!(made["status"], "pending");
    let shown = is_refused(&api, &path).await;
    assert_eq!(shown["status"], "pending");
    assert_eq!(shown["verification_errors"], json!(["custom hostname does not CNAME to this zone."]));
    let seen = shown["ownership_checks"]["seen"].to_string();
    assert!(seen.contains(&format!("{}: there is no name shop.customer.test", dns.address)), "{seen}");
    assert_ne!(server.get("shop.customer.test", "/").await.status, 200);

    dns.cname("shop.customer.test", "service.saas.test");
    refresh(&api, &path).await;
    let shown = becomes(&api, &path, "active").await;
    assert!(shown["verification_errors"].is_null(), "{shown}");
    is_served(&server, "shop.customer.test").await;
}

#[tokio::test]
async fn a_token_in_the_dns_shows_it_before_the_name_leads_here_and_a_restart_forgets_nothing() {
    let dns = NameServer::start().await;
    let site = Site::new(&config(&[&dns], ""));
    let server = site.serve().await;
    let api = server.api();
    let zone = zone(&api).await;
    let (path, made) = hostname(&api, &zone, "shop.customer.test").await;
    let before = is_refused(&api, &path).await;
    server.kill().await;
    let record = &made["ownership_verification"];
    dns.text(record["name"].as_str().unwrap(), record["value"].as_str().unwrap());
    let server = site.serve().await;
    let shown = server.api().get(&path).await.result().clone();
    assert_eq!(shown["ownership_checks"], before["ownership_checks"], "what was seen is kept");
    refresh(&server.api(), &path).await;
    becomes(&server.api(), &path, "active").await;
    server.kill().await;
    is_served(&site.serve().await, "shop.customer.test").await;
}

#[tokio::test]
async fn name_servers_that_disagree_prove_nothing() {
    let (one, other) = (NameServer::start().await, NameServer::start().await);
    let server = Server::serving(&config(&[&one, &other], "")).await;
    let api = server.api();
    let zone = zone(&api).await;
    one.cname("shop.customer.test", "service.saas.test");
    let (path, _) = hostname(&api, &zone, "shop.customer.test").await;
    let shown = is_refused(&api, &path).await;
    assert_eq!(shown["status"], "pending");
    let seen = shown["ownership_checks"]["seen"].to_string();
    assert!(seen.contains("1 of 2 name servers show it"), "{seen}");
    other.cname("shop.customer.test", "service.saas.test");
    refresh(&api, &path).await;
    becomes(&api, &path, "active").await;
}

#[tokio::test]
async fn a_name_without_cname_needs_an_address_of_the_platform() {
    let dns = NameServer::start().await;
    let server = Server::serving(&config(&[&dns], "apex_addresses = [\"198.51.100.0/28\"]")).await;
    let api = server.api();
    let zone = zone(&api).await;
    dns.address_of("customer.test", "203.0.113.7".parse().unwrap());
    let (path, _) = hostname(&api, &zone, "customer.test").await;
    let shown = is_refused(&api, &path).await;
    assert!(
        shown["verification_errors"][0].as_str().unwrap().starts_with("none of the A or AAAA records"),
        "{shown}"
    );
    dns.address_of("customer.test", "198.51.100.3".parse().unwrap());
    refresh(&api, &path).await;
    becomes(&api, &path, "active").await;
    is_served(&server, "customer.test").await;
}
