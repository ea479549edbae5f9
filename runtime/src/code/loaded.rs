//! The one owner of loaded code. Everybody else has a [`Claim`] to it at most, or holds it as long as an invocation
//! runs, so that what is let go of here is really unmapped.
//!
//! There is a budget in bytes and one in modules, because each takes a few of the mappings that the kernel gives a
//! process. Whatever was used longest ago goes first; what runs stays. Code that a version has claimed, and that no
//! version claims any more, goes at once. Must never load anything itself.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::time::Instant;
use wasmyard_namespaces::digest::Digest;
use wasmyard_namespaces::script::ScriptKey;

use super::engine::Metering;
use super::mapping::{Key, Mapped, Mapping, Owner, Used};
use super::module::Module;

/// How many mappings a loaded module takes at most, and an instance: what is measured is four to five for each.
const MAPPINGS_EACH: u64 = 5;
/// Mappings for everything else: threads, libraries, the registry, files on their way.
const OTHER_MAPPINGS: u64 = 4_000;
/// What a kernel gives a process that was never told otherwise.
const USUAL_MAPPINGS: u64 = 65_530;
/// However few mappings there are.
const FEWEST_MODULES: u64 = 16;

/// How many modules may be loaded at once beside so many instances, by the mappings that this machine gives a process
/// (`vm.max_map_count`): past that, nothing could be mapped any more, and the process could not go on.
pub fn modules_by_mappings(instances: u32) -> u64 {
    let told = std::fs::read_to_string("/proc/sys/vm/max_map_count").ok();
    modules_for(told.and_then(|told| told.trim().parse().ok()).unwrap_or(USUAL_MAPPINGS), instances)
}

fn modules_for(mappings: u64, instances: u32) -> u64 {
    let others = OTHER_MAPPINGS + u64::from(instances) * MAPPINGS_EACH;
    (mappings.saturating_sub(others) / MAPPINGS_EACH).max(FEWEST_MODULES)
}

/// How much may be loaded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    /// Bytes of compiled code that stay though nothing runs in it.
    pub(crate) bytes: u64,
    /// Modules, whether anything runs in them or not.
    pub(crate) modules: u64,
}

/// All loaded code of a process.
pub(crate) struct Loaded {
    budget: Budget,
    mapped: Arc<Mapped>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    modules: HashMap<Key, Entry>,
    /// What is about to be loaded.
    awaited: Used,
}

struct Entry {
    module: Arc<Module>,
}

/// There are as many modules as may be, and something runs in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoRoom;

/// Room for one module that is about to be loaded, until this is dropped.
pub(crate) struct Room {
    loaded: Arc<Loaded>,
    bytes: u64,
}

/// A version's claim to its code: does not keep it loaded, but without any it is let go.
pub(crate) struct Claim {
    module: Weak<Module>,
}

impl Loaded {
    pub(crate) fn new(budget: Budget) -> Arc<Self> {
        Arc::new(Self { budget, mapped: Mapped::new(), state: Mutex::default() })
    }

    /// A module that is loaded; counted as used now.
    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Module>> {
        let module = self.lock().modules.get(key).map(|entry| Arc::clone(&entry.module));
        module.inspect(|module| module.mapping.is_used(Instant::now()))
    }

    /// Makes room for a module of so many bytes: what was used longest ago, and runs nothing, goes.
    pub(crate) fn room(self: &Arc<Self>, bytes: u64) -> Result<Room, NoRoom> {
        let mut gone = Vec::new();
        let room = {
            let mut state = self.lock();
            let now = self.mapped.used();
            let mut all = Used {
                bytes: now.bytes.saturating_add(state.awaited.bytes).saturating_add(bytes),
                modules: now.modules + state.awaited.modules + 1,
            };
            while all.bytes > self.budget.bytes || all.modules > self.budget.modules {
                let Some(entry) = state.take_least_recently_used() else { break };
                all.bytes = all.bytes.saturating_sub(entry.module.mapping.bytes);
                all.modules = all.modules.saturating_sub(1);
                gone.push(entry);
            }
            if all.modules > self.budget.modules {
                Err(NoRoom)
            } else {
                state.awaited.bytes = state.awaited.bytes.saturating_add(bytes);
                state.awaited.modules += 1;
                Ok(Room { loaded: Arc::clone(self), bytes })
            }
        };
        // Unmapped where nobody waits for the lock.
        gone.into_iter().for_each(Entry::let_go);
        room
    }

