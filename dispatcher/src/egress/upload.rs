//! A guest's request body on its way out: watched, so that a long upload is not taken for an origin that does
//! not answer.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout_at};
use wasmyard_runtime::{Body, BodyError};

/// When the last piece of a request was taken to be sent.
#[derive(Clone)]
pub(super) struct Progress(Arc<Mutex<Instant>>);

/// Watches the body of a request.
pub(super) fn watched(request: Request<Body>) -> (Request<Body>, Progress) {
    let progress = Progress(Arc::new(Mutex::new(Instant::now())));
    if request.body().is_end_stream() {
        return (request, progress);
    }
    let watching = progress.clone();
    (request.map(|body| Upload { body, progress: watching }.boxed_unsync()), progress)
}

impl Progress {
    fn made(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `answer` comes to, or none when nothing was sent and nothing came for as long as `patience`.
    pub(super) async fn bounded<F: Future + Unpin>(
        &self,
        mut answer: F,
        patience: Duration,
    ) -> Option<F::Output> {
        self.made();
        loop {
            let seen = self.last();
            if let Ok(answer) = timeout_at(seen + patience, &mut answer).await {
                return Some(answer);
            }
            if self.last() == seen {
                return None;
            }
        }
    }
}

struct Upload {
    body: Body,
    progress: Progress,
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if polled.is_ready() {
            self.progress.made();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
