//! HTTP/2 on a connection, from its preface to its end.
//!
//! Stands on `h2` itself and not on hyper's server, which can send nothing ahead of an answer. What hyper had beside `h2` is
//! here: windows, whether a client is still there, how an answer's pieces wait for room. The bounds on what a client says and takes are those of [`crate::patience`], [`crate::frames`] and [`crate::slow`], as before.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Buf;
use h2::server::{Builder, SendResponse};
use h2::{Ping, PingPong, Reason, RecvStream, SendStream};
use http::{Request, Response};
use http_body::Body as _;
use hyper::rt::Executor as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep};

use crate::activity::Activity;
use crate::config::ListenerConfig;
use crate::exchange::{Exchange, Handler};
use crate::heads;
use crate::interim::Interim;
use crate::received::{Source, Uploaded};
use crate::sent::{Piece, Sent};
use crate::slow::Streams;

/// The most bytes of one answer that are kept before it waits for the stream's window; beside the piece that is in hand.
const SEND_BUFFER: usize = 64 << 10;
/// Bytes that a client may send ahead of whoever reads them: on one stream, and on all of a connection.
const WINDOW: u32 = 1 << 20;
/// Streams that a client has broken a rule on, and of which no more is remembered than that.
const MOST_BROKEN: usize = 1 << 10;

/// What all connections of a listener share.
pub(crate) struct Http2 {
    builder: Builder,
    /// How often a client is asked whether it is still there, and how long it may take to say so.
    interval: Duration,
    patience: Duration,
}

impl Http2 {
    pub(crate) fn new(config: &ListenerConfig) -> Self {
        let mut builder = Builder::new();
        builder
            .initial_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .max_header_list_size(u32::try_from(config.max_header_bytes).unwrap_or(u32::MAX))
            .max_concurrent_streams(config.max_streams)
            .max_send_buffer_size(SEND_BUFFER)
            .max_local_error_reset_streams(Some(MOST_BROKEN));
        Self { builder, interval: config.idle_timeout, patience: config.header_timeout }
    }

    /// Serves a connection to its end. Tells its client when no further request is wanted.
    pub(crate) async fn serve<H: Handler>(
        &self,
        transport: impl AsyncRead + AsyncWrite + Unpin,
        exchange: Arc<Exchange<H>>,
        mut drain: watch::Receiver<()>,
    ) -> Result<(), h2::Error> {
        // What it holds of `drain` is what the listener waits for.
        let mut told = pin!(drain.changed());
        let mut is_told = false;
        let mut handshake = pin!(self.builder.handshake::<_, Part<H::Body>>(transport));
        let mut connection = poll_fn(|cx| {
            if !is_told && told.as_mut().poll(cx).is_ready() {
                is_told = true;
                exchange.activity.drain();
            }
            handshake.as_mut().poll(cx)
        })
        .await?;
        let activity = Arc::clone(&exchange.activity);
        let mut presence = Presence::new(connection.ping_pong(), activity, self.interval, self.patience);
        if is_told {
            connection.graceful_shutdown();
        }
        poll_fn(|cx| {
            if !is_told && told.as_mut().poll(cx).is_ready() {
                is_told = true;
                exchange.activity.drain();
                connection.graceful_shutdown();
            }
            loop {
                if presence.poll_gone(cx).is_ready() {
                    connection.abrupt_shutdown(Reason::NO_ERROR);
                }
                match ready!(connection.poll_accept(cx)) {
                    Some(asked) => {
                        let (request, reply) = asked?;
                        begin(&exchange, request, reply);
                    }
                    None => return Poll::Ready(Ok(())),
                }
            }
        })
        .await
    }
}

/// Begins to answer a request, in a task of its own.
fn begin<H: Handler>(
    exchange: &Arc<Exchange<H>>,
    request: Request<RecvStream>,
    reply: SendResponse<Part<H::Body>>,
) {
    let interim = Interim::default();
    let (mut head, stream) = request.into_parts();
    let body = Uploaded::new(stream, &head.headers);
    head.extensions.insert(interim.clone());
    let answered = exchange.begin(Request::from_parts(head, Source::Http2(body)));
    Streams.execute(answer::<H>(answered, interim, reply));
}

