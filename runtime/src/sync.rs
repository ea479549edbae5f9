//! What the scheduler's turns stand on: locks, counters, calls, time. In one place, so that tests/interleavings can compile
//! the scheduler over what a checker of interleavings controls.

pub(crate) use std::sync::atomic::AtomicUsize;
pub(crate) use std::sync::{Mutex, MutexGuard};
pub(crate) use std::thread_local;

pub(crate) use tokio::sync::Notify;
pub(crate) use tokio::time::{Instant, timeout};
