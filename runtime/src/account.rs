//! The CPU clock of an invocation: it runs while the invocation's future is being polled, and stands
//! still while another invocation that it waits for is being polled inside of it.
//!
//! Waiting costs nothing, because a future that waits is not polled. Host calls made for the guest
//! count, because they happen inside its poll.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::meter::Meter;

thread_local! {
    /// Nanoseconds that inner invocations have used during the current poll of the outer one.
    static INNER_NS: Cell<u64> = const { Cell::new(0) };
    /// When the current poll of the innermost invocation on this thread began.
    static SLICE_START: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// The CPU time that one invocation has used.
#[derive(Debug, Default)]
pub(crate) struct CpuAccount {
    used_ns: AtomicU64,
}

impl CpuAccount {
    /// What is on the account from finished polls.
    pub(crate) fn used(&self) -> Duration {
        Duration::from_nanos(self.used_ns.load(Ordering::Relaxed))
    }

    /// What is on the account including the poll that is under way on this thread. Only right when
    /// called from inside the poll of this very invocation, which is where the epoch callback runs.
    pub(crate) fn used_now(&self) -> Duration {
        let running = SLICE_START.get().map_or(0, |start| nanos(start.elapsed()));
        let own = running.saturating_sub(INNER_NS.get());
        Duration::from_nanos(self.used_ns.load(Ordering::Relaxed).saturating_add(own))
    }

    /// Runs `poll` with this account's clock running.
    pub(crate) fn charge<R>(&self, poll: impl FnOnce() -> R) -> R {
        let start = Instant::now();
        let outer_inner = INNER_NS.replace(0);
        let outer_start = SLICE_START.replace(Some(start));
        let result = poll();
        let elapsed = nanos(start.elapsed());
        let own = elapsed.saturating_sub(INNER_NS.get());
        self.used_ns.fetch_add(own, Ordering::Relaxed);
        INNER_NS.set(outer_inner.saturating_add(elapsed));
        SLICE_START.set(outer_start);
        result
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A boxed future whose polls are charged to an invocation.
pub(crate) struct Metered<T> {
    pub(crate) meter: Arc<Meter>,
    pub(crate) future: Pin<Box<dyn Future<Output = T> + Send>>,
}

impl<T> Future for Metered<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = self.get_mut();
        let future = this.future.as_mut();
        this.meter.cpu.charge(|| future.poll(cx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn burn(time: Duration) {
        let start = Instant::now();
        while start.elapsed() < time {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn the_outer_clock_stands_still_while_an_inner_one_runs() {
        let outer = CpuAccount::default();
        let inner = CpuAccount::default();
        outer.charge(|| {
            burn(Duration::from_millis(2));
            inner.charge(|| burn(Duration::from_millis(20)));
            assert!(outer.used_now() < Duration::from_millis(20));
            burn(Duration::from_millis(2));
        });
        assert!(inner.used() >= Duration::from_millis(20));
        assert!(outer.used() >= Duration::from_millis(4));
        assert!(outer.used() < inner.used(), "{:?} {:?}", outer.used(), inner.used());
    }

    #[test]
    fn time_between_polls_is_free() {
        let account = CpuAccount::default();
        account.charge(|| burn(Duration::from_millis(1)));
        let before = account.used();
        burn(Duration::from_millis(5));
        assert_eq!(account.used(), before);
    }
}
