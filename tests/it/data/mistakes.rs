//! What customers get wrong, as builders see it by API and command line; names that nobody may have, and names that are held.

use serde_json::{Value, json};

use super::hostnames::{becomes, config, hostname, zone_named};
use crate::support::dns::NameServer;
use crate::support::{Api, Server, Site, eventually, origin};

/// What a customer did in their DNS, and the code that it has. `n` is the base of the name.
type Did = fn(&NameServer, &str);

const DID: [(&str, &str, Did); 7] = [
    ("record_missing", "CNAME", |_, _| {}),
    ("target_misspelt", "CNAME", |dns, name| dns.cname(name, "service.saas.test.customer.test")),
    ("cname_elsewhere", "CNAME", |dns, name| {
        dns.cname(name, "shops.other.test");
        dns.address_of("shops.other.test", "203.0.113.9".parse().unwrap());
    }),
    ("address_elsewhere", "A", |dns, name| dns.address_of(name, "203.0.113.9".parse().unwrap())),
    ("proxied_elsewhere", "CNAME", |dns, name| {
        dns.cname(name, "d111.cloudfront.net");
        dns.address_of("d111.cloudfront.net", "203.0.113.9".parse().unwrap());
    }),
    ("value_wrong", "TXT", |dns, name| {
        dns.text(&format!("_cf-custom-hostname.{name}"), "0a0a0a0a-cb2e-4ec0-94d1-4f562ac2fec2");
    }),
    ("cname_in_place_of_txt", "TXT", |dns, name| {
        dns.cname(&format!("_cf-custom-hostname.{name}"), "service.saas.test");
    }),
];

fn mistake<'m>(shown: &'m Value, code: &str) -> &'m Value {
    let all = shown["ownership_checks"]["mistakes"].as_array();
    let found = all.and_then(|all| all.iter().find(|mistake| mistake["code"] == code));
    found.unwrap_or_else(|| panic!("no {code}: {shown}"))
}

/// What the first check of a hostname told.
async fn told(api: &Api, path: &str) -> Value {
    eventually("a check", async || {
        let shown = api.get(path).await.result().clone();
        (!shown["ownership_checks"].is_null()).then_some(shown)
    })
    .await
}

#[tokio::test]
async fn a_mistake_is_named_with_its_record_what_was_seen_by_whom_and_when_it_is_looked_at_again() {
    let dns = NameServer::start().await;
    dns.address_of("customer.test", "203.0.113.1".parse().unwrap());
    let server = Server::serving(&config(&[&dns], "")).await;
    let api = server.api();
    let zone = zone_named(&api, "saas.test").await;
    for (number, (code, kind, did)) in DID.into_iter().enumerate() {
        let name = format!("n{number}.customer.test");
        did(&dns, &name);
        let (path, _) = hostname(&api, &zone, &name).await;
        let shown = told(&api, &path).await;
        assert_eq!(shown["status"], "pending");
        let mistake = mistake(&shown, code);
        assert_eq!(mistake["type"], kind, "{mistake}");
        assert_eq!(mistake["seen_by"], json!([dns.address.to_string()]), "{mistake}");
        assert!(mistake["name"].as_str().unwrap().ends_with(&name), "{mistake}");
        assert!(!mistake["seen"].as_str().unwrap().is_empty(), "{mistake}");
        assert!(!mistake["remedy"].as_str().unwrap().is_empty(), "{mistake}");
        let next = shown["ownership_checks"]["next_check_at"].as_str().unwrap();
        assert!(next > shown["created_at"].as_str().unwrap(), "{shown}");
    }
    // The record with the domain twice, as most panels make it.
    let (path, made) = hostname(&api, &zone, "twice.customer.test").await;
    let record = &made["ownership_verification"];
    let twice = format!("{}.customer.test", record["name"].as_str().unwrap());
    dns.text(&twice, record["value"].as_str().unwrap());
    told(&api, &path).await;
    api.patch(&path, &json!({"ssl": {"method": "http", "type": "dv"}})).await;
    let shown = eventually("the record is found", async || {
        let shown = api.get(&path).await.result().clone();
        shown["ownership_checks"]["mistakes"].to_string().contains("record_misplaced").then_some(shown)
    })
    .await;
    assert!(mistake(&shown, "record_misplaced")["seen"].as_str().unwrap().contains(&twice), "{shown}");
    // A domain that nobody registered.
    let (path, _) = hostname(&api, &zone, "shop.nowhere.test").await;
    let shown = told(&api, &path).await;
    assert_eq!(mistake(&shown, "domain_missing")["name"], "nowhere.test");
}

