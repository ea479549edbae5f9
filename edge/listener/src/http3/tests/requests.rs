//! Requests and their answers, from the handshake to the drain.

use super::*;

#[tokio::test]
async fn a_request_is_answered_with_all_that_is_known_of_its_client() {
    let running = running(ListenerConfig::default());
    let client = running.client();
    let mut session = running.session(&client).await;
    let (response, said) = session.get("/").await;
    assert_eq!((response.status(), response.version()), (StatusCode::OK, Version::HTTP_3));
    assert_eq!(said, "127.0.0.1 HTTP/3.0 a.test AEAD-AES256-GCM-SHA384 true");
    assert_eq!(response.headers()["content-length"], said.len().to_string().as_str());
    assert!(response.headers().contains_key("date") && !response.headers().contains_key("connection"));
    assert_eq!(session.get("/empty").await.1, "true Some(0)");
    assert_eq!(running.tls.count(Handshaken::Http3), 1);
    assert_eq!((running.figures.open.get(), running.figures.accepted.get()), (1, 1));
    session.quic.close(0_u32.into(), b"");
    until(|| running.figures.open.get() == 0).await;
}

#[tokio::test]
async fn bodies_and_trailers_come_in_and_large_answers_go_out() {
    let running = running(ListenerConfig::default());
    let client = running.client();
    let mut session = running.session(&client).await;
    let mut stream = session.ask(Request::post("https://a.test/echo")).await;
    for _ in 0..40 {
        stream.send_data(Bytes::from(vec![b'b'; 50_000])).await.unwrap();
    }
    let trailers = HeaderMap::from_iter([(http::header::ETAG, HeaderValue::from_static("x"))]);
    stream.send_trailers(trailers).await.unwrap();
    stream.finish().await.unwrap();
    let (_, said) = answer(&mut stream).await;
    assert_eq!(said.len(), 2_000_001);
    assert!(said.ends_with("b1"));
    let (_, large) = session.get("/large").await;
    assert_eq!(large.len(), 4 << 20);
    assert_eq!(running.figures.unsent.get(), 0);
}

#[tokio::test]
async fn an_answer_that_breaks_off_does_not_look_whole() {
    let running = running(ListenerConfig::default());
    let client = running.client();
    let mut session = running.session(&client).await;
    let mut stream = session.ask(Request::get("https://a.test/broken")).await;
    stream.finish().await.unwrap();
    // Of what was sent before the reset a client may see nothing.
    let broken = match stream.recv_response().await {
        Ok(_) => rest(&mut stream).await.unwrap_err(),
        Err(broken) => broken,
    };
    assert!(broken.to_string().contains("H3_INTERNAL_ERROR"), "{broken}");
    assert_eq!(session.get("/").await.0.status(), StatusCode::OK, "the connection goes on");
}

#[tokio::test]
async fn names_that_cannot_be_served_so_are_refused_in_the_handshake() {
    let running = running(ListenerConfig::default());
    let client = running.client();
    for (name, result, count) in [
        ("unknown.test", Handshaken::UnknownName, 1),
        ("asks.test", Handshaken::Refused, 1),
        ("old.test", Handshaken::Refused, 2),
    ] {
        running.quic(&client, name).await.unwrap_err();
        until(|| running.tls.count(result) == count).await;
    }
    assert_eq!(running.figures.open.get(), 0);
    // Whoever has a connection for another name is told where not to ask.
    let mut session = running.session(&client).await;
    for (host, is_for) in
        [("b.test", true), ("asks.test", false), ("old.test", false), ("unknown.test", false)]
    {
        let mut stream = session.ask(Request::get(format!("https://{host}/"))).await;
        stream.finish().await.unwrap();
        assert!(answer(&mut stream).await.1.ends_with(&is_for.to_string()), "{host}");
    }
}

#[tokio::test]
async fn a_handshake_for_a_name_whose_keys_are_not_in_memory_is_held_until_they_are() {
    let running = running(ListenerConfig::default());
    // Its hello has two datagrams.
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let client = running.client_of(provider, quinn::TransportConfig::default());
    let connecting = running.quic(&client, "cold.test");
    let (connected, ()) = tokio::join!(connecting, async {
        until(|| running.fetching() == 1).await;
        assert_eq!(running.tls.count(Handshaken::Http3), 0, "nobody is served without them");
        running.lets_fetch();
    });
    connected.unwrap();
    until(|| running.tls.count(Handshaken::Http3) == 1).await;
    assert_eq!(running.tls.count(Handshaken::Unavailable), 0);
    running.quic(&client, "cold.test").await.unwrap();
    assert_eq!(running.fetching(), 1, "they are in memory now");
}