/// Waits for an answer, and sends it with what goes ahead of it. Ends early where its client does not want it any more.
async fn answer<H: Handler>(
    answered: impl Future<Output = Response<Sent<H::Body>>>,
    interim: Interim,
    mut reply: SendResponse<Part<H::Body>>,
) {
    let mut answered = pin!(answered);
    let response = poll_fn(|cx| {
        if let Poll::Ready(response) = answered.as_mut().poll(cx) {
            return Poll::Ready(Some(response));
        }
        if let Some(hints) = interim.take() {
            // A stream that was reset meanwhile is seen below.
            let _sent = reply.send_informational(hints);
        }
        reply.poll_reset(cx).map(|_| None)
    });
    let Some(response) = response.await else { return };
    let (mut head, body) = response.into_parts();
    heads::complete(&mut head.headers, &body);
    let is_whole = body.is_end_stream();
    match reply.send_response(Response::from_parts(head, ()), is_whole) {
        Ok(stream) if !is_whole => send(body, stream).await,
        Ok(_) => {}
        Err(error) => {
            tracing::debug!(%error, "the head of an answer cannot be sent");
            reply.send_reset(Reason::INTERNAL_ERROR);
        }
    }
}

/// Sends a body piece by piece, each when its stream has room. A piece is asked for before there is any: what is reserved of a
/// connection's window for a body that has nothing to send is missing to others.
async fn send<B>(mut body: Sent<B>, mut stream: SendStream<Part<B>>)
where
    B: Send + 'static,
    Sent<B>: http_body::Body<Data = Piece<B>> + Unpin,
{
    let mut waiting: Option<(Piece<B>, bool)> = None;
    poll_fn(|cx| {
        loop {
            if stream.poll_reset(cx).is_ready() {
                return Poll::Ready(());
            }
            if waiting.is_some() {
                while stream.capacity() == 0 {
                    match ready!(stream.poll_capacity(cx)) {
                        Some(Ok(_)) => {}
                        Some(Err(_)) | None => return Poll::Ready(()),
                    }
                }
            }
            if let Some((piece, is_last)) = waiting.take() {
                if stream.send_data(Part::Piece(piece), is_last).is_err() || is_last {
                    return Poll::Ready(());
                }
                continue;
            }
            match ready!(Pin::new(&mut body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(piece) => {
                        stream.reserve_capacity(1);
                        waiting = Some((piece, body.is_end_stream()));
                    }
                    Err(frame) => {
                        if let Ok(trailers) = frame.into_trailers() {
                            // No more comes, so that others may have the room.
                            stream.reserve_capacity(0);
                            let _sent = stream.send_trailers(trailers);
                            return Poll::Ready(());
                        }
                    }
                },
                Some(Err(_)) => {
                    stream.send_reset(Reason::INTERNAL_ERROR);
                    return Poll::Ready(());
                }
                None => {
                    let _sent = stream.send_data(Part::End, true);
                    return Poll::Ready(());
                }
            }
        }
    })
    .await;
}

/// What is sent on a stream: a piece of a body, or its end alone.
enum Part<B: Send + 'static> {
    Piece(Piece<B>),
    End,
}

impl<B: Send + 'static> Buf for Part<B> {
    fn remaining(&self) -> usize {
        match self {
            Self::Piece(piece) => piece.remaining(),
            Self::End => 0,
        }
    }

    fn chunk(&self) -> &[u8] {
        match self {
            Self::Piece(piece) => piece.chunk(),
            Self::End => &[],
        }
    }

    fn advance(&mut self, count: usize) {
        if let Self::Piece(piece) = self {
            piece.advance(count);
        }
    }
}

/// Whether a client is still there, also while nothing is asked for: one that has said nothing for a while is asked by a PING.
struct Presence {
    pings: Option<PingPong>,
    activity: Arc<Activity>,
    interval: Duration,
    patience: Duration,
    is_asked: bool,
    /// How often something was read when the wait under way began.
    reads: u64,
    timer: Pin<Box<Sleep>>,
}

