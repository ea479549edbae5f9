//! Servers outside that visitors are proxied to: for customers' names and for the zone's own.

mod bodies;
mod faults;
mod moves;
mod records;
mod tls;

use std::net::{IpAddr, SocketAddr};

use serde_json::{Value, json};

use crate::support::dns::NameServer;
use crate::support::{Answer, Api, Server, Site, body, eventually, origin::Origin, request};

/// A platform with a zone `saas.test`, whose name servers are the test's.
struct Saas {
    server: Server,
    api: Api,
    dns: NameServer,
    zone: String,
}

impl Saas {
    /// One that may reach this machine's loopback addresses, with these keys under `[origins]` and whatever follows them.
    async fn start(origins: &str) -> Saas {
        Saas::in_folder(&Site::new(""), "", origins).await
    }

    /// The same, with these keys under `[hostnames]` as well.
    async fn in_folder(site: &Site, hostnames: &str, origins: &str) -> Saas {
        let dns = NameServer::start().await;
        let asked = dns.address;
        site.write(
            "wasmyard.toml",
            format!(
                "[server]\nreserved_names = true\n[hostnames]\nname_servers = [\"{asked}\"]\n{hostnames}\n\
                 [origins]\nname_servers = [\"{asked}\"]\nallow_private = [\"127.0.0.0/8\"]\n{origins}\n"
            ),
        );
        let server = site.serve().await;
        let api = server.api();
        let zone = zone(&api, "saas.test").await;
        Saas { server, api, dns, zone }
    }

    /// Makes a proxied record of the zone; its path in the API.
    async fn record(&self, name: &str, content: &str) -> String {
        record(&self.api, &self.zone, name, content).await
    }

    /// Has requests for custom hostnames go to this name unless they say otherwise.
    async fn fallback(&self, name: &str) {
        fallback(&self.api, &self.zone, name).await;
    }

    async fn ssl(&self, mode: &str) {
        let path = format!("{}/settings/ssl", self.zone);
        self.api.patch(&path, &json!({ "value": mode })).await.result();
    }

    /// A custom hostname of the zone that is its customer's; its path in the API.
    async fn hostname(&self, name: &str, more: Value) -> String {
        self.dns.cname(name, "customers.saas.test");
        let path = hostname(&self.api, &self.zone, name, more).await;
        becomes_active(&self.api, &path).await;
        path
    }

    async fn get(&self, host: &str, path: &str) -> Answer {
        self.server.get(host, path).await
    }
}

/// A zone of a platform; its path in the API.
async fn zone(api: &Api, name: &str) -> String {
    let zone = api.post("/client/v4/zones", &json!({ "name": name })).await.result().clone();
    let path = format!("/client/v4/zones/{}", zone["id"].as_str().unwrap());
    // What customers' CNAMEs lead to.
    record(api, &path, "customers", "100::").await;
    path
}

async fn record(api: &Api, zone: &str, name: &str, content: &str) -> String {
    let kind = match content.parse() {
        Ok(IpAddr::V4(_)) => "A",
        Ok(IpAddr::V6(_)) => "AAAA",
        Err(_) => "CNAME",
    };
    let record = json!({"type": kind, "name": name, "content": content, "proxied": true});
    let made = api.post(&format!("{zone}/dns_records"), &record).await.result().clone();
    format!("{zone}/dns_records/{}", made["id"].as_str().unwrap())
}

async fn fallback(api: &Api, zone: &str, name: &str) {
    let origin = json!({ "origin": name });
    api.put(&format!("{zone}/custom_hostnames/fallback_origin"), &origin).await.result();
}

/// Makes a custom hostname, whose checks begin at once.
async fn hostname(api: &Api, zone: &str, name: &str, more: Value) -> String {
    let mut new = json!({ "hostname": name });
    new.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    let made = api.post(&format!("{zone}/custom_hostnames"), &new).await;
    assert_eq!(made.status, 201, "{}", made.envelope);
    format!("{zone}/custom_hostnames/{}", made.envelope["result"]["id"].as_str().unwrap())
}

