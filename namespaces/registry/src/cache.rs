//! The cache of scripts.
//!
//! Owns what every request looks up first: scripts by name, and names known to be free. Bounded in bytes;
//! an entry that goes costs a read of one key. Never writes to the store, and never decides what is true:
//! entries are put by whoever holds the turn of their key.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::Arc;

use equivalent::Equivalent;
use moka::sync::Cache;
use tokio::sync::{Mutex, MutexGuard};

use wasmyard_model::name::ScriptName;
use wasmyard_model::script::{Script, Version};
use wasmyard_stores::Revision;

/// The space of platform scripts. Spaces of namespaces start at 1.
pub(super) const PLATFORM_SPACE: u64 = 0;

/// How many turns there are. Two scripts that share one wait for each other now and then, no more.
const TURNS: usize = 1_024;

/// Names a script without naming its namespace by text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct CacheKey {
    pub(super) space: u64,
    pub(super) name: ScriptName,
}

/// The same, borrowed: hashes like [`CacheKey`], so that a lookup clones nothing.
#[derive(Hash)]
struct CacheKeyRef<'n> {
    space: u64,
    name: &'n str,
}

impl Equivalent<CacheKey> for CacheKeyRef<'_> {
    fn equivalent(&self, key: &CacheKey) -> bool {
        self.space == key.space && self.name == key.name.as_str()
    }
}

/// A script, or the knowledge that there is none.
#[derive(Clone, Debug)]
pub(super) struct Cached {
    /// The append that made it so; 0 when a read found nothing.
    pub(super) revision: Revision,
    pub(super) script: Option<Arc<Script>>,
}

#[derive(Debug)]
pub(super) struct ScriptCache {
    entries: Cache<CacheKey, Cached>,
    turns: Box<[Mutex<()>]>,
    hasher: RandomState,
}

impl ScriptCache {
    pub(super) fn new(bytes: u64) -> ScriptCache {
        let entries = Cache::builder().max_capacity(bytes).weigher(weight).build();
        let turns = (0..TURNS).map(|_| Mutex::new(())).collect();
        ScriptCache { entries, turns, hasher: RandomState::new() }
    }

    pub(super) fn get(&self, space: u64, name: &ScriptName) -> Option<Cached> {
        self.entries.get(&CacheKeyRef { space, name: name.as_str() })
    }

    /// Waits for the turn of a key. Whoever reads the store to fill the cache, or writes the key, holds it.
    pub(super) async fn turn(&self, key: &CacheKey) -> Option<MutexGuard<'_, ()>> {
        let index = usize::try_from(self.hasher.hash_one(key)).unwrap_or_default() % TURNS;
        match self.turns.get(index) {
            Some(turn) => Some(turn.lock().await),
            None => None,
        }
    }

    /// Puts an entry. The caller holds the key's turn.
    pub(super) fn put(&self, key: CacheKey, cached: Cached) {
        self.entries.insert(key, cached);
    }

    /// Removes an entry that is older than a change, in the key's turn.
    pub(super) async fn forget_in_turn(&self, space: u64, name: &ScriptName, change: Revision) {
        let key = CacheKey { space, name: name.clone() };
        let _turn = self.turn(&key).await;
        if self.entries.get(&key).is_some_and(|cached| cached.revision < change) {
            self.entries.invalidate(&key);
        }
    }

    pub(super) fn forget_all(&self) {
        self.entries.invalidate_all();
    }

    /// What the entries take, once those that are to go are gone.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> u64 {
        self.entries.run_pending_tasks();
        self.entries.weighted_size()
    }
}

/// About how many bytes an entry takes; most of it is variables.
fn weight(key: &CacheKey, cached: &Cached) -> u32 {
    const EMPTY_ENTRY: usize = 256;
    const EMPTY_SCRIPT: usize = 1_024;
    let script = cached.script.as_ref().map_or(0, |script| {
        let tags = script.tags.iter().map(|tag| tag.as_str().len() + 32).sum::<usize>();
        let crons = script.crons().map(|cron| cron.as_str().len() + 64).sum::<usize>();
        EMPTY_SCRIPT + tags + crons + script.serving().map(|(version, _)| weight_of(version)).sum::<usize>()
    });
    u32::try_from(EMPTY_ENTRY + key.name.as_str().len() + script).unwrap_or(u32::MAX)
}

fn weight_of(version: &Version) -> usize {
    let bindings = version.bindings.iter().map(|decl| decl.kind.weight() + 128);
    let texts = version.annotations.iter().map(|(key, text)| key.len() + text.len() + 96);
    let flags = version.compatibility_flags.iter().map(|flag| flag.len() + 32);
    let assets = version.assets.as_ref().map_or(0, |assets| 256 + assets.config.text_bytes());
    version.code.weight() + assets + bindings.chain(texts).chain(flags).sum::<usize>()
}
