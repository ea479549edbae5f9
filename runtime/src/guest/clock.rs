//! What a guest may know of the time: no more than whole milliseconds, unless its code is trusted.
//!
//! A fine clock is how one tenant reads another's secrets off a shared processor. A guest that is not trusted
//! therefore sees both of its clocks move in steps of 1 ms, and both in the same moment: two clocks that step
//! apart from each other would be one finer clock. Its timers wait for whole milliseconds, so that the order in
//! which short ones fire tells nothing either.

use std::time::{Duration, Instant, SystemTime};

use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

/// The finest step of a guest that is not trusted.
const STEP_NS: u64 = 1_000_000;

/// The two clocks of one invocation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    begun: Instant,
    /// Nanoseconds since 1970 at that moment.
    wall_ns: u64,
    pub(crate) step_ns: u64,
}

impl Clock {
    pub(crate) fn new(trusted: bool) -> Self {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { begun: Instant::now(), wall_ns: nanos(wall), step_ns: if trusted { 1 } else { STEP_NS } }
    }

    fn floor(&self, ns: u64) -> u64 {
        ns / self.step_ns * self.step_ns
    }

    /// Nanoseconds since 1970, in steps.
    fn wall(&self) -> u64 {
        self.floor(self.wall_ns.saturating_add(nanos(self.begun.elapsed())))
    }

    /// Nanoseconds since the invocation began, stepping when the other clock does.
    pub(crate) fn monotonic(&self) -> u64 {
        self.wall().saturating_sub(self.floor(self.wall_ns))
    }

    /// How long a timer waits that was asked to wait for `ns`.
    pub(crate) fn wait(&self, ns: u64) -> Duration {
        Duration::from_nanos(ns.div_ceil(self.step_ns).saturating_mul(self.step_ns))
    }
}

impl HostWallClock for Clock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(self.step_ns)
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(self.wall())
    }
}

impl HostMonotonicClock for Clock {
    fn resolution(&self) -> u64 {
        self.step_ns
    }

    fn now(&self) -> u64 {
        self.monotonic()
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_step_together_and_by_a_millisecond() {
        let clock = Clock::new(false);
        let offset = clock.floor(clock.wall_ns);
        let (mut steps, mut last) = (0, clock.monotonic());
        while steps < 5 {
            let (before, wall, after) = (clock.monotonic(), clock.wall(), clock.monotonic());
            assert_eq!((before % STEP_NS, wall % STEP_NS), (0, 0));
            assert!((before..=after).contains(&(wall - offset)));
            steps += u32::from(after != last);
            last = after;
        }
    }

    #[test]
    fn a_trusted_clock_is_the_real_one() {
        let clock = Clock::new(true);
        let moved = (0..1_000_000).map(|_| clock.monotonic()).any(|now| now % STEP_NS != 0);
        assert!(moved);
        assert_eq!(clock.wait(1), Duration::from_nanos(1));
    }

    #[test]
    fn timers_wait_for_whole_milliseconds() {
        let clock = Clock::new(false);
        for (asked, waited) in [(0, 0), (1, 1), (999_999, 1), (1_000_000, 1), (1_000_001, 2)] {
            assert_eq!(clock.wait(asked), Duration::from_millis(waited), "{asked}");
        }
        assert!(clock.wait(u64::MAX) > Duration::from_secs(1 << 30));
    }
}
