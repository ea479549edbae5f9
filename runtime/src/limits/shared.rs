//! What all invocations of a process share: turns in the background, and memory. Made once, by the runtime.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::limits::guest_memory::{GuestMemory, GuestMemoryLimits};
use crate::limits::scheduler::Background;

/// Which part of all instances and of the guests' memory may rest: what rests must not keep others out.
pub(crate) const RESTING_SHARE: u64 = 4;

/// Handles to what is shared.
#[derive(Debug, Clone)]
pub(crate) struct Commons {
    pub(crate) background: Arc<Background>,
    pub(crate) memory: Arc<GuestMemory>,
    /// Places for instances at rest.
    pub(crate) resting: Arc<Semaphore>,
}

impl Commons {
    pub(crate) fn new(guest_memory: GuestMemoryLimits, max_instances: u32) -> Self {
        Self {
            resting: places(max_instances),
            background: Arc::new(Background::new(None)),
            memory: Arc::new(GuestMemory::new(guest_memory)),
        }
    }
}

/// Places for instances at rest, of all versions of the process.
fn places(max_instances: u32) -> Arc<Semaphore> {
    let share = u64::from(max_instances) / RESTING_SHARE;
    Arc::new(Semaphore::new(usize::try_from(share).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS)))
}
