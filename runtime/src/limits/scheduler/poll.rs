//! What happens during a poll, noted on the thread that polls: a guest's epoch callback cannot reach the future that
//! is being polled.

use std::cell::Cell;
use std::time::Duration;

use crate::sync::thread_local;

thread_local! {
    /// What the outermost guest's poll under way on this thread has done so far; none outside of one.
    pub(super) static POLL: Cell<Option<Done>> = const { Cell::new(None) };
}

/// What happened during a poll.
#[derive(Clone, Copy, Default)]
pub(super) struct Done {
    pub(super) burned: Duration,
    /// Of that, by guests that were called inside the poll.
    pub(super) by_callees: Duration,
    pub(super) yielded: bool,
}

impl Done {
    /// What the guest itself has burned since.
    pub(super) fn own_since(self, before: Done) -> Duration {
        (self.burned - before.burned).saturating_sub(self.by_callees - before.by_callees)
    }
}

/// Notes that a guest steps back after a slice in which it used this much CPU time. Called inside its poll.
pub(crate) fn stepped_back(burned: Duration) {
    if let Some(done) = POLL.with(Cell::get) {
        let burned = done.burned.saturating_add(burned);
        POLL.with(|poll| poll.set(Some(Done { burned, yielded: true, ..done })));
    }
}

/// The outermost poll of a guest on this thread.
pub(super) struct Outermost;

impl Outermost {
    pub(super) fn enter() -> Self {
        POLL.with(|poll| poll.set(Some(Done::default())));
        Self
    }

    pub(super) fn leave(self) -> Done {
        POLL.with(Cell::get).unwrap_or_default()
    }
}

impl Drop for Outermost {
    fn drop(&mut self) {
        POLL.with(|poll| poll.set(None));
    }
}
