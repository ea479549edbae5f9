//! Whoever has no script: queues, consumers and messages by the API and from the command line.

use serde_json::json;

use super::{QUEUES, path};
use crate::support::{Server, Site};

#[tokio::test]
async fn messages_are_pulled_settled_and_counted_by_the_api() {
    let server = Server::serving("").await;
    let api = server.api();
    let made = api.post(QUEUES, &json!({ "queue_name": "jobs", "settings": { "delivery_delay": 0 } })).await;
    assert_eq!((made.status, &made.result()["queue_name"]), (200, &json!("jobs")), "{made:?}");
    let again = api.post(QUEUES, &json!({ "queue_name": "jobs" })).await;
    assert_eq!((again.status, &again.envelope["errors"][0]["code"]), (409, &json!(11009)), "{again:?}");
    let wrong = api.post(QUEUES, &json!({ "queue_name": "no_name" })).await;
    assert_eq!(wrong.status, 400, "{wrong:?}");
    let jobs = path(&api, "jobs").await;
    let pull = format!("{jobs}/messages/pull");
    let refused = api.post(&pull, &json!({})).await;
    assert_eq!((refused.status, &refused.envelope["errors"][0]["code"]), (409, &json!(90044)), "{refused:?}");
    let wanted =
        json!({ "type": "http_pull", "settings": { "max_retries": 1, "visibility_timeout_ms": 60_000 } });
    let consumer = api.post(&format!("{jobs}/consumers"), &wanted).await;
    assert_eq!(consumer.result()["settings"]["visibility_timeout_ms"], 60_000, "{consumer:?}");
    let second = api.post(&format!("{jobs}/consumers"), &wanted).await;
    assert_eq!((second.status, &second.envelope["errors"][0]["code"]), (409, &json!(90042)), "{second:?}");

    let push = format!("{jobs}/messages");
    let pushed = api.post(&push, &json!({ "body": { "a": 1 } })).await;
    assert_eq!(pushed.result()["metadata"]["metrics"]["backlog_count"], 1, "{pushed:?}");
    let batch = json!({ "messages": [
        { "body": "plain", "content_type": "text" }, { "body": "AP8=", "content_type": "bytes" },
        { "body": "later", "content_type": "text", "delay_seconds": 60 },
    ] });
    assert_eq!(api.post(&format!("{push}/batch"), &batch).await.status, 200);
    for bad in [json!({ "body": 1, "content_type": "text" }), json!({ "body": "x", "content_type": "v8" })] {
        assert_eq!(api.post(&push, &bad).await.status, 400);
    }
    let pulled = api.post(&pull, &json!({ "batch_size": 10 })).await;
    let messages = pulled.result()["messages"].as_array().unwrap().clone();
    let bodies: Vec<_> = messages
        .iter()
        .map(|message| {
            (message["metadata"]["CF-Content-Type"].as_str().unwrap(), message["body"].as_str().unwrap())
        })
        .collect();
    assert_eq!(bodies, [("json", "eyJhIjoxfQ=="), ("text", "plain"), ("bytes", "AP8=")]);
    assert_eq!(pulled.result()["message_backlog_count"], 4, "what is handed over is there still");
    let lease = |at: usize| json!({ "lease_id": messages[at]["lease_id"] });
    let acks = json!({ "acks": [lease(0), lease(1)], "retries": [lease(2)] });
    let acked = api.post(&format!("{jobs}/messages/ack"), &acks).await;
    assert_eq!(acked.result(), &json!({ "ackCount": 2, "retryCount": 1, "warnings": {} }), "{acked:?}");
    let over = api.post(&format!("{jobs}/messages/ack"), &acks).await;
    assert_eq!(over.result()["ackCount"], 0);
    assert!(over.result()["warnings"]["leases"].as_str().unwrap().starts_with("3 leases"), "{over:?}");
    let again = api.post(&pull, &json!({})).await;
    assert_eq!(again.result()["messages"][0]["attempts"], 2, "{again:?}");

    let metrics = api.get(&format!("{jobs}/metrics")).await.result().clone();
    assert_eq!(metrics["backlog_count"], 2);
    assert!(metrics["oldest_message_timestamp_ms"].as_u64().unwrap() > 1_700_000_000_000, "{metrics}");
    let kept = api.post(&format!("{jobs}/purge"), &json!({ "delete_messages_permanently": false })).await;
    assert_eq!(kept.status, 400);
    let purged = api.post(&format!("{jobs}/purge"), &json!({ "delete_messages_permanently": true })).await;
    assert_eq!(purged.status, 200, "{purged:?}");
    assert_eq!(api.get(&format!("{jobs}/metrics")).await.result()["backlog_count"], 0);
    assert_eq!(api.get(&format!("{jobs}/purge")).await.result()["completed"], "true");
    let long = json!({ "settings": { "message_retention_period": 59 } });
    let refused = api.patch(&jobs, &long).await;
    assert_eq!(
        (refused.status, &refused.envelope["errors"][0]["code"]),
        (400, &json!(100_128)),
        "{refused:?}"
    );
    let consumer = consumer.result()["consumer_id"].as_str().unwrap().to_owned();
    let wrong = json!({ "type": "http_pull", "settings": { "batch_size": 101 } });
    let refused = api.put(&format!("{jobs}/consumers/{consumer}"), &wrong).await;
    assert_eq!(refused.envelope["errors"][0]["code"], 100_127, "{refused:?}");
    assert_eq!(api.get(&format!("{jobs}/consumers/{consumer}")).await.status, 200);
    assert_eq!(api.delete(&format!("{jobs}/consumers/{consumer}")).await.status, 200);
    assert_eq!(api.get(&format!("{jobs}/consumers")).await.result(), &json!([]));
    assert_eq!(api.delete(&jobs).await.status, 200);
    assert_eq!(api.get(&jobs).await.status, 404);
}

