//! What a client may hold, and for how long.

use quinn::{TransportConfig, VarInt};
use tokio::net::UdpSocket;

use super::*;

fn soon() -> Duration {
    Duration::from_millis(50)
}

#[tokio::test]
async fn one_client_has_so_many_connections_and_gets_them_back() {
    let running = running(ListenerConfig { max_connections_per_client: 1, ..ListenerConfig::default() });
    let client = running.client();
    let first = running.session(&client).await;
    // It is known whose it is when the handshake is over: then it ends.
    if let Ok(second) = running.quic(&client, "a.test").await {
        second.closed().await;
    }
    running.refused(Refused::Client, 1).await;
    first.quic.close(0_u32.into(), b"");
    until(|| running.figures.open.get() == 0).await;
    running.session(&client).await.get("/").await;
}

#[tokio::test]
async fn there_are_so_many_connections_in_all() {
    let running = running(ListenerConfig { max_connections: 1, ..ListenerConfig::default() });
    let client = running.client();
    let first = running.session(&client).await;
    running.quic(&client, "a.test").await.unwrap_err();
    running.refused(Refused::Full, 1).await;
    first.quic.close(0_u32.into(), b"");
    until(|| running.figures.open.get() == 0).await;
    running.session(&client).await.get("/").await;
}

#[tokio::test]
async fn what_comes_through_a_proxy_that_would_say_whose_it_is_is_refused() {
    let config = ListenerConfig {
        proxies: Proxies { trusted: vec!["127.0.0.1/32".parse().unwrap()], ..Proxies::default() },
        proxy_protocol: true,
        ..ListenerConfig::default()
    };
    let running = running(config);
    running.quic(&running.client(), "a.test").await.unwrap_err();
    running.refused(Refused::ProxyHeader, 1).await;
}

/// The first words of so many clients who will not be there for the answer.
async fn first_words(running: &Running, count: usize) -> Vec<Vec<u8>> {
    let nobody = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let client = running.client();
    let mut words = Vec::new();
    for _ in 0..count {
        let connecting = client.connect(nobody.local_addr().unwrap(), "a.test").unwrap();
        let mut bytes = vec![0; 2_000];
        let length = nobody.recv(&mut bytes).await.unwrap();
        bytes.truncate(length);
        words.push(bytes);
        drop(connecting);
        // The farewell of the one that was dropped.
        nobody.recv(&mut [0; 2_000]).await.unwrap();
    }
    words
}

#[tokio::test]
async fn who_is_one_of_many_unknown_addresses_shows_first_that_its_own_is() {
    let running = running(ListenerConfig::default());
    let client = running.client();
    running.session(&client).await.get("/").await;
    assert_eq!(running.tls.count(Handshaken::Retry), 0, "few are taken at their word");
    let forged = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for words in first_words(&running, UNSHOWN).await {
        forged.send_to(&words, running.address).await.unwrap();
    }
    let begun = i64::try_from(UNSHOWN).unwrap();
    until(|| running.figures.open.get() >= begun).await;
    let mut session = running.session(&client).await;
    assert_eq!(session.get("/").await.0.status(), StatusCode::OK);
    assert!(running.tls.count(Handshaken::Retry) >= 1);
}

#[tokio::test]
async fn a_handshake_that_does_not_go_on_gives_its_place_back() {
    let running = running(ListenerConfig { header_timeout: soon(), ..ListenerConfig::default() });
    let forged = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for words in first_words(&running, 3).await {
        forged.send_to(&words, running.address).await.unwrap();
    }
    until(|| running.tls.count(Handshaken::Abandoned) == 3).await;
    until(|| running.figures.open.get() == 0).await;
}

#[tokio::test]
async fn so_many_requests_go_on_at_once() {
    let running = running(ListenerConfig { max_streams: 2, ..ListenerConfig::default() });
    let client = running.client();
    let mut session = running.session(&client).await;
    let mut first = session.ask(Request::get("https://a.test/wait")).await;
    let _second = session.ask(Request::get("https://a.test/wait")).await;
    until(|| running.handler.waiting.load(Ordering::Acquire) == 2).await;
    let third = session.get("/");
    let mut third = std::pin::pin!(third);
    assert!(futures::poll!(third.as_mut()).is_pending());
    first.stop_sending(h3::error::Code::H3_REQUEST_CANCELLED);
    first.stop_stream(h3::error::Code::H3_REQUEST_CANCELLED);
    assert_eq!(third.await.0.status(), StatusCode::OK);
    assert_eq!(running.handler.waiting.load(Ordering::Acquire), 1);
}

