//! The memory ceiling of one invocation: all its linear memories, its tables, and what the host holds for it.

use std::sync::Arc;

use wasmtime::ResourceLimiter;
use wasmyard_namespaces::limits::component;

use crate::limits::guest_memory::{MemoryAccount, Short};
use crate::limits::meter::Meter;

/// Raised inside the guest's call when a ceiling or budget is passed; found again at the end of the
/// invocation by downcasting, so that every way out of Wasm leads to the same [`crate::Failure`].
#[derive(Debug, Clone, Copy, thiserror::Error)]
pub(crate) enum Exceeded {
    #[error("memory ceiling passed")]
    Memory,
    #[error("CPU budget used up")]
    Cpu,
    #[error("all guests together hold as much memory as there is for them")]
    GuestMemory,
    #[error("the script, or its namespace, holds as much memory as it may")]
    MemoryShare { limit: u64 },
}

impl From<Short> for Exceeded {
    fn from(short: Short) -> Self {
        match short {
            Short::All => Self::GuestMemory,
            Short::Share(limit) => Self::MemoryShare { limit },
        }
    }
}

/// Bytes that one table element takes in the host.
const TABLE_ELEMENT_BYTES: usize = size_of::<usize>();

/// Counts what the guest has and refuses the step past the ceiling.
#[derive(Debug)]
pub(crate) struct MemoryLimiter {
    limit: u64,
    /// Linear memories and tables.
    held: u64,
    /// What the host held for the guest when it was last looked at.
    host: u64,
    meter: Arc<Meter>,
    /// What the script's invocations hold together; this one's part is given back with the store.
    account: Arc<MemoryAccount>,
    taken: u64,
}

impl MemoryLimiter {
    pub(crate) fn new(limit: u64, meter: Arc<Meter>, account: Arc<MemoryAccount>) -> Self {
        Self { limit, held: 0, host: 0, meter, account, taken: 0 }
    }

    /// Whether what the guest has already is within this limit.
    pub(crate) fn fits(&self, limit: u64) -> bool {
        self.held <= limit
    }

    /// Goes on for another invocation, with what the guest has.
    pub(crate) fn renew(&mut self, limit: u64, meter: Arc<Meter>) {
        meter.holds_memory(self.taken);
        self.limit = limit;
        self.meter = meter;
    }

    /// How much the host may hold beside what the guest has.
    pub(crate) fn left_for_host(&self) -> u64 {
        self.limit.saturating_sub(self.held)
    }

    /// Notes what the host holds now.
    pub(crate) fn host_holds(&mut self, bytes: u64) -> Result<(), Exceeded> {
        self.host = bytes;
        self.check(self.held)
    }

    fn check(&mut self, held: u64) -> Result<(), Exceeded> {
        let wanted = held.saturating_add(self.host);
        if wanted > self.limit {
            return Err(Exceeded::Memory);
        }
        if wanted <= self.taken {
            self.account.give_back(self.taken - wanted);
        } else {
            self.account.take(wanted - self.taken)?;
        }
        self.taken = wanted;
        self.held = held;
        self.meter.holds_memory(wanted);
        Ok(())
    }

    fn grow(&mut self, current: usize, desired: usize) -> wasmtime::Result<bool> {
        let step = u64::try_from(desired.saturating_sub(current)).unwrap_or(u64::MAX);
        // An error, not `false`: a guest whose allocator is told "no" aborts in a way of its own, and
        // nobody could tell that it was the ceiling.
        self.check(self.held.saturating_add(step))?;
        Ok(true)
    }
}

impl Drop for MemoryLimiter {
    fn drop(&mut self) {
        self.account.give_back(self.taken);
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // Past its own declared maximum the step is the guest's mistake: it gets its -1.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.grow(current, desired)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // Past what any table may have as well: the guest gets its -1, as for its own maximum.
        let most = usize::try_from(component::TABLE_ELEMENTS).unwrap_or(usize::MAX);
        if desired > maximum.unwrap_or(most).min(most) {
            return Ok(false);
        }
        self.grow(current.saturating_mul(TABLE_ELEMENT_BYTES), desired.saturating_mul(TABLE_ELEMENT_BYTES))
    }
}

