//! A request's body on its way out: watched, so that a long upload is not taken for an origin that does
//! not answer.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Request;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, timeout_at};

/// When the last piece of a request was taken to be sent.
#[derive(Clone)]
pub(crate) struct Progress(Arc<Mutex<Instant>>);

/// Watches the body of a request.
pub(crate) fn watched<B>(request: Request<B>) -> (Request<Upload<B>>, Progress) {
    let progress = Progress(Arc::new(Mutex::new(Instant::now())));
    let watching = progress.clone();
    (request.map(|body| Upload { body, progress: watching }), progress)
}

/// A request's body that is watched.
pub(crate) struct Upload<B> {
    body: B,
    progress: Progress,
}

impl Progress {
    fn made(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `answer` comes to, or none when nothing was sent and nothing came for as long as `patience`.
    pub(crate) async fn bounded<F: Future + Unpin>(
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

impl<B: HttpBody + Unpin> HttpBody for Upload<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
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