#[tokio::test]
async fn a_head_has_so_many_fields_and_bytes() {
    let config = ListenerConfig { max_headers: 10, max_header_bytes: 4 << 10, ..ListenerConfig::default() };
    let running = running(config);
    let client = running.client();
    let mut session = running.session(&client).await;
    let fields = |count: usize, length: usize| {
        (0..count).fold(Request::get("https://a.test/"), |request, number| {
            request.header(format!("x-{number}"), "v".repeat(length))
        })
    };
    for (count, length, status) in [(10, 10, 200), (11, 10, 431), (4, 800, 200), (4, 1_000, 431)] {
        let mut stream = session.ask(fields(count, length)).await;
        stream.finish().await.unwrap();
        assert_eq!(answer(&mut stream).await.0.status(), status, "{count} of {length}");
    }
}

#[tokio::test]
async fn a_client_who_says_nothing_is_let_go() {
    let silent = running(ListenerConfig { header_timeout: soon(), ..ListenerConfig::default() });
    let client = silent.client();
    silent.session(&client).await.quic.closed().await;
    let idle = running(ListenerConfig { idle_timeout: soon(), ..ListenerConfig::default() });
    let client = idle.client();
    let mut session = idle.session(&client).await;
    session.get("/").await;
    session.quic.closed().await;
    until(|| idle.figures.open.get() == 0).await;
}

#[tokio::test]
async fn a_request_that_is_answered_is_no_silence() {
    let running = running(ListenerConfig { idle_timeout: soon(), ..ListenerConfig::default() });
    let client = running.client();
    let mut session = running.session(&client).await;
    let mut stream = session.ask(Request::get("https://a.test/gate")).await;
    stream.finish().await.unwrap();
    until(|| running.handler.waiting.load(Ordering::Acquire) == 1).await;
    let begun = std::time::Instant::now();
    until(|| begun.elapsed() > soon() * 4).await;
    running.handler.gate.notify_one();
    assert_eq!(answer(&mut stream).await.1, "through");
}

#[tokio::test]
async fn who_does_not_read_loses_the_answer_and_not_the_connection() {
    let running = running(ListenerConfig { slow_reader: soon(), ..ListenerConfig::default() });
    let mut transport = TransportConfig::default();
    transport.stream_receive_window(VarInt::from_u32(2_000));
    let client = running.client_with(transport);
    let mut session = running.session(&client).await;
    let mut stream = session.ask(Request::get("https://a.test/pieces")).await;
    stream.finish().await.unwrap();
    stream.recv_response().await.unwrap();
    until(|| running.figures.unsent.get() > 0).await;
    until(|| running.figures.unsent.get() == 0).await;
    assert!(rest(&mut stream).await.is_err(), "it was cut off");
    assert_eq!(session.get("/").await.0.status(), StatusCode::OK);
}

#[tokio::test]
async fn requests_that_are_taken_back_come_to_an_end() {
    let running = running(ListenerConfig::default());
    let client = running.client();
    let mut session = running.session(&client).await;
    let request = || Request::get("https://a.test/wait").body(()).unwrap();
    while let Ok(mut stream) = session.send.send_request(request()).await {
        stream.stop_sending(h3::error::Code::H3_REQUEST_CANCELLED);
        stream.stop_stream(h3::error::Code::H3_REQUEST_CANCELLED);
    }
    let ended = session.quic.closed().await;
    assert!(
        matches!(&ended, quinn::ConnectionError::ApplicationClosed(why) if why.error_code == 0x107_u32.into()),
        "{ended}"
    );
    running.refused(Refused::Frames, 1).await;
    until(|| running.handler.waiting.load(Ordering::Acquire) == 0).await;
}
