//! The CPU clock of an invocation: it runs while the invocation's future is being polled, and stands
//! still while another invocation that it waits for is being polled inside of it.
//!
//! Waiting costs nothing, because a future that waits is not polled. Host calls made for the guest
//! count, because they happen inside its poll. What other threads burn on the same processor does not
//! count: the clock is the thread's CPU clock, not the wall's.
//!
//! # What a reading costs
//!
//! The thread's CPU clock is a system call (250 ns where it was measured, against 30 ns for the wall clock:
//! `cargo nextest run --workspace -E 'test(what_a_reading_costs)' --no-capture` measures both), and a small
//! invocation takes 15 µs. So the wall clock, which never shows less than was burned, answers wherever its
//! answer is good enough:
//!
//! - a poll is read once, at its beginning. At its end the wall clock is looked at first: a poll of up to
//!   [`SHORT`] is charged by it. A scheduler gives a thread that it prefers a thousand times longer than
//!   that, so such a poll was hardly interrupted, and what it may be charged too much is less than `SHORT`;
//! - an invocation that begins within `SHORT` of its caller's poll takes the caller's reading, moved on;
//! - the check of the budget reads the CPU clock only when the wall clock says that it may be spent.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Up to this long the wall clock is as good as the CPU clock.
const SHORT: Duration = Duration::from_micros(20);

thread_local! {
    /// The poll of the innermost invocation on this thread.
    static SLICE: Cell<Option<Slice>> = const { Cell::new(None) };
}

/// A poll under way.
#[derive(Clone, Copy)]
struct Slice {
    wall: Instant,
    /// What the thread's CPU clock showed at the same moment.
    cpu_ns: u64,
    /// What inner invocations have burned since.
    inner_ns: u64,
}

impl Slice {
    fn begin(outer: Option<Slice>) -> Slice {
        let wall = Instant::now();
        let since = outer.map(|outer| (outer, wall.saturating_duration_since(outer.wall)));
        let cpu_ns = match since {
            Some((outer, since)) if since <= SHORT => outer.cpu_ns.saturating_add(nanos(since)),
            _ => thread_cpu_ns(),
        };
        Slice { wall, cpu_ns, inner_ns: 0 }
    }

    /// What was burned since, inner invocations included.
    fn burned_ns(&self) -> u64 {
        let wall = self.wall.elapsed();
        if wall <= SHORT {
            return nanos(wall);
        }
        thread_cpu_ns().saturating_sub(self.cpu_ns).min(nanos(wall))
    }
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

    /// Puts on the account what another thread burned for the invocation.
    pub(crate) fn add(&self, cpu: Duration) {
        self.used_ns.fetch_add(nanos(cpu), Ordering::Relaxed);
    }

    /// Whether `budget` is spent, with the poll that is under way on this thread. Only right when called from
    /// inside the poll of this very invocation, which is where the epoch callback runs.
    pub(crate) fn has_spent(&self, budget: Duration) -> bool {
        let used = self.used_ns.load(Ordering::Relaxed);
        let budget = nanos(budget);
        let Some(slice) = SLICE.get() else { return used >= budget };
        let with = |slice_ns: u64| used.saturating_add(slice_ns.saturating_sub(slice.inner_ns));
        with(nanos(slice.wall.elapsed())) >= budget && with(slice.burned_ns()) >= budget
    }

    /// Runs `poll` with this account's clock running.
    pub(crate) fn charge<R>(&self, poll: impl FnOnce() -> R) -> R {
        /// Charges at its end, also when the poll panics.
        struct Running<'a> {
            account: &'a CpuAccount,
            outer: Option<Slice>,
        }
        impl Drop for Running<'_> {
            fn drop(&mut self) {
                let mut burned = 0;
                if let Some(slice) = SLICE.get() {
                    burned = slice.burned_ns();
                    let own = burned.saturating_sub(slice.inner_ns);
                    self.account.used_ns.fetch_add(own, Ordering::Relaxed);
                }
                SLICE.set(
                    self.outer
                        .map(|outer| Slice { inner_ns: outer.inner_ns.saturating_add(burned), ..outer }),
                );
            }
        }
        let outer = SLICE.get();
        SLICE.set(Some(Slice::begin(outer)));
        let _running = Running { account: self, outer };
        poll()
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// CPU time that this thread has used so far.
fn thread_cpu_ns() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, ns) = (u64::try_from(now.tv_sec).unwrap_or(0), u64::try_from(now.tv_nsec).unwrap_or(0));
    seconds.saturating_mul(1_000_000_000).saturating_add(ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Burns this much of the thread's CPU, however long that takes.
    fn burn(time: Duration) {
        let start = thread_cpu_ns();
        while thread_cpu_ns() - start < nanos(time) {
            std::hint::spin_loop();
        }
    }

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_outer_clock_stands_still_while_an_inner_one_runs() {
        let outer = CpuAccount::default();
        let inner = CpuAccount::default();
        outer.charge(|| {
            burn(2 * MS);
            inner.charge(|| burn(20 * MS));
            assert!(!outer.has_spent(20 * MS));
            burn(2 * MS);
        });
        assert!(inner.used() >= 20 * MS && inner.used() < 21 * MS, "{:?}", inner.used());
        assert!(outer.used() >= 4 * MS && outer.used() < 5 * MS, "{:?}", outer.used());
    }

    #[test]
    fn time_between_polls_is_free() {
        let account = CpuAccount::default();
        account.charge(|| burn(MS));
        let before = account.used();
        burn(5 * MS);
        assert_eq!(account.used(), before);
    }

    #[test]
    fn time_in_which_the_thread_does_not_run_is_free() {
        let account = CpuAccount::default();
        account.charge(|| {
            burn(MS);
            // Stands for another thread that the scheduler prefers.
            std::thread::sleep(30 * MS);
            assert!(!account.has_spent(10 * MS), "the wall clock alone would say so");
            assert!(account.has_spent(MS));
        });
        assert!(account.used() >= MS && account.used() < 10 * MS, "{:?}", account.used());
    }

    #[test]
    fn short_polls_are_charged_for_what_they_burn() {
        let account = CpuAccount::default();
        let before = thread_cpu_ns();
        for _ in 0..1_000 {
            account.charge(|| burn(Duration::from_micros(10)));
        }
        let burned = Duration::from_nanos(thread_cpu_ns() - before);
        assert!(account.used() >= 10 * MS, "{:?}", account.used());
        assert!(account.used() <= burned + 20 * MS, "{:?} of {burned:?}", account.used());
    }

    /// Prints what the comment at the top of this file claims.
    #[test]
    fn what_a_reading_costs() {
        const READINGS: u32 = 100_000;
        let each = |read: &dyn Fn()| {
            let begun = Instant::now();
            (0..READINGS).for_each(|_| read());
            begun.elapsed() / READINGS
        };
        let cpu = each(&|| {
            std::hint::black_box(thread_cpu_ns());
        });
        let wall = each(&|| {
            std::hint::black_box(Instant::now());
        });
        let account = CpuAccount::default();
        let charge = each(&|| account.charge(|| ()));
        println!("CPU clock {cpu:?}, wall clock {wall:?}, a whole charge {charge:?}");
        assert!(account.used() > Duration::ZERO);
        assert!(cpu < SHORT, "the saving rests on a reading being cheap beside {SHORT:?}: {cpu:?}");
    }

    #[test]
    fn a_panic_leaves_no_clock_running() {
        let account = CpuAccount::default();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            account.charge(|| panic!("for the test"));
        }));
        assert!(panicked.is_err());
        assert!(SLICE.get().is_none());
    }
}
