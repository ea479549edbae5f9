//! A guest's request body on its way out: watched, so that a long upload is not taken for an origin that does
//! not answer.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Request;
use http_body::Body as _;
use tokio::time::{Instant, timeout_at};
use wasmyard_runtime::Body;
use wasmyard_runtime::body::inspected;

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
    (request.map(|body| inspected(body, move |_, _| watching.made())), progress)
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
