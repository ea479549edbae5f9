//! What all invocations of a process share: turns in the background, and memory. Made once, by the runtime.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Semaphore;

use crate::limits::scheduler::Background;

/// New guests are refused from this part of the budget on, so that those that run can grow and finish.
const FULL_NUMERATOR: u64 = 7;
const FULL_DENOMINATOR: u64 = 8;

/// Handles to what is shared.
#[derive(Debug, Clone)]
pub(crate) struct Commons {
    pub(crate) background: Arc<Background>,
    pub(crate) memory: Arc<GuestMemory>,
    /// Places for instances at rest.
    pub(crate) resting: Arc<Semaphore>,
}

impl Commons {
    pub(crate) fn new(guest_memory_bytes: u64, max_instances: u32) -> Self {
        Self {
            resting: crate::guest::pool::places(max_instances),
            background: Arc::new(Background::new()),
            memory: Arc::new(GuestMemory::new(guest_memory_bytes)),
        }
    }
}

/// Linear memory and tables of all guests together, against what there is for them.
#[derive(Debug)]
pub(crate) struct GuestMemory {
    held: AtomicU64,
    budget: u64,
}

impl Default for GuestMemory {
    fn default() -> Self {
        Self::new(u64::MAX)
    }
}

impl GuestMemory {
    pub(crate) fn new(budget: u64) -> Self {
        Self { held: AtomicU64::new(0), budget }
    }

    /// Takes bytes off the budget; `false`, and nothing taken, when they are more than is left.
    pub(crate) fn take(&self, bytes: u64) -> bool {
        let more = |held: u64| held.checked_add(bytes).filter(|wanted| *wanted <= self.budget);
        self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    pub(crate) fn give_back(&self, bytes: u64) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(crate) fn figures(&self) -> GuestMemoryFigures {
        GuestMemoryFigures { held_bytes: self.held.load(Ordering::Relaxed), budget_bytes: self.budget }
    }
}

/// How much memory guests hold together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuestMemoryFigures {
    /// Bytes of linear memory and tables of all guests that are alive.
    pub held_bytes: u64,
    /// What they may hold together.
    pub budget_bytes: u64,
}

impl GuestMemoryFigures {
    /// Whether there is so little left that no new invocation should begin.
    pub fn is_full(&self) -> bool {
        self.held_bytes >= self.budget_bytes / FULL_DENOMINATOR * FULL_NUMERATOR
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_full_before_the_last_bytes_are_gone() {
        let memory = GuestMemory::new(800);
        assert!(memory.take(699));
        assert!(!memory.figures().is_full());
        assert!(memory.take(1));
        assert!(memory.figures().is_full());
        assert!(memory.take(100), "who runs may grow into the rest");
        assert!(!memory.take(1));
        memory.give_back(800);
        assert!(!memory.figures().is_full());
    }
}
