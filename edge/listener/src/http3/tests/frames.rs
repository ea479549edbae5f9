//! What a client may write: frames by hand, right ones and wrong ones.

use quinn::ConnectionError;

use super::*;

/// The head of a request, with indices of QPACK's static table: GET, https, a path and a.test, and more bytes of a field block.
fn head(path: &str, more: &[u8]) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let block = [&[0, 0, 0xd1, 0xd7, 0x51][..], &text(path), &[0x50], &text("a.test"), more].concat();
    frame(1, &block)
}

/// A frame of less than 16 KiB.
fn frame(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap() | 0x4000;
    [&[kind], &length.to_be_bytes()[..], content].concat()
}

/// A field with a literal name.
fn field(name: &str, value: &str) -> Vec<u8> {
    let (name_length, value_length) = (u8::try_from(name.len()).unwrap(), u8::try_from(value.len()).unwrap());
    let name_length = if name_length < 7 { vec![0x20 | name_length] } else { vec![0x27, name_length - 7] };
    [&name_length, name.as_bytes(), &[value_length], value.as_bytes()].concat()
}

/// What comes back on a stream on which these bytes were written, and the end if it is to have one; an error when it is
/// reset.
async fn written(
    quic: &quinn::Connection,
    bytes: &[u8],
    ends: bool,
) -> Result<Vec<u8>, quinn::ReadToEndError> {
    let Ok((mut send, mut receive)) = quic.open_bi().await else {
        return Err(quinn::ReadToEndError::Read(quinn::ReadError::ClosedStream));
    };
    // It may be stopped meanwhile.
    let _written = send.write_all(bytes).await;
    if ends {
        let _ended = send.finish();
    }
    receive.read_to_end(1 << 20).await
}

fn is_whole(answer: &Result<Vec<u8>, quinn::ReadToEndError>, body: &str) -> bool {
    answer.as_ref().is_ok_and(|bytes| bytes.windows(body.len()).any(|some| some == body.as_bytes()))
}

/// The code that a connection was closed with.
async fn code(quic: &quinn::Connection) -> u64 {
    match tokio::time::timeout(PATIENCE, quic.closed()).await.unwrap() {
        ConnectionError::ApplicationClosed(why) => why.error_code.into_inner(),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn frames_by_hand_are_a_request() {
    let running = running(ListenerConfig::default());
    let quic = running.quic(&running.client(), "a.test").await.unwrap();
    let whole = [head("/echo", &[]), frame(0, b"up"), frame(0x21, b"nothing"), frame(0, b"load")].concat();
    assert!(is_whole(&written(&quic, &whole, true).await, "upload0"));
}

#[tokio::test]
async fn a_body_is_as_long_as_was_said() {
    let running = running(ListenerConfig::default());
    let quic = running.quic(&running.client(), "a.test").await.unwrap();
    let said = |length: &str| head("/echo", &field("content-length", length));
    let right = [said("4"), frame(0, b"body")].concat();
    assert!(is_whole(&written(&quic, &right, true).await, "body0"));
    for wrong in ["3", "5"] {
        let wrong = [said(wrong), frame(0, b"body")].concat();
        assert!(is_whole(&written(&quic, &wrong, true).await, "not as long as"));
    }
}

#[tokio::test]
async fn what_is_no_request_is_reset_and_the_connection_goes_on() {
    let running =
        running(ListenerConfig { header_timeout: Duration::from_millis(200), ..ListenerConfig::default() });
    let quic = running.quic(&running.client(), "a.test").await.unwrap();
    let half = head("/", &[]);
    let wrong: [(&str, Vec<u8>, bool); 6] = [
        ("fields of a connection", head("/", &field("connection", "close")), true),
        (
            "two lengths",
            head("/", &[field("content-length", "1"), field("content-length", "2")].concat()),
            true,
        ),
        ("a name in capitals", head("/", &field("Name", "x")), true),
        ("a pseudo field that is none", head("/", &field(":x", "x")), true),
        ("a head that does not come", half[..half.len() - 1].to_vec(), false),
        ("a head longer than any", vec![1, 0x80, 1, 0, 1], false),
    ];
    for (what, bytes, ends) in wrong {
        assert!(written(&quic, &bytes, ends).await.is_err(), "{what}");
        assert!(is_whole(&written(&quic, &head("/", &[]), true).await, "a.test"), "after {what}");
    }
}

#[tokio::test]
async fn what_breaks_the_protocol_ends_the_connection() {
    let running = running(ListenerConfig::default());
    let client = running.client();
    let cut = [head("/echo", &[]), vec![0, 10]].concat();
    let cut_later = [head("/echo", &[]), frame(0, b"body")[..5].to_vec()].concat();
    for (what, bytes, expected) in [
        ("a body that is cut", cut, 0x106),
        ("a piece that is cut", cut_later, 0x106),
        ("a stream of something else", vec![0x40, 0x41, 0], 0x105),
        ("a body without a head", frame(0, b"body"), 0x105),
        ("settings on a request's stream", frame(4, &[]), 0x105),
        ("an index that there is not", head("/", &[0x80]), 0x200),
    ] {
        let quic = running.quic(&client, "a.test").await.unwrap();
        let _gone = written(&quic, &bytes, true).await;
        assert_eq!(code(&quic).await, expected, "{what}");
    }
}

#[tokio::test]
async fn frames_that_say_nothing_come_to_an_end() {
    let running = running(ListenerConfig::default());
    let client = running.client();
    // On the stream that controls, with its settings first; and in a body.
    let quic = running.quic(&client, "a.test").await.unwrap();
    let mut control = quic.open_uni().await.unwrap();
    control.write_all(&[&[0][..], &frame(4, &[])].concat()).await.unwrap();
    while control.write_all(&frame(0x21, &[]).repeat(100)).await.is_ok() {}
    assert_eq!(code(&quic).await, 0x107);
    let quic = running.quic(&client, "a.test").await.unwrap();
    let (mut send, _receive) = quic.open_bi().await.unwrap();
    send.write_all(&head("/echo", &[])).await.unwrap();
    while send.write_all(&frame(0, &[]).repeat(100)).await.is_ok() {}
    assert_eq!(code(&quic).await, 0x107);
    running.refused(Refused::Frames, 2).await;
}

/// Anything, from a seed.
fn anything(seed: u64) -> impl Iterator<Item = u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[3]
    })
}

#[tokio::test]
async fn whatever_a_client_writes_others_are_served() {
    let running = running(ListenerConfig::default());
    let client = running.client();
    let mut others = running.session(&client).await;
    for seed in 0..300 {
        let quic = running.quic(&client, "a.test").await.unwrap();
        let noise: Vec<u8> = anything(seed).take(60).collect();
        let bytes = match seed % 4 {
            0 => noise,
            1 => frame(1, &noise),
            2 => head("/echo", &noise),
            _ => [head("/echo", &[]), noise].concat(),
        };
        let (mut send, mut receive) = quic.open_bi().await.unwrap();
        let mut one_way = quic.open_uni().await.unwrap();
        let _written = one_way.write_all(&anything(!seed).take(40).collect::<Vec<u8>>()).await;
        let _written = send.write_all(&bytes).await;
        let _ended = (send.finish(), one_way.finish());
        let _answer = receive.read_to_end(1 << 20).await;
        quic.close(0_u32.into(), b"");
    }
    assert_eq!(others.get("/").await.0.status(), StatusCode::OK);
    // No task of the server's broke off by itself: each connection but this one has ended in its own way.
    until(|| running.figures.open.get() == 1).await;
}
