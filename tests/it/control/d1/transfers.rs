//! A database as a file of statements, and such a file in a database: by the calls that wrangler makes.

use http::Method;
use serde_json::{Value, json};

use super::{D1, OF_A, rows, run, site};
use crate::support::{Server, eventually, within};

/// Three statements, and what they are known by.
const FILE: &str = "CREATE TABLE i (a TEXT);\nINSERT INTO i VALUES ('x;y');\nINSERT INTO i VALUES ('z');\n";
const MD5: &str = "952a814a7bed311d52057472880ef7ac";

async fn import(server: &Server, step: Value) -> Value {
    server.api().post(&format!("{D1}/{OF_A}/import"), &step).await.result().clone()
}

async fn sent(url: &str, content: &'static str) -> (u16, String) {
    let answer = within("a file", reqwest::Client::new().put(url).body(content).send()).await.unwrap();
    let etag = answer.headers().get("etag").map(|etag| etag.to_str().unwrap().to_owned());
    (answer.status().as_u16(), etag.unwrap_or_default())
}

#[tokio::test]
async fn a_file_is_sent_carried_out_and_asked_for() {
    let server = site().serve().await;
    let wanted = import(&server, json!({"action": "init", "etag": MD5})).await;
    let (url, filename) = (wanted["upload_url"].as_str().unwrap(), wanted["filename"].clone());
    let step = json!({"action": "ingest", "etag": MD5, "filename": filename});
    server.api().post(&format!("{D1}/{OF_A}/import"), &step).await.refused(400, 7400);
    assert_eq!(sent(url, "another file").await.0, 400);
    assert_eq!(sent(url, FILE).await, (200, format!("\"{MD5}\"")));
    let mut progress = import(&server, step).await;
    while progress["status"] == "active" {
        let step = json!({"action": "poll", "current_bookmark": progress["at_bookmark"]});
        progress = import(&server, step).await;
    }
    assert_eq!((&progress["status"], &progress["success"]), (&json!("complete"), &json!(true)), "{progress}");
    assert_eq!(
        (&progress["result"]["num_queries"], &progress["result"]["meta"]["rows_written"]),
        (&json!(3), &json!(2))
    );
    assert!(progress["result"]["final_bookmark"].is_string());
    assert_eq!(
        run(&server, "a.test", json!([["SELECT a FROM i"]])).await["results"],
        json!([{"a": "x;y"}, {"a": "z"}])
    );

    // The same once more is refused by the database, whole.
    let wanted = import(&server, json!({"action": "init", "etag": MD5})).await;
    sent(wanted["upload_url"].as_str().unwrap(), FILE).await;
    let step = json!({"action": "ingest", "etag": MD5, "filename": wanted["filename"]});
    let failed = import(&server, step).await;
    assert_eq!(failed["status"], "error", "{failed}");
    assert!(failed["error"].as_str().unwrap().contains("already exists"), "{failed}");
    assert_eq!(rows(&server, OF_A, "SELECT count(*) AS n FROM i").await, json!([{"n": 2}]));
    let nowhere = url.rsplit_once('/').unwrap().0.to_owned() + "/0123456789abcdef0123456789abcdef";
    assert_eq!(sent(&nowhere, FILE).await.0, 400);
}

#[tokio::test]
async fn an_export_is_fetched_without_a_token_and_makes_the_same_again() {
    let server = site().serve().await;
    run(
        &server,
        "a.test",
        json!([["CREATE TABLE e (a TEXT, b BLOB)"], ["INSERT INTO e VALUES (?, ?)", "it's", [1, 2]]]),
    )
    .await;
    let path = format!("{D1}/{OF_A}/export");
    let mut progress = server.api().post(&path, &json!({"output_format": "polling"})).await.result().clone();
    while progress["status"] == "active" {
        let step = json!({"output_format": "polling", "current_bookmark": progress["at_bookmark"]});
        progress = server.api().post(&path, &step).await.result().clone();
    }
    let url = progress["result"]["signed_url"].as_str().unwrap_or_else(|| panic!("{progress}"));
    let fetched = within("an export", reqwest::get(url)).await.unwrap();
    assert_eq!(fetched.status(), 200);
    let text = fetched.text().await.unwrap();
    assert!(text.contains("INSERT INTO \"e\" (\"a\",\"b\") VALUES('it''s',X'0102');"), "{text}");
    let other = server.api().post(&format!("{D1}/of%20b/query"), &json!({ "sql": text })).await;
    other.result();
    assert_eq!(rows(&server, "of%20b", "SELECT * FROM e").await, json!([{"a": "it's", "b": [1, 2]}]));
    let only = json!({"output_format": "polling", "dump_options": {"no_data": true, "no_schema": true}});
    server.api().post(&path, &only).await.refused(400, 10021);
    let request = reqwest::Client::new().request(Method::GET, format!("{url}0"));
    assert_eq!(within("no export", request.send()).await.unwrap().status(), 400);
}

#[tokio::test]
async fn the_command_line_does_all_of_it() {
    let site = site();
    let server = site.serve().await;
    let url = server.api().url.clone();
    let command = async |words: &[&str]| {
        let words: Vec<&str> =
            ["d1"].into_iter().chain(words.iter().copied()).chain(["--api-url", &url]).collect();
        let done = site.run(&words).await;
        assert!(done.status.success(), "{words:?} {done:?}");
        String::from_utf8(done.stdout).unwrap()
    };
    command(&["create", "cli"]).await;
    assert!(command(&["list"]).await.contains("cli"));
    command(&["execute", "cli", "--command", "CREATE TABLE t (a); INSERT INTO t VALUES ('one')"]).await;
    assert!(command(&["info", "cli"]).await.contains("num_tables"));
    let told = command(&["time-travel", "info", "cli"]).await;
    let bookmark = told.split_whitespace().find(|word| word.starts_with("00000000-")).unwrap().to_owned();
    site.write("more.sql", "INSERT INTO t VALUES ('two'); INSERT INTO t VALUES ('three');");
    command(&["import", "cli", "more.sql"]).await;
    assert!(command(&["execute", "cli", "--command", "SELECT a FROM t"]).await.contains("three"));
    command(&["export", "cli", "out.sql"]).await;
    let text = std::fs::read_to_string(site.path("out.sql")).unwrap();
    assert!(text.contains("VALUES('three')"), "{text}");
    command(&["time-travel", "restore", "cli", "--bookmark", &bookmark]).await;
    let left = command(&["execute", "cli", "--command", "SELECT a FROM t"]).await;
    assert!(left.contains("one") && !left.contains("two"), "{left}");
    command(&["delete", "cli", "--yes"]).await;
    eventually("it is gone", || async { (!command(&["list"]).await.contains("cli")).then_some(()) }).await;
}