async fn becomes_active(api: &Api, path: &str) {
    eventually(&format!("{path} is active"), async || {
        (api.get(path).await.result()["status"] == "active").then_some(())
    })
    .await;
}

/// Where servers of a test listen: addresses of this machine with one port.
struct Places {
    port: u16,
}

impl Places {
    /// A port that an origin took at 127.0.0.1.
    fn beside(address: SocketAddr) -> Places {
        Places { port: address.port() }
    }

    /// A listener at another address.
    async fn listen(&self, last: u8) -> tokio::net::TcpListener {
        tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, last], self.port))).await.unwrap()
    }
}

fn http_port(address: SocketAddr) -> String {
    format!("http_port = {}", address.port())
}

#[tokio::test]
async fn a_customers_name_goes_to_an_origin_which_sees_the_visitors_host_and_who_they_are() {
    let origin = Origin::start().await;
    let saas = Saas::start(&http_port(origin.address)).await;
    saas.ssl("flexible").await;
    saas.record("fallback", "127.0.0.1").await;
    saas.fallback("fallback.saas.test").await;
    saas.hostname("shop.customer.test", json!({})).await;
    let asked = request(http::Method::POST, "Shop.customer.test:8080", "/a%2Fb/?x=1&x=2")
        .header("x-forwarded-for", "6.6.6.6")
        .header("cf-connecting-ip", "6.6.6.6")
        .header("connection", "x-hop")
        .header("x-hop", "1")
        .header("cdn-loop", "other; v=1")
        .header("cookie", "a=1");
    let answer = saas.server.send(asked.body(body("sent")).unwrap()).await;
    assert_eq!((answer.status, answer.text()), (200, "origin"));
    let seen = origin.seen().pop().unwrap();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/a%2Fb/?x=1&x=2"));
    assert_eq!((seen.header("host"), &seen.body[..]), ("Shop.customer.test:8080", &b"sent"[..]));
    assert_eq!(seen.header("x-forwarded-for"), "127.0.0.1");
    assert_eq!(seen.header("cf-connecting-ip"), "127.0.0.1");
    assert_eq!(seen.header("x-forwarded-proto"), "http");
    assert_eq!(seen.header("cf-ray"), answer.header("cf-ray"));
    assert_eq!((seen.header("cookie"), seen.header("x-hop")), ("a=1", ""));
    let passed: Vec<_> = seen.headers.get_all("cdn-loop").iter().collect();
    assert_eq!(passed, ["other; v=1", "wasmyard"]);
    // The name that the customer's own origin has goes there as well, and nothing else does.
    assert_eq!(saas.get("fallback.saas.test", "/").await.text(), "origin");
    assert_eq!(saas.get("nothing.saas.test", "/").await.status, 404);
    let line = saas.server.logged("the visit", |line| line["origin"] == "fallback.saas.test").await;
    assert_eq!(
        (&line["origin_status"], &line["reason"], &line["script"]),
        (&json!(200), &json!("ok"), &json!(""))
    );
    assert!(line["origin_us"].as_u64().is_some_and(|time| time > 0));
    assert_eq!(saas.server.total("wasmyard_origin_requests_total{result=\"ok\"}").await, 2.0);
}

#[tokio::test]
async fn a_route_to_a_script_goes_before_an_origin() {
    let origin = Origin::start().await;
    let script = format!(
        "{}\n[scripts.hello]\n{}\n[[routes]]\npattern = \"fallback.saas.test/script/*\"\nscript = \"hello\"\n",
        http_port(origin.address),
        crate::support::guest::main("hello")
    );
    let saas = Saas::start(&script).await;
    saas.ssl("off").await;
    saas.record("fallback", "127.0.0.1").await;
    saas.fallback("fallback.saas.test").await;
    saas.hostname("shop.customer.test", json!({})).await;
    for host in ["shop.customer.test", "fallback.saas.test"] {
        assert_eq!(saas.get(host, "/script/x").await.text(), "Hello from Wasmyard!\n");
        assert_eq!(saas.get(host, "/other").await.text(), "origin");
    }
}
