//! The body of a request on its way in, and what becomes of what nobody reads of it.
//!
//! Over HTTP/1.1 the rest of a body stands before the next request. A short one is read and thrown away, so that the
//! connection can be used again; of a long one, or of one whose length is not known, the answer says that the
//! connection closes. Who closes without a word breaks the next request of a proxy, which may be somebody else's.

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

/// The longest rest of a body that is read for nobody.
const MOST_UNWANTED: u64 = 1 << 20;
/// How long it may take to arrive.
const UNWANTED_TIME: Duration = Duration::from_secs(30);

/// A request's body.
#[derive(Debug)]
pub struct Received {
    body: Option<Incoming>,
    rest: Option<Rest>,
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
    /// A body whose rest is of no concern: it has none, or its stream can be reset.
    pub(crate) fn alone(body: Incoming) -> Self {
        Self { body: Some(body), rest: None }
    }

    /// A body before the next request of its connection, and where to see how its reading ended.
    pub(crate) fn before_the_next(body: Incoming, busy: Busy, waits: bool) -> (Self, Arc<End>) {
        let end = Arc::<End>::default();
        let rest = Rest { end: Arc::clone(&end), busy, waits };
        (Self { body: Some(body), rest: Some(rest) }, end)
    }
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = std::task::ready!(Pin::new(body).poll_frame(cx));
        if frame.is_none() {
            // Of one in chunks hyper does not know afterwards that it was the end.
            (self.body, self.rest) = (None, None);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        let (Some(body), Some(rest)) = (self.body.take(), self.rest.take()) else { return };
        if body.is_end_stream() {
            return;
        }
        let short = body.size_hint().upper().is_some_and(|left| left <= MOST_UNWANTED);
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) if short && !rest.waits => {
                // The connection is not idle meanwhile.
                let busy = rest.busy;
                runtime.spawn(async move {
                    tokio::select! {
                        () = discard(body) => {}
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
async fn discard(mut body: Incoming) {
    while let Some(Ok(_)) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {}
}
