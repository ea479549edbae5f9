//! Tokens over HTTP, from web servers on this machine.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use wasmyard_net::{Network, NetworkConfig, NetworkFigures, NoAddress, Resolve};

use wasmyard_ownership::rules::Web as _;
use wasmyard_ownership::{NoToken, Tokens};

/// Every name is at this address.
struct At(IpAddr);

impl Resolve for At {
    fn resolve(&self, _name: String) -> BoxFuture<'static, Result<Vec<IpAddr>, NoAddress>> {
        let address = self.0;
        async move { Ok(vec![address]) }.boxed()
    }
}

fn tokens(opened: &[&str]) -> Tokens {
    let config = NetworkConfig {
        connect_timeout: Duration::from_secs(5),
        tls_timeout: Duration::from_secs(5),
        pool_idle: Duration::from_secs(1),
        pool_connections: 1,
        max_connections: 8,
        max_connections_per_host: 4,
        max_header_bytes: 16 << 10,
        max_headers: 100,
    };
    let figures = NetworkFigures::new(&prometheus::Registry::new(), "test").unwrap();
    let resolver = Arc::new(At("127.0.0.1".parse().unwrap()));
    let network = Network::new(config, resolver, rustls::RootCertStore::empty(), figures).unwrap();
    Tokens::over(&network, opened.iter().map(|net| net.parse().unwrap()).collect())
}

/// A web server that says this to everybody; what it was asked comes back.
async fn saying(answer: &'static str) -> (u16, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            assert!(stream.read_buf(&mut head).await.unwrap() > 0);
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(head).unwrap()
    });
    (port, asked)
}

#[tokio::test]
async fn a_token_is_fetched_and_nothing_else() {
    let open = tokens(&["127.0.0.0/8"]);
    let (port, asked) = saying("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ntok\n").await;
    assert_eq!(open.get(&format!("http://shop.customer.test:{port}/x")).await.as_deref(), Ok("tok\n"));
    let head = asked.await.unwrap().to_ascii_lowercase();
    assert!(head.contains("user-agent: wasmyard custom hostname verification"), "{head}");
    for (answer, why) in [
        ("HTTP/1.1 302 Found\r\nlocation: http://other.test/\r\ncontent-length: 0\r\n\r\n", "not 200"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx", "broke off"),
    ] {
        let (port, _asked) = saying(answer).await;
        let refused = open.get(&format!("http://shop.customer.test:{port}/x")).await.unwrap_err();
        assert!(refused.to_string().contains(why), "{refused}");
    }
    let long: &'static str =
        format!("HTTP/1.1 200 OK\r\ncontent-length: 9000\r\n\r\n{}", "x".repeat(9_000)).leak();
    let (port, _asked) = saying(long).await;
    let refused = open.get(&format!("http://shop.customer.test:{port}/x")).await.unwrap_err();
    assert!(refused.to_string().contains("longer than 4096 bytes"), "{refused}");
}

#[tokio::test]
async fn what_is_wrong_at_port_80_is_told_apart() {
    let open = tokens(&["127.0.0.0/8"]);
    let ask = async |port: u16| open.get(&format!("http://shop.customer.test:{port}/x")).await.unwrap_err();
    let (port, _asked) =
        saying("HTTP/1.1 301 Moved\r\nlocation: https://shop.customer.test/x\r\ncontent-length: 0\r\n\r\n")
            .await;
    let to = "https://shop.customer.test/x".to_owned();
    assert_eq!(ask(port).await, NoToken::Redirects { status: 301, to });
    let (port, _asked) = saying("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(ask(port).await, NoToken::Status(http::StatusCode::NOT_FOUND));
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    assert!(matches!(ask(port).await, NoToken::Closed(_)));
}

#[tokio::test]
async fn what_is_not_public_is_not_asked() {
    let (port, asked) = saying("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let refused =
        tokens(&["10.0.0.0/8"]).get(&format!("http://shop.customer.test:{port}/x")).await.unwrap_err();
    assert!(matches!(refused, NoToken::NoAddress(_)), "{refused:?}");
    assert!(refused.to_string().contains("127.0.0.1, which is a loopback address"), "{refused}");
    asked.abort();
}
