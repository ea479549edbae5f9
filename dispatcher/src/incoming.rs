//! The visitor's request body: bounded in time, and telling the context how it failed.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};
use wasmyard_runtime::{Body, BodyError};

use crate::context::{RequestContext, UploadFault};

/// Wraps a visitor's body. One without content costs nothing.
pub(crate) fn guard(body: Incoming, idle: Duration, context: &Arc<RequestContext>) -> Body {
    if body.is_end_stream() {
        return wasmyard_runtime::body::empty();
    }
    Guarded { body, idle, pause: None, context: Arc::clone(context) }.boxed_unsync()
}

struct Guarded {
    body: Incoming,
    idle: Duration,
    /// Runs while somebody waits for the next frame.
    pause: Option<Pin<Box<Sleep>>>,
    context: Arc<RequestContext>,
}

impl HttpBody for Guarded {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            this.pause = None;
            return Poll::Ready(frame.map(|frame| {
                frame.map_err(|error| {
                    tracing::debug!(ray_id = %this.context.ray_id, %error, "request body broke off");
                    this.context.upload_failed(UploadFault::Broken);
                    BodyError::ConnectionTerminated
                })
            }));
        }
        let idle = this.idle;
        let pause =
            this.pause.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + idle)));
        std::task::ready!(pause.as_mut().poll(cx));
        this.context.upload_failed(UploadFault::Stalled);
        Poll::Ready(Some(Err(BodyError::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