#[cfg(test)]
mod tests {
    use wasmyard_namespaces::name::ScriptName;
    use wasmyard_namespaces::script::ScriptKey;

    use super::*;
    use crate::limits::guest_memory::{GuestMemory, GuestMemoryLimits};

    fn account(all: u64) -> (Arc<GuestMemory>, Arc<MemoryAccount>) {
        let memory = Arc::new(GuestMemory::new(GuestMemoryLimits { all, ..GuestMemoryLimits::NONE }));
        let account = memory.account(&ScriptKey::Platform(ScriptName::try_from("probe").unwrap()));
        (memory, account)
    }

    fn unbounded() -> Arc<MemoryAccount> {
        account(u64::MAX).1
    }

    #[test]
    fn memories_and_tables_share_one_ceiling() {
        let meter = Arc::new(Meter::default());
        let mut limiter = MemoryLimiter::new(1000, Arc::clone(&meter), unbounded());
        assert!(limiter.memory_growing(0, 600, None).unwrap());
        assert!(limiter.table_growing(0, 50, None).unwrap());
        assert_eq!(meter.peak_memory_bytes(), 1000);
        assert!(limiter.memory_growing(600, 601, None).is_err());
        assert_eq!(meter.peak_memory_bytes(), 1000);
    }

    #[test]
    fn what_the_host_holds_counts_while_it_holds_it() {
        let meter = Arc::new(Meter::default());
        let mut limiter = MemoryLimiter::new(1000, Arc::clone(&meter), unbounded());
        assert!(limiter.memory_growing(0, 600, None).unwrap());
        assert_eq!(limiter.left_for_host(), 400);
        limiter.host_holds(400).unwrap();
        assert!(limiter.memory_growing(600, 601, None).is_err());
        assert!(limiter.host_holds(401).is_err());
        limiter.host_holds(0).unwrap();
        assert!(limiter.memory_growing(600, 1000, None).unwrap());
        assert_eq!(meter.peak_memory_bytes(), 1000);
    }

    #[test]
    fn what_all_guests_may_hold_together_stops_each_of_them_and_comes_back_with_the_store() {
        let (all, account) = account(1000);
        let meter = Arc::new(Meter::default());
        let limiter = || MemoryLimiter::new(800, Arc::clone(&meter), Arc::clone(&account));
        let (mut one, mut two) = (limiter(), limiter());
        assert!(one.memory_growing(0, 700, None).unwrap());
        let error = two.memory_growing(0, 301, None).unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(Exceeded::GuestMemory)), "{error}");
        assert!(two.memory_growing(0, 300, None).unwrap(), "what was refused is not held");
        assert_eq!(all.figures().held_bytes, 1000);
        drop(one);
        assert_eq!(all.figures().held_bytes, 300);
        assert!(two.memory_growing(300, 800, None).unwrap());
        drop(two);
        assert_eq!(all.figures().held_bytes, 0);
    }

    #[test]
    fn a_table_grows_to_its_bound_and_no_further_whatever_memory_there_is() {
        let mut limiter = MemoryLimiter::new(u64::MAX, Arc::new(Meter::default()), unbounded());
        let most = usize::try_from(component::TABLE_ELEMENTS).unwrap();
        assert!(limiter.table_growing(0, most, None).unwrap());
        assert!(!limiter.table_growing(most, most + 1, None).unwrap());
        assert!(!limiter.table_growing(most, most + 1, Some(most + 1)).unwrap());
    }

    #[test]
    fn a_step_past_the_guests_own_maximum_is_its_own_failure() {
        let meter = Arc::new(Meter::default());
        let mut limiter = MemoryLimiter::new(1000, Arc::clone(&meter), unbounded());
        assert!(!limiter.memory_growing(0, 200, Some(100)).unwrap());
        assert_eq!(meter.peak_memory_bytes(), 0);
    }
}
