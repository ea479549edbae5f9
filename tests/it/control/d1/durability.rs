//! What was answered for is there after a kill -9; a full disk and a damaged file are told, and harm nobody else.

use serde_json::{Value, json};

use super::{D1, OF_A, rows, run, site};
use crate::support::{Server, Site, SmallDisk, eventually};

/// Rounds of killing a server that is written to.
const ROUNDS: usize = 30;

#[tokio::test]
async fn what_was_answered_for_outlives_kill_9() {
    let site = site();
    let mut server = site.serve().await;
    run(&server, "a.test", json!([["CREATE TABLE t (writer INTEGER, n INTEGER, PRIMARY KEY (writer, n))"]]))
        .await;
    for round in 0..ROUNDS {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let api = server.api();
                let writer = round * 4 + writer;
                tokio::spawn(async move {
                    let mut answered: i64 = -1;
                    loop {
                        let put = json!({"batch": [
                            {"sql": "INSERT INTO t VALUES (?, ?)", "params": [writer, answered + 1]},
                            {"sql": "SELECT 1"},
                        ]});
                        let request = api.request(http::Method::POST, &format!("{D1}/{OF_A}/query"));
                        let Ok(answer) = request.json(&put).send().await else { return (writer, answered) };
                        let status = answer.status();
                        // Answered is only what arrived whole.
                        if status != 200 || answer.bytes().await.is_err() {
                            return (writer, answered);
                        }
                        answered += 1;
                    }
                })
            })
            .collect();
        let from = round * 4;
        let sql = format!("SELECT count(*) AS n FROM t WHERE writer >= {from}");
        eventually("some writes", || async {
            (rows(&server, OF_A, &sql).await[0]["n"].as_i64() >= Some(20)).then_some(())
        })
        .await;
        server.kill().await;
        server = site.serve().await;
        let there =
            rows(&server, OF_A, "SELECT writer, max(n) AS last, count(*) AS n FROM t GROUP BY writer").await;
        for writer in writers {
            let (writer, answered) = writer.await.unwrap();
            let found = there.as_array().unwrap().iter().find(|row| row["writer"] == json!(writer));
            let last = found.map_or(-1, |row| row["last"].as_i64().unwrap());
            assert!(last >= answered, "round {round}: {answered} was answered for, {last} is there");
            assert!(found.is_none_or(|row| row["n"] == json!(last + 1)), "{there}");
        }
        assert_eq!(rows(&server, OF_A, "PRAGMA quick_check").await, json!([{"quick_check": "ok"}]));
    }
}

#[tokio::test]
async fn a_restored_database_stays_so_when_the_server_is_killed() {
    let site = site();
    let mut server = site.serve().await;
    run(&server, "a.test", json!([["CREATE TABLE t (a)"], ["INSERT INTO t VALUES (1)"]])).await;
    let travel = format!("{D1}/{OF_A}/time_travel");
    let told = server.api().get(&format!("{travel}/bookmark")).await.result()["bookmark"].clone();
    run(&server, "a.test", json!([["INSERT INTO t VALUES (2)"]])).await;
    server.kill().await;
    server = site.serve().await;
    let path = format!("{travel}/restore?bookmark={}", told.as_str().unwrap());
    let done = server.api().post(&path, &Value::Null).await;
    let previous = done.result()["previous_bookmark"].as_str().unwrap().to_owned();
    assert_eq!(rows(&server, OF_A, "SELECT a FROM t").await, json!([{"a": 1}]));
    server.kill().await;
    server = site.serve().await;
    assert_eq!(run(&server, "a.test", json!([["SELECT a FROM t"]])).await["results"], json!([{"a": 1}]));
    server.api().post(&format!("{travel}/restore?bookmark={previous}"), &Value::Null).await.result();
    assert_eq!(rows(&server, OF_A, "SELECT a FROM t").await, json!([{"a": 1}, {"a": 2}]));
    server.api().post(&format!("{travel}/restore?bookmark=x"), &Value::Null).await.refused(400, 10004);
    let early = server.api().get(&format!("{travel}/bookmark?timestamp=2020-01-01T00:00:00Z")).await;
    assert!(early.refused(400, 7400).contains("begins at"));
}

#[tokio::test]
async fn a_full_disk_is_told_and_ends() {
    let site = Site::new("[server]\napi_calls_per_token = 1000000\n");
    let disk = SmallDisk::mount(&site, "12m").await;
    let server = site.serve_on(&disk).await;
    for name in ["first", "second"] {
        server.api().post(D1, &json!({ "name": name })).await.result();
        rows(&server, name, "CREATE TABLE t (a); INSERT INTO t VALUES (1)").await;
    }
    let put = json!({"sql": "INSERT INTO t VALUES (randomblob(200000))"});
    let query = format!("{D1}/first/query");
    let mut kept = 1;
    let full = loop {
        let answer = server.api().post(&query, &put).await;
        if answer.status != 200 {
            break answer;
        }
        kept += 1;
        assert!(kept < 100, "the disk is never full");
    };
    assert!(full.refused(503, 90008).contains("he disk is full"));
    assert_eq!(rows(&server, "first", "SELECT count(*) AS n FROM t").await, json!([{ "n": kept }]));
    assert_eq!(rows(&server, "second", "SELECT a FROM t").await, json!([{"a": 1}]));
    // What makes room helps at once.
    server.api().delete(&format!("{D1}/first")).await.result();
    server.api().post(&format!("{D1}/second/query"), &put).await.result();
}

#[tokio::test]
async fn a_damaged_file_is_told_and_the_others_are_served() {
    let site = site();
    let mut server = site.serve().await;
    for host in ["a.test", "b.test"] {
        run(&server, host, json!([["CREATE TABLE t (a)"], ["INSERT INTO t VALUES (1)"]])).await;
    }
    let id = server.api().get(&format!("{D1}/{OF_A}")).await.result()["uuid"].as_str().unwrap().to_owned();
    server.terminate();
    server.ended().await;
    let file = site.data().join("d1").join(&id[..2]).join(format!("{id}.sqlite"));
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[4_096..8_192].fill(0xff);
    std::fs::write(&file, bytes).unwrap();
    let server = site.serve().await;
    let told = server.api().post(&format!("{D1}/{OF_A}/query"), &json!({"sql": "SELECT * FROM t"})).await;
    let said = told.refused(500, 7503).to_owned();
    assert!(said.contains(&id) && said.contains("damaged"), "{said}");
    assert_eq!(run(&server, "b.test", json!([["SELECT a FROM t"]])).await["results"], json!([{"a": 1}]));
    shows_no_path(&server, &said);
}

/// What a client is told names no file of the server's.
fn shows_no_path(server: &Server, said: &str) {
    assert!(!said.contains('/'), "{said}\n{}", server.log());
}
