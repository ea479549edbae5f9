//! One request and its answer, between the connection and whoever answers.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Request, Response, StatusCode, Version};
use http_body::Body as HttpBody;

use crate::activity::{Activity, Busy};
use crate::proxies::Proxies;
use crate::received::{Received, Source};
use crate::sent::Sent;
use crate::slow::Stream;
use crate::tls::encrypted::Encrypted;

/// Who sent a request, as far as it is known for certain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its address: the peer's, or what a trusted proxy says.
    pub address: IpAddr,
    /// Whether its connection is encrypted, to us or to a trusted proxy.
    pub secure: bool,
    /// How its own connection is encrypted, where it ends here. With a proxy in front that is the proxy's affair.
    pub encrypted: Option<Arc<Encrypted>>,
}

impl Client {
    /// A client of which no more is known than where it is, and whether it is encrypted.
    #[must_use]
    pub fn at(address: IpAddr, secure: bool) -> Self {
        Self { address, secure, encrypted: None }
    }
}

/// Whoever answers the requests of a listener.
pub trait Handler: Send + Sync + 'static {
    /// The body of its answers.
    type Body: HttpBody<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Send
        + Unpin
        + 'static;

    /// Answers a request. Dropping the future, or the answer's body, means that the client has gone.
    fn answer(
        &self,
        request: Request<Received>,
        client: Client,
    ) -> impl Future<Output = Response<Self::Body>> + Send;

    /// Resolves when nothing goes on for any request, also after its answer.
    fn idle(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// What is the same for all requests of a connection.
pub(crate) struct Exchange<H> {
    pub(crate) handler: Arc<H>,
    pub(crate) proxies: Arc<Proxies>,
    pub(crate) peer: Client,
    pub(crate) activity: Arc<Activity>,
    pub(crate) max_headers: usize,
    /// Whether an answer may change the protocol.
    pub(crate) upgrades: bool,
    pub(crate) slow_reader: std::time::Duration,
}

impl<H: Handler> Exchange<H> {
    /// Begins when a head is complete. The rest runs in the stream's own task, where there are streams.
    pub(crate) fn begin(
        self: &Arc<Self>,
        request: Request<Source>,
    ) -> impl Future<Output = Response<Sent<H::Body>>> + use<H> {
        // hyper counts the fields of HTTP/1.1 while it reads them.
        let too_many = request.headers().len() > self.max_headers;
        let busy = self.activity.begin(!request.body().is_end_stream());
        let exchange = Arc::clone(self);
        async move {
            if too_many {
                return refused(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
            }
            exchange.answered(request, busy).await
        }
    }

    async fn answered(&self, request: Request<Source>, busy: Busy) -> Response<Sent<H::Body>> {
        let stream = Stream::current(&self.activity, self.slow_reader);
        let client = self.proxies.client(request.headers(), self.peer.clone());
        let (head, source) = request.into_parts();
        let has_streams = matches!(head.version, Version::HTTP_2 | Version::HTTP_3);
        let (body, end) = if has_streams || source.is_end_stream() {
            (Received::alone(source), None)
        } else {
            let (body, end) =
                Received::before_the_next(source, busy.also(), head.headers.contains_key(header::EXPECT));
            (body, Some(end))
        };
        let answer = self.handler.answer(Request::from_parts(head, body), client).await;
        if self.upgrades && answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            self.activity.upgrade();
        }
        let mut answer = answer.map(|body| Sent::new(body, busy, stream));
        if let Some(end) = end {
            if answer.headers().get(header::CONNECTION).is_some_and(|value| value == "close") {
                end.abandon();
            } else if end.is_abandoned() {
                answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
        }
        answer
    }
}

/// An answer of the listener's own: it has no content, because nobody is asked for it.
pub(crate) fn refused<B: Send + 'static>(status: StatusCode) -> Response<Sent<B>> {
    let mut answer = Response::new(Sent::empty());
    *answer.status_mut() = status;
    answer
}
