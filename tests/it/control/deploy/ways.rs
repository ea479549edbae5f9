//! The two ways to deploy: the command line, and any client of the v4 API.

use std::time::{Duration, Instant};

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use super::config;
use crate::support::{Api, Site, guest, script_path, wat};

#[tokio::test]
async fn what_the_command_line_deploys_answers_within_a_second_without_a_restart() {
    let site = Site::new(&config());
    let server = site.serve().await;
    assert_eq!(server.get("customer-c.localhost", "/").await.status, 404);

    let file = guest::path("customer");
    let arguments = ["deploy", file.to_str().unwrap(), "--namespace", "production", "--name", "customer-c"];
    let options = ["--var", "GREETING=Moin", "--tag", "paid", "--json", "--api-url"];
    let url = server.api().url.clone();
    let deployed = site.run(&[&arguments[..], &options[..], &[&url]].concat()).await;
    let acknowledged = Instant::now();
    assert!(deployed.status.success(), "{deployed:?}");

    let answer = server.get("customer-c.localhost", "/").await;
    assert!(acknowledged.elapsed() < Duration::from_secs(1), "{:?}", acknowledged.elapsed());
    assert_eq!((answer.status, answer.text()), (200, "Moin from customer-c, at /\n"));
    let printed: Value = serde_json::from_slice(&deployed.stdout).unwrap();
    assert_eq!((&printed["id"], &printed["tags"]), (&json!("customer-c"), &json!(["paid"])));
}

#[tokio::test]
async fn the_command_line_says_what_is_wrong_and_fails() {
    let site = Site::new(&config());
    let server = site.serve().await;
    let url = server.api().url.clone();
    let deploy = async |file: &str, namespace: &str| {
        let run = site.run(&["deploy", file, "-n", namespace, "--name", "x", "--api-url", &url]).await;
        (run.status.code(), String::from_utf8(run.stderr).unwrap())
    };
    site.write("core.wasm", wat::core_module());
    let (code, text) = deploy("core.wasm", "production").await;
    assert_eq!(code, Some(1));
    assert!(text.contains("core WebAssembly module") && text.contains("10021"), "{text}");
    site.write("good.wasm", wat::answer("good"));
    let (code, text) = deploy("good.wasm", "nowhere").await;
    assert_eq!(code, Some(1));
    assert!(text.contains("nowhere") && text.contains("100119"), "{text}");
    let (code, text) = deploy("missing.wasm", "production").await;
    assert_eq!(code, Some(1));
    assert!(text.contains("missing.wasm"), "{text}");
}

/// `curl -F metadata='...;type=application/json' -F worker.wasm=@build/output.wasm`
async fn curl(api: &Api, name: &str, component: Vec<u8>) -> Value {
    let metadata =
        r#"{"main_module":"worker.wasm","bindings":[{"type":"plain_text","name":"GREETING","text":"Tach"}]}"#;
    let form = Form::new().part("metadata", Part::text(metadata).mime_str("application/json").unwrap()).part(
        "worker.wasm",
        Part::bytes(component).file_name("output.wasm").mime_str("application/octet-stream").unwrap(),
    );
    api.form(&script_path(name), form).await.result().clone()
}

#[tokio::test]
async fn a_plain_multipart_upload_as_curl_sends_it_deploys() {
    let server = Site::new(&config()).serve().await;
    let api = server.api();
    let uploaded = curl(&api, "customer-c", guest::bytes("customer")).await;
    assert_eq!((&uploaded["id"], &uploaded["version_number"]), (&json!("customer-c"), &json!(1)));
    assert_eq!(server.get("customer-c.localhost", "/").await.text(), "Tach from customer-c, at /\n");
    assert_eq!(api.content("customer-c").await, Some(guest::bytes("customer")));
}

#[tokio::test]
async fn a_deleted_script_is_gone_at_once_and_can_come_back() {
    let server = Site::new(&config()).serve().await;
    let api = server.api();
    api.deploy("shop", wat::answer("first")).await.result();
    assert_eq!(server.get("shop.localhost", "/").await.text(), "first");
    api.delete(&script_path("shop")).await.result();
    assert_eq!(server.get("shop.localhost", "/").await.text(), "no such customer: shop\n");
    api.delete(&script_path("shop")).await.refused(404, 10092);
    api.deploy("shop", wat::answer("second")).await.result();
    assert_eq!(server.get("shop.localhost", "/").await.text(), "second");
}

#[tokio::test]
async fn who_has_no_token_changes_nothing() {
    let server = Site::new(&config()).serve().await;
    let api = server.api();
    let (status, _) = api.open(&script_path("shop")).await;
    assert_eq!(status, 401);
    let forged = api.with_token("guessed");
    forged.delete(&script_path("shop")).await.refused(401, 10000);
    forged.deploy("shop", wat::answer("forged")).await.refused(401, 10000);
    api.get(&script_path("shop")).await.refused(404, 10092);
}

#[tokio::test]
async fn the_command_line_takes_nothing_away_that_others_refer_to_and_adds_all_tags_or_none() {
    let site = Site::new(&config());
    let server = site.serve().await;
    let api = server.api();
    let run = async |arguments: &[&str]| {
        let output = site.run(&[arguments, &["--api-url", &api.url]].concat()).await;
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for arguments in
        [&["namespace", "rename", "production", "prod"][..], &["namespace", "delete", "production", "--yes"]]
    {
        let (code, text) = run(arguments).await;
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains("of script \"dispatcher\"") && text.contains("--force"), "{text}");
    }
    api.deploy("shop", wat::answer("shop")).await.result();
    let tags = |command: &'static str, tags: &[&'static str]| {
        [&["tags", command, "shop", "-n", "production"], tags].concat()
    };
    assert_eq!(run(&tags("add", &["x", "y", "z"])).await.0, Some(0));
    let (code, text) = run(&tags("add", &["a", "b", "c", "d", "e", "f"])).await;
    assert!(code == Some(1) && text.contains("9 tags are more than the 8"), "{text}");
    assert_eq!(api.get(&format!("{}/tags", script_path("shop"))).await.result(), &json!(["x", "y", "z"]));
    assert_eq!(run(&tags("remove", &["x", "y"])).await.0, Some(0));
    assert_eq!(api.get(&format!("{}/tags", script_path("shop"))).await.result(), &json!(["z"]));

    let (code, text) = run(&["namespace", "rename", "production", "prod", "--force"]).await;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("note: ") && text.contains("of script \"dispatcher\""), "{text}");
}
