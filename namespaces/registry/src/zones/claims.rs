//! Who is served under which name: one custom hostname at a time, of whichever zone.
//!
//! Owns the claims of hostnames that are active, and the answer to whose a host is: a custom hostname of exactly this
//! name, then the zone that the host belongs to, where it is not the wildcard hostname's own, then a wildcard hostname.
//! Of the claims, memory holds a hash each: a name that nobody claimed is told without the store being asked. What a
//! claim leads to is in a cache that is bounded. Who was served last is kept of names that nobody is served under any more:
//! their DNS may lead here still, and another zone is not to have them for that.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use moka::sync::Cache;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, MutexGuard};

use super::check_key;
use super::hostnames::{HOSTNAME_CHECK, HOSTNAMES, hostname_key};
use crate::collection::{Collection, Transaction};
use crate::follow::Follow;
use crate::{Inner, Registry, RegistryEvent, Result};
use wasmyard_model::hostname::{CustomHostname, CustomName, HostnameStatus};
use wasmyard_model::ids::{CustomHostnameId, ZoneId};
use wasmyard_model::zone::Zone;
use wasmyard_stores::Revision;

/// Who is served under a name, by the name.
pub(super) const CLAIMS: Collection<Claim> = Collection::at("hostname-claim/");

/// The zone that was served last under a name that nobody is served under now, by the name.
pub(super) const RELEASED: Collection<ZoneId> = Collection::at("hostname-released/");
/// How many labels of a name are looked at for wildcards of others.
pub(super) const MOST_LABELS: usize = 16;

/// How many turns there are. Two names that share one wait for each other now and then, no more.
const TURNS: usize = 256;
/// How many claims are read at a time when all are.
const CLAIMS_PAGE: usize = 4_096;

/// Who is served under a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claim {
    pub(super) zone: ZoneId,
    hostname: CustomHostnameId,
}

impl Claim {
    fn is_of(&self, hostname: &CustomHostname) -> bool {
        self.zone == hostname.zone && self.hostname == hostname.id
    }
}

/// Whose a host is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostMatch {
    /// The zone.
    pub zone: Arc<Zone>,
    /// The custom hostname, where it is one; none where the host is the zone's own.
    pub hostname: Option<Arc<CustomHostname>>,
}

/// What is held of the claims.
#[derive(Debug)]
pub(crate) struct ClaimMemory {
    /// Hashes of all names that are claimed.
    names: RwLock<HashSet<u64>>,
    hasher: RandomState,
    hostnames: Cache<CustomName, Option<Arc<CustomHostname>>>,
    turns: Box<[Mutex<()>]>,
}

impl ClaimMemory {
    pub(crate) fn new(bytes: u64) -> ClaimMemory {
        ClaimMemory {
            names: RwLock::default(),
            hasher: RandomState::new(),
            hostnames: Cache::builder().max_capacity(bytes).weigher(weight).build(),
            turns: (0..TURNS).map(|_| Mutex::new(())).collect(),
        }
    }

    /// Whether a host is claimed, or the wildcard in front of one. Copies nothing: every visit asks.
    pub(super) fn is_claimed(&self, wildcard: bool, base: &str) -> bool {
        let hash = self.hash(wildcard, base);
        self.names.read().unwrap_or_else(PoisonError::into_inner).contains(&hash)
    }

    fn note(&self, name: &CustomName, claimed: bool) {
        let hash = self.hash(name.is_wildcard(), name.base());
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        if claimed {
            names.insert(hash)
        } else {
            names.remove(&hash)
        };
    }

    fn hash(&self, wildcard: bool, base: &str) -> u64 {
        self.hasher.hash_one((wildcard, base))
    }

    /// Waits for the turn of a name. Whoever reads the store to fill the memory, or has it read again, holds it.
    async fn turn(&self, name: &CustomName) -> Option<MutexGuard<'_, ()>> {
        let hash = self.hash(name.is_wildcard(), name.base());
        let index = usize::try_from(hash).unwrap_or_default() % TURNS;
        match self.turns.get(index) {
            Some(turn) => Some(turn.lock().await),
            None => None,
        }
    }
}

/// About how many bytes an entry takes.
fn weight(name: &CustomName, hostname: &Option<Arc<CustomHostname>>) -> u32 {
    let metadata = |hostname: &Arc<CustomHostname>| {
        hostname.metadata.as_ref().map_or(0, |metadata| metadata.as_json().len())
    };
    let held = hostname.as_ref().map_or(0, |hostname| 1_024 + metadata(hostname));
    u32::try_from(256 + name.as_str().len() + held).unwrap_or(u32::MAX)
}

