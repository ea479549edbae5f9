//! A full disk and a damaged file: both are told, nothing that was answered for is lost, and the rest is served.

use std::collections::BTreeSet;
use std::io::Write as _;

use serde_json::json;

use super::{QUEUES, path};
use crate::support::{Api, Server, Site, SmallDisk, eventually, script_path};

/// Bytes of a message: enough that it fills pages of its own.
const LARGE: usize = 100_000;

const CONFIG: &str = r#"
    [server]
    api_calls_per_token = 1000000
    [namespaces.production]
    [[routes]]
    pattern = "*.apps.test/*"
    namespace = "production"
"#;

/// Makes a queue that is pulled from: its path.
async fn pulled(api: &Api, name: &str) -> String {
    api.post(QUEUES, &json!({ "queue_name": name })).await.result();
    let queue = path(api, name).await;
    api.post(&format!("{queue}/consumers"), &json!({ "type": "http_pull" })).await.result();
    queue
}

fn message(number: usize) -> serde_json::Value {
    json!({ "body": format!("{number} {}", "x".repeat(LARGE)), "content_type": "text" })
}

/// The numbers of all messages that there are.
async fn numbers(api: &Api, queue: &str) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    loop {
        let pulled = api.post(&format!("{queue}/messages/pull"), &json!({ "batch_size": 20 })).await;
        let messages = pulled.result()["messages"].as_array().unwrap().clone();
        if messages.is_empty() {
            return found;
        }
        let number = |text: &str| text.split(' ').next().unwrap().parse::<usize>().unwrap();
        found.extend(messages.iter().map(|one| number(one["body"].as_str().unwrap())));
        let acks: Vec<_> = messages.iter().map(|one| json!({ "lease_id": one["lease_id"] })).collect();
        api.post(&format!("{queue}/messages/ack"), &json!({ "acks": acks })).await.result();
    }
}

async fn serves(server: &Server) {
    assert_eq!(server.get("one.apps.test", "/").await.text(), "served");
}

const ANSWERS: &str = "export default { fetch: () => new Response('served') };";

#[tokio::test]
async fn a_full_disk_is_told_loses_no_message_and_ends() {
    let site = Site::new(CONFIG);
    let disk = SmallDisk::mount(&site, "32m").await;
    let server = site.serve_on(&disk).await;
    let api = server.api();
    api.javascript(&script_path("one"), ANSWERS).await.result();
    let queue = pulled(&api, "jobs").await;
    // What somebody can do without later.
    std::fs::write(disk.path("ballast"), vec![0; 8 << 20]).unwrap();
    let mut kept = 0;
    let full = loop {
        let answer = api.post(&format!("{queue}/messages"), &message(kept)).await;
        if answer.status != 200 {
            break answer;
        }
        kept += 1;
        assert!(kept < 1_000, "the disk is never full");
    };
    assert!(kept > 10 && full.refused(503, 90008).contains("he disk is full"), "{kept}: {full:?}");
    // Whatever is left is taken: what was answered for is there all the same, after a kill as well.
    let mut filling = std::fs::File::options().create(true).append(true).open(disk.path("filling")).unwrap();
    while filling.write_all(&[0; 512]).is_ok() {}
    serves(&server).await;
    let told = api.get(&format!("{queue}/metrics")).await;
    assert_eq!(told.result()["backlog_count"], json!(kept));
    server.kill().await;
    let server = site.serve_on(&disk).await;
    serves(&server).await;
    drop(filling);
    std::fs::remove_file(disk.path("filling")).unwrap();
    std::fs::remove_file(disk.path("ballast")).unwrap();
    let api = server.api();
    eventually("room", async || {
        let sent = api.post(&format!("{queue}/messages"), &message(kept)).await;
        (sent.status == 200).then_some(())
    })
    .await;
    assert_eq!(numbers(&api, &queue).await, (0..=kept).collect());
}

#[tokio::test]
async fn a_damaged_message_is_told_and_other_queues_are_served() {
    let site = Site::new(CONFIG);
    let mut server = site.serve().await;
    let api = server.api();
    api.javascript(&script_path("one"), ANSWERS).await.result();
    let (damaged, whole) = (pulled(&api, "damaged").await, pulled(&api, "whole").await);
    for queue in [&damaged, &whole] {
        api.post(&format!("{queue}/messages"), &message(7)).await.result();
    }
    server.terminate();
    server.ended().await;
    let file = site.data().join("queues.sqlite");
    let mut bytes = std::fs::read(&file).unwrap();
    // Pages with nothing but a part of the message that was sent first.
    let is_of_message = |page: &[u8]| page[4..].iter().all(|byte| *byte == b'x');
    let pages: Vec<usize> =
        (0..bytes.len() / 4_096).filter(|at| is_of_message(&bytes[at * 4_096..][..4_096])).collect();
    assert!(pages.len() > 40, "{pages:?}");
    for at in &pages[1..3] {
        bytes[at * 4_096..][..4_096].fill(0xff);
    }
    std::fs::write(&file, &bytes).unwrap();
    let mut server = site.serve().await;
    let api = server.api();
    let told = api.post(&format!("{damaged}/messages/pull"), &json!({ "batch_size": 1 })).await;
    assert_eq!(told.status, 500, "{told:?}");
    assert!(!format!("{told:?}").contains("queues.sqlite"), "no file of the server's is named: {told:?}");
    eventually("a line of the log", async || server.log().contains("malformed").then_some(())).await;
    assert_eq!(numbers(&api, &whole).await, BTreeSet::from([7]));
    api.post(&format!("{whole}/messages"), &message(8)).await.result();
    serves(&server).await;
    server.terminate();
    server.ended().await;

    // A file that is none is not begun anew: the start says what helps.
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[..4_096].fill(0xff);
    std::fs::write(&file, &bytes).unwrap();
    let ended = site.run(&["serve", "--listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0"]).await;
    let text = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{text}");
    assert!(text.contains("restore queues.sqlite from a backup"), "{text}");
    assert_eq!(std::fs::read(&file).unwrap(), bytes, "what is left is left");
}
