//! What all invocations of a process share: turns in the background, and memory. Made once, by the runtime.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::limits::guest_memory::{GuestMemory, GuestMemoryLimits};
use crate::limits::scheduler::Background;

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
            resting: crate::guest::pool::places(max_instances),
            background: Arc::new(Background::new()),
            memory: Arc::new(GuestMemory::new(guest_memory)),
        }
    }
}