    /// Takes a module over. Where it is there already, that one stays.
    pub(crate) fn keep(&self, key: Key, module: Arc<Module>) -> Arc<Module> {
        module.mapping.is_used(Instant::now());
        let mut state = self.lock();
        Arc::clone(&state.modules.entry(key).or_insert(Entry { module }).module)
    }

    /// Lets go of a component's code.
    pub(crate) fn forget(&self, digest: &Digest) {
        let gone: Vec<Entry> = {
            let mut state = self.lock();
            Metering::ALL.iter().filter_map(|metering| state.modules.remove(&(*metering, *digest))).collect()
        };
        gone.into_iter().for_each(Entry::let_go);
    }

    /// Whether a version claims code of this component.
    pub(crate) fn is_claimed(&self, digest: &Digest) -> bool {
        let state = self.lock();
        let claimed = |metering: &Metering| {
            let entry = state.modules.get(&(*metering, *digest));
            entry.is_some_and(|entry| entry.module.mapping.claims.load(Ordering::Relaxed) > 0)
        };
        Metering::ALL.iter().any(claimed)
    }

    /// The scripts whose code is loaded, `most` at most: the one that was used last comes first.
    pub(crate) fn recently_used(&self, most: usize) -> Vec<ScriptKey> {
        let mut used: Vec<(u64, ScriptKey)> = {
            let state = self.lock();
            let mappings = state.modules.values().map(|entry| &entry.module.mapping);
            mappings
                .filter_map(|mapping| Some((mapping.last_used(), mapping.script.get()?.clone())))
                .collect()
        };
        used.sort_by(|(one, _), (other, _)| other.cmp(one));
        used.truncate(most);
        used.into_iter().map(|(_, script)| script).collect()
    }

    /// What is mapped now, whoever holds it: bytes and modules.
    pub(crate) fn mapped(&self) -> (u64, u64) {
        let used = self.mapped.used();
        (used.bytes, used.modules)
    }

    /// Counts a module of so many bytes as mapped.
    pub(crate) fn mapping(self: &Arc<Self>, bytes: u64) -> Mapping {
        let owner: Weak<Self> = Arc::downgrade(self);
        Mapping::new(&self.mapped, bytes, owner)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The entry that nothing runs in and that was used longest ago.
    fn take_least_recently_used(&mut self) -> Option<Entry> {
        // Whoever takes it up in this very moment keeps it until its invocation ends.
        let idle = self.modules.iter().filter(|(_, entry)| Arc::strong_count(&entry.module) == 1);
        let key = *idle.min_by_key(|(_, entry)| entry.module.mapping.last_used())?.0;
        self.modules.remove(&key)
    }
}

impl Entry {
    /// With its resting instances, which hold its code as well.
    fn let_go(self) {
        self.module.mapping.close_pools();
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut state = self.loaded.lock();
        state.awaited.bytes = state.awaited.bytes.saturating_sub(self.bytes);
        state.awaited.modules = state.awaited.modules.saturating_sub(1);
    }
}

impl Owner for Loaded {
    fn unclaimed(&self, key: &Key) {
        let gone = {
            let mut state = self.lock();
            // Another version may have claimed it in this moment.
            let unclaimed = |entry: &Entry| entry.module.mapping.claims.load(Ordering::Relaxed) == 0;
            if state.modules.get(key).is_some_and(unclaimed) { state.modules.remove(key) } else { None }
        };
        gone.into_iter().for_each(Entry::let_go);
    }
}

impl Claim {
    pub(crate) fn to(module: &Arc<Module>, script: &ScriptKey) -> Self {
        module.mapping.claims.fetch_add(1, Ordering::Relaxed);
        module.mapping.script.get_or_init(|| script.clone());
        Self { module: Arc::downgrade(module) }
    }

    /// The code, if it is still loaded, to be held as long as something runs in it.
    pub(crate) fn module(&self) -> Option<Arc<Module>> {
        self.module.upgrade()
    }

    /// Whether it is still loaded.
    pub(crate) fn is_loaded(&self) -> bool {
        self.module.strong_count() > 0
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let Some(module) = self.module.upgrade() else { return };
        if module.mapping.claims.fetch_sub(1, Ordering::Relaxed) == 1
            && let Some(owner) = module.mapping.owner.upgrade()
        {
            owner.unclaimed(&module.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_with_few_mappings_has_few_modules_loaded() {
        assert_eq!(modules_for(USUAL_MAPPINGS, 1_000), 11_306);
        assert_eq!(modules_for(USUAL_MAPPINGS, 100_000), FEWEST_MODULES);
        assert_eq!(modules_for(0, 1), FEWEST_MODULES);
        assert!(modules_by_mappings(1) >= FEWEST_MODULES);
    }
}
