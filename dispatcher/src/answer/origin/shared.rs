//! Things that everybody with the same key has in common, for as long as somebody has them.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Things by key.
pub(super) struct Shared<K, V>(Mutex<Known<K, V>>);

struct Known<K, V> {
    by_key: HashMap<K, Weak<V>>,
    /// With so many, those that nobody has any more are taken out.
    crowded: usize,
}

impl<K, V> Default for Shared<K, V> {
    fn default() -> Self {
        Self(Mutex::new(Known { by_key: HashMap::new(), crowded: FEW }))
    }
}

const FEW: usize = 64;

impl<K: Clone + Eq + Hash, V> Shared<K, V> {
    /// What those with this key have, made where nobody has it.
    pub(super) fn of(&self, key: &K, make: impl FnOnce() -> V) -> Arc<V> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = known.by_key.get(key).and_then(Weak::upgrade) {
            return shared;
        }
        if known.by_key.len() >= known.crowded {
            known.by_key.retain(|_, shared| shared.strong_count() > 0);
            known.crowded = FEW.max(known.by_key.len() * 2);
        }
        let made = Arc::new(make());
        known.by_key.insert(key.clone(), Arc::downgrade(&made));
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_is_one_thing_and_what_nobody_has_is_forgotten() {
        let shared = Shared::default();
        let kept = shared.of(&0, || "zero");
        for key in 1..1_000 {
            shared.of(&key, || "more");
        }
        assert!(Arc::ptr_eq(&kept, &shared.of(&0, || "another")));
        assert!(shared.0.lock().unwrap().by_key.len() <= FEW + 1);
    }
}