#[tokio::test]
async fn the_command_line_tells_mistakes_and_when_they_are_looked_at_again() {
    let dns = NameServer::start().await;
    dns.address_of("shop.customer.test", "203.0.113.9".parse().unwrap());
    let site = Site::new(&config(&[&dns], ""));
    let server = site.serve().await;
    let api = server.api();
    let zone = zone_named(&api, "saas.test").await;
    let (path, _) = hostname(&api, &zone, "shop.customer.test").await;
    let shown = told(&api, &path).await;
    let next = shown["ownership_checks"]["next_check_at"].as_str().unwrap();
    let next = next.split('.').next().unwrap().trim_end_matches('Z').to_owned();
    let run = async |arguments: &[&str]| {
        let output = site.run(&[arguments, &["--api-url", &api.url]].concat()).await;
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    for command in [
        &["hostname", "show", "shop.customer.test"][..],
        &["hostname", "wait", "shop.customer.test", "--timeout", "0"],
    ] {
        let said = run(command).await;
        for part in [
            "address_elsewhere at A shop.customer.test",
            "203.0.113.9",
            &format!("(by {})", dns.address),
            "CNAME to service.saas.test",
            &next,
        ] {
            assert!(said.contains(part), "{command:?}: {part}: {said}");
        }
    }
}

#[tokio::test]
async fn names_that_nobody_may_have_are_blocked_and_nothing_is_asked_or_ordered_for_them() {
    let dns = NameServer::start().await;
    let (authority, orders) = origin::counting().await;
    let with = |blocked: &str| {
        let more = format!(
            "blocked = [{blocked}]\n[certificates.authorities.lets_encrypt]\ndirectory = \"https://{authority}/dir\"\n"
        );
        config(&[&dns], &more).replace("[server]", "[server]\nlisten_tls = \"127.0.0.1:0\"")
    };
    let site = Site::new(&with("\"bank.test\", \"*.gov.test\""));
    let server = site.serve().await;
    let api = server.api();
    let zone = zone_named(&api, "saas.test").await;
    for name in ["bank.test", "login.bank.test", "tax.gov.test"] {
        dns.cname(name, "service.saas.test");
        let body = json!({"hostname": name, "ssl": {"method": "http", "type": "dv"}});
        let made = api.post(&format!("{zone}/custom_hostnames"), &body).await;
        assert_eq!(made.status, 201, "{}", made.envelope);
        let path = format!("{zone}/custom_hostnames/{}", made.envelope["result"]["id"].as_str().unwrap());
        let shown = becomes(&api, &path, "blocked").await;
        assert_eq!(
            shown["verification_errors"],
            json!([
                "custom hostname cannot be added at this time. Please contact the operator of this platform."
            ])
        );
        assert_ne!(server.get(name, "/").await.status, 200, "{name}");
    }
    assert_eq!(orders.load(std::sync::atomic::Ordering::Relaxed), 0, "nothing is ordered");
    api.post("/client/v4/zones", &json!({"name": "login.bank.test"})).await.refused(403, 90017);
    // A name that is served, and is blocked afterwards.
    dns.cname("shop.evil.test", "service.saas.test");
    let (path, _) = hostname(&api, &zone, "shop.evil.test").await;
    becomes(&api, &path, "active").await;
    assert_eq!(server.get("shop.evil.test", "/").await.status, 200);
    site.write("wasmyard.toml", with("\"evil.test\""));
    server.hang_up();
    becomes(&api, &path, "blocked").await;
    assert_ne!(server.get("shop.evil.test", "/").await.status, 200);
    api.post("/client/v4/zones", &json!({"name": "evil.test"})).await.refused(403, 90017);
    server.kill().await;
    // A restart finds it as it was.
    let server = site.serve().await;
    becomes(&server.api(), &path, "blocked").await;
    server.kill().await;
    // What is taken off the list can be had again.
    site.write("wasmyard.toml", with(""));
    let server = site.serve().await;
    let again = server.api().patch(&path, &json!({"ssl": {"method": "http", "type": "dv"}})).await;
    assert_eq!(again.status, 202, "{}", again.envelope);
    becomes(&server.api(), &path, "active").await;
    drop(server);
    site.write("wasmyard.toml", with("\"a..b\""));
    let said = site.run(&["check"]).await;
    let said = String::from_utf8([said.stdout, said.stderr].concat()).unwrap();
    assert!(said.contains("blocked") && said.contains("a..b"), "{said}");
}

#[tokio::test]
async fn a_name_that_is_held_waits_until_its_owner_lets_go() {
    let dns = NameServer::start().await;
    let server = Server::serving(&config(&[&dns], "")).await;
    let api = server.api();
    let zone = zone_named(&api, "saas.test").await;
    let owner = api.post("/client/v4/zones", &json!({"name": "customer.test"})).await.result().clone();
    let hold = format!("/client/v4/zones/{}/hold", owner["id"].as_str().unwrap());
    api.post(&format!("{hold}?include_subdomains=true"), &json!({})).await.result();
    dns.cname("shop.customer.test", "service.saas.test");
    let (path, _) = hostname(&api, &zone, "shop.customer.test").await;
    let shown = becomes(&api, &path, "blocked").await;
    let said = "The hostname is associated with a held zone. Please contact the owner of this domain to have the hold removed.";
    assert_eq!(shown["verification_errors"], json!([said]));
    api.post("/client/v4/zones", &json!({"name": "below.customer.test"})).await.refused(403, 90017);
    assert_eq!(api.delete(&hold).await.status, 200);
    let again = api.patch(&path, &json!({"ssl": {"method": "http", "type": "dv"}})).await;
    assert_eq!(again.status, 202, "{}", again.envelope);
    becomes(&api, &path, "active").await;
}