/// A folder that is deployed from elsewhere: who consumes goes along, and a second deployment changes it.
#[tokio::test]
async fn a_deployment_from_a_folder_makes_queues_and_consumers() {
    let server = Server::serving("[namespaces.production]\n").await;
    let api = server.api();
    let config = |retries: u32| {
        format!(
            "[namespaces.production.scripts.shop]\nmain = \"shop.js\"\n\
             bindings = [{{ type = \"queue\", name = \"JOBS\", queue_name = \"jobs\", delivery_delay = 3 }}]\n\
             [[namespaces.production.scripts.shop.queue_consumers]]\nqueue = \"jobs\"\nmax_retries = {retries}\n\
             dead_letter_queue = \"dead\"\n"
        )
    };
    for retries in [5, 6] {
        let site = Site::new(&config(retries));
        site.write("shop.js", b"export default { queue() {} };");
        let run = site.run(&["deploy", "--api-url", &api.url]).await;
        assert_eq!(run.status.code(), Some(0), "{}", String::from_utf8_lossy(&run.stderr));
        let consumer = super::queue(&api, "jobs").await["consumers"][0].clone();
        assert_eq!(consumer["settings"]["max_retries"], retries, "{consumer}");
        assert_eq!(
            (&consumer["script"], &consumer["dispatch_namespace"]),
            (&json!("shop"), &json!("production"))
        );
    }
    let shown = super::queue(&api, "jobs").await;
    assert_eq!(
        shown["producers"],
        json!([
            { "type": "worker", "script": "shop", "dispatch_namespace": "production" },
        ])
    );
    // What breaks a rule is told with its line, before anything is sent.
    let site = Site::new(&config(101));
    site.write("shop.js", b"export default { queue() {} };");
    let run = site.run(&["deploy", "--api-url", &api.url]).await;
    let told = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(
        run.status.code() == Some(64) && told.contains("max_retries is 101, and must be from 0 to 100"),
        "{told}"
    );
}

#[tokio::test]
async fn queues_have_their_commands() {
    let site = Site::new("");
    let server = site.serve().await;
    let url = server.api().url;
    let run = async |arguments: &[&str]| {
        let run = site.run(&[&["queues"], arguments, &["--api-url", &url]].concat()).await;
        let (out, error) = (String::from_utf8(run.stdout).unwrap(), String::from_utf8(run.stderr).unwrap());
        assert_eq!(run.status.code(), Some(0), "{arguments:?} {out} {error}");
        out
    };
    let made = run(&["create", "jobs", "--retention", "3600"]).await;
    assert!(made.contains("3600 s"), "{made}");
    let changed = run(&["update", "jobs", "--delay", "0"]).await;
    assert!(changed.contains("3600 s"), "what is not named stays: {changed}");
    run(&["send", "jobs", r#"{"a":1}"#]).await;
    run(&["send", "jobs", "some words", "--text"]).await;
    let peeked = run(&["peek", "jobs"]).await;
    assert!(peeked.contains(r#"{"a":1}"#) && peeked.contains("some words"), "{peeked}");
    let consumer =
        run(&["consumer", "pull", "jobs", "--batch-size", "1", "--dead-letter-queue", "dead"]).await;
    assert_eq!(consumer, "(pull) consumes jobs\n");
    let again = run(&["consumer", "pull", "jobs", "--batch-size", "2"]).await;
    assert_eq!(again, "(pull) consumes jobs\n", "the same one is changed");
    let pulled = run(&["pull", "jobs", "--ack", "--count", "1"]).await;
    assert!(pulled.contains(r#"{"a":1}"#) && !pulled.contains("some words"), "{pulled}");
    let info = run(&["info", "jobs"]).await;
    assert!(info.contains("1 messages, 10 bytes") && info.contains("(pull)"), "{info}");
    let listed = run(&["list"]).await;
    assert_eq!(listed.lines().count(), 3, "{listed}");
    run(&["pause", "jobs"]).await;
    assert!(run(&["list"]).await.contains("paused"));
    run(&["resume", "jobs"]).await;
    run(&["purge", "jobs"]).await;
    assert!(run(&["info", "jobs"]).await.contains("0 messages"));
    run(&["consumer", "remove", "jobs"]).await;
    run(&["delete", "jobs"]).await;
    let gone = site.run(&["queues", "info", "jobs", "--api-url", &url]).await;
    assert_eq!(gone.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&gone.stderr).contains("there is no queue \"jobs\""));
}
