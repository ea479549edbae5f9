//! The figures of one invocation, written while it runs and read at its end, however it ends.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::limits::cpu::CpuAccount;

/// Shared by the store (which writes) and the record of the invocation (which reads when both are done).
#[derive(Debug, Default)]
pub(crate) struct Meter {
    pub(crate) cpu: CpuAccount,
    fuel: OnceLock<u64>,
    instantiation_ns: AtomicU64,
    peak_memory_bytes: AtomicU64,
    subrequests: AtomicU32,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    log_lines: AtomicU32,
    log_dropped: AtomicU32,
}

impl Meter {
    pub(crate) fn instantiated(&self, took: Duration) {
        let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.instantiation_ns.store(ns, Ordering::Relaxed);
    }

    pub(crate) fn instantiation(&self) -> Duration {
        Duration::from_nanos(self.instantiation_ns.load(Ordering::Relaxed))
    }

    /// Notes the fuel of the whole invocation, at its end.
    pub(crate) fn used_fuel(&self, fuel: u64) {
        let _already = self.fuel.set(fuel);
    }

    /// None where fuel is not counted.
    pub(crate) fn fuel(&self) -> Option<u64> {
        self.fuel.get().copied()
    }

    pub(crate) fn holds_memory(&self, bytes: u64) {
        self.peak_memory_bytes.fetch_max(bytes, Ordering::Relaxed);
    }

    pub(crate) fn peak_memory_bytes(&self) -> u64 {
        self.peak_memory_bytes.load(Ordering::Relaxed)
    }

    /// Takes one subrequest off a budget; `false` when nothing is left of it.
    pub(crate) fn take_subrequest(&self, limit: u32) -> bool {
        self.subrequests
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |made| (made < limit).then_some(made + 1))
            .is_ok()
    }

    pub(crate) fn subrequests(&self) -> u32 {
        self.subrequests.load(Ordering::Relaxed)
    }

    pub(crate) fn received(&self, bytes: usize) {
        self.bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn sent(&self, bytes: usize) {
        self.bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts a line that was handed over.
    pub(crate) fn logged(&self) {
        self.log_lines.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a line that was past the limit.
    pub(crate) fn log_dropped(&self) {
        self.log_dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// The lines that were handed over, and those that were not.
    pub(crate) fn log_lines(&self) -> (u32, u32) {
        (self.log_lines.load(Ordering::Relaxed), self.log_dropped.load(Ordering::Relaxed))
    }

    pub(crate) fn bytes(&self) -> (u64, u64) {
        (self.bytes_in.load(Ordering::Relaxed), self.bytes_out.load(Ordering::Relaxed))
    }
}
