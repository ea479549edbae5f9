//! Origins that break the rules of HTTP/1.1, or never come to an end. Each is a real one on loopback; each ends
//! in an error with a name, soon, and takes no more memory than a good one.

use std::sync::atomic::AtomicU64;
use std::time::Instant;

use super::*;

/// What an origin that sends for ever is stopped by; far below what it would send.
const MOST_TAKEN: u64 = 64 << 20;

/// Sends `head`, then `piece` again and again, until nobody takes any more. Counts the bytes.
async fn endless(head_text: &'static str, piece: Vec<u8>) -> (SocketAddr, Arc<AtomicU64>) {
    let taken = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&taken);
    let piece = Arc::new(piece);
    let (address, _) = origin(move |mut stream| {
        let (counted, piece) = (Arc::clone(&counted), Arc::clone(&piece));
        async move {
            head(&mut stream).await;
            if stream.write_all(head_text.as_bytes()).await.is_err() {
                return;
            }
            while counted.load(Ordering::SeqCst) < 1 << 30 && stream.write_all(&piece).await.is_ok() {
                counted.fetch_add(piece.len() as u64, Ordering::SeqCst);
            }
        }
    })
    .await;
    (address, taken)
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

/// Bytes of memory that this process holds without what is shared with files.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

#[tokio::test]
async fn a_head_of_a_gibibyte_is_cut_off_in_every_form_and_memory_stays_as_it_was() {
    let before = resident();
    let egress = open();
    let field = b"x-filling: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n".repeat(256);
    for (head, piece) in [
        ("HTTP/1.1 200 OK\r\n", field),
        ("HTTP/1.1 200 OK\r\nx-long: ", vec![b'a'; 16 << 10]),
        ("HTTP/1.1 200 OK\r\n", b"a:\r\n".repeat(4 << 10)),
        ("HTTP/1.1 200 ", vec![b'a'; 16 << 10]),
    ] {
        let (address, taken) = endless(head, piece).await;
        let cut = code(&egress, get(&format!("http://{address}/"))).await;
        assert_eq!(cut, "HttpResponseHeaderSectionSize(None)", "{head:?}");
        assert!(taken.load(Ordering::SeqCst) < MOST_TAKEN, "{head:?}: {taken:?}");
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes more");
}

#[tokio::test]
async fn more_fields_than_are_taken_are_refused_and_as_many_pass() {
    let response = |fields: usize| {
        let fields: String = (0..fields).map(|n| format!("x-{n}: 1\r\n")).collect();
        format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n{fields}\r\n")
    };
    for (fields, expected) in [(127, None), (128, Some("HttpResponseHeaderSectionSize(None)"))] {
        let text: &'static str = response(fields).leak();
        let (address, _) = saying(text).await;
        let answer = open().send(Sender::Platform, get(&format!("http://{address}/"))).await;
        assert_eq!(answer.err().map(|error| format!("{error:?}")).as_deref(), expected, "{fields}");
    }
}

#[tokio::test]
async fn an_origin_that_is_faster_than_its_reader_is_held_back() {
    let before = resident();
    let (address, taken) = endless("HTTP/1.1 200 OK\r\n\r\n", vec![b'a'; 64 << 10]).await;
    let response = egress_of(patient()).send(Sender::Platform, get(&format!("http://{address}/"))).await;
    let mut body = response.unwrap().into_body();
    let mut read = 0;
    while read < 1 << 20 {
        read += body.frame().await.unwrap().unwrap().into_data().unwrap().len();
    }
    // It writes until the buffers of both ends are full, and stands still then.
    let mut seen = 0;
    while seen != taken.load(Ordering::SeqCst) {
        seen = taken.load(Ordering::SeqCst);
        tokio::time::sleep(SOON).await;
    }
    assert!(seen < MOST_TAKEN, "{seen} bytes");
    let grown = resident().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes more");
}

#[tokio::test]
async fn one_byte_a_minute_is_given_up_in_the_head_and_in_the_body() {
    let dripping = |text: &'static str, begun: usize| {
        origin(move |mut stream| async move {
            head(&mut stream).await;
            let (first, rest) = text.as_bytes().split_at(begun);
            stream.write_all(first).await.unwrap();
            for byte in rest {
                tokio::time::sleep(Duration::from_secs(60)).await;
                if stream.write_all(&[*byte]).await.is_err() {
                    return;
                }
            }
        })
    };
    let text = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabcdefghij";
    let (in_the_head, _) = dripping(text, 5).await;
    let (in_the_body, _) = dripping(text, text.len() - 5).await;
    let egress = open();
    let began = Instant::now();
    assert_eq!(code(&egress, get(&format!("http://{in_the_head}/"))).await, "HttpResponseTimeout");
    let response = egress.send(Sender::Platform, get(&format!("http://{in_the_body}/"))).await.unwrap();
    let mut body = response.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "abcde");
    assert_eq!(format!("{:?}", body.frame().await.unwrap().unwrap_err()), "ConnectionReadTimeout");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_connection_that_ends_where_a_message_does_not_is_an_error() {
    let egress = open();
    for (text, in_head, expected) in [
        ("", true, "HttpResponseIncomplete"),
        ("HTTP/1.1 200 OK\r\ncontent-le", true, "HttpResponseIncomplete"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n", false, "HttpResponseIncomplete"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", false, "HttpResponseIncomplete"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", false, "HttpResponseIncomplete"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab", false, "HttpResponseIncomplete"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n", false, "HttpResponseIncomplete"),
    ] {
        let (address, _) = origin(move |mut stream| async move {
            head(&mut stream).await;
            stream.write_all(text.as_bytes()).await.unwrap();
        })
        .await;
        let answer = egress.send(Sender::Platform, get(&format!("http://{address}/"))).await;
        let error = match answer {
            Err(error) => {
                assert!(in_head, "{text:?}");
                error
            }
            Ok(response) => match response.into_body().collect().await {
                Err(error) => error,
                Ok(_) => panic!("{text:?} is no whole answer"),
            },
        };
        assert_eq!(format!("{error:?}"), expected, "{text:?}");
    }
}

#[tokio::test]
async fn a_connection_that_is_torn_down_is_an_error() {
    let (address, _) = origin(|mut stream| async move {
        head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await.unwrap();
        // With a reset in place of an end.
        stream.set_zero_linger().unwrap();
    })
    .await;
    let answer = egress_of(patient()).send(Sender::Platform, get(&format!("http://{address}/"))).await;
    // The reset may be there before anything of the answer is read.
    let error = match answer {
        Ok(response) => response.into_body().collect().await.err().unwrap(),
        Err(error) => error,
    };
    assert_eq!(format!("{error:?}"), "ConnectionTerminated");
}

#[tokio::test]
async fn an_origin_that_does_not_read_holds_the_upload_back_and_is_given_up() {
    let (address, _) = origin(|mut stream| async move {
        head(&mut stream).await;
        holding(stream).await;
    })
    .await;
    let sent = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&sent);
    let pieces = stream::repeat_with(move || {
        counted.fetch_add(64 << 10, Ordering::SeqCst);
        Ok(Frame::data(Bytes::from_static(&[b'a'; 64 << 10])))
    });
    let mut outbound = get(&format!("http://{address}/"));
    *outbound.request.method_mut() = http::Method::POST;
    *outbound.request.body_mut() = StreamBody::new(pieces.take(16 << 10).boxed()).boxed_unsync();
    assert_eq!(code(&open(), outbound).await, "HttpResponseTimeout");
    assert!(sent.load(Ordering::SeqCst) < MOST_TAKEN, "{sent:?} bytes of 1 GiB");
}

