//! Limits: what one invocation may use of the processor and of memory, how long it may keep still, who computes next,
//! and what all invocations share. Must never know what a guest is doing.

pub(crate) mod arriving;
pub(crate) mod cpu;
pub(crate) mod guest_memory;
pub(crate) mod host_memory;
pub(crate) mod idle;
pub(crate) mod memory;
pub(crate) mod meter;
pub(crate) mod metered;
pub(crate) mod pieces;
pub(crate) mod scheduler;
pub(crate) mod shared;
