//! Two hundred deploys while visitors never stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::config;
use crate::support::{Connection, Site, wat};

const DEPLOYS: usize = 200;

/// A visitor on one connection, who asks again and again until told to stop. Returns how many answers there were;
/// each must be 200 and, where the text is a number, no smaller than the one before.
async fn visit(
    address: SocketAddr,
    host: &'static str,
    acknowledged: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
) -> usize {
    let mut connection = Connection::http1(address).await;
    let (mut answers, mut newest) = (0, 0);
    while !stop.load(Ordering::SeqCst) {
        let at_least = acknowledged.load(Ordering::SeqCst);
        let answer = connection.get(host, "/").await;
        assert_eq!(answer.status, 200, "{host}, after {answers} answers: {}", answer.text());
        if let Ok(version) = answer.text().parse::<usize>() {
            assert!(version >= newest, "{host}: version {version} after {newest}");
            assert!(version >= at_least, "{host}: version {version} though {at_least} was acknowledged");
            newest = version;
        }
        answers += 1;
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_deploys_fail_no_request_and_no_version_comes_back() {
    // Code that no other test has compiled: every deploy compiles and swaps, as with a customer's new upload.
    let site = Site::with_own_artifacts(&config());
    let server = site.serve().await;
    let api = server.api();
    api.deploy("moving", wat::answer("0")).await.result();
    api.deploy("steady", wat::answer("steady")).await.result();

    let (acknowledged, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let hosts =
        ["moving.localhost", "moving.localhost", "moving.localhost", "steady.localhost", "steady.localhost"];
    let visitors: Vec<_> = hosts
        .into_iter()
        .map(|host| tokio::spawn(visit(server.visitors, host, Arc::clone(&acknowledged), Arc::clone(&stop))))
        .collect();
    for version in 1..=DEPLOYS {
        let uploaded = api.deploy("moving", wat::answer(&version.to_string())).await;
        acknowledged.store(version, Ordering::SeqCst);
        assert_eq!(uploaded.result()["version_number"], serde_json::json!(version + 1));
    }
    assert_eq!(server.get("moving.localhost", "/").await.text(), DEPLOYS.to_string());
    stop.store(true, Ordering::SeqCst);
    for (visitor, host) in visitors.into_iter().zip(hosts) {
        let answers = visitor.await.unwrap();
        assert!(answers > DEPLOYS / 4, "{host}: only {answers} answers: there was no traffic to disturb");
    }
    let failed = r#"wasmyard_requests_total{reason="internal",status="5xx"}"#;
    assert_eq!(server.total(failed).await, 0.0);
}
