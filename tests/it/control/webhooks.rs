//! Webhooks over the wire: a receiver on this machine, refusals, retries, and a server that is killed in between.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::any;
use serde_json::{Value, json};

use crate::support::{Api, Site, eventually};

const ALERTING: &str = "/client/v4/accounts/0/alerting/v3";

/// A receiver that answers with a status, and remembers what it took with 200: the secret's field, and the body.
struct Receiver {
    port: u16,
    status: Arc<AtomicU16>,
    asked: Arc<AtomicU16>,
    taken: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Receiver {
    async fn start() -> Receiver {
        let (status, asked) = (Arc::new(AtomicU16::new(200)), Arc::new(AtomicU16::new(0)));
        let taken: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
        let (answers, count, remembered) = (Arc::clone(&status), Arc::clone(&asked), Arc::clone(&taken));
        let handler = any(move |headers: HeaderMap, body: Bytes| {
            let status = answers.load(Ordering::Relaxed);
            count.fetch_add(1, Ordering::Relaxed);
            if status == 200 {
                let secret = headers.get("cf-webhook-auth").map(|value| value.to_str().unwrap().to_owned());
                let body = serde_json::from_slice(&body).unwrap();
                remembered.lock().unwrap().push((secret.unwrap_or_default(), body));
            }
            async move { (StatusCode::from_u16(status).unwrap(), [("location", "/elsewhere")]) }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
        Receiver { port, status, asked, taken }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    fn config(&self) -> String {
        format!("[webhooks]\nports = [{}]\nallow_private = [\"127.0.0.1\"]\n", self.port)
    }

    fn answer(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    /// The hostnames that were told of, in order.
    fn hostnames(&self) -> Vec<String> {
        let taken = self.taken.lock().unwrap();
        taken
            .iter()
            .filter_map(|(_, body)| Some(body.pointer("/data/hostname")?.as_str()?.to_owned()))
            .collect()
    }
}

async fn made(api: &Api, path: &str, body: &Value) -> String {
    let made = api.post(path, body).await;
    assert_eq!(made.envelope["success"], true, "{}", made.envelope);
    made.envelope["result"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_happens_is_told_again_until_it_is_taken_though_the_server_is_killed() {
    let receiver = Receiver::start().await;
    let site = Site::new(&receiver.config());
    let server = site.serve().await;
    let api = server.api();
    let hook = json!({"name": "ops", "url": receiver.url(), "secret": "hunter2"});
    let webhook = made(&api, &format!("{ALERTING}/destinations/webhooks"), &hook).await;
    assert_eq!(receiver.taken.lock().unwrap()[0].0, "hunter2", "the test message");
    let wanted = json!({
        "name": "certificates", "enabled": true, "alert_type": "custom_ssl_certificate_event_type",
        "mechanisms": {"webhooks": [{"id": webhook}]},
    });
    let policy = made(&api, &format!("{ALERTING}/policies"), &wanted).await;
    let zone =
        format!("/client/v4/zones/{}", made(&api, "/client/v4/zones", &json!({"name": "saas.dev"})).await);
    let ssl = json!({"method": "txt", "type": "dv", "settings": {"http2": "on"}});
    let mut hostnames = Vec::new();
    for name in ["a.customer.dev", "b.customer.dev"] {
        let new = json!({"hostname": name, "ssl": ssl, "custom_metadata": {"plan": "gold"}});
        hostnames.push(made(&api, &format!("{zone}/custom_hostnames"), &new).await);
    }
    receiver.answer(500);
    api.delete(&format!("{zone}/custom_hostnames/{}", hostnames[0])).await;
    // Noted, and not only made: an attempt that the kill cuts off is none that anybody knows of.
    eventually("a first attempt", async || {
        let shown = api.get(&format!("{ALERTING}/destinations/webhooks/{webhook}")).await.result().clone();
        shown["last_failure"].is_string().then_some(())
    })
    .await;
    server.kill().await;
    receiver.answer(200);
    let server = site.serve().await;
    let api = server.api();
    eventually("the event", async || (receiver.hostnames() == ["a.customer.dev"]).then_some(())).await;
    let (secret, body) = receiver.taken.lock().unwrap().last().cloned().unwrap();
    assert_eq!(secret, "hunter2", "it survived the restart");
    assert_eq!(body["metadata"]["event"]["type"], "ssl.custom_hostname_certificate.deletion.succeeded");
    assert_eq!(body["metadata"]["zone"]["id"], zone.rsplit('/').next().unwrap());
    assert_eq!(body["data"]["ssl"]["status"], "deleted");
    assert_eq!(body["data"]["custom_metadata"], json!({"plan": "gold"}));
    // A zone takes its hostnames with it, each with its event.
    api.delete(&zone).await;
    eventually("the other event", async || (receiver.hostnames().len() == 2).then_some(())).await;
    let history = eventually("the log of events", async || {
        let history = api.get(&format!("{ALERTING}/history")).await.result().clone();
        (history.as_array().unwrap().len() == 2).then_some(history)
    })
    .await;
    assert_eq!(
        (&history[1]["policy_id"], &history[1]["delivered"]),
        (&json!(policy), &json!(true)),
        "{history}"
    );
    let sent: Value = serde_json::from_str(history[1]["alert_body"].as_str().unwrap()).unwrap();
    assert_eq!(sent, body);
    let shown = api.get(&format!("{ALERTING}/destinations/webhooks/{webhook}")).await.result().clone();
    assert!(shown["last_success"].is_string() && shown["last_failure"].is_string(), "{shown}");
    let all = api.get(&format!("{ALERTING}/destinations/webhooks")).await.envelope.to_string();
    assert!(!all.contains("hunter2") && !server.log().contains("hunter2"), "{all}");
}

#[tokio::test]
async fn destinations_that_may_not_be_reached_and_those_that_take_nothing_are_refused() {
    let receiver = Receiver::start().await;
    let site = Site::new(&receiver.config());
    let server = site.serve().await;
    let api = server.api();
    let path = format!("{ALERTING}/destinations/webhooks");
    let refused = async |url: &str| {
        let answer = api.post(&path, &json!({"name": "ops", "url": url})).await;
        assert_eq!(answer.envelope["success"], false, "{url}");
        let error = &answer.envelope["errors"][0];
        (error["code"].as_u64().unwrap(), error["message"].as_str().unwrap().to_owned())
    };
    let (code, said) = refused("http://127.0.0.1:25/").await;
    assert!(code == 90020 && said.contains("port 25"), "{said}");
    let (code, said) = refused(&format!("http://169.254.169.254:{}/", receiver.port)).await;
    assert!(code == 90020 && said.contains("metadata"), "{said}");
    let (code, said) = refused(&format!("http://10.0.0.1:{}/", receiver.port)).await;
    assert!(code == 90020 && said.contains("private"), "{said}");
    assert_eq!(refused("https://user:pass@hooks.test/").await.0, 10021);
    receiver.answer(302);
    let before = receiver.asked.load(Ordering::Relaxed);
    let (code, said) = refused(&receiver.url()).await;
    assert!(code == 90020 && said.contains("redirects are not followed"), "{said}");
    assert_eq!(receiver.asked.load(Ordering::Relaxed), before + 1, "nor asked where they lead");
    assert_eq!(api.get(&path).await.result(), &json!([]));
    // Without a word in the configuration nothing of this machine is reached.
    let closed = Site::new("");
    let server = closed.serve().await;
    let answer = server.api().post(&path, &json!({"name": "ops", "url": "http://127.0.0.1:80/"})).await;
    assert!(
        answer.envelope["errors"][0]["message"].as_str().unwrap().contains("loopback"),
        "{}",
        answer.envelope
    );
}
