//! One request over HTTP/3 and its answer, from the first byte of its stream to the last one that its client took.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use h3::error::{Code, StreamError};
use h3::server::{RequestResolver, RequestStream};
use http::header;
use http::{Method, Request, Response, StatusCode};
use http_body::Body as _;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::body::{self, Body};
use super::link::{Gone, Leaving, Link};
use super::streams::Sending;
use super::wire::Wire;
use crate::activity::Busy;
use crate::exchange::{Exchange, Handler, refused};
use crate::heads;
use crate::interim::Interim;
use crate::patience::Patience;
use crate::received::Source;
use crate::sent::{Piece, Sent};

/// What `h3` takes a field for beside its name and its value, when it says how long a head may be (RFC 9114 section 4.2.2).
const BESIDE_A_FIELD: usize = 32;
/// A stream on which a request comes.
pub(super) type Asked<H> = RequestResolver<Wire, Piece<<H as Handler>::Body>>;
/// The way of its answer.
type Answer<H> = RequestStream<Sending<Piece<<H as Handler>::Body>>, Piece<<H as Handler>::Body>>;

/// What is needed to answer one request.
pub(super) struct Answering<H> {
    pub(super) exchange: Arc<Exchange<H>>,
    pub(super) link: Arc<Link>,
    pub(super) patience: Patience,
    pub(super) max_header_bytes: usize,
    /// Told when nothing goes on for the request any more.
    pub(super) ended: Arc<Notify>,
}

/// Why an answer was not sent.
enum Unsent {
    /// Its client does not want it any more.
    Unwanted,
    /// Its client does not take it.
    NotTaken,
    /// Its body broke off.
    Broken,
}

impl From<StreamError> for Unsent {
    fn from(_: StreamError) -> Self {
        Self::Unwanted
    }
}

/// A request that goes on, or an answer that is not taken yet. Whoever drives the connection is told when it is over.
struct Underway {
    busy: Option<Busy>,
    ended: Arc<Notify>,
}

impl Drop for Underway {
    fn drop(&mut self) {
        drop(self.busy.take());
        self.ended.notify_one();
    }
}

