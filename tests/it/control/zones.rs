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

#[tokio::test]
async fn a_builder_waits_until_the_customers_name_is_served() {
    let dns = crate::support::dns::NameServer::start().await;
    let config = format!(
        "[server]\nreserved_names = true\n[hostnames]\nname_servers = [\"{}\"]\n[scripts.origin]\n{}\n[[routes]]\n\
         pattern = \"service.saas.test/*\"\nscript = \"origin\"\n",
        dns.address,
        crate::support::guest::main("hello"),
    );
    let site = Site::new(&config);
    let server = site.serve().await;
    let url = server.api().url.clone();
    let run = async |arguments: &[&str]| {
        let output = site.run(&[arguments, &["--api-url", &url]].concat()).await;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    run(&["zone", "add", "saas.test"]).await;
    let (code, shown, text) = run(&["zone", "origin", "service.saas.test"]).await;
    assert!(code == Some(0) && shown.contains("active"), "{shown} {text}");

    // The name leads nowhere yet: what is missing is said, and the hostname stays.
    let add = ["hostname", "add", "shop.customer.test", "--no-certificate", "--wait", "--timeout", "1"];
    let (code, shown, text) = run(&add).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(shown.contains("_cf-custom-hostname.shop.customer.test"), "{shown}");
    for said in ["waiting for ownership", "not served after 1 s", "hostname wait shop.customer.test"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    // One whose records are there beforehand is served by what was waited for.
    dns.cname("early.customer.test", "service.saas.test");
    let (code, shown, text) =
        run(&["hostname", "add", "early.customer.test", "--no-certificate", "--wait"]).await;
    assert_eq!(code, Some(0), "{text}");
    assert!(shown.ends_with("http://early.customer.test/\n"), "{shown}");
    assert_eq!(server.get("early.customer.test", "/").await.text(), "Hello from Wasmyard!\n");
    let (code, shown, text) = run(&["hostname", "wait", "early.customer.test", "--json"]).await;
    let waited: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((code, &waited["status"]), (Some(0), &json!("active")), "{text}");
    let (_, shown, _) = run(&["hostname", "list", "--status", "active"]).await;
    assert!(shown.contains("early.customer.test") && !shown.contains("shop.customer.test"), "{shown}");
    let (code, _, text) = run(&["hostname", "refresh", "early.customer.test"]).await;
    assert!(code == Some(1) && text.contains("asks for no certificate"), "{text}");
}

#[tokio::test]
async fn dns_records_come_and_go_in_batches_and_files() {
    let site = Site::new("");
    let server = site.serve().await;
    let api = server.api();
    let zone = api.post("/client/v4/zones", &json!({"name": "saas.dev"})).await.result().clone();
    let path = format!("/client/v4/zones/{}/dns_records", zone["id"].as_str().unwrap());
    let record = |name: &str, address: &str| json!({"type": "A", "name": name, "content": address});
    let made = api.post(&path, &record("a", "192.0.2.1")).await.result().clone();
    let gone = api.post(&path, &record("b", "192.0.2.2")).await.result().clone();
    let names = async || {
        let rows = api.get(&path).await.result().clone();
        let row =
            |row: &Value| format!("{} {}", row["name"].as_str().unwrap(), row["content"].as_str().unwrap());
        rows.as_array().unwrap().iter().map(row).collect::<Vec<_>>()
    };
    // What goes first makes room for what comes last: a CNAME in the place of an address.
    let batch = json!({
        "posts": [{"type": "CNAME", "name": "b", "content": "a.saas.dev"}],
        "patches": [{"id": made["id"], "content": "192.0.2.3"}],
        "deletes": [{"id": gone["id"]}],
    });
    let done = api.post(&format!("{path}/batch"), &batch).await.result().clone();
    assert_eq!(done["deletes"][0]["id"], gone["id"]);
    assert_eq!(done["patches"][0]["content"], "192.0.2.3");
    assert_eq!((&done["puts"], &done["posts"][0]["type"]), (&json!([]), &json!("CNAME")));
    assert_eq!(names().await, ["a.saas.dev 192.0.2.3", "b.saas.dev a.saas.dev"]);
    // The second cannot be, so the first is not made.
    let refused = json!({"posts": [record("c", "192.0.2.4"), record("b", "192.0.2.4")]});
    let refused = api.post(&format!("{path}/batch"), &refused).await;
    assert_eq!((refused.status, &refused.envelope["errors"][0]["code"]), (400, &json!(81053)));
    assert_eq!(names().await.len(), 2);
    let long: Vec<Value> = (0..1_001).map(|n| record(&format!("n{n}"), "192.0.2.4")).collect();
    assert_eq!(api.post(&format!("{path}/batch"), &json!({"posts": long})).await.status, 400);

    let import = async |text: &str| {
        let part = reqwest::multipart::Part::text(text.to_owned()).file_name("zone.txt");
        let form = reqwest::multipart::Form::new().part("file", part).text("proxied", "true");
        let request = api.request(reqwest::Method::POST, &format!("{path}/import")).multipart(form);
        request.send().await.unwrap().json::<Value>().await.unwrap()
    };
    let imported = import("$TTL 300\nwww IN A 192.0.2.5\n@ MX 10 mail\na A 192.0.2.3\n").await;
    assert_eq!(imported["result"], json!({"recs_added": 1, "total_records_parsed": 2}), "{imported}");
    let messages: Vec<&str> = imported["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|said| said["message"].as_str().unwrap())
        .collect();
    assert!(messages[0].starts_with("line 3") && messages[0].contains("\"MX\""), "{messages:?}");
    assert!(messages[1].starts_with("line 4") && messages[1].contains("already"), "{messages:?}");
    let exported = api.request(reqwest::Method::GET, &format!("{path}/export")).send().await.unwrap();
    assert_eq!(exported.headers()["content-type"], "text/plain; charset=utf-8");
    let text = exported.text().await.unwrap();
    assert!(text.contains("www.saas.dev.\t300\tIN\tA\t192.0.2.5 ; cf_tags=cf-proxied:true"), "{text}");
    let found = api.get(&format!("{path}?match=any&name=www.saas.dev&type=CNAME")).await.result().clone();
    assert_eq!(found.as_array().unwrap().len(), 2, "{found}");
}
