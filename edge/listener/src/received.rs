//! The body of a request on its way in, and what becomes of what nobody reads of it.
//!
//! Over HTTP/1.1 the rest of a body stands before the next request. A short one is read and thrown away, so that the
//! connection can be used again; of a long one, or of one whose length is not known, the answer says that the
//! connection closes. Who closes without a word breaks the next request of a proxy, which may be somebody else's.

mod error;
mod uploaded;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::Notify;

use crate::activity::Busy;

pub use error::ReceiveError;
pub(crate) use uploaded::Uploaded;

/// The longest rest of a body that is read for nobody.
const MOST_UNWANTED: u64 = 1 << 20;
/// How long it may take to arrive.
const UNWANTED_TIME: Duration = Duration::from_secs(30);

/// A request's body.
#[derive(Debug)]
pub struct Received {
    source: Option<Source>,
    rest: Option<Rest>,
}

/// Where the bytes of a body come from.
pub(crate) enum Source {
    /// A connection of HTTP/1.1.
    Http1(Incoming),
    /// A stream of HTTP/2.
    Http2(Uploaded),
    /// A stream of HTTP/3.
    Stream(Pin<Box<dyn HttpBody<Data = Bytes, Error = ReceiveError> + Send>>),
}

/// What the answer of an HTTP/1.1 request with a body has to know of it.
#[derive(Debug)]
struct Rest {
    end: Arc<End>,
    busy: Busy,
    /// Whether the client waits to be asked for its body. Then nobody asks for what is thrown away.
    waits: bool,
}

/// Whether the rest of a body was given up.
#[derive(Debug, Default)]
pub(crate) struct End {
    abandoned: AtomicBool,
    stop: Notify,
}

impl End {
    /// Whether what is left of the body will not be read: the connection cannot be used again.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Acquire)
    }

    /// Stops reading what nobody wants: the connection closes anyway.
    pub(crate) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Release);
        self.stop.notify_one();
    }
}

impl Received {
    /// A body that comes neither over HTTP/1.1 nor HTTP/2, and whose rest is of no concern.
    pub fn new(body: impl HttpBody<Data = Bytes, Error = ReceiveError> + Send + 'static) -> Self {
        Self::alone(Source::Stream(Box::pin(body)))
    }

    /// A body whose rest is of no concern: it has none, or its stream can be reset.
    pub(crate) fn alone(source: Source) -> Self {
        Self { source: Some(source), rest: None }
    }

    /// A body before the next request of its connection, and where to see how its reading ended.
    pub(crate) fn before_the_next(source: Source, busy: Busy, waits: bool) -> (Self, Arc<End>) {
        let end = Arc::<End>::default();
        let rest = Rest { end: Arc::clone(&end), busy, waits };
        (Self { source: Some(source), rest: Some(rest) }, end)
    }
}

impl HttpBody for Source {
    type Data = Bytes;
    type Error = ReceiveError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReceiveError>>> {
        match &mut *self {
            Self::Http1(body) => Pin::new(body).poll_frame(cx).map_err(ReceiveError::Http1),
            Self::Http2(body) => Pin::new(body).poll_frame(cx),
            Self::Stream(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(body) => body.is_end_stream(),
            Self::Http2(body) => body.is_end_stream(),
            Self::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(body) => body.size_hint(),
            Self::Http2(body) => body.size_hint(),
            Self::Stream(body) => body.size_hint(),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Http1(_) => "Http1",
            Self::Http2(_) => "Http2",
            Self::Stream(_) => "Stream",
        })
    }
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = ReceiveError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReceiveError>>> {
        let Some(source) = &mut self.source else { return Poll::Ready(None) };
        let frame = std::task::ready!(Pin::new(source).poll_frame(cx));
        if frame.is_none() {
            // Of one in chunks hyper does not know afterwards that it was the end.
            (self.source, self.rest) = (None, None);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.source.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.source.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        let (Some(source), Some(rest)) = (self.source.take(), self.rest.take()) else { return };
        if source.is_end_stream() {
            return;
        }
        let short = source.size_hint().upper().is_some_and(|left| left <= MOST_UNWANTED);
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) if short && !rest.waits => {
                // The connection is not idle meanwhile.
                let busy = rest.busy;
                runtime.spawn(async move {
                    tokio::select! {
                        () = discard(source) => {}
                        () = rest.end.stop.notified() => {}
                        () = tokio::time::sleep(UNWANTED_TIME) => {}
                    }
                    drop(busy);
                });
            }
            _ => rest.end.abandon(),
        }
    }
}

/// Reads to the end. Its length is known, and bounded.
async fn discard(mut source: Source) {
    while let Some(Ok(_)) = std::future::poll_fn(|cx| Pin::new(&mut source).poll_frame(cx)).await {}
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt as _, Full, StreamBody};

    use super::*;

    #[tokio::test]
    async fn a_body_of_another_protocol_is_read_as_any_other_is() {
        let full = Full::new(Bytes::from_static(b"body")).map_err(|never| match never {});
        let received = Received::new(full);
        assert_eq!(received.size_hint().exact(), Some(4));
        assert!(!received.is_end_stream());
        assert_eq!(received.collect().await.unwrap().to_bytes(), "body");
    }

    #[tokio::test]
    async fn how_it_breaks_off_is_told_in_its_place() {
        let frames = [Ok(Frame::data(Bytes::from_static(b"a"))), Err(ReceiveError::Reset)];
        let mut received = Received::new(StreamBody::new(futures::stream::iter(frames)));
        assert_eq!(received.frame().await.unwrap().unwrap().into_data().unwrap(), "a");
        assert!(matches!(received.frame().await, Some(Err(ReceiveError::Reset))));
        assert!(received.frame().await.is_none() && received.is_end_stream());
    }
}
