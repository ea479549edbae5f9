//! kill -9 while messages are sent and handled: each that was answered for is handed over at least once.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::{QUEUES, path};
use crate::support::{Api, Site};

/// How often the process is killed.
const ROUNDS: u64 = 8;
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
        let enough = (round + 1) * 100;
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
    assert!(answered.len() as u64 > ROUNDS * 50, "{} were answered for", answered.len());
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
