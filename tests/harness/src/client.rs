//! Visitors: HTTP/1.1 and HTTP/2 connections that show everything, trailers and broken ends included.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures::channel::mpsc::UnboundedSender;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::{Server, within};

/// What a visitor sends.
pub type ClientBody = UnsyncBoxBody<Bytes, io::Error>;

/// A body that is there as a whole.
pub fn body(bytes: impl Into<Bytes>) -> ClientBody {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body that is sent frame by frame, and ends when the sender is dropped.
pub fn channel() -> (UnboundedSender<io::Result<Frame<Bytes>>>, ClientBody) {
    let (sender, receiver) = futures::channel::mpsc::unbounded();
    (sender, StreamBody::new(receiver).boxed_unsync())
}

/// The next bytes of an answer; none at its end.
pub async fn next_chunk(body: &mut Incoming) -> Option<Bytes> {
    loop {
        let data = within("a chunk", body.frame()).await?.unwrap().into_data().expect("data, not trailers");
        // HTTP/2 may end a stream with an empty frame.
        if !data.is_empty() {
            return Some(data);
        }
    }
}

/// A request for a host, whatever address it is sent to.
pub fn request(method: Method, host: &str, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path).header("host", host)
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// The answer's status.
    pub status: u16,
    /// Its fields.
    pub headers: HeaderMap,
    /// Its body, whole.
    pub body: Bytes,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// A field; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Reads an answer to its end, which must be a clean one.
    pub async fn read(response: Response<Incoming>) -> Answer {
        let (head, body) = response.into_parts();
        let body = within("the end of an answer", body.collect()).await.unwrap().to_bytes();
        Answer { status: head.status.as_u16(), headers: head.headers, body }
    }
}

/// One connection of a visitor, to send any number of requests on.
pub enum Connection {
    /// HTTP/1.1.
    Http1(http1::SendRequest<ClientBody>),
    /// HTTP/2.
    Http2(http2::SendRequest<ClientBody>),
}

impl Connection {
    /// HTTP/1.1.
    pub async fn http1(address: SocketAddr) -> Connection {
        let stream = TokioIo::new(connect(address).await);
        let (sender, connection) = http1::handshake(stream).await.unwrap();
        // How it ends is seen by whoever waits for an answer.
        tokio::spawn(async move { connection.await.ok() });
        Connection::Http1(sender)
    }

    /// HTTP/2 by prior knowledge.
    pub async fn http2(address: SocketAddr) -> Connection {
        let stream = TokioIo::new(connect(address).await);
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.timer(TokioTimer::new()).keep_alive_timeout(Duration::from_secs(60));
        let (sender, connection) = builder.handshake(stream).await.unwrap();
        tokio::spawn(async move { connection.await.ok() });
        Connection::Http2(sender)
    }

    /// Sends a request and returns when the head of the answer is there. Over HTTP/2 the host goes where it belongs.
    pub async fn try_send(&mut self, request: Request<ClientBody>) -> hyper::Result<Response<Incoming>> {
        match self {
            Connection::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
            Connection::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(with_authority(request)).await
            }
        }
    }

    /// The same, where an answer must come.
    pub async fn send(&mut self, request: Request<ClientBody>) -> Response<Incoming> {
        let what = format!("{} {}", request.method(), request.uri());
        within(&format!("an answer to {what}"), self.try_send(request)).await.unwrap()
    }

    /// GET, to the end of its answer.
    pub async fn get(&mut self, host: &str, path: &str) -> Answer {
        let request = request(Method::GET, host, path).body(body("")).unwrap();
        Answer::read(self.send(request).await).await
    }
}

/// The heads that come for a page over HTTP/2: those that go ahead of the answer's, and that one.
pub async fn heads_over_http2(to: SocketAddr, host: &str, path: &str) -> Vec<Response<()>> {
    heads_over(connect(to).await, "http", &[(host, path)]).await.remove(0)
}

/// The same of each of these, host and path, one after the other over one connection.
pub async fn heads_over(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    scheme: &str,
    asked: &[(&str, &str)],
) -> Vec<Vec<Response<()>>> {
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(async move { connection.await.ok() });
    let mut all = Vec::new();
    for (host, path) in asked {
        let request = Request::get(format!("{scheme}://{host}{path}")).body(()).unwrap();
        client = client.ready().await.unwrap();
        let (mut answer, _) = client.send_request(request, true).unwrap();
        let mut heads = Vec::new();
        let reading = async {
            while let Some(ahead) = std::future::poll_fn(|cx| answer.poll_informational(cx)).await {
                heads.push(ahead.unwrap());
            }
            heads.push(answer.await.unwrap().map(drop));
        };
        within("an answer over HTTP/2", reading).await;
        all.push(heads);
    }
    all
}

impl Server {
    /// An HTTP/1.1 connection to the visitors' port.
    pub async fn connect(&self) -> Connection {
        Connection::http1(self.visitors).await
    }

    /// One request on a connection of its own.
    pub async fn send(&self, request: Request<ClientBody>) -> Answer {
        Answer::read(self.connect().await.send(request).await).await
    }

    /// GET on a connection of its own.
    pub async fn get(&self, host: &str, path: &str) -> Answer {
        self.connect().await.get(host, path).await
    }
}

fn with_authority(request: Request<ClientBody>) -> Request<ClientBody> {
    let (mut head, body) = request.into_parts();
    if let Some(host) = head.headers.remove("host") {
        let mut uri = head.uri.into_parts();
        uri.scheme = Some(http::uri::Scheme::HTTP);
        uri.authority = Some(host.to_str().unwrap().parse().unwrap());
        head.uri = uri.try_into().unwrap();
    }
    Request::from_parts(head, body)
}

#[expect(clippy::disallowed_methods, reason = "a visitor's socket, not a guest's")]
pub(crate) async fn connect(address: SocketAddr) -> TcpStream {
    let stream = within("a connection", TcpStream::connect(address)).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}
