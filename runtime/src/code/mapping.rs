//! What is mapped of compiled code, counted where it is mapped and unmapped; and what hangs on one module's mapping.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use tokio::time::Instant;
use wasmyard_namespaces::digest::Digest;
use wasmyard_namespaces::script::ScriptKey;

use super::engine::Metering;

/// A component, compiled for one way of metering.
pub(crate) type Key = (Metering, Digest);

#[derive(Clone, Copy, Default)]
pub(super) struct Used {
    pub(super) bytes: u64,
    pub(super) modules: u64,
}

/// What is mapped at this moment, whoever holds it.
#[derive(Debug)]
pub(crate) struct Mapped {
    bytes: AtomicU64,
    modules: AtomicU64,
    since: Instant,
}

/// One mapped module's part of that, as long as it is mapped; and when it was last used.
pub(crate) struct Mapping {
    mapped: Arc<Mapped>,
    pub(super) bytes: u64,
    /// Nanoseconds since [`Mapped::since`].
    used: AtomicU64,
    /// How many versions have claimed it.
    pub(super) claims: AtomicUsize,
    /// The script whose version was the first.
    pub(super) script: OnceLock<ScriptKey>,
    /// Where its versions keep instances at rest.
    pools: Mutex<Vec<Weak<dyn Pool>>>,
    pub(super) owner: Weak<dyn Owner>,
}

/// Whoever keeps modules loaded.
pub(crate) trait Owner: Send + Sync {
    /// Is told that the last version let go of a module of this key.
    fn unclaimed(&self, key: &Key);
}

/// Where instances rest: they hold their module's code.
pub(crate) trait Pool: Send + Sync {
    /// Ends those that rest, and has none rest any more.
    fn close(&self);
}

impl Mapped {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { bytes: AtomicU64::new(0), modules: AtomicU64::new(0), since: Instant::now() })
    }

    pub(super) fn used(&self) -> Used {
        Used { bytes: self.bytes.load(Ordering::Relaxed), modules: self.modules.load(Ordering::Relaxed) }
    }
}

impl Mapping {
    /// Counts a module as mapped.
    pub(super) fn new(mapped: &Arc<Mapped>, bytes: u64, owner: Weak<dyn Owner>) -> Self {
        mapped.bytes.fetch_add(bytes, Ordering::Relaxed);
        mapped.modules.fetch_add(1, Ordering::Relaxed);
        Self {
            mapped: Arc::clone(mapped),
            bytes,
            used: AtomicU64::new(0),
            claims: AtomicUsize::new(0),
            script: OnceLock::new(),
            pools: Mutex::default(),
            owner,
        }
    }

    /// Notes where a version keeps its instances at rest: they hold this code, too.
    pub(crate) fn has_pool(&self, pool: Weak<dyn Pool>) {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|pool| pool.strong_count() > 0);
        pools.push(pool);
    }

    /// Ends all instances at rest, and has none rest any more.
    pub(crate) fn close_pools(&self) {
        let pools = std::mem::take(&mut *self.pools.lock().unwrap_or_else(PoisonError::into_inner));
        pools.iter().filter_map(Weak::upgrade).for_each(|pool| pool.close());
    }

    /// Notes that an invocation begins.
    pub(crate) fn is_used(&self, now: Instant) {
        let since = now.saturating_duration_since(self.mapped.since).as_nanos();
        self.used.store(u64::try_from(since).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn last_used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        self.mapped.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.mapped.modules.fetch_sub(1, Ordering::Relaxed);
    }
}
