//! Visitors who go away: what they started ends, whatever it is doing. How fast is measured by
//! `benches/noisy_neighbour`.

use super::{config, under_way};
use crate::support::{Connection, Server, body, eventually, next_chunk, request};
use http::Method;

async fn canceled(server: &Server, number: u32) {
    let series = r#"wasmyard_invocations_total{kind="platform",outcome="canceled"}"#;
    let canceled = async || (server.metric(series).await >= f64::from(number)).then_some(());
    eventually(&format!("{number} invocations are canceled"), canceled).await;
    under_way(server, 0).await;
}

async fn leaves(server: &Server, host: &str, path: &str, headers: &str, running: u32) {
    let waiting = server.raw(format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n{headers}\r\n")).await;
    under_way(server, running).await;
    drop(waiting);
    canceled(server, running).await;
}

#[tokio::test]
async fn a_guest_that_waits_is_canceled() {
    leaves(&Server::serving(&config("")).await, "probe.test", "/wait", "", 1).await;
}

#[tokio::test]
async fn a_guest_that_computes_is_canceled() {
    // It has half a minute of CPU time, and is not waited for.
    leaves(&Server::serving(&config("")).await, "over.test", "/spin", "", 1).await;
}

#[tokio::test]
async fn a_guest_that_waits_for_its_own_request_is_canceled_and_so_is_what_it_asked() {
    let server = Server::serving(&config("")).await;
    leaves(&server, "probe.test", "/forge", "x-target: http://probe.test/wait\r\n", 2).await;
}

#[tokio::test]
async fn a_guest_in_the_middle_of_its_answer_is_canceled() {
    let server = Server::serving(&config("")).await;
    for (number, path) in (1..).zip(["/begin", "/flood"]) {
        let mut connection = Connection::http1(server.visitors).await;
        let asked = request(Method::GET, "probe.test", path).body(body("")).unwrap();
        let mut answer = connection.send(asked).await.into_body();
        assert!(next_chunk(&mut answer).await.is_some());
        drop((answer, connection));
        canceled(&server, number).await;
    }
}

#[tokio::test]
async fn a_stream_that_is_reset_is_canceled_and_the_connection_goes_on() {
    let server = Server::serving(&config("")).await;
    let mut connection = Connection::http2(server.visitors).await;
    let asked = request(Method::GET, "probe.test", "/begin").body(body("")).unwrap();
    let mut answer = connection.send(asked).await.into_body();
    assert!(next_chunk(&mut answer).await.is_some());
    drop(answer);
    canceled(&server, 1).await;
    assert_eq!(connection.get("neighbour.test", "/").await.status, 200);
}
