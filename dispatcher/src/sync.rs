//! What admission stands on: locks, calls, time. In one place, so that tests/interleavings can compile admission over what
//! a checker of interleavings controls.

pub(crate) use std::sync::{Mutex, MutexGuard};

pub(crate) use tokio::sync::oneshot;
pub(crate) use tokio::time::timeout;
