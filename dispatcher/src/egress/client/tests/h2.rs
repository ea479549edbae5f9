//! Origins that speak HTTP/2 by the letter, frame by frame, and mean no good.

use std::time::Instant;

use tokio_rustls::server::TlsStream;

use super::*;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// `:status: 200`, as the static table has it.
const OK: [u8; 1] = [0x88];

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A field that no table has, of this length.
fn field(length: u32) -> Vec<u8> {
    let mut field = vec![0, 1, b'x'];
    // The length in HPACK's form: seven bits, then groups of seven.
    field.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        field.push(u8::try_from(rest % 128).unwrap() | 128);
        rest /= 128;
    }
    field.push(u8::try_from(rest).unwrap());
    field.extend(vec![b'a'; length as usize]);
    field
}

/// One connection of a client, after the greetings.
struct Spoken(TlsStream<TcpStream>);

impl Spoken {
    async fn say(&mut self, frame: &[u8]) -> bool {
        self.0.write_all(frame).await.is_ok() && self.0.flush().await.is_ok()
    }

    /// The stream of the next request.
    async fn request(&mut self) -> Option<u32> {
        loop {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await.ok()?;
            let [a, b, c, kind, _flags, stream @ ..] = head;
            let length = u32::from_be_bytes([0, a, b, c]);
            let mut payload = vec![0; length as usize];
            self.0.read_exact(&mut payload).await.ok()?;
            if kind == HEADERS {
                return Some(u32::from_be_bytes(stream));
            }
        }
    }
}

/// An origin that greets, waits for a request, and then does as it likes.
async fn speaking<A>(
    then: impl Fn(Spoken, u32) -> A + Clone + Send + Sync + 'static,
) -> (String, Arc<AtomicUsize>, NetworkEgress)
where
    A: Future<Output = ()> + Send + 'static,
{
    let made = rcgen::generate_simple_self_signed(["origin.test".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let acceptor = acceptor((made.cert.der().clone(), key), &[b"h2"]);
    let (address, connections) = origin(move |stream| {
        let (acceptor, then) = (acceptor.clone(), then.clone());
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let mut preface = [0; b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len()];
            if stream.read_exact(&mut preface).await.is_err() {
                return;
            }
            let mut spoken = Spoken(stream);
            if !spoken.say(&[frame(SETTINGS, 0, 0, &[]), frame(SETTINGS, ACK, 0, &[])].concat()).await {
                return;
            }
            if let Some(stream) = spoken.request().await {
                then(spoken, stream).await;
            }
        }
    })
    .await;
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let mut policy = Policy::default();
    policy.allow_loopback();
    let config = EgressConfig {
        policy,
        first_byte_timeout: Duration::from_millis(500),
        between_bytes_timeout: Duration::from_millis(500),
        ..EgressConfig::default()
    };
    let url = format!("https://origin.test:{}/", address.port());
    (url, connections, egress_from(config, Arc::new(names()), roots))
}

/// What comes of a request: the error before or after the head of the answer.
async fn came_of(egress: &NetworkEgress, url: &str) -> Result<Bytes, String> {
    let told = |error: BodyError| format!("{error:?}");
    let response = egress.send(Sender::Platform, get(url)).await.map_err(told)?;
    Ok(response.into_body().collect().await.map_err(told)?.to_bytes())
}

#[tokio::test]
async fn what_breaks_off_or_breaks_a_rule_is_an_error_with_a_name() {
    let stream = 1;
    let large: Vec<u8> =
        frame(HEADERS, END_HEADERS | END_STREAM, stream, &[OK.as_slice(), &field(16_000)].concat());
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("goes away at once", frame(GOAWAY, 0, 0, &[0; 8]), "ConnectionTerminated"),
        ("goes away with an error", frame(GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 11]), "ConnectionTerminated"),
        ("resets the stream", frame(RST_STREAM, 0, stream, &[0, 0, 0, 2]), "ConnectionTerminated"),
        ("refuses the stream", frame(RST_STREAM, 0, stream, &[0, 0, 0, 7]), "ConnectionTerminated"),
        (
            "resets after the head",
            [frame(HEADERS, END_HEADERS, stream, &OK), frame(RST_STREAM, 0, stream, &[0, 0, 0, 2])].concat(),
            "ConnectionTerminated",
        ),
        (
            "body is shorter than its length",
            [
                frame(HEADERS, END_HEADERS, stream, &[OK.as_slice(), &[0x0f, 0x0d, 1, b'9']].concat()),
                frame(DATA, END_STREAM, stream, b"half"),
            ]
            .concat(),
            "HttpProtocolError",
        ),
        (
            "body is longer than its length",
            [
                frame(HEADERS, END_HEADERS, stream, &[OK.as_slice(), &[0x0f, 0x0d, 1, b'2']].concat()),
                frame(DATA, END_STREAM, stream, b"half"),
            ]
            .concat(),
            "HttpProtocolError",
        ),
        ("pushes", frame(PUSH_PROMISE, END_HEADERS, stream, &[0, 0, 0, 2, 0x82]), "HttpProtocolError"),
        ("a frame on no stream", frame(HEADERS, END_HEADERS, 0, &OK), "HttpProtocolError"),
        ("a stream that nobody opened", frame(HEADERS, END_HEADERS, 77, &OK), "HttpProtocolError"),
        ("a reset of a stream that nobody opened", frame(RST_STREAM, 0, 77, &[0; 4]), "HttpProtocolError"),
        ("a frame larger than agreed", frame(DATA, 0, stream, &[0; 17_000]), "HttpProtocolError"),
        ("settings of odd length", frame(SETTINGS, 0, 0, &[0; 5]), "HttpProtocolError"),
        ("no fields that can be read", frame(HEADERS, END_HEADERS, stream, &[0xff; 30]), "HttpProtocolError"),
        ("no status", frame(HEADERS, END_HEADERS | END_STREAM, stream, &field(200)), "HttpProtocolError"),
        ("HTTP/1.1", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec(), "HttpProtocolError"),
    ];
    for (what, frames, expected) in cases {
        let (url, _, egress) = speaking(move |mut spoken, asked| {
            let frames = frames.clone();
            async move {
                assert_eq!(asked, stream);
                spoken.say(&frames).await;
                std::future::pending::<()>().await;
            }
        })
        .await;
        assert_eq!(came_of(&egress, &url).await, Err(expected.to_owned()), "{what}");
    }
    // And what is large but within its bounds is none.
    let (url, _, egress) = speaking(move |mut spoken, _| {
        let large = large.clone();
        async move {
            spoken.say(&large).await;
            std::future::pending::<()>().await;
        }
    })
    .await;
    assert_eq!(came_of(&egress, &url).await, Ok(Bytes::new()));
}

