//! What the files of the product find as `crate::sync` here. Locks and counters are the checker's; what is tokio's and
//! does its work in one step stays tokio's, with an interruption before it. Time moves only when a wait takes too long.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use shuttle::rand::Rng as _;

pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
pub(crate) use shuttle::sync::{Mutex, MutexGuard};
pub(crate) use shuttle::thread_local;
pub(crate) use tokio::sync::oneshot;

std::thread_local! {
    static NOW: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    static DELAYS: Cell<bool> = const { Cell::new(false) };
}

/// Begins a scenario: at its beginning, with or without waits that take too long.
pub(crate) fn begin(delays: bool) {
    // Far enough from zero for whoever looks back.
    NOW.set(Duration::from_secs(3_600));
    DELAYS.set(delays);
}

/// Lets time pass.
pub(crate) fn pass(time: Duration) {
    NOW.set(NOW.get() + time);
}

/// A moment of the scenario's own time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant(Duration);

impl Instant {
    pub(crate) fn now() -> Instant {
        Instant(NOW.get())
    }

    pub(crate) fn elapsed(self) -> Duration {
        NOW.get().saturating_sub(self.0)
    }
}

/// It took too long.
#[derive(Debug)]
pub(crate) struct Elapsed;

/// A wait that may take too long whenever it has to wait, if the scenario has delays; the time has passed then.
pub(crate) struct Timeout<F> {
    patience: Duration,
    future: Pin<Box<F>>,
}

pub(crate) fn timeout<F: Future>(patience: Duration, future: F) -> Timeout<F> {
    Timeout { patience, future: Box::pin(future) }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(done) = self.future.as_mut().poll(cx) {
            return Poll::Ready(Ok(done));
        }
        if !DELAYS.get() {
            return Poll::Pending;
        }
        if shuttle::rand::thread_rng().gen_bool(0.5) {
            pass(self.patience);
            return Poll::Ready(Err(Elapsed));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Here the checker may let somebody else go on. Its own `yield_now` would wake who calls as well: a task that waits in
/// vain would be polled again and again, and a call that is lost would never be missed.
fn interrupt() {
    let _ = AtomicBool::new(false).load(std::sync::atomic::Ordering::SeqCst);
}

/// Tokio's, where whoever calls may be interrupted before.
#[derive(Debug)]
pub(crate) struct Notify(tokio::sync::Notify);

impl Notify {
    pub(crate) fn new() -> Notify {
        Notify(tokio::sync::Notify::new())
    }

    pub(crate) fn notify_one(&self) {
        interrupt();
        self.0.notify_one();
    }

    pub(crate) fn notified(&self) -> tokio::sync::futures::Notified<'_> {
        self.0.notified()
    }
}

/// That of `futures`, where whoever registers or wakes may be interrupted before.
#[derive(Debug)]
pub(crate) struct AtomicWaker(futures::task::AtomicWaker);

impl AtomicWaker {
    pub(crate) fn new() -> AtomicWaker {
        AtomicWaker(futures::task::AtomicWaker::new())
    }

    pub(crate) fn register(&self, waker: &std::task::Waker) {
        interrupt();
        self.0.register(waker);
    }

    pub(crate) fn wake(&self) {
        interrupt();
        self.0.wake();
    }
}