#[tokio::test]
async fn an_answer_that_comes_before_the_upload_is_whole_is_an_answer() {
    let (address, _) = origin(|mut stream| async move {
        head(&mut stream).await;
        let text = b"HTTP/1.1 413 Content Too Large\r\nconnection: close\r\ncontent-length: 3\r\n\r\nno!";
        stream.write_all(text).await.unwrap();
        holding(stream).await;
    })
    .await;
    let (outbound, pieces) = streaming(&format!("http://{address}/"));
    pieces.send("one").unwrap();
    let response = open().send(Sender::Platform, outbound).await.unwrap();
    assert_eq!(response.status(), 413);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "no!");
    drop(pieces);
}

#[tokio::test]
async fn chunks_that_are_none_are_an_error() {
    let egress = open();
    for chunks in [
        "zz\r\nab\r\n",
        "-2\r\nab\r\n",
        "fffffffffffffffff\r\nab\r\n",
        "2\r\nabcd\r\n0\r\n\r\n",
        "2\nab\n0\n\n",
        "\r\n\r\n",
    ] {
        let text: &'static str =
            format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunks}").leak();
        let (address, _) = saying(text).await;
        let response = egress.send(Sender::Platform, get(&format!("http://{address}/"))).await.unwrap();
        assert!(response.into_body().collect().await.is_err(), "{chunks:?}");
    }
    // An extension without an end is no chunk either, however slowly it grows.
    let (address, taken) =
        endless("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;", vec![b'x'; 16 << 10]).await;
    let response = egress.send(Sender::Platform, get(&format!("http://{address}/"))).await.unwrap();
    assert!(response.into_body().collect().await.is_err());
    assert!(taken.load(Ordering::SeqCst) < MOST_TAKEN);
    // Nor are trailers.
    let (address, taken) =
        endless("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n", b"x: y\r\n".repeat(4 << 10))
            .await;
    let response = egress.send(Sender::Platform, get(&format!("http://{address}/"))).await.unwrap();
    assert!(response.into_body().collect().await.is_err());
    assert!(taken.load(Ordering::SeqCst) < MOST_TAKEN);
}

