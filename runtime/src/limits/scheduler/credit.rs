//! What a guest owes: CPU time that it has burned and not waited off. Knows nothing of turns.

use std::time::Duration;

use crate::sync::Instant;

/// CPU time until a guest is in the background.
pub(super) const CREDIT: Duration = Duration::from_millis(2);
/// The most that a guest can owe, so that a long past is paid off by a short wait.
pub(super) const MOST_DEBT: Duration = Duration::from_millis(4);
/// Time to wait for one unit of CPU time to be forgotten.
pub(super) const WAIT_PER_CREDIT: u32 = 4;

/// The account of one guest.
#[derive(Debug, Default)]
pub(super) struct Credit {
    /// CPU time that it has burned and not waited off.
    pub(super) debt: Duration,
    /// When its last poll ended.
    rests_since: Option<Instant>,
}

impl Credit {
    /// Whether it goes on in the background.
    pub(super) fn is_spent(&self) -> bool {
        self.debt >= CREDIT
    }

    /// Forgets what was waited off since the last poll.
    pub(super) fn rested(&mut self) {
        if let Some(since) = self.rests_since.take() {
            self.debt = self.debt.saturating_sub(since.elapsed() / WAIT_PER_CREDIT);
        }
    }

    /// Notes what a poll has burned.
    pub(super) fn burned(&mut self, time: Duration) {
        self.debt = self.debt.saturating_add(time).min(MOST_DEBT);
    }

    /// Begins to give credit back: the guest waits for something other than the processor.
    pub(super) fn rests(&mut self) {
        if !self.debt.is_zero() {
            self.rests_since = Some(Instant::now());
        }
    }
}
