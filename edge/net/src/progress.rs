//! A request's body on its way out: watched, so that a long upload is not taken for an origin that does
//! not answer.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::Request;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, timeout_at};

/// What has become of a request's body so far.
#[derive(Clone)]
pub(crate) struct Progress(Arc<Mutex<Seen>>);

struct Seen {
    /// When the last piece was taken to be sent.
    last: Instant,
    /// Whether it has ended without any piece.
    empty: bool,
}

/// Watches the body of a request.
pub(crate) fn watched<B: HttpBody>(request: Request<B>) -> (Request<Upload<B>>, Progress) {
    let empty = request.body().is_end_stream();
    let progress = Progress(Arc::new(Mutex::new(Seen { last: Instant::now(), empty })));
    let watching = progress.clone();
    (request.map(|body| Upload { body, progress: watching, begun: false }), progress)
}

/// A request's body that is watched.
pub(crate) struct Upload<B> {
    body: B,
    progress: Progress,
    begun: bool,
}

impl Progress {
    fn made(&self) {
        self.seen().last = Instant::now();
    }

    fn last(&self) -> Instant {
        self.seen().last
    }

    /// Whether the body was empty, as far as it is known: then the request can be sent again without one.
    pub(crate) fn was_empty(&self) -> bool {
        self.seen().empty
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        let this = &mut *self;
        let polled = ready!(Pin::new(&mut this.body).poll_frame(cx));
        let mut seen = this.progress.seen();
        seen.last = Instant::now();
        seen.empty |= polled.is_none() && !this.begun;
        this.begun = true;
        drop(seen);
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_upload_that_goes_on_is_waited_for_and_one_that_has_stopped_is_not() {
        const PATIENCE: Duration = Duration::from_secs(30);
        let (_request, progress) = watched(Request::new("text".to_owned()));
        let uploading = progress.clone();
        let answer = Box::pin(async move {
            for _ in 0..10 {
                tokio::time::sleep(PATIENCE - Duration::from_secs(1)).await;
                uploading.made();
            }
            "an answer"
        });
        assert_eq!(progress.bounded(answer, PATIENCE).await, Some("an answer"));
        let begun = Instant::now();
        assert_eq!(progress.bounded(std::future::pending::<()>(), PATIENCE).await, None);
        assert!((PATIENCE..PATIENCE * 2).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    }
}