impl Registry {
    /// Whose a host is; none when it belongs to no zone and no custom hostname is served under it. `host` is lower-case
    /// and has no port. Asks the store only for names that are claimed and were not asked for recently.
    ///
    /// # Errors
    /// [`crate::RegistryError::Store`] when the store has to be asked and fails.
    pub async fn host(&self, host: &str) -> Result<Option<HostMatch>> {
        self.inner.host(host).await
    }
}

impl Registry {
    /// The custom hostname that is served under a name; none where none is.
    ///
    /// # Errors
    /// [`crate::RegistryError::Store`].
    pub async fn served_under(&self, name: &CustomName) -> Result<Option<Arc<CustomHostname>>> {
        self.inner.claimed(name).await
    }
}

impl Registry {
    /// Has each hostname be checked soon whose name is served and is one of these. Returns how many that are.
    ///
    /// # Errors
    /// [`crate::RegistryError::Store`].
    pub async fn check_served_names(&self, is_meant: impl Fn(&CustomName) -> bool) -> Result<usize> {
        let (mut after, mut count) = (None::<String>, 0);
        loop {
            let page = self.inner.log.ids(&CLAIMS, after.as_deref(), CLAIMS_PAGE).await?;
            let Some(last) = page.last() else { return Ok(count) };
            after = Some(last.clone());
            for name in page {
                if !CustomName::parse(&name).is_ok_and(|name| is_meant(&name)) {
                    continue;
                }
                let seen = self.inner.log.read(&CLAIMS, &name).await?;
                let Some(claim) = seen.whole() else { continue };
                self.do_soon(HOSTNAME_CHECK, &check_key(&claim.zone, &claim.hostname)).await?;
                count += 1;
            }
        }
    }
}

impl Inner {
    async fn host(&self, host: &str) -> Result<Option<HostMatch>> {
        // Without zones nothing is anybody's: then it costs a look into memory.
        if self.zones.load().is_empty() {
            return Ok(None);
        }
        if self.claims.is_claimed(false, host)
            && let Some(found) = self.served(host).await?
        {
            return Ok(Some(found));
        }
        let own = self.zones.load().containing(host).cloned();
        if let Some((_, parent)) = host.split_once('.')
            && self.claims.is_claimed(true, parent)
            && let Some(found) = self.served(&format!("*.{parent}")).await?
            && own.as_ref().is_none_or(|own| own.id == found.zone.id)
        {
            return Ok(Some(found));
        }
        Ok(own.map(|zone| HostMatch { zone, hostname: None }))
    }

    /// The custom hostname that is served under a name, unless its zone is paused.
    async fn served(&self, name: &str) -> Result<Option<HostMatch>> {
        let Ok(name) = CustomName::parse(name) else { return Ok(None) };
        let Some(hostname) = self.claimed(&name).await? else { return Ok(None) };
        let zone = self.zones.load().with_id(&hostname.zone).filter(|zone| !zone.paused).cloned();
        Ok(zone.map(|zone| HostMatch { zone, hostname: Some(hostname) }))
    }

    /// The custom hostname that claims a name.
    async fn claimed(&self, name: &CustomName) -> Result<Option<Arc<CustomHostname>>> {
        if let Some(known) = self.claims.hostnames.get(name) {
            return Ok(known);
        }
        let _turn = self.claims.turn(name).await;
        if let Some(known) = self.claims.hostnames.get(name) {
            return Ok(known);
        }
        // The name may change hands between the two reads: then the first led to a hostname that has moved. Whoever has the
        // name now is there under the claim that is read again.
        let mut before: Option<Claim> = None;
        let hostname = loop {
            let claim = self.log.read(&CLAIMS, name.as_str()).await?.whole();
            let Some(claim) = claim.filter(|claim| before.as_ref() != Some(claim)) else { break None };
            let seen = self.log.read(&HOSTNAMES, &hostname_key(&claim.zone, &claim.hostname)).await?;
            if let Some(hostname) = seen.whole().filter(|hostname| hostname.status.is_served()) {
                break Some(Arc::new(hostname));
            }
            before = Some(claim);
        };
        self.claims.hostnames.insert(name.clone(), hostname.clone());
        Ok(hostname)
    }

    /// Reads whether a name is claimed again, and forgets what the claim led to.
    pub(super) async fn refresh_claim(&self, name: &CustomName) -> Result<()> {
        let _turn = self.claims.turn(name).await;
        let seen = self.log.read(&CLAIMS, name.as_str()).await?;
        self.claims.note(name, seen.exists());
        self.claims.hostnames.invalidate(name);
        Ok(())
    }

