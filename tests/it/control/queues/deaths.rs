//! kill -9 while messages are sent and handled: each that was answered for is handed over at least once.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::{QUEUES, path};
use crate::support::{Api, Site};

/// How often the process is killed.
const ROUNDS: u64 = 50;
/// Messages of a round, about.
const MESSAGES: u64 = 40;
/// Who sends at the same time.
const SENDERS: u64 = 8;

/// Sends messages with numbers of their own until the server is gone; the numbers that were answered for.
async fn send(api: Api, jobs: String, next: Arc<AtomicU64>) -> Vec<u64> {
    let mut answered = Vec::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let sending = api.request(http::Method::POST, &format!("{jobs}/messages"));
        let Ok(answer) =
            sending.json(&json!({ "body": number.to_string(), "content_type": "text" })).send().await
        else {
            return answered;
        };
        if answer.status() == 200 {
            answered.push(number);
        }
    }
}

/// Pulls and settles until the server is gone, and keeps in mind what came.
async fn pull(api: Api, jobs: String) -> HashSet<u64> {
    let mut came = HashSet::new();
    loop {
        let asked = api.request(http::Method::POST, &format!("{jobs}/messages/pull"));
        let Ok(answer) = asked.json(&json!({ "batch_size": 5 })).send().await else { return came };
        let Ok(envelope) = answer.json::<Value>().await else { return came };
        let messages = envelope["result"]["messages"].as_array().cloned().unwrap_or_default();
        came.extend(messages.iter().map(|message| message["body"].as_str().unwrap().parse::<u64>().unwrap()));
        let acks: Vec<Value> =
            messages.iter().map(|message| json!({ "lease_id": message["lease_id"] })).collect();
        let settled = api.request(http::Method::POST, &format!("{jobs}/messages/ack"));
        if settled.json(&json!({ "acks": acks })).send().await.is_err() {
            return came;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_loses_no_message_that_was_answered_for() {
    let site = Site::new("[server]\napi_calls_per_token = 1000000\n");
    let mut server = site.serve().await;
    let wanted =
        json!({ "type": "http_pull", "settings": { "max_retries": 100, "visibility_timeout_ms": 1000 } });
    server.api().post(QUEUES, &json!({ "queue_name": "jobs" })).await;
    let jobs = path(&server.api(), "jobs").await;
    assert_eq!(server.api().post(&format!("{jobs}/consumers"), &wanted).await.status, 200);
    let next = Arc::new(AtomicU64::new(0));
    let (mut answered, mut came) = (HashSet::new(), HashSet::new());
    for round in 0..ROUNDS {
        let api = server.api();
        let senders: Vec<_> =
            (0..SENDERS).map(|_| tokio::spawn(send(api.clone(), jobs.clone(), Arc::clone(&next)))).collect();
        let puller = tokio::spawn(pull(api.clone(), jobs.clone()));
        let enough = (round + 1) * MESSAGES;
        while next.load(Ordering::Relaxed) < enough {
            tokio::task::yield_now().await;
        }
        server.kill().await;
        for sender in senders {
            answered.extend(sender.await.unwrap());
        }
        came.extend(puller.await.unwrap());
        server = site.serve().await;
    }
    assert!(answered.len() as u64 > ROUNDS * MESSAGES / 2, "{} were answered for", answered.len());
    let api = server.api();
    let drained = async {
        loop {
            let pulled = api.post(&format!("{jobs}/messages/pull"), &json!({ "batch_size": 100 })).await;
            let messages = pulled.result()["messages"].as_array().unwrap().clone();
            came.extend(messages.iter().map(|one| one["body"].as_str().unwrap().parse::<u64>().unwrap()));
            let acks: Vec<Value> =
                messages.iter().map(|one| json!({ "lease_id": one["lease_id"] })).collect();
            api.post(&format!("{jobs}/messages/ack"), &json!({ "acks": acks })).await;
            if api.get(&format!("{jobs}/metrics")).await.result()["backlog_count"] == 0 {
                return;
            }
        }
    };
    crate::support::within("all messages", drained).await;
    let lost: Vec<&u64> = answered.difference(&came).collect();
    assert_eq!(lost, [&0; 0], "of {} that were answered for", answered.len());
}

/// Keeps every message under its number.
const KEEPER: &str = r#"
    export default {
      async queue(batch, env) {
        for (const message of batch.messages) await env.KEPT.put(message.body, "1");
      },
    };
"#;

const CONSUMED: &str = r#"
    [server]
    api_calls_per_token = 1000000
    [namespaces.production.scripts.keeper]
    main = "keeper.js"
    kv_namespaces = [{ binding = "KEPT", title = "kept" }]
    [[namespaces.production.scripts.keeper.queue_consumers]]
    queue = "jobs"
    max_batch_size = 5
    max_batch_timeout = 0
    max_retries = 100
"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_script_had_when_the_process_died_comes_to_it_again() {
    let site = Site::new(CONSUMED);
    site.write("keeper.js", KEEPER.as_bytes());
    let mut server = site.serve().await;
    let jobs = path(&server.api(), "jobs").await;
    let next = Arc::new(AtomicU64::new(0));
    let mut answered = HashSet::new();
    for round in 0..10 {
        let api = server.api();
        let senders: Vec<_> =
            (0..SENDERS).map(|_| tokio::spawn(send(api.clone(), jobs.clone(), Arc::clone(&next)))).collect();
        while next.load(Ordering::Relaxed) < (round + 1) * MESSAGES {
            tokio::task::yield_now().await;
        }
        server.kill().await;
        for sender in senders {
            answered.extend(sender.await.unwrap());
        }
        server = site.serve().await;
    }
    let api = server.api();
    super::until(&api, &jobs, 0).await;
    let kv = "/client/v4/accounts/0/storage/kv/namespaces";
    let namespaces = api.get(kv).await.result().clone();
    let (mut kept, mut cursor) = (HashSet::new(), String::new());
    loop {
        let of = namespaces[0]["id"].as_str().unwrap();
        let page = api.get(&format!("{kv}/{of}/keys?limit=1000&cursor={cursor}")).await;
        kept.extend(
            page.result()
                .as_array()
                .unwrap()
                .iter()
                .map(|key| key["name"].as_str().unwrap().parse::<u64>().unwrap()),
        );
        match page.envelope["result_info"]["cursor"].as_str().filter(|cursor| !cursor.is_empty()) {
            Some(more) => cursor = more.to_owned(),
            None => break,
        }
    }
    let lost: Vec<&u64> = answered.difference(&kept).collect();
    assert_eq!(lost, [&0; 0], "of {} that were answered for", answered.len());
}