#[tokio::test]
async fn lengths_that_contradict_each_other_are_refused() {
    let egress = open();
    for text in [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\ncontent-length: 2, 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\n content-length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\ncontent length: 2\r\n\r\nab",
        "HTTP/1.1 999999 OK\r\n\r\n",
        "HTTP/3.0 200 OK\r\n\r\n",
        "SSH-2.0-OpenSSH_9.6\r\n\r\n",
        "\0\0\0\0\r\n\r\n",
    ] {
        let (address, _) = saying(text).await;
        let refused = code(&egress, get(&format!("http://{address}/"))).await;
        assert_eq!(refused, "HttpProtocolError", "{text:?}");
    }
}

#[tokio::test]
async fn informational_answers_are_passed_over_and_one_after_the_other_is_no_answer() {
    let (address, _) = saying(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n\
         HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    )
    .await;
    let egress = open();
    let response = egress.send(Sender::Platform, get(&format!("http://{address}/"))).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(!response.headers().contains_key("link"));
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "ok");

    let before = resident();
    let (address, _) = endless("", b"HTTP/1.1 100 Continue\r\n\r\n".repeat(64)).await;
    let began = Instant::now();
    assert_eq!(code(&egress, get(&format!("http://{address}/"))).await, "HttpResponseTimeout");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert!(resident().saturating_sub(before) < 16 << 20);
}

#[tokio::test]
async fn another_protocol_is_not_switched_to() {
    let text = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    let (address, connections) = saying(text).await;
    let egress = open();
    let mut asking = get(&format!("http://{address}/"));
    for (name, value) in [("connection", "upgrade"), ("upgrade", "websocket")] {
        asking.request.headers_mut().insert(name, value.parse().unwrap());
    }
    assert_eq!(code(&egress, asking).await, "HttpUpgradeFailed");
    // The connection says something else from now on: it is not used again.
    assert_eq!(code(&egress, get(&format!("http://{address}/"))).await, "HttpUpgradeFailed");
    assert_eq!(connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn bytes_pass_as_they_are_and_nothing_is_decompressed() {
    // A bomb would be a small body that becomes a large one.
    let squeezed = "\u{1f}\u{8}\0\0\0\0\0\0\u{3}not really";
    let text: &'static str = format!(
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n{squeezed}",
        squeezed.len()
    )
    .leak();
    let (address, _) = saying(text).await;
    let response = open().send(Sender::Platform, get(&format!("http://{address}/"))).await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), squeezed);
}

#[tokio::test]
async fn fields_of_one_hop_come_in_neither_in_the_head_nor_in_trailers() {
    let (address, _) = saying(
        "HTTP/1.1 200 OK\r\nconnection: close, x-secret\r\nx-secret: 1\r\nkeep-alive: timeout=5\r\n\
         proxy-authenticate: Basic\r\nupgrade: h2c\r\nset-cookie: a=b\r\nx-kept: 1\r\n\
         transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-sum: 9\r\nproxy-connection: close\r\n\r\n",
    )
    .await;
    let egress = open();
    let response = egress.send(Sender::Platform, get(&format!("http://{address}/"))).await.unwrap();
    let names: Vec<_> = response.headers().keys().map(|name| name.as_str().to_owned()).collect();
    assert_eq!(sorted(names), ["set-cookie", "x-kept"]);
    let body = response.into_body().collect().await.unwrap();
    let trailers: Vec<_> = body.trailers().unwrap().keys().map(|name| name.as_str().to_owned()).collect();
    assert_eq!(trailers, ["x-sum"]);
}

#[tokio::test]
async fn no_cookie_is_kept_for_the_next_request() {
    let (heads, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let (address, connections) = origin(move |mut stream| {
        let heads = heads.clone();
        async move {
            while let Some(head) = head(&mut stream).await {
                heads.send(head).unwrap();
                let text = b"HTTP/1.1 200 OK\r\nset-cookie: id=1; path=/\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(text).await.unwrap();
            }
        }
    })
    .await;
    let egress = open();
    for _ in 0..2 {
        egress.send(Sender::Platform, get(&format!("http://{address}/"))).await.unwrap();
        let head = seen.recv().await.unwrap().to_ascii_lowercase();
        assert!(!head.contains("cookie"), "{head}");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}