    /// Adds to a transaction what a change of a hostname means for claims: what it newly serves is claimed, from
    /// whoever had it, and what it no longer serves is given up. A hostname whose own name was claimed by another has
    /// moved. Returns the names whose claims change.
    pub(super) async fn change_claims(
        &self,
        transaction: &mut Transaction,
        before: Option<&CustomHostname>,
        after: Option<&CustomHostname>,
    ) -> Result<Vec<CustomName>> {
        let (old, new) = (served_names(before), served_names(after));
        let mut changed = Vec::new();
        let mut displaced = Vec::new();
        for name in old.iter().filter(|name| !new.contains(name)) {
            let seen = self.log.read(&CLAIMS, name.as_str()).await?;
            if let (Some(claim), Some(before)) = (seen.record()?, before)
                && claim.is_of(before)
            {
                transaction.delete(&seen);
                self.release(transaction, name, &claim.zone).await?;
                changed.push(name.clone());
            }
        }
        for name in new.iter().filter(|name| !old.contains(name)) {
            let Some(after) = after else { continue };
            let seen = self.log.read(&CLAIMS, name.as_str()).await?;
            let holder = seen.record()?.filter(|claim| !claim.is_of(after));
            let claim = Claim { zone: after.zone.clone(), hostname: after.id.clone() };
            transaction.put(&seen, &claim)?;
            let last = self.log.read(&RELEASED, name.as_str()).await?;
            if last.exists() {
                transaction.delete(&last);
            }
            changed.push(name.clone());
            displaced.extend(holder.map(|holder| (name.clone(), holder)));
        }
        for (name, holder) in displaced {
            self.displace(transaction, &name, &holder, &mut changed).await?;
        }
        Ok(changed)
    }

    /// Notes who was served last under a name that nobody is served under from now on.
    async fn release(&self, transaction: &mut Transaction, name: &CustomName, zone: &ZoneId) -> Result<()> {
        let seen = self.log.read(&RELEASED, name.as_str()).await?;
        transaction.put(&seen, zone)
    }

    /// Has a hostname that loses its own name move, and give up what it claims beside.
    async fn displace(
        &self,
        transaction: &mut Transaction,
        name: &CustomName,
        holder: &Claim,
        changed: &mut Vec<CustomName>,
    ) -> Result<()> {
        let seen = self.log.read(&HOSTNAMES, &hostname_key(&holder.zone, &holder.hostname)).await?;
        let Some(loser) = seen.whole().filter(|loser| loser.name == *name) else { return Ok(()) };
        for beside in loser.served_names() {
            if beside == *name || changed.contains(&beside) {
                continue;
            }
            let claim = self.log.read(&CLAIMS, beside.as_str()).await?;
            if claim.record()?.is_some_and(|claim| claim.is_of(&loser)) {
                transaction.delete(&claim);
                self.release(transaction, &beside, &loser.zone).await?;
                changed.push(beside);
            }
        }
        let moved = CustomHostname {
            status: HostnameStatus::Moved,
            modified_at: self.clock().now(),
            ..loser.clone()
        };
        self.change_waiting(transaction, Some(&loser), Some(&moved)).await?;
        transaction.put(&seen, &moved)
    }
}

fn served_names(hostname: Option<&CustomHostname>) -> Vec<CustomName> {
    let served = hostname.filter(|hostname| hostname.status.is_served());
    served.map(|hostname| hostname.served_names().collect()).unwrap_or_default()
}

/// How the memory of claims follows the store.
pub(crate) struct Claims;

#[async_trait]
impl Follow for Claims {
    fn prefix(&self) -> &'static str {
        CLAIMS.prefix()
    }

    async fn load(&self, registry: &Inner) -> Result<()> {
        let memory = &registry.claims;
        let mut after: Option<String> = None;
        let mut hashes = HashSet::new();
        loop {
            let page = registry.log.ids(&CLAIMS, after.as_deref(), CLAIMS_PAGE).await?;
            let Some(last) = page.last() else { break };
            // They were written in their one spelling.
            hashes.extend(page.iter().map(|name| match name.strip_prefix("*.") {
                Some(base) => memory.hash(true, base),
                None => memory.hash(false, name),
            }));
            after = Some(last.clone());
        }
        *memory.names.write().unwrap_or_else(PoisonError::into_inner) = hashes;
        memory.hostnames.invalidate_all();
        Ok(())
    }

    async fn apply(&self, registry: &Inner, id: &str, _: Revision) -> Result<Option<RegistryEvent>> {
        if let Ok(name) = CustomName::parse(id) {
            registry.refresh_claim(&name).await?;
        }
        Ok(None)
    }
}
