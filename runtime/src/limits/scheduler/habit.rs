//! What is expected of a script before it has run: that it does what it did the last time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// From how much CPU time on a script counts as one that computes.
const COMPUTES: Duration = Duration::from_micros(250);

/// Whether a script computes for long, as far as its last invocation that ended can tell.
#[derive(Debug, Default)]
pub(crate) struct Habit(pub(super) AtomicBool);

impl Habit {
    /// Whether its script computes.
    pub(super) fn computes(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Notes what an invocation that has ended burned itself, callees left out.
    pub(super) fn ended(&self, own: Duration) {
        self.0.store(own >= COMPUTES, Ordering::Relaxed);
    }
}
