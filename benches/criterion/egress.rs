//! Egress without scripts: what 1,000 requests at once cost in memory, how often a request finds a connection
//! open, and what waiting for each other costs when many want the same host.
//!
//! The origin is a process of its own, so that memory is egress's alone. Prints figures; passes or fails nothing.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "a bench prints its figures, and ends where it cannot measure"
)]

use std::io::BufRead as _;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::join_all;
use futures::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use wasmyard_dispatcher::{Egress, EgressConfig, EgressFigures, Metrics, NetworkEgress, Policy, Sender};
use wasmyard_namespaces::{EgressRules, NamespaceName, NewNamespace, Registry};
use wasmyard_runtime::{CacheFigures, OutboundRequest, body};

/// The allocator of the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Requests at once, and what each of them is answered.
const AT_ONCE: usize = 1_000;
const BODY_BYTES: usize = 1 << 20;
const ROUNDS: usize = 6;
const PIECE: &[u8] = &[b'x'; 16 << 10];

fn main() {
    let more = Rlimit { current: Some(16_384), maximum: getrlimit(Resource::Nofile).maximum };
    if let Err(error) = setrlimit(Resource::Nofile, more) {
        println!("this process may not have 16,384 files ({error}): connecting may fail");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if std::env::args().any(|argument| argument == "--origin") {
        return runtime.block_on(origin());
    }
    let (mut process, address) = start_origin();
    runtime.block_on(async {
        memory(address).await;
        reuse(address).await;
        contention(address).await;
    });
    process.kill().unwrap();
    process.wait().unwrap();
}

/// Memory while 1,000 answers of 1 MiB come in at the same time, round after round.
async fn memory(address: SocketAddr) {
    let bench = Bench::new().await;
    let url = format!("http://{address}/{BODY_BYTES}");
    println!("{AT_ONCE} requests at once, {} MiB each:", BODY_BYTES >> 20);
    let idle = resident_bytes();
    for round in 1..=ROUNDS {
        let answers = join_all((0..AT_ONCE).map(|_| bench.answer(&url))).await;
        let open = resident_bytes();
        let peak = Arc::new(AtomicU64::new(open));
        let read = answers.into_iter().map(|answer| {
            let peak = Arc::clone(&peak);
            async move {
                let mut body = answer.into_body();
                let mut bytes = 0;
                while let Some(frame) = body.frame().await {
                    bytes += frame.unwrap().into_data().map_or(0, |data| data.len());
                    if bytes % (BODY_BYTES / 4) < PIECE.len() {
                        peak.fetch_max(resident_bytes(), Ordering::Relaxed);
                    }
                }
                assert_eq!(bytes, BODY_BYTES);
            }
        });
        join_all(read).await;
        println!(
            "  round {round}: {:>6} KiB more with all heads there, {:>6} KiB more at most, {:>6} KiB more afterwards",
            more_kib(open, idle),
            more_kib(peak.load(Ordering::Relaxed), idle),
            more_kib(resident_bytes(), idle),
        );
    }
}

/// Requests that find a connection open, under load that is always the same.
async fn reuse(address: SocketAddr) {
    println!("connections used again, in 2 s of load:");
    for workers in [1, 16, 64, 200] {
        let bench = Bench::new().await;
        let requests = bench.load(&[format!("http://{address}/2")], workers, Duration::from_secs(2)).await;
        let opened = bench.figure("wasmyard_egress_connections_opened_total");
        println!(
            "  {workers:>3} at once: {requests:>7} requests, {opened:>4} connections, {:.3} % found one open",
            100.0 * (1.0 - opened / requests as f64)
        );
    }
}

/// Requests in a second when many want one host, and when they want many.
async fn contention(address: SocketAddr) {
    println!("requests in a second, over those of one worker:");
    let one = vec![format!("http://{address}/2")];
    let many: Vec<_> = (1..=64).map(|n| format!("http://127.0.0.{n}:{}/2", address.port())).collect();
    let time = Duration::from_secs(2);
    let alone = Bench::new().await.load(&one, 1, time).await;
    for workers in [16, 64, 256] {
        let [same, apart] =
            [&one, &many].map(|urls| async move { Bench::new().await.load(urls, workers, time).await });
        let (same, apart) = (same.await, apart.await);
        let ratio = |requests: u64| requests as f64 / alone as f64;
        println!("  {workers:>3} at once: one host {:.2}, 64 hosts {:.2}", ratio(same), ratio(apart));
    }
}

/// An egress, and a namespace that sends through it.
struct Bench {
    egress: NetworkEgress,
    metrics: Metrics,
    sender: Sender,
}

impl Bench {
    async fn new() -> Self {
        let mut policy = Policy::default();
        policy.allow_loopback();
        let metrics = Metrics::new().unwrap();
        let config = EgressConfig {
            policy,
            max_connections: 8_192,
            max_connections_per_namespace: 4_096,
            max_connections_per_host: 2_048,
            connect_timeout: Duration::from_secs(60),
            ..EgressConfig::default()
        };
        let egress = NetworkEgress::new(config, EgressFigures::new(metrics.registry()).unwrap()).unwrap();
        let registry = Registry::in_memory().await.unwrap();
        let new = NewNamespace {
            egress: Some(EgressRules::default()),
            ..NewNamespace::named(NamespaceName::parse("production").unwrap())
        };
        let sender = Sender::Namespace(registry.create_namespace(new).await.unwrap());
        Self { egress, metrics, sender }
    }

    async fn answer(&self, url: &str) -> Response<wasmyard_runtime::Body> {
        let request = OutboundRequest {
            request: Request::get(url).body(body::empty()).unwrap(),
            shows: None,
            connect_timeout: None,
            first_byte_timeout: None,
            between_bytes_timeout: None,
        };
        self.egress.send(self.sender.clone(), request).await.expect("the origin answers")
    }

    /// Sends as fast as answers come, and returns how many there were.
    async fn load(&self, urls: &[String], workers: usize, time: Duration) -> u64 {
        let until = Instant::now() + time;
        let worker = |number: usize| async move {
            let mut answered = 0;
            for url in urls.iter().cycle().skip(number) {
                if Instant::now() >= until {
                    break;
                }
                self.answer(url).await.into_body().collect().await.unwrap();
                answered += 1;
            }
            answered
        };
        join_all((0..workers).map(worker)).await.into_iter().sum()
    }

    fn figure(&self, series: &str) -> f64 {
        let text = self.metrics.render(CacheFigures::default());
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.unwrap().parse().unwrap()
    }
}

fn more_kib(now: u64, before: u64) -> u64 {
    now.saturating_sub(before) >> 10
}

/// Memory of this process without what is shared with files.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

fn start_origin() -> (Child, SocketAddr) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let mut process = command.arg("--origin").stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (process, line.trim().parse().unwrap())
}

/// Answers `/N` with N bytes, on every loopback address.
async fn origin() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    println!("127.0.0.1:{}", listener.local_addr().unwrap().port());
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let service = service_fn(|request: Request<hyper::body::Incoming>| async move {
            let bytes: usize = request.uri().path().trim_start_matches('/').parse().unwrap_or(2);
            let pieces = stream::unfold(bytes, |left| async move {
                let piece = PIECE.get(..left.min(PIECE.len()))?;
                let frame = Frame::data(Bytes::from_static(piece));
                (left > 0).then_some((Ok::<_, std::convert::Infallible>(frame), left - piece.len()))
            });
            let answer = Response::builder().header("content-length", bytes);
            answer.body(StreamBody::new(Box::pin(pieces)))
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}
