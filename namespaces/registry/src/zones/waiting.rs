//! Names of custom hostnames that nobody is served under: they wait to be shown to be somebody's, or have moved.
//!
//! Owns a record for each, which comes and goes with the status of its hostname, and a hash of each in memory: so a visitor
//! of such a name is told what is missing, and a flood of made-up names asks the store nothing.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{PoisonError, RwLock};

use async_trait::async_trait;

use crate::collection::{Collection, Transaction};
use crate::follow::Follow;
use crate::held::Turn;
use crate::{Inner, Registry, RegistryEvent, Result};
use wasmyard_model::hostname::CustomHostname;
use wasmyard_stores::Revision;

/// By name and zone: several zones may wait for one name.
const WAITING: Collection<()> = Collection::at("hostname-waiting/");
/// How many are read at a time when all are.
const PAGE: usize = 4_096;

/// What is held of the names.
#[derive(Debug, Default)]
pub(crate) struct WaitingMemory {
    names: RwLock<HashSet<u64>>,
    hasher: RandomState,
    /// Whoever reads the store to say whether a name waits holds it.
    turn: Turn,
}

impl WaitingMemory {
    fn waits(&self, name: &str) -> bool {
        self.names.read().unwrap_or_else(PoisonError::into_inner).contains(&self.hasher.hash_one(name))
    }

    fn note(&self, name: &str, waits: bool) {
        let hash = self.hasher.hash_one(name);
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        if waits {
            names.insert(hash)
        } else {
            names.remove(&hash)
        };
    }
}

impl Registry {
    /// Whether a host that leads nowhere is the name of a custom hostname all the same: one that waits to be shown to be its
    /// customer's, that has moved, or whose zone is paused. Asks the memory alone.
    #[must_use]
    pub fn is_unserved(&self, host: &str) -> bool {
        let inner = &self.inner;
        let wildcard = host.split_once('.').map(|(_, parent)| parent);
        inner.waiting.waits(host)
            || inner.claims.is_claimed(false, host)
            || wildcard.is_some_and(|parent| {
                inner.claims.is_claimed(true, parent) || inner.waiting.waits(&format!("*.{parent}"))
            })
    }
}

/// The record of a hostname that waits.
fn record_of(hostname: Option<&CustomHostname>) -> Option<String> {
    let waiting = hostname.filter(|hostname| !hostname.status.is_served())?;
    Some(format!("{}/{}", waiting.name, waiting.zone))
}

impl Inner {
    /// Adds to a transaction what a change of a hostname means for the names that wait.
    pub(super) async fn change_waiting(
        &self,
        transaction: &mut Transaction,
        before: Option<&CustomHostname>,
        after: Option<&CustomHostname>,
    ) -> Result<()> {
        let (old, new) = (record_of(before), record_of(after));
        if old == new {
            return Ok(());
        }
        if let Some(old) = old {
            let seen = self.log.read(&WAITING, &old).await?;
            if seen.exists() {
                transaction.delete(&seen);
            }
        }
        if let Some(new) = new {
            let seen = self.log.read(&WAITING, &new).await?;
            transaction.put(&seen, &())?;
        }
        Ok(())
    }

    /// Reads again whether a name waits.
    pub(super) async fn refresh_waiting(&self, name: &str) -> Result<()> {
        let _turn = self.waiting.turn.take().await;
        let waits = !self.log.page(&WAITING, &format!("{name}/"), None, 1).await?.is_empty();
        self.waiting.note(name, waits);
        Ok(())
    }
}

/// How the memory of waiting names follows the store.
pub(crate) struct Waiting;

#[async_trait]
impl Follow for Waiting {
    fn prefix(&self) -> &'static str {
        WAITING.prefix()
    }

    async fn load(&self, registry: &Inner) -> Result<()> {
        let memory = &registry.waiting;
        let _turn = memory.turn.take().await;
        let mut hashes = HashSet::new();
        let mut after: Option<String> = None;
        loop {
            let page = registry.log.ids(&WAITING, after.as_deref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.clone());
            let names = page.iter().filter_map(|id| id.split_once('/'));
            hashes.extend(names.map(|(name, _)| memory.hasher.hash_one(name)));
        }
        *memory.names.write().unwrap_or_else(PoisonError::into_inner) = hashes;
        Ok(())
    }

    async fn apply(&self, registry: &Inner, id: &str, _: Revision) -> Result<Option<RegistryEvent>> {
        if let Some((name, _)) = id.split_once('/') {
            registry.refresh_waiting(name).await?;
        }
        Ok(None)
    }
}