#[tokio::test]
async fn floods_end_soon_and_memory_stays_as_it_was() {
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    };
    let stream = 1;
    let head = frame(HEADERS, END_HEADERS, stream, &OK);
    for (what, first, piece) in [
        ("settings", Vec::new(), frame(SETTINGS, 0, 0, &[])),
        ("settings that change", Vec::new(), frame(SETTINGS, 0, 0, &[0, 1, 0, 0, 16, 0, 0, 1, 0, 0, 0, 0])),
        ("pings", Vec::new(), frame(PING, 0, 0, &[0; 8])),
        (
            "fields without end",
            frame(HEADERS, 0, stream, &OK),
            frame(CONTINUATION, 0, stream, &field(16_000)),
        ),
        (
            "nothing of fields without end",
            frame(HEADERS, 0, stream, &OK),
            frame(CONTINUATION, 0, stream, &[]),
        ),
        ("fields that are too large", Vec::new(), frame(HEADERS, 0, stream, &field(16_000))),
        ("pieces of nothing", head.clone(), frame(DATA, 0, stream, &[])),
        (
            "informational answers",
            Vec::new(),
            frame(HEADERS, END_HEADERS, stream, &[0x08, 3, b'1', b'0', b'3']),
        ),
    ] {
        let before = resident();
        let piece: Vec<u8> = piece.repeat((64 << 10) / piece.len() + 1);
        let (url, _, egress) = speaking(move |mut spoken, _| {
            let (first, piece) = (first.clone(), piece.clone());
            async move {
                let mut said = spoken.say(&first).await;
                // Never reads: what the client answers has nowhere to go.
                while said {
                    said = spoken.say(&piece).await;
                }
            }
        })
        .await;
        let began = Instant::now();
        let came = came_of(&egress, &url).await;
        let allowed =
            ["HttpResponseTimeout", "ConnectionReadTimeout", "HttpProtocolError", "ConnectionTerminated"];
        assert!(came.as_ref().is_err_and(|told| allowed.contains(&told.as_str())), "{what}: {came:?}");
        assert!(began.elapsed() < Duration::from_secs(30), "{what}: {:?}", began.elapsed());
        let grown = resident().saturating_sub(before);
        assert!(grown < 32 << 20, "{what}: {grown} bytes more");
    }
}

#[tokio::test]
async fn a_connection_that_says_goodbye_is_not_used_again() {
    let (url, connections, egress) = speaking(|mut spoken, stream| async move {
        let last = [stream.to_be_bytes(), [0; 4]].concat();
        let answer =
            [frame(HEADERS, END_HEADERS | END_STREAM, stream, &OK), frame(GOAWAY, 0, 0, &last)].concat();
        spoken.say(&answer).await;
        while spoken.request().await.is_some() {}
    })
    .await;
    for expected in 1..=5 {
        assert_eq!(came_of(&egress, &url).await, Ok(Bytes::new()));
        assert_eq!(connections.load(Ordering::SeqCst), expected);
    }
}

#[tokio::test]
async fn an_origin_that_resets_every_stream_costs_its_own_requests_only() {
    let (url, connections, egress) = speaking(|mut spoken, first| async move {
        let mut stream = Some(first);
        while let Some(open) = stream {
            if !spoken.say(&frame(RST_STREAM, 0, open, &[0, 0, 0, 8])).await {
                return;
            }
            stream = spoken.request().await;
        }
    })
    .await;
    for _ in 0..200 {
        assert_eq!(came_of(&egress, &url).await, Err("ConnectionTerminated".to_owned()));
    }
    assert!(connections.load(Ordering::SeqCst) <= 200);
    let (good, _) = saying("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    assert_eq!(came_of(&egress, &format!("http://{good}/")).await, Ok(Bytes::from_static(b"ok")));
}
