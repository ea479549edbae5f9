//! Instances that serve one request after the other, for versions that ask for it. Never for a guest that was
//! interrupted, trapped or left, and never for two requests at once.
//!
//! What such a guest keeps in its memory lasts from one request to the next: that is what it asked for, and why
//! only the platform builder's own scripts may ask. Everything of the host's that belongs to a request is taken
//! away in between, so that an instance at rest holds no visitor's connection, no place and no callee.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use wasmtime_wasi_http::p2::bindings::Proxy;
use wasmyard_namespaces::limits::Limits;

use crate::code::mapping::Pool;
use crate::guest::armed::Armed;
use crate::limits::host_memory::held;
use crate::limits::shared::{Commons, RESTING_SHARE};

/// An instance makes room for a new one after so many requests, so that what it leaks is bounded.
const MOST_REQUESTS: u32 = 1_000;
/// The longest time that one lives.
const MOST_AGE: Duration = Duration::from_mins(10);
/// The longest time that one rests: load that is gone gives its memory back.
const MOST_REST: Duration = Duration::from_mins(1);
/// How many of one version rest at the same time.
const MOST_RESTING: usize = 64;
/// What a guest may leave behind its handles, in bytes as [`crate::limits::host_memory`] counts them.
const MOST_LEFT_BYTES: u64 = 64 << 10;

/// Whether a version's instances are used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// Every request has an instance of its own.
    Never,
    /// An instance that has done its part without a fault serves another request.
    WhenDone,
}

/// A guest that has started.
pub(crate) struct Instance {
    pub(crate) armed: Armed,
    pub(crate) proxy: Proxy,
    wear: Wear,
}

impl Instance {
    pub(crate) fn new(armed: Armed, proxy: Proxy) -> Self {
        Self { armed, proxy, wear: Wear::new() }
    }
}

/// How long an instance has been in use, and for how much.
struct Wear {
    made: Instant,
    requests: u32,
}

impl Wear {
    fn new() -> Self {
        Self { made: Instant::now(), requests: 0 }
    }

    fn is_out(&self) -> bool {
        self.requests >= MOST_REQUESTS || self.made.elapsed() >= MOST_AGE
    }
}

struct Resting {
    instance: Instance,
    since: Instant,
    /// Given back when it goes.
    _place: OwnedSemaphorePermit,
}

/// The instances of one version that wait for a request: the one that rested last is the next.
#[derive(Default)]
pub(crate) struct Resters(Mutex<Beds>);

#[derive(Default)]
struct Beds {
    resting: Vec<Resting>,
    /// Their code is to be let go.
    closed: bool,
}

impl Resters {
    /// One that can serve a request within these limits.
    pub(crate) fn wake(&self, limits: &Limits) -> Option<Instance> {
        loop {
            let instance = self.lock().resting.pop()?.instance;
            if !instance.wear.is_out() && instance.armed.store.data().memory.fits(limits.memory_bytes) {
                return Some(instance);
            }
        }
    }

    /// Lets one rest that has returned from a request, if it may.
    pub(crate) fn rest(&self, mut instance: Instance, commons: &Commons) {
        instance.wear.requests += 1;
        instance.armed.settle();
        let state = instance.armed.store.data_mut();
        state.rest();
        let memory = commons.memory.figures();
        if held(&mut state.table, MOST_LEFT_BYTES) > MOST_LEFT_BYTES
            || memory.held_bytes > memory.budget_bytes / RESTING_SHARE
            || instance.wear.is_out()
        {
            return;
        }
        let Ok(place) = Arc::clone(&commons.resting).try_acquire_owned() else { return };
        let now = Instant::now();
        let mut tired = Vec::new();
        {
            let mut beds = self.lock();
            let fresh = beds.resting.partition_point(|resting| now - resting.since >= MOST_REST);
            tired.extend(beds.resting.drain(..fresh));
            let new = Resting { instance, since: now, _place: place };
            if beds.closed || beds.resting.len() >= MOST_RESTING {
                tired.push(new);
            } else {
                beds.resting.push(new);
            }
        }
        // Dropped here, where nobody waits for the lock.
        drop(tired);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Beds> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool for Resters {
    fn close(&self) {
        let resting = {
            let mut beds = self.lock();
            beds.closed = true;
            std::mem::take(&mut beds.resting)
        };
        drop(resting);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_instance_is_worn_out_by_requests_and_by_time() {
        let mut used = Wear::new();
        used.requests = MOST_REQUESTS - 1;
        assert!(!used.is_out());
        used.requests += 1;
        assert!(used.is_out());
        let old = Wear::new();
        tokio::time::advance(MOST_AGE - Duration::from_millis(1)).await;
        assert!(!old.is_out());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(old.is_out());
        assert!(!Wear::new().is_out());
    }
}
