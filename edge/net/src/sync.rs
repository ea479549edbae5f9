//! What kept connections and their places stand on: locks, counters, wakers, time. In one place, so that
//! tests/interleavings can compile both over what a checker of interleavings controls.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
pub(crate) use std::sync::{Mutex, MutexGuard};

pub(crate) use futures::task::AtomicWaker;
pub(crate) use tokio::time::{Instant, timeout};
