//! May it run now? Permits that are given at once or not at all: there is no queue to fill.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use wasmyard_namespaces::script::ScriptKey;
use wasmyard_runtime::Failure;

/// What a refused visitor is told to wait.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Counters that targets share by their hash. Two busy targets on one counter share its limit, which
/// costs nothing but fairness, and the table neither grows nor needs cleaning.
const COUNTERS: usize = 4096;

/// Counts what runs.
pub(crate) struct Admission {
    running: Arc<AtomicUsize>,
    limit: usize,
    per_target: Box<[Arc<AtomicUsize>]>,
    per_target_limit: usize,
    hasher: RandomState,
}

/// Permission to run, given back when it is dropped.
pub(crate) struct Permit(#[expect(dead_code, reason = "held to be dropped")] [Held; 2]);

struct Held(Arc<AtomicUsize>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Admission {
    pub(crate) fn new(limit: usize, per_target_limit: usize) -> Self {
        Self {
            running: Arc::default(),
            limit,
            per_target: (0..COUNTERS).map(|_| Arc::default()).collect(),
            per_target_limit,
            hasher: RandomState::new(),
        }
    }

    /// Takes a place for a request that begins at `target`.
    pub(crate) fn admit(&self, target: &ScriptKey) -> Result<Permit, Failure> {
        let index = usize::try_from(self.hasher.hash_one(target)).unwrap_or(0) % COUNTERS;
        let counter = self.per_target.get(index).unwrap_or(&self.running);
        let own = take(counter, self.per_target_limit)?;
        let all = take(&self.running, self.limit)?;
        Ok(Permit([own, all]))
    }
}

fn take(counter: &Arc<AtomicUsize>, limit: usize) -> Result<Held, Failure> {
    counter
        .fetch_update(Ordering::AcqRel, Ordering::Acquire, |running| (running < limit).then_some(running + 1))
        .map(|_| Held(Arc::clone(counter)))
        .map_err(|_| Failure::Overloaded { retry_after: RETRY_AFTER })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> ScriptKey {
        ScriptKey::Platform(name.parse().unwrap())
    }

    #[test]
    fn places_are_given_back_when_permits_are_dropped() {
        let admission = Admission::new(2, 2);
        let one = admission.admit(&key("a")).unwrap();
        let _two = admission.admit(&key("a")).unwrap();
        assert!(matches!(admission.admit(&key("a")), Err(Failure::Overloaded { .. })));
        drop(one);
        assert!(admission.admit(&key("a")).is_ok());
    }

    #[test]
    fn one_target_cannot_take_every_place() {
        let admission = Admission::new(4, 2);
        let _held: Vec<_> = (0..2).map(|_| admission.admit(&key("flood")).unwrap()).collect();
        assert!(admission.admit(&key("flood")).is_err());
        // A name that does not share the counter of the flood; at most a few of these can.
        let other = (0..100).map(|n| key(&format!("other-{n}"))).find(|key| admission.admit(key).is_ok());
        assert!(other.is_some());
    }

    #[test]
    fn a_refusal_for_all_gives_the_targets_place_back() {
        let admission = Admission::new(1, 1);
        let held = admission.admit(&key("a")).unwrap();
        let free = (0..100).map(|n| key(&format!("other-{n}"))).find(|other| {
            admission.hasher.hash_one(other) as usize % COUNTERS
                != admission.hasher.hash_one(key("a")) as usize % COUNTERS
        });
        let other = free.unwrap();
        assert!(admission.admit(&other).is_err());
        drop(held);
        assert!(admission.admit(&other).is_ok(), "its own counter was not left taken");
    }
}