#[tokio::test]
async fn a_handshake_is_not_held_for_keys_that_cannot_be_had_and_not_beside_many() {
    let running = running(ListenerConfig::default());
    let client = running.client();
    let broken = running.quic(&client, "broken.test");
    let (refused, ()) = tokio::join!(broken, async {
        until(|| running.fetching() == 1).await;
        running.lets_fetch();
    });
    refused.unwrap_err();
    until(|| running.tls.count(Handshaken::Unavailable) == 1).await;
    let held: Vec<_> = (0..16).map(|_| running.quic(&client, "broken.test")).collect();
    let held = futures::future::join_all(held);
    let one_more = async {
        until(|| running.fetching() == 17).await;
        running.quic(&client, "cold.test").await.unwrap_err();
        until(|| running.tls.count(Handshaken::Unavailable) == 2).await;
        running.lets_fetch();
    };
    let (held, ()) = tokio::join!(held, one_more);
    assert!(held.iter().all(Result::is_err));
    until(|| running.tls.count(Handshaken::Unavailable) == 18).await;
    running.quic(&client, "a.test").await.unwrap();
}

#[tokio::test]
async fn a_session_is_taken_up_again_and_never_by_early_data() {
    let running = running(ListenerConfig::default());
    let client = running.client();
    let mut session = running.session(&client).await;
    session.get("/").await;
    let connecting = client.connect(running.address, "a.test").unwrap();
    let connecting = connecting.into_0rtt().map(|_| ()).expect_err("there is no early data");
    connecting.await.unwrap();
}

#[tokio::test]
async fn early_hints_come_before_the_answer() {
    let running = running(ListenerConfig::default());
    let client = running.client();
    let mut session = running.session(&client).await;
    let mut stream = session.ask(Request::get("https://a.test/hints")).await;
    stream.finish().await.unwrap();
    let hints = stream.recv_response().await.unwrap();
    assert_eq!(hints.status(), StatusCode::EARLY_HINTS);
    assert_eq!(hints.headers()["link"], "</a.css>; rel=preload");
    running.handler.gate.notify_one();
    let (response, said) = answer(&mut stream).await;
    assert_eq!((response.status(), said.as_str()), (StatusCode::OK, "hinted"));
}

#[tokio::test]
async fn a_client_who_does_not_want_an_answer_ends_the_work_for_it() {
    let running = running(ListenerConfig::default());
    let client = running.client();
    let mut session = running.session(&client).await;
    let waiting = || running.handler.waiting.load(Ordering::Acquire);
    let mut stream = session.ask(Request::get("https://a.test/wait")).await;
    stream.finish().await.unwrap();
    until(|| waiting() == 1).await;
    stream.stop_sending(h3::error::Code::H3_REQUEST_CANCELLED);
    until(|| waiting() == 0).await;
    let _left = session.ask(Request::get("https://a.test/wait")).await;
    until(|| waiting() == 1).await;
    session.quic.close(0_u32.into(), b"");
    until(|| waiting() == 0).await;
}

#[tokio::test]
async fn a_drain_lets_what_is_in_flight_finish_and_takes_nothing_more() {
    let mut running = running(ListenerConfig::default());
    let client = running.client();
    let mut session = running.session(&client).await;
    let mut idle = running.session(&client).await;
    idle.get("/").await;
    let mut stream = session.ask(Request::get("https://a.test/gate")).await;
    stream.finish().await.unwrap();
    until(|| running.handler.waiting.load(Ordering::Acquire) == 1).await;
    running.stop.take().unwrap().send(()).unwrap();
    let ended = tokio::time::timeout(PATIENCE, idle.driving).await.unwrap().unwrap();
    assert!(ended.is_h3_no_error(), "{ended}");
    let late = session.send.send_request(Request::get("https://a.test/").body(()).unwrap()).await;
    assert!(late.is_err(), "it was told that nothing more is taken");
    assert!(running.quic(&client, "a.test").await.is_err());
    running.handler.gate.notify_one();
    assert_eq!(answer(&mut stream).await.1, "through");
    tokio::time::timeout(PATIENCE, running.serving).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_drain_has_an_end() {
    let mut running =
        running(ListenerConfig { drain: Duration::from_millis(50), ..ListenerConfig::default() });
    let client = running.client();
    let mut session = running.session(&client).await;
    let _waits = session.ask(Request::get("https://a.test/wait")).await;
    until(|| running.handler.waiting.load(Ordering::Acquire) == 1).await;
    running.stop.take().unwrap().send(()).unwrap();
    tokio::time::timeout(PATIENCE, running.serving).await.unwrap().unwrap().unwrap();
    session.quic.closed().await;
}

#[tokio::test]
async fn who_goes_on_from_another_address_begins_anew() {
    let running = running(ListenerConfig::default());
    let client = running.client();
    let mut session = running.session(&client).await;
    session.get("/").await;
    client.rebind(std::net::UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
    assert!(session.get("/").await.1.starts_with("127.0.0.1 "), "another port is the same client");
    client.rebind(std::net::UdpSocket::bind("127.0.0.2:0").unwrap()).unwrap();
    let request = Request::get("https://a.test/wait").body(()).unwrap();
    let _unanswered = session.send.send_request(request).await;
    let ended = tokio::time::timeout(PATIENCE, session.driving).await.unwrap().unwrap();
    assert!(ended.is_h3_no_error(), "{ended}");
    assert_eq!(running.handler.waiting.load(Ordering::Acquire), 0);
    assert!(running.session(&client).await.get("/").await.1.starts_with("127.0.0.2 "));
}
