//! Tokens: what is configured takes the place of what was, and what is revoked stays so.

use serde_json::{Value, json};

use super::site;
use crate::support::{NAMESPACES, Server, Site};

const TOKENS: &str = "/client/v4/user/tokens";

async fn with(site: &Site, token: &str) -> Server {
    site.serve_with(&[("WASMYARD_API_TOKEN", token)]).await
}

async fn status(server: &Server, token: &'static str) -> u16 {
    server.api().with_token(token).get(NAMESPACES).await.status
}

/// The token of the file, for the length of the test.
fn in_file(site: &Site) -> &'static str {
    std::fs::read_to_string(site.data().join("admin-token")).unwrap().trim().to_owned().leak()
}

#[tokio::test]
async fn the_configured_token_takes_the_place_of_the_one_before() {
    let site = site("");
    let server = with(&site, "").await;
    let made = in_file(&site);
    assert_eq!(status(&server, made).await, 200);
    let ci =
        server.api().with_token(made).post(TOKENS, &json!({"name": "ci"})).await.result()["value"].clone();
    let ci: &'static str = ci.as_str().unwrap().to_owned().leak();
    server.kill().await;
    let (leaked, rotated) = ("leaked-token-2222222", "rotated-token-333333");
    with(&site, leaked).await.kill().await;

    let server = with(&site, rotated).await;
    server.noted("the admin token is now the one of WASMYARD_API_TOKEN").await;
    for (token, expected) in [(made, 401), (leaked, 401), (rotated, 200), (ci, 200)] {
        assert_eq!(status(&server, token).await, expected, "{token}");
    }
    assert!(!server.log().contains(rotated) && !server.log().contains(leaked));
    server.kill().await;
    // Without the variable the file counts again, and without the file another is made.
    let server = with(&site, "").await;
    assert_eq!((status(&server, made).await, status(&server, rotated).await), (200, 401));
    server.kill().await;
    std::fs::remove_file(site.data().join("admin-token")).unwrap();
    let server = with(&site, "").await;
    let again = in_file(&site);
    assert_eq!((status(&server, again).await, status(&server, made).await), (200, 401));
}

#[tokio::test]
async fn tokens_are_made_listed_and_revoked_at_the_command_line() {
    let site = site("");
    let server = site.serve().await;
    let url = server.api().url.clone();
    let run = async |arguments: &[&str]| {
        let output = site.run(&[&["token"], arguments, &["--api-url", &url]].concat()).await;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, made, _) = run(&["create", "ci", "--expires", "2999-01-01T00:00:00Z"]).await;
    assert_eq!(code, Some(0));
    let token: &'static str = made.trim().to_owned().leak();
    assert_eq!(status(&server, token).await, 200);
    let (_, listed, _) = run(&["list", "--json"]).await;
    assert!(!listed.contains(token), "{listed}");
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let names: Vec<&Value> = listed.as_array().unwrap().iter().map(|token| &token["name"]).collect();
    assert_eq!(names, ["admin", "ci"]);
    let id = listed[1]["id"].as_str().unwrap();
    assert_eq!(run(&["revoke", id]).await.0, Some(0));
    assert_eq!(status(&server, token).await, 401, "at once");
    let (code, _, text) = run(&["revoke", id]).await;
    assert!(code == Some(1) && text.contains("token list"), "{text}");
    // One for one namespace, and who changed what.
    server.api().post(NAMESPACES, &json!({"name": "production"})).await.result();
    let wanted = ["create", "narrow", "-p", "Workers Scripts Read", "-n", "production", "--expires", "30d"];
    let (_, made, text) = run(&wanted).await;
    assert_eq!(status(&server, made.trim().to_owned().leak()).await, 200, "{text}");
    let narrow: &'static str = made.trim().to_owned().leak();
    server.api().with_token(narrow).post(NAMESPACES, &json!({"name": "x"})).await.refused(403, 10000);
    let (_, table, _) = run(&["list"]).await;
    assert!(table.contains("Workers Scripts Read on dispatch_namespace.production"), "{table}");
    assert!(table.lines().any(|line| line.contains("admin") && line.contains("everything")), "{table}");
    let (_, groups, _) = run(&["permissions"]).await;
    assert!(groups.contains("Workers Dispatch Run"), "{groups}");
    let (code, _, text) = run(&["create", "x", "-p", "Everything"]).await;
    assert!(code == Some(1) && text.contains("permission group"), "{text}");
    let audit = async |arguments: &[&str]| {
        let output = site.run(&[&["audit"], arguments, &["--api-url", &url]].concat()).await;
        String::from_utf8(output.stdout).unwrap()
    };
    let all = audit(&["--since", "1h"]).await;
    assert!(all.contains("tokens.create") && all.contains("namespaces.create"), "{all}");
    let failed = audit(&["--failed", "--actor", "narrow", "--limit", "1", "--json"]).await;
    let failed: Value = serde_json::from_str(&failed).unwrap();
    assert_eq!((failed[0]["raw"]["error_code"].as_u64(), failed.as_array().unwrap().len()), (Some(10000), 1));
    // The admin token can be revoked, too; whoever does it learns where it comes from.
    let (_, _, text) = run(&["revoke", listed[0]["id"].as_str().unwrap()]).await;
    assert!(text.contains("WASMYARD_API_TOKEN"), "{text}");
    assert_eq!(server.api().get(NAMESPACES).await.status, 401);
}

#[tokio::test]
async fn what_the_configuration_changes_is_in_the_audit_log_and_what_it_leaves_is_not() {
    let site = site("[zones.\"saas.test\"]\n");
    let shown = async |server: &Server| -> Vec<(String, String, String)> {
        let entries = server.api().get("/client/v4/accounts/0/logs/audit").await.result().clone();
        let text =
            |entry: &Value, pointer: &str| entry.pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
        let entries = entries.as_array().unwrap().iter().map(|entry| {
            let zone = entry.pointer("/zone/name").and_then(Value::as_str).unwrap_or_default().to_owned();
            (text(entry, "/action/description"), text(entry, "/actor/context"), zone)
        });
        entries.collect()
    };
    let server = site.serve().await;
    let first = shown(&server).await;
    assert!(
        first.iter().all(|(action, actor, _)| action == "configuration.apply" && actor == "system"),
        "{first:?}"
    );
    assert!(first.iter().any(|(_, _, zone)| zone == "saas.test"), "{first:?}");
    server.kill().await;
    let server = site.serve().await;
    assert_eq!(shown(&server).await, first, "the same file changes nothing");
}
