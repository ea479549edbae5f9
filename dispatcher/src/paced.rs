//! A body from a socket whose pauses are bounded, and whose trailers hold nothing that belongs in a head: a visitor's
//! upload, or an origin's response. How its
//! failure is told is the business of whoever reads it.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::time::Instant;
use wasmyard_runtime::{Body, BodyError, Pause};

use crate::head::clean_trailers;

/// How a body failed.
pub(crate) enum Fault<E> {
    /// Nothing came for too long.
    Stalled,
    /// The connection ended, or broke a rule of HTTP.
    Broken(E),
}

/// How little a sender may send while somebody waits for it: as little as a reader may take, looked at over the longest
/// pause.
pub(crate) const LEAST_BYTES_PER_SECOND: u64 = wasmyard_listener::LEAST_BYTES_PER_SECOND;

/// Bounds a body's pauses by `idle`; `told` turns its failure into the error that readers see. With a `least`, so many
/// bytes a second must come while they are waited for: a byte now and then is no progress.
pub(crate) fn paced<B>(
    body: B,
    idle: Duration,
    least: Option<u64>,
    told: impl Fn(Fault<B::Error>) -> BodyError + Send + Unpin + 'static,
) -> Body
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
{
    let speed = least.map(|least| Speed::new(idle, least));
    Paced { body, pause: Pause::new(idle), speed, told }.boxed_unsync()
}

/// How many pieces without a byte are passed over before others get their turn.
const MOST_EMPTY: usize = 32;

struct Paced<B, F> {
    body: B,
    pause: Pause,
    speed: Option<Speed>,
    told: F,
}

/// How fast a sender sends while it is waited for.
struct Speed {
    /// How much waiting is looked at together, and the bytes that must come in it.
    time: Duration,
    least: u64,
    waited: Duration,
    came: u64,
    /// Since when it is waited for.
    since: Option<Instant>,
}

impl Speed {
    fn new(time: Duration, least: u64) -> Self {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let least = millis.saturating_mul(least) / 1000;
        Self { time, least, waited: Duration::ZERO, came: 0, since: None }
    }

    fn waits(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    /// Notes that something came; `false` when all that came is too little for the time.
    fn came(&mut self, bytes: usize) -> bool {
        self.waited += self.since.take().map_or(Duration::ZERO, |since| since.elapsed());
        self.came = self.came.saturating_add(bytes as u64);
        if self.came >= self.least {
            (self.waited, self.came) = (Duration::ZERO, 0);
        }
        self.waited < self.time
    }
}

impl<B, F> HttpBody for Paced<B, F>
where
    B: HttpBody<Data = Bytes> + Unpin,
    F: Fn(Fault<B::Error>) -> BodyError + Unpin,
{
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
                mut frame => {
                    this.pause.over();
                    if let Some(Ok(frame)) = &mut frame
                        && let Some(trailers) = frame.trailers_mut()
                    {
                        clean_trailers(trailers);
                    }
                    if let (Some(speed), Some(Ok(frame))) = (&mut this.speed, &frame)
                        && let Some(data) = frame.data_ref()
                        && !speed.came(data.len())
                    {
                        return Poll::Ready(Some(Err((this.told)(Fault::Stalled))));
                    }
                    let told = |error| (this.told)(Fault::Broken(error));
                    return Poll::Ready(frame.map(|frame| frame.map_err(told)));
                }
            }
            cx.waker().wake_by_ref();
        }
        if let Some(speed) = &mut this.speed {
            speed.waits();
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

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_millis(20);

    /// Whether a sender of pieces of this size, each of which is waited for, is told to be too slow.
    async fn is_too_slow(bytes: usize) -> bool {
        // Ten times what must come in this time, or a tenth of it.
        let mut speed = Speed::new(TIME, 50_000);
        for _ in 0..100 {
            speed.waits();
            tokio::time::advance(TIME / 10).await;
            if !speed.came(bytes) {
                return true;
            }
        }
        false
    }

    #[tokio::test(start_paused = true)]
    async fn a_byte_now_and_then_is_too_slow_and_a_piece_is_not() {
        assert!(is_too_slow(1).await);
        assert!(!is_too_slow(1_000).await);
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_nobody_waits_is_not_the_senders() {
        let mut speed = Speed::new(TIME, 1_000_000);
        for _ in 0..3 {
            tokio::time::advance(TIME).await;
            assert!(speed.came(1));
        }
    }
}
