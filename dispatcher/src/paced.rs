//! A body from a socket whose pauses are bounded: a visitor's upload, or an origin's response. How its
//! failure is told is the business of whoever reads it.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use wasmyard_runtime::{Body, BodyError, Pause};

/// How a body failed.
pub(crate) enum Fault {
    /// Nothing came for too long.
    Stalled,
    /// The connection ended, or broke a rule of HTTP.
    Broken(hyper::Error),
}

/// Bounds a body's pauses by `idle`; `told` turns its failure into the error that readers see.
pub(crate) fn paced(
    body: Incoming,
    idle: Duration,
    told: impl Fn(Fault) -> BodyError + Send + Unpin + 'static,
) -> Body {
    Paced { body, pause: Pause::new(idle), told }.boxed_unsync()
}

/// How many pieces without a byte are passed over before others get their turn.
const MOST_EMPTY: usize = 32;

struct Paced<F> {
    body: Incoming,
    pause: Pause,
    told: F,
}

impl<F: Fn(Fault) -> BodyError + Unpin> HttpBody for Paced<F> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        // A piece without a byte is no progress: HTTP/2 lets its sender send such pieces for ever.
        for _ in 0..MOST_EMPTY {
            let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) else { break };
            match frame {
                Some(Ok(frame)) if frame.data_ref().is_some_and(Bytes::is_empty) => {}
                frame => {
                    this.pause.over();
                    let told = |error| (this.told)(Fault::Broken(error));
                    return Poll::Ready(frame.map(|frame| frame.map_err(told)));
                }
            }
            cx.waker().wake_by_ref();
        }
        std::task::ready!(this.pause.poll_too_long(cx));
        Poll::Ready(Some(Err((this.told)(Fault::Stalled))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
