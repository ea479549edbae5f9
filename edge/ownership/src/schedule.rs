//! When a hostname is looked at again: the back-off of a validation, and the pace of those that are in use.
//!
//! Owns the two formulas of the product's page *Backoff schedule*, its bounds, and what is here in place of what the page
//! leaves open. Must never ask what time it is.

use std::time::Duration;

use wasmyard_model::hostname::Checks;
use wasmyard_model::timestamp::Timestamp;

/// How often a validation is tried before the hostname counts as moved.
pub const TRIES: u32 = 75;
/// How long a validation may last, and how long a hostname that moved stays before it is deleted.
pub const WEEK: Duration = Duration::from_secs(7 * 24 * 3_600);
/// The longest wait between two tries, and how often one in use is looked at.
pub const LONGEST_WAIT: Duration = Duration::from_secs(4 * 3_600);
/// How often one in use must be seen to lead elsewhere before it counts as moved, so that a moment's mistake of
/// a name server takes nobody off the net.
pub const MISSES: u32 = 3;
/// How soon it is looked at again when it was seen to lead elsewhere.
pub const AFTER_A_MISS: Duration = Duration::from_secs(600);

/// The tries whose wait grows slowly: one in twenty each time.
const SLOW_TRIES: u32 = 10;

/// How long to wait after a try, counted from zero: `min(floor(60 * 1.05^n), 4 h)` for the first ten and
/// `min(floor(60 * 1.15^n), 4 h)` for the others.
#[must_use]
pub fn wait(retry: u32) -> Duration {
    let growth: f64 = if retry < SLOW_TRIES { 1.05 } else { 1.15 };
    let longest = LONGEST_WAIT.as_secs_f64();
    // More than 2^31 tries never happen, and the result is bounded for them as well.
    let seconds = 60.0 * growth.powi(i32::try_from(retry).unwrap_or(i32::MAX));
    Duration::from_secs_f64(seconds.min(longest).floor())
}

/// When to try again after these tries; none when they were the last.
#[must_use]
pub fn next_try(checks: Checks, now: Timestamp) -> Option<Timestamp> {
    let in_time = now.since(checks.began) < WEEK;
    (checks.tries < TRIES && in_time).then(|| now.later(wait(checks.tries.saturating_sub(1))))
}