impl Presence {
    fn new(pings: Option<PingPong>, activity: Arc<Activity>, interval: Duration, patience: Duration) -> Self {
        let (reads, timer) = (activity.reads(), Box::pin(tokio::time::sleep(interval)));
        Self { pings, activity, interval, patience, is_asked: false, reads, timer }
    }

    fn wait(&mut self, time: Duration) {
        self.reads = self.activity.reads();
        self.timer.as_mut().reset(Instant::now() + time);
    }

    /// Ready, once, when a client that was asked has not said that it is there. Whatever it says is as good as an answer: that
    /// may be far behind in what it sends.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let Some(pings) = &mut self.pings else { return Poll::Pending };
            if self.is_asked && matches!(pings.poll_pong(cx), Poll::Ready(Ok(_))) {
                self.is_asked = false;
                self.wait(self.interval);
                continue;
            }
            ready!(self.timer.as_mut().poll(cx));
            if self.activity.reads() != self.reads {
                let time = if self.is_asked { self.patience } else { self.interval };
                self.wait(time);
                continue;
            }
            if self.is_asked || pings.send_ping(Ping::opaque()).is_err() {
                self.pings = None;
                return Poll::Ready(());
            }
            self.is_asked = true;
            self.wait(self.patience);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, StatusCode};
    use http_body_util::Full;
    use tokio::io::AsyncWriteExt as _;

    use super::*;
    use crate::activity::tests::activity;
    use crate::exchange::Client;
    use crate::received::Received;

    /// Answers when it is told to, and says before what the page needs.
    #[derive(Default)]
    struct Hinting(tokio::sync::Notify);

    impl Handler for Hinting {
        type Body = Full<Bytes>;

        async fn answer(&self, request: Request<Received>, _: Client) -> Response<Full<Bytes>> {
            let link = HeaderValue::from_static("</a.css>; rel=preload");
            let hints = HeaderMap::from_iter([(http::header::LINK, link)]);
            request.extensions().get::<Interim>().unwrap().hint(hints);
            self.0.notified().await;
            Response::new(Full::new(Bytes::from_static(b"page")))
        }
    }

    fn exchange(handler: &Arc<Hinting>, activity: Arc<Activity>) -> Arc<Exchange<Hinting>> {
        Arc::new(Exchange {
            handler: Arc::clone(handler),
            proxies: Arc::default(),
            peer: Client::at([192, 0, 2, 1].into(), false),
            activity,
            max_headers: 100,
            upgrades: false,
            slow_reader: Duration::from_secs(30),
        })
    }

    #[tokio::test]
    async fn early_hints_go_ahead_of_an_answer() {
        let handler = Arc::<Hinting>::default();
        let (near, far) = tokio::io::duplex(1 << 16);
        let exchange = exchange(&handler, activity());
        let (_drain, told) = watch::channel(());
        tokio::spawn(async move { Http2::new(&ListenerConfig::default()).serve(far, exchange, told).await });
        let (mut client, connection) = h2::client::handshake(near).await.unwrap();
        tokio::spawn(connection);
        let (mut answer, _) =
            client.send_request(Request::get("http://a.test/").body(()).unwrap(), true).unwrap();
        let hints = poll_fn(|cx| answer.poll_informational(cx)).await.unwrap().unwrap();
        assert_eq!(hints.status(), StatusCode::EARLY_HINTS);
        assert_eq!(hints.headers()["link"], "</a.css>; rel=preload");
        handler.0.notify_one();
        let answer = answer.await.unwrap();
        assert_eq!(
            (answer.status(), &answer.headers()["content-length"]),
            (StatusCode::OK, &"4".parse().unwrap())
        );
        assert_eq!(answer.into_body().data().await.unwrap().unwrap(), "page");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_say_that_it_is_there_is_gone() {
        let (mut near, far) = tokio::io::duplex(1 << 16);
        let exchange = exchange(&Arc::default(), activity());
        let (_drain, told) = watch::channel(());
        let serving =
            tokio::spawn(
                async move { Http2::new(&ListenerConfig::default()).serve(far, exchange, told).await },
            );
        // It begins as every client does, and does not go.
        near.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        let begun = Instant::now();
        serving.await.unwrap().unwrap();
        let config = ListenerConfig::default();
        assert!(begun.elapsed() >= config.idle_timeout + config.header_timeout);
    }
}
