//! Somebody outside: an HTTP server on this machine that remembers what it was sent. Must never know what a test
//! expects.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::{Router, extract::Request};
use http::HeaderMap;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket};

use super::eventually;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Its fields.
    pub headers: HeaderMap,
    /// Its body, whole.
    pub body: Bytes,
}

impl Seen {
    /// A field; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A running origin. It answers every request with `origin`.
pub struct Origin {
    /// Where it listens.
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Origin {
    /// Starts one on a free port.
    pub async fn start() -> Origin {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let remembered = Arc::clone(&seen);
        let remember = move |request: Request| {
            let remembered = Arc::clone(&remembered);
            async move {
                let (head, body) = request.into_parts();
                let body = axum::body::to_bytes(body, 1 << 30).await.unwrap();
                let (method, target) = (head.method.to_string(), head.uri.to_string());
                remembered.lock().unwrap().push(Seen { method, target, headers: head.headers, body });
                "origin"
            }
        };
        let router = Router::new().fallback(remember);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Origin { address, seen }
    }

    /// The URL of a path and query here.
    pub fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.address)
    }

    /// What was sent so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The first request that this says yes to. Waits for it.
    pub async fn sees(&self, what: &str, wanted: impl Fn(&Seen) -> bool) -> Seen {
        let looked = || self.seen().into_iter().find(&wanted);
        eventually(what, || std::future::ready(looked())).await
    }

    /// The configuration that lets scripts reach it, and nothing else that is private.
    pub fn egress(&self) -> String {
        format!("[egress]\nallow_private = [\"127.0.0.1\"]\nports = [80, 443, {}]\n", self.address.port())
    }
}

/// Somebody who answers with bytes of a test's own choice, by target, and closes the connection.
pub async fn speaking(answer: fn(&str) -> String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    if !matches!(stream.read_buf(&mut head).await, Ok(1..)) {
                        return;
                    }
                }
                let head = String::from_utf8(head).unwrap();
                let target = head.split(' ').nth(1).unwrap();
                stream.write_all(answer(target).as_bytes()).await.ok();
            });
        }
    });
    address
}

/// A port that refuses everybody. It is bound and not listened on, so that no server of another test gets it meanwhile.
pub struct Refusing {
    /// The address.
    pub address: SocketAddr,
    _bound: TcpSocket,
}

/// A port of this machine that refuses everybody for as long as this lives.
#[must_use]
pub fn refusing() -> Refusing {
    let bound = TcpSocket::new_v4().unwrap();
    bound.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    Refusing { address: bound.local_addr().unwrap(), _bound: bound }
}

/// Somebody who only counts who connects.
pub async fn counting() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connected = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connected);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    (address, connected)
}
