//! How long a script waits for its outbound worker is the script's to say, as it would be without one.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{asked, config};
use crate::support::{PATIENCE, Server, origin::Origin};

/// Somebody outside who says a part of an answer and then nothing more, and never hangs up.
async fn stalling(said: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut seen = Vec::new();
            while !seen.ends_with(b"\r\n\r\n") {
                seen.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(said.as_bytes()).await.unwrap();
            held.push(stream);
        }
    });
    address
}

/// A server whose own time-outs are longer than any test waits, so that only what a script asks for can end a wait.
async fn patient(origin: SocketAddr) -> Server {
    let rest = Origin::start().await;
    let long = 2 * PATIENCE.as_millis();
    let waits = format!("first_byte_ms = {long}\nbetween_bytes_ms = {long}\n[limits]");
    let config = config(&rest)
        .replace("ports = [80", &format!("ports = [{}, 80", origin.port()))
        .replace("[limits]", &waits)
        .replace(
            "cpu_ms = 10000",
            &format!("cpu_ms = 10000\nfirst_byte_ms = {long}\nstream_idle_ms = {long}"),
        );
    Server::serving(&config).await
}

#[tokio::test]
async fn an_answer_that_stops_coming_through_the_gate_ends_when_the_script_said() {
    let origin = stalling("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nfirst\n").await;
    let server = patient(origin).await;
    // Sent on by the outbound worker, left to the platform by it, and begun by the outbound worker itself.
    for mode in ["pass", "last", "stall"] {
        let answer = asked(&server, mode, "/patient?between=200", &format!("http://{origin}/")).await;
        let came = "6 bytes, then connection read timeout\n";
        assert_eq!((answer.status, answer.text()), (200, came), "{mode}");
    }
}

#[tokio::test]
async fn an_answer_that_never_begins_ends_when_the_script_said() {
    let origin = stalling("").await;
    let server = patient(origin).await;
    for mode in ["pass", "last"] {
        let answer = asked(&server, mode, "/patient?first=200", &format!("http://{origin}/")).await;
        let came = "no answer: ErrorCode::HttpResponseTimeout\n";
        assert_eq!((answer.status, answer.text()), (200, came), "{mode}");
    }
}

#[tokio::test]
async fn time_outs_that_are_long_enough_change_nothing() {
    let origin = Origin::start().await;
    let server = Server::serving(&config(&origin)).await;
    for mode in ["pass", "last"] {
        let long = PATIENCE.as_millis();
        let path = format!("/patient?first={long}&between={long}");
        let answer = asked(&server, mode, &path, &origin.url("/")).await;
        assert_eq!(answer.text(), "6 bytes, then its end\n", "{mode}");
    }
}
