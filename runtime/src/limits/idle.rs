//! Bounds the pauses of a body: the time in which somebody waits for its next piece and none comes. A reader
//! that takes its time is not a pause.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, Sleep};

use crate::body::{Body, BodyError};

/// A clock that runs while somebody waits for the next piece of a body.
#[derive(Debug)]
pub struct Pause {
    idle: Duration,
    running: Option<Pin<Box<Sleep>>>,
}

impl Pause {
    /// A clock that has not been started, for pauses of `idle` at most.
    pub fn new(idle: Duration) -> Self {
        Self { idle, running: None }
    }

    /// The longest pause.
    pub(crate) fn limit(&self) -> Duration {
        self.idle
    }

    /// Something came: the clock stops.
    pub fn over(&mut self) {
        self.running = None;
    }

    /// Nothing came: ready when that was so for too long, counted from the first call after the last piece.
    pub fn poll_too_long(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let idle = self.idle;
        // A time so long that no clock can say it is no bound.
        let until = || Instant::now().checked_add(idle);
        if self.running.is_none() {
            self.running = until().map(|until| Box::pin(tokio::time::sleep_until(until)));
        }
        self.running.as_mut().map_or(Poll::Pending, |running| running.as_mut().poll(cx))
    }
}

/// Bounds a body's pauses by `idle`. A body that pauses for longer ends with `told`.
pub(crate) fn paced(body: Body, idle: Duration, told: BodyError) -> Body {
    if body.is_end_stream() || body.size_hint().exact() == Some(0) {
        return body;
    }
    Paced { body, pause: Pause::new(idle), told: Some(told) }.boxed_unsync()
}

struct Paced {
    body: Body,
    pause: Pause,
    /// Present until it was told.
    told: Option<BodyError>,
}

impl HttpBody for Paced {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            this.pause.over();
            return Poll::Ready(frame);
        }
        std::task::ready!(this.pause.poll_too_long(cx));
        this.body = crate::body::empty();
        Poll::Ready(this.told.take().map(Err))
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
    use http_body_util::StreamBody;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_coming_ends_with_an_error() {
        let first = futures::stream::iter([Ok::<_, BodyError>(Frame::data(Bytes::from_static(b"a")))]);
        let stream = futures::StreamExt::chain(first, futures::stream::pending());
        let body = StreamBody::new(stream).boxed_unsync();
        let told = BodyError::ConnectionReadTimeout;
        let mut body = paced(body, Duration::from_millis(20), told);
        assert!(body.frame().await.unwrap().is_ok());
        assert!(matches!(body.frame().await, Some(Err(BodyError::ConnectionReadTimeout))));
        assert!(body.frame().await.is_none(), "it is told once");
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_its_time_is_no_pause() {
        let mut body =
            paced(crate::body::full("abc"), Duration::from_millis(5), BodyError::ConnectionReadTimeout);
        tokio::time::sleep(Duration::from_millis(30)).await;
        assert!(body.frame().await.unwrap().is_ok());
        assert!(body.frame().await.is_none());
    }
}
