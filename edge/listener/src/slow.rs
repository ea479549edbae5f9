//! How little a visitor may take of an answer that is ready: who reads at a byte a minute does not hold an
//! invocation for ever.
//!
//! Two places watch, because the two protocols hold bytes back in different ways: the socket, for a
//! connection that is not read ([`Written`]), and each stream of HTTP/2, for one whose window stays shut
//! while the connection goes on ([`Stream`]). Waiting for whoever answers never counts.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::task::AtomicWaker;
use tokio::time::{Instant, Sleep};

use crate::activity::Activity;

/// Bytes a second that a visitor who could be sent more has to take, looked at over the whole of a
/// visitor's time.
pub const LEAST_BYTES_PER_SECOND: u64 = 1024;

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
    static STREAM: Arc<Stream>;
}

/// A stream of HTTP/2 and what of its answer the socket has not taken.
#[derive(Default)]
pub(crate) struct Stream {
    /// When the client must have taken what is ready; none while nothing is.
    until: Mutex<Option<Instant>>,
    patience: OnceLock<Duration>,
    /// The connection, to be ended when the rest of an answer that is over is not taken.
    connection: OnceLock<Arc<Activity>>,
    /// The stream's task, when it waits for the socket.
    task: AtomicWaker,
    kept: Mutex<Option<Arc<dyn Kept>>>,
}

/// What an answer that is over still holds until the socket has all of it.
pub(crate) trait Kept: Send + Sync {
    /// Lets it go.
    fn release(&self);
}

impl Stream {
    /// The one that is being answered; none outside of HTTP/2. It is watched from now on.
    pub(crate) fn current(connection: &Arc<Activity>, patience: Duration) -> Option<Arc<Self>> {
        let stream = STREAM.try_with(Arc::clone).ok()?;
        let _first = stream.patience.set(patience);
        let _first = stream.connection.set(Arc::clone(connection));
        Some(stream)
    }

    /// Notes that so many bytes more are ready. The client's time begins with the first of them.
    pub(crate) fn handed(&self, bytes: usize) {
        let Some(patience) = self.patience.get() else { return };
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = until.unwrap_or_else(|| Instant::now() + *patience);
        *until = Some(begun + time_for(bytes));
    }

    /// Notes that some was taken and so many bytes are left: the client's time begins anew.
    pub(crate) fn taken(&self, unsent: usize) {
        let until = match (unsent, self.patience.get()) {
            (0, _) | (_, None) => None,
            (unsent, Some(patience)) => Some(Instant::now() + *patience + time_for(unsent)),
        };
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
        if until.is_none() {
            self.task.wake();
        }
    }

    /// Has a task woken when everything was taken.
    pub(crate) fn waits(&self, task: &Waker) {
        self.task.register(task);
    }

    /// Keeps something until everything was taken.
    pub(crate) fn keeps(&self, kept: Arc<dyn Kept>) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
    }

    fn until(&self) -> Option<Instant> {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs each stream of a connection in a task of its own, and ends those that are not read.
#[derive(Clone, Copy, Default)]
pub(crate) struct Streams;

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, answer: F) {
        let stream = Arc::new(Stream::default());
        tokio::spawn(STREAM.scope(Arc::clone(&stream), watched(answer, Release(stream))));
    }
}

/// Lets go what a stream keeps, however its task ends.
struct Release(Arc<Stream>);

impl Drop for Release {
    fn drop(&mut self) {
        let kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(kept) = kept {
            kept.release();
        }
    }
}

/// Answers on a stream. When its client's time is over, the answer is dropped, and with it everything that runs for it:
/// the client sees the stream reset. If the answer was over, nothing can be reset, and the connection ends.
async fn watched(answer: impl Future<Output = ()>, release: Release) {
    let stream = &release.0;
    let mut answer = pin!(Some(answer));
    let mut timer: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|cx| {
        // Dropped as soon as it is over: it may hold pieces that will never be sent.
        if answer.as_mut().as_pin_mut().is_some_and(|answer| answer.poll(cx).is_ready()) {
            answer.set(None);
        }
        let is_over = answer.is_none();
        if is_over {
            stream.waits(cx.waker());
        }
        let Some(until) = stream.until() else {
            return if is_over { Poll::Ready(()) } else { Poll::Pending };
        };
        let timer = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if timer.deadline() != until {
            timer.as_mut().reset(until);
        }
        std::task::ready!(timer.as_mut().poll(cx));
        if let Some(connection) = stream.connection.get().filter(|_| is_over) {
            connection.cut();
        }
        Poll::Ready(())
    })
    .await;
}

#[cfg(test)]
mod tests {
    use hyper::rt::Executor as _;
    use tokio::sync::oneshot;

    use super::*;
    use crate::activity::tests::activity;

    const SOON: Duration = Duration::from_millis(50);
    const PATIENCE: Duration = Duration::from_secs(60);

    /// Whether what is answered on a stream comes to its end, or is dropped before.
    async fn is_whole(work: impl Future<Output = ()> + Send + 'static) -> bool {
        let (done, ended) = oneshot::channel();
        Streams.execute(async move {
            work.await;
            let _nobody_waits = done.send(());
        });
        tokio::time::timeout(PATIENCE, ended).await.unwrap().is_ok()
    }

    fn stream() -> (Arc<Stream>, Arc<Activity>) {
        let connection = activity();
        (Stream::current(&connection, SOON).unwrap(), connection)
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_is_ended_when_what_it_handed_over_is_not_taken() {
        let whole = is_whole(async {
            stream().0.handed(1);
            std::future::pending::<()>().await;
        });
        assert!(!whole.await, "it was dropped and did not end by itself");
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_the_script_is_not_the_visitors_time() {
        let whole = is_whole(async {
            let (stream, _) = stream();
            stream.handed(1);
            stream.taken(0);
            tokio::time::sleep(SOON * 4).await;
        });
        assert!(whole.await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_piece_has_the_time_that_it_needs() {
        let whole = is_whole(async {
            // A second's worth.
            stream().0.handed(1024);
            tokio::time::sleep(SOON * 4).await;
        });
        assert!(whole.await);
    }

    #[derive(Default)]
    struct Released(std::sync::atomic::AtomicBool);

    impl Kept for Released {
        fn release(&self) {
            self.0.store(true, std::sync::atomic::Ordering::Release);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_taken_of_an_answer_that_is_over_ends_the_connection() {
        let released = Arc::new(Released::default());
        let kept = Arc::clone(&released);
        let (told, seen) = oneshot::channel();
        let whole = is_whole(async move {
            let (stream, connection) = stream();
            stream.handed(1);
            stream.keeps(kept);
            let _read = told.send(connection);
        });
        assert!(whole.await);
        let connection = seen.await.unwrap();
        let cut = poll_fn(|cx| if connection.is_cut(cx.waker()) { Poll::Ready(()) } else { Poll::Pending });
        tokio::time::timeout(PATIENCE, cut).await.unwrap();
        tokio::task::yield_now().await;
        assert!(released.0.load(std::sync::atomic::Ordering::Acquire), "nothing waits for it any more");
    }

    #[test]
    fn outside_of_a_stream_nothing_is_watched() {
        assert!(Stream::current(&activity(), SOON).is_none());
    }
}
