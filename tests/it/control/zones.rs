//! Zones and custom hostnames from the command line: what a builder does, and what they give to their customer.

use serde_json::{Value, json};

use crate::support::Site;

#[tokio::test]
async fn a_builder_makes_a_zone_and_a_hostname_and_gets_the_records_for_the_customer() {
    let site = Site::new("");
    let server = site.serve().await;
    let api = server.api();
    let run = async |arguments: &[&str]| {
        let output = site.run(&[arguments, &["--api-url", &api.url]].concat()).await;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, _, text) = run(&["hostname", "add", "shop.customer.dev"]).await;
    assert!(code == Some(1) && text.contains("zone add"), "{text}");
    let (code, shown, text) = run(&["zone", "add", "saas.test", "--json"]).await;
    assert_eq!(code, Some(0), "{text}");
    let zone: Value = serde_json::from_str(&shown).unwrap();
    let path = format!("/client/v4/zones/{}", zone["id"].as_str().unwrap());
    let record = json!({"type": "AAAA", "name": "service", "content": "100::", "proxied": true});
    api.post(&format!("{path}/dns_records"), &record).await.result();
    let origin = json!({"origin": "service.saas.test"});
    api.put(&format!("{path}/custom_hostnames/fallback_origin"), &origin).await.result();

    let (code, _, text) = run(&["hostname", "add", "shop.customer.test"]).await;
    assert!(code == Some(1) && text.contains("1409") && text.contains("shop.customer.test"), "{text}");
    let metadata = r#"{"plan": "gold"}"#;
    let (code, shown, text) = run(&["hostname", "add", "shop.customer.dev", "--metadata", metadata]).await;
    assert_eq!(code, Some(0), "{text}");
    let table: Vec<Vec<&str>> = shown
        .lines()
        .map(|line| line.split_whitespace().collect())
        .skip_while(|words: &Vec<&str>| words.first() != Some(&"TYPE"))
        .collect();
    assert_eq!(table[1][..2], ["TXT", "_cf-custom-hostname.shop.customer.dev"], "{shown}");
    assert_eq!(table[2], ["CNAME", "shop.customer.dev", "service.saas.test"], "{shown}");

    let (_, shown, _) =
        run(&["hostname", "show", "shop.customer.dev", "--zone", "saas.test", "--json"]).await;
    let hostname: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(hostname["custom_metadata"], json!({"plan": "gold"}));
    assert_eq!(hostname["ssl"]["status"], "pending_validation");
    let txt = json!({
        "type": "TXT", "name": "_cf-custom-hostname.shop.customer.dev",
        "value": hostname["ownership_verification"]["value"],
    });
    assert_eq!(hostname["dns_records"][0], txt);
    let (_, shown, _) = run(&["hostname", "list"]).await;
    assert!(shown.contains("shop.customer.dev") && shown.contains("pending"), "{shown}");

    let (code, _, text) = run(&["zone", "delete", "saas.test"]).await;
    assert!(code == Some(1) && text.contains("1 custom hostnames") && text.contains("--yes"), "{text}");
    assert_eq!(run(&["hostname", "delete", "shop.customer.dev"]).await.0, Some(0));
    assert_eq!(run(&["hostname", "show", "shop.customer.dev"]).await.0, Some(1));
    assert_eq!(run(&["zone", "delete", "saas.test"]).await.0, Some(0));
    let (_, _, text) = run(&["zone", "list"]).await;
    assert!(text.contains("no zones yet"), "{text}");
}

#[tokio::test]
async fn a_laboratory_has_names_that_are_kept_for_tests() {
    let site = Site::new("[server]\nreserved_names = true\n");
    let server = site.serve().await;
    let api = server.api();
    let zone = api.post("/client/v4/zones", &json!({"name": "saas.test"})).await.result().clone();
    let path = format!("/client/v4/zones/{}/custom_hostnames", zone["id"].as_str().unwrap());
    let made = api.post(&path, &json!({"hostname": "shop.customer.test"})).await;
    assert_eq!(made.envelope["success"], true, "{}", made.envelope);
}
