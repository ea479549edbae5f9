//! How little a visitor may take of an answer that is ready: who reads at a byte a minute does not hold an
//! invocation for ever.
//!
//! Two places watch, because the two protocols hold bytes back in different ways: the socket, for a
//! connection that is not read ([`Written`]), and each stream of HTTP/2, for one whose window stays shut
//! while the connection goes on ([`Streams`]). Waiting for the script never counts.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// Bytes a second that a visitor who could be sent more has to take, looked at over the whole of a
/// visitor's time.
const LEAST_BYTES_PER_SECOND: u64 = 1024;

/// Bytes that must be taken within `time`.
fn least(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).saturating_mul(LEAST_BYTES_PER_SECOND) / 1000
}

/// Time in which so many bytes must be taken, beside what everybody has.
fn time_for(bytes: usize) -> Duration {
    Duration::from_millis(
        u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(1000) / LEAST_BYTES_PER_SECOND,
    )
}

/// What a socket has been held up by its reader.
pub(crate) struct Written {
    patience: Duration,
    /// Time held up since the reader last took enough.
    held_up: Duration,
    /// What it has taken since then.
    taken: u64,
    /// Since when it takes nothing, and the end of its time.
    full: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl Written {
    pub(crate) fn new(patience: Duration) -> Self {
        Self { patience, held_up: Duration::ZERO, taken: 0, full: None }
    }

    /// Takes note of what came of a write, and turns one that has waited for too long into an error.
    pub(crate) fn look(
        &mut self,
        wrote: Poll<io::Result<usize>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        match wrote {
            Poll::Pending => {
                let left = self.patience.saturating_sub(self.held_up);
                let (_, timer) =
                    self.full.get_or_insert_with(|| (Instant::now(), Box::pin(tokio::time::sleep(left))));
                std::task::ready!(timer.as_mut().poll(cx));
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the visitor does not read")))
            }
            Poll::Ready(result) => {
                if let Some((since, _)) = self.full.take() {
                    self.held_up += since.elapsed();
                }
                self.taken += result.as_ref().map_or(0, |written| *written as u64);
                if self.held_up.is_zero() || self.taken >= least(self.patience) {
                    self.held_up = Duration::ZERO;
                    self.taken = 0;
                }
                Poll::Ready(result)
            }
        }
    }
}

tokio::task_local! {
    /// The stream of HTTP/2 that the task under way answers on.
    static STREAM: Arc<Handed>;
}

/// What a stream's answer has handed over to be sent.
#[derive(Default)]
pub(crate) struct Handed {
    /// When the visitor must have taken it; none while the answer has nothing ready.
    until: Mutex<Option<Instant>>,
}

impl Handed {
    /// The one of the stream that is being answered; none outside of HTTP/2.
    pub(crate) fn of_stream() -> Option<Arc<Self>> {
        STREAM.try_with(Arc::clone).ok()
    }

    /// A piece was handed over: `patience` and its length say when more must have been asked for.
    fn over(&self, bytes: usize, patience: Duration) {
        self.set(Some(Instant::now() + patience + time_for(bytes)));
    }

    /// More is asked for: the next wait is the script's.
    pub(crate) fn taken(&self) {
        self.set(None);
    }

    fn until(&self) -> Option<Instant> {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, until: Option<Instant>) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

/// The watch that an answer's body keeps on its own stream.
pub(crate) struct Watch {
    handed: Option<Arc<Handed>>,
    patience: Duration,
}

impl Watch {
    /// On the stream that is being answered, if it is one.
    pub(crate) fn new(patience: Duration) -> Self {
        Self { handed: Handed::of_stream(), patience }
    }

    pub(crate) fn asked(&self) {
        if let Some(handed) = &self.handed {
            handed.taken();
        }
    }

    pub(crate) fn handed(&self, bytes: usize) {
        if let Some(handed) = &self.handed {
            handed.over(bytes, self.patience);
        }
    }
}

/// Runs each stream of a connection in a task of its own, and ends those that are not read.
#[derive(Clone, Copy, Default)]
pub(crate) struct Streams;

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let handed = Arc::new(Handed::default());
        tokio::spawn(STREAM.scope(Arc::clone(&handed), watched(stream, handed)));
    }
}

/// Drops a stream, and with it everything that runs for it, when its visitor's time is over. The visitor sees
/// the stream reset.
async fn watched(stream: impl Future<Output = ()>, handed: Arc<Handed>) {
    let mut stream = pin!(stream);
    let mut timer: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|cx| {
        if stream.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let Some(until) = handed.until() else { return Poll::Pending };
        let timer = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if timer.deadline() != until {
            timer.as_mut().reset(until);
        }
        timer.as_mut().poll(cx)
    })
    .await;
}

#[cfg(test)]
mod tests {
    use hyper::rt::Executor as _;
    use tokio::sync::oneshot;

    use super::*;

    const SOON: Duration = Duration::from_millis(50);
    const PATIENCE: Duration = Duration::from_secs(60);

    fn stream(
        work: impl Future<Output = ()> + Send + 'static,
    ) -> impl Future<Output = Result<Result<(), oneshot::error::RecvError>, tokio::time::error::Elapsed>>
    {
        let (done, ended) = oneshot::channel();
        Streams.execute(async move {
            work.await;
            let _nobody_waits = done.send(());
        });
        tokio::time::timeout(PATIENCE, ended)
    }

    #[tokio::test]
    async fn a_stream_is_ended_when_what_it_handed_over_is_not_taken() {
        let ended = stream(async {
            Watch::new(SOON).handed(1);
            std::future::pending::<()>().await;
        });
        assert!(ended.await.unwrap().is_err(), "it was dropped and did not end by itself");
    }

    #[tokio::test]
    async fn waiting_for_the_script_is_not_the_visitors_time() {
        let ended = stream(async {
            let watch = Watch::new(SOON);
            watch.handed(1);
            watch.asked();
            tokio::time::sleep(SOON * 4).await;
        });
        assert!(ended.await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn a_large_piece_has_the_time_that_it_needs() {
        let ended = stream(async {
            // A second's worth.
            Watch::new(SOON).handed(1024);
            tokio::time::sleep(SOON * 4).await;
        });
        assert!(ended.await.unwrap().is_ok());
    }

    #[test]
    fn outside_of_a_stream_nothing_is_watched() {
        Watch::new(SOON).handed(1);
        assert!(Handed::of_stream().is_none());
    }
}