impl<H: Handler> Answering<H> {
    /// Answers what is asked on a stream. Ends with it.
    pub(super) async fn answer(self, asked: Asked<H>, mut gone: Gone) {
        let resolved = tokio::select! {
            biased;
            _ = &mut gone => None,
            resolved = timeout(self.patience.head, asked.resolve_request()) => resolved.ok(),
        };
        // What is no request is reset, and so is what did not come to be one in time.
        let Some(Ok((request, stream))) = resolved else {
            self.link.charge(1);
            return;
        };
        let _underway =
            Underway { busy: Some(self.exchange.activity.busy()), ended: Arc::clone(&self.ended) };
        let (mut answer, rest) = stream.split();
        let Some(declared) = well_formed(&request) else {
            self.link.charge(1);
            return answer.stop_stream(Code::H3_MESSAGE_ERROR);
        };
        let is_head = request.method() == Method::HEAD;
        let answered = async {
            let response = if size_of(&request) > self.max_header_bytes {
                refused(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
            } else {
                let body = Body::after_head(rest, declared).await;
                self.response(request, body, &mut answer).await?
            };
            self.send(response, is_head, &mut answer).await
        };
        let sent = tokio::select! {
            biased;
            _ = &mut gone => Err(Unsent::Unwanted),
            sent = answered => sent,
        };
        match sent {
            // Who closes a connection throws away what its client has not taken: until then it is not idle.
            Ok(()) => {
                if let Ok(Leaving::HasAll) = timeout(self.patience.reader, gone).await {
                    self.link.answered();
                }
            }
            Err(Unsent::Broken) => answer.stop_stream(Code::H3_INTERNAL_ERROR),
            Err(Unsent::Unwanted | Unsent::NotTaken) => {
                self.link.charge(1);
                answer.stop_stream(Code::H3_REQUEST_CANCELLED);
            }
        }
    }

    /// Has a request answered, and sends what its client is to be told before.
    async fn response(
        &self,
        request: Request<()>,
        body: Body<Piece<H::Body>>,
        answer: &mut Answer<H>,
    ) -> Result<Response<Sent<H::Body>>, Unsent> {
        let interim = Interim::default();
        let mut request = request.map(|()| Source::Stream(Box::pin(body)));
        request.extensions_mut().insert(interim.clone());
        let mut answered = pin!(self.exchange.begin(request));
        loop {
            let next = poll_fn(|cx| match answered.as_mut().poll(cx) {
                Poll::Ready(response) => Poll::Ready(Ok(response)),
                Poll::Pending => interim.take().map_or(Poll::Pending, |hints| Poll::Ready(Err(hints))),
            });
            match next.await {
                Ok(response) => return Ok(response),
                Err(hints) => self.in_time(answer.send_response(hints)).await?,
            }
        }
    }

    /// Sends an answer. What its client does not take of the body is seen where pieces are counted.
    async fn send(
        &self,
        response: Response<Sent<H::Body>>,
        is_head: bool,
        answer: &mut Answer<H>,
    ) -> Result<(), Unsent> {
        let (mut head, mut body) = response.into_parts();
        heads::complete(&mut head.headers, &body);
        self.in_time(answer.send_response(Response::from_parts(head, ()))).await?;
        while !is_head && !body.is_end_stream() {
            let frame = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
            match frame.transpose().map_err(|_| Unsent::Broken)?.map(http_body::Frame::into_data) {
                None => break,
                Some(Ok(piece)) => answer.send_data(piece).await?,
                Some(Err(frame)) => {
                    if let Ok(trailers) = frame.into_trailers() {
                        self.in_time(answer.send_trailers(trailers)).await?;
                    }
                }
            }
        }
        self.in_time(answer.finish()).await
    }

    /// Waits for a client to take what is not a part of a body, for as long as a reader may be slow.
    async fn in_time(&self, sent: impl Future<Output = Result<(), StreamError>>) -> Result<(), Unsent> {
        timeout(self.patience.reader, sent).await.map_err(|_| Unsent::NotTaken)?.map_err(Unsent::from)
    }
}

/// How long the body of a request is said to be; none of one that breaks a rule which `h3` does not know.
fn well_formed(request: &Request<()>) -> Option<Option<u64>> {
    let headers = request.headers();
    let is_of_a_connection = heads::OF_CONNECTIONS.iter().any(|field| headers.contains_key(field));
    let te = headers.get_all(header::TE).iter().all(|value| value == "trailers");
    // Nobody was told that there were such requests (RFC 9220).
    let is_extended = request.extensions().get::<h3::ext::Protocol>().is_some();
    if is_of_a_connection || !te || is_extended {
        return None;
    }
    body::declared(headers).ok()
}

/// How much a head is, as HTTP/3 counts it.
fn size_of(request: &Request<()>) -> usize {
    let uri = request.uri();
    let parts = [
        request.method().as_str(),
        uri.scheme_str().unwrap_or_default(),
        uri.authority().map_or("", http::uri::Authority::as_str),
        uri.path_and_query().map_or("", http::uri::PathAndQuery::as_str),
    ];
    let pseudo: usize = parts.iter().map(|part| part.len() + ":authority".len() + BESIDE_A_FIELD).sum();
    let fields = request.headers().iter();
    fields.fold(pseudo, |size, (name, value)| {
        size.saturating_add(name.as_str().len()).saturating_add(value.len()).saturating_add(BESIDE_A_FIELD)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(field: &'static str, value: &str) -> Request<()> {
        Request::get("https://a.test/").header(field, value).body(()).unwrap()
    }

    #[test]
    fn what_belongs_to_a_connection_of_http_1_is_no_request() {
        for field in ["connection", "transfer-encoding", "upgrade", "keep-alive", "proxy-connection"] {
            assert_eq!(well_formed(&request(field, "x")), None, "{field}");
        }
        assert_eq!(well_formed(&request("te", "gzip")), None);
        assert_eq!(well_formed(&request("te", "trailers")), Some(None));
        assert_eq!(well_formed(&request("content-length", "7")), Some(Some(7)));
        assert_eq!(well_formed(&request("content-length", "x")), None);
    }

    #[test]
    fn a_head_counts_as_its_protocol_counts_it() {
        let short = size_of(&request("a", ""));
        assert_eq!(size_of(&request("a", &"x".repeat(1_000))), short + 1_000);
    }
}
