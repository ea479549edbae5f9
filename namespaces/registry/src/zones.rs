//! Zones: make, read, change, delete; and whose a host is.
//!
//! Owns their records and the index of them in memory: a platform has few zones, and every host that is asked for is
//! looked for among them. What belongs to a zone is kept by its id: DNS records (`dns`), custom hostnames
//! (`hostnames`), who is served under which name (`claims`), which names nobody is served under (`waiting`),
//! where origins are (`origins`), requests for certificates (`csrs`), whose clients names let in (`client_ca`), what authorities
//! are shown (`challenges`, `texts`), and how often one is asked (`budget`). Never two zones of one name.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::collection::{ATTEMPTS, Collection, PAGE, Seen, Transaction, step_aside};
use super::follow::Follow;
use super::{Inner, Registry, RegistryEvent, Result};
use crate::error::RegistryError;
use crate::ownership::refuse;
use crate::zone_error::ZoneError;
use wasmyard_model::domain::Domain;
use wasmyard_model::ids::{CustomHostnameId, ZoneId};
use wasmyard_model::limits::hostnames as limits;
use wasmyard_model::timestamp::Timestamp;
use wasmyard_model::zone::{DnsRecord, NewZone, Zone, ZoneEdit, ZoneSettings, ZoneStatus};
use wasmyard_stores::Revision;

pub use budget::{IssueQuota, OrderPace};
pub use certificates::{CERTIFICATE_DELETE, CERTIFICATE_DEPLOY, CERTIFICATE_FORGET, CERTIFICATE_ORDER};
pub(super) use challenges::Challenges;
pub(super) use claims::Claims;
pub use claims::HostMatch;
pub(super) use client_ca::Associations;
pub use csrs::{CERTIFICATE_AGE, CSR_FORGET};
pub use dns::DnsChange;
pub use hostnames::{HOSTNAME_CHECK, HostnameQuota, hostname_of_check};
pub(super) use hostnames::{Hostnames, new_pack};
pub use lists::{HostnameNames, HostnamePage};
pub(super) use origins::Origins;
pub(super) use texts::DelegatedTexts;
pub(super) use waiting::Waiting;

mod budget;
mod certificates;
pub(super) mod challenges;
pub(super) mod claims;
pub(super) mod client_ca;
mod contest;
mod csrs;
mod dns;
mod hostnames;
mod lists;
pub(super) mod origins;
pub(super) mod texts;
pub(super) mod waiting;

/// The key of the job that checks a custom hostname.
fn check_key(zone: &ZoneId, id: &CustomHostnameId) -> String {
    format!("{zone}:{id}")
}

/// Zones, by id.
const ZONES: Collection<Zone> = Collection::at("zone/");
/// Makes names unique; the record is the id.
const ZONE_NAMES: Collection<ZoneId> = Collection::at("zone-name/");
/// Zones that are gone, with records and hostnames that may not be gone yet, by id.
const ZONE_PURGES: Collection<Gone> = Collection::at("zone-purge/");
/// DNS records, by their zone's id and their own.
const DNS_RECORDS: Collection<DnsRecord> = Collection::at("dns-record/");
/// Changes with every change of a zone's DNS records, by the zone's id: what is true of all of them is decided by one
/// node at a time.
const DNS_SETS: Collection<()> = Collection::at("dns-set/");

/// The kind of the jobs that have names of a zone served by its settings. The key is the zone's id.
pub const ZONE_DEPLOY: &str = "zone-deploy";

#[derive(Debug, Serialize, Deserialize)]
struct Gone {
    name: Domain,
    on: Timestamp,
}

/// All zones, by id, by name and by label.
#[derive(Clone, Debug, Default)]
pub(super) struct ZoneIndex {
    by_id: BTreeMap<ZoneId, (Arc<Zone>, Revision)>,
    by_name: HashMap<Domain, ZoneId>,
    by_label: HashMap<String, ZoneId>,
}

impl ZoneIndex {
    fn put(&mut self, zone: Zone, revision: Revision) {
        self.take(&zone.id.clone());
        self.by_name.insert(zone.name.clone(), zone.id.clone());
        self.by_label.insert(zone.dcv_label.clone(), zone.id.clone());
        self.by_id.insert(zone.id.clone(), (Arc::new(zone), revision));
    }

    fn take(&mut self, id: &ZoneId) {
        let Some((zone, _)) = self.by_id.remove(id) else { return };
        if self.by_name.get(&zone.name) == Some(id) {
            self.by_name.remove(&zone.name);
        }
        self.by_label.remove(&zone.dcv_label);
    }

    fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    fn with_id(&self, id: &ZoneId) -> Option<&Arc<Zone>> {
        self.by_id.get(id).map(|(zone, _)| zone)
    }

    /// The zone that a host belongs to: the one with the longest name that the host is within.
    fn containing(&self, host: &str) -> Option<&Arc<Zone>> {
        let mut rest = host;
        loop {
            if let Some(id) = self.by_name.get(rest) {
                return self.with_id(id);
            }
            rest = rest.split_once('.')?.1;
        }
    }
}

impl Registry {
    /// Makes a zone, which is in use at once.
    ///
    /// # Errors
    /// [`ZoneError::Exists`], [`ZoneError::Held`] when another zone keeps the name, [`ZoneError::TooMany`];
    /// [`RegistryError::Store`].
    pub async fn create_zone(&self, new: NewZone) -> Result<Arc<Zone>> {
        let inner = &self.inner;
        let now = inner.clock().now();
        {
            let index = inner.zones.load();
            if index.by_id.len() as u64 >= limits::ZONES {
                return Err(ZoneError::TooMany.into());
            }
            let holds =
                |(zone, _): &(Arc<Zone>, Revision)| zone.name != new.name && zone.holds(&new.name, now);
            if index.by_id.values().any(holds) {
                return Err(ZoneError::Held(new.name).into());
            }
        }
        let random = uuid::Uuid::new_v4().simple().to_string();
        let zone = Zone {
            id: made(ZoneId::parse(&uuid::Uuid::new_v4().simple().to_string()))?,
            name: new.name,
            kind: new.kind,
            status: ZoneStatus::Active,
            paused: false,
            created_on: now,
            modified_on: now,
            activated_on: Some(now),
            settings: ZoneSettings::default(),
            hold: None,
            fallback_origin: None,
            dcv_label: random.get(..16).unwrap_or_default().to_owned(),
            config: None,
        };
        let free = inner.log.read(&ZONE_NAMES, zone.name.as_str()).await?;
        if free.exists() {
            return Err(ZoneError::Exists(zone.name).into());
        }
        let mut transaction = Transaction::default();
        transaction.put(&free, &zone.id)?;
        transaction.put_with(&free, &ZONES, zone.id.as_str(), &zone)?;
        match inner.log.commit(&transaction).await {
            Ok(_) => {
                inner.refresh_zone(&zone.id).await?;
                Ok(Arc::new(zone))
            }
            Err(RegistryError::Conflict(_)) => Err(ZoneError::Exists(zone.name).into()),
            Err(error) => Err(error),
        }
    }

    /// All zones, from memory, sorted by name.
    #[must_use]
    pub fn zones(&self) -> Vec<Arc<Zone>> {
        let index = self.inner.zones.load();
        let mut zones: Vec<Arc<Zone>> = index.by_id.values().map(|(zone, _)| Arc::clone(zone)).collect();
        zones.sort_by(|a, b| a.name.cmp(&b.name));
        zones
    }

    /// Whether there is a zone, from memory.
    #[must_use]
    pub fn has_zones(&self) -> bool {
        !self.inner.zones.load().is_empty()
    }

    /// The zone with an id, from memory.
    #[must_use]
    pub fn zone(&self, id: &ZoneId) -> Option<Arc<Zone>> {
        self.inner.zones.load().with_id(id).cloned()
    }

    /// The zone of a name, from memory.
    #[must_use]
    pub fn zone_named(&self, name: &Domain) -> Option<Arc<Zone>> {
        let index = self.inner.zones.load();
        index.by_name.get(name).and_then(|id| index.with_id(id)).cloned()
    }

    /// Changes a zone.
    ///
    /// # Errors
    /// [`ZoneError::NotFound`]; [`RegistryError::Configured`] for what the configuration names, unless this handle is
    /// [over it](Registry::over_configuration); [`RegistryError::Store`].
    pub async fn update_zone(&self, id: &ZoneId, edit: ZoneEdit) -> Result<Arc<Zone>> {
        let (over, now) = (self.over_configuration, self.inner.clock().now());
        let decide = |before: &Zone| {
            let after = before.edited(&edit, now);
            refuse_configured(before, Some(&after), over)?;
            Ok(Some(after))
        };
        Ok(self.inner.change_zone(id, decide).await?.1)
    }

    /// Deletes a zone with its DNS records and custom hostnames. When it returns, none of them is found any more; a
    /// crash in the middle is finished at the next start.
    ///
    /// # Errors
    /// [`ZoneError::NotFound`]; [`RegistryError::Configured`] for one of the configuration, unless this handle is [over
    /// it](Registry::over_configuration); [`RegistryError::Store`].
    pub async fn delete_zone(&self, id: &ZoneId) -> Result<()> {
        let inner = &self.inner;
        for attempt in 0..ATTEMPTS {
            let (seen, zone) = inner.find_zone(id).await?;
            refuse_configured(&zone, None, self.over_configuration)?;
            let mut transaction = Transaction::default();
            // Whoever makes something in the zone requires its record as it was, so none can come after this.
            transaction.delete(&seen);
            transaction.delete_with(&seen, &ZONE_NAMES, zone.name.as_str());
            let gone = Gone { name: zone.name, on: inner.clock().now() };
            transaction.put_with(&seen, &ZONE_PURGES, id.as_str(), &gone)?;
            match inner.log.commit(&transaction).await {
                Ok(_) => {
                    inner.refresh_zone(id).await?;
                    inner.purge_zone(id).await?;
                    inner.forget_origins(id).await;
                    return Ok(());
                }
                Err(RegistryError::Conflict(_)) => step_aside(attempt).await,
                Err(error) => return Err(error),
            }
        }
        Err(RegistryError::Conflict(format!("zone {id}")))
    }
}

/// Refuses a change of what the configuration names. `after` is none for a deletion.
fn refuse_configured(before: &Zone, after: Option<&Zone>, over: bool) -> Result<()> {
    let Some(keys) = before.config.as_ref().filter(|_| !over) else { return Ok(()) };
    let changed = after.map_or_else(|| vec!["zone".to_owned()], |after| before.changed(keys, after));
    refuse(&changed, &format!("zone {}", before.name))
}

/// A UUID of version 7, to the microsecond.
fn uuid_in_order(now: Timestamp) -> Result<String> {
    let mut rest = [0; 10];
    getrandom::fill(&mut rest).map_err(|_| RegistryError::Closed)?;
    let micros = now.unix_micros();
    // The twelve bits after the version are the part of the millisecond that has passed.
    let passed = (micros % 1_000) * 4_096 / 1_000;
    for (byte, passed) in rest.iter_mut().zip(u16::try_from(passed).unwrap_or(0xfff).to_be_bytes()) {
        *byte = passed;
    }
    let uuid = uuid::Builder::from_unix_timestamp_millis(micros / 1_000, &rest).into_uuid();
    Ok(uuid.to_string())
}

/// An id that was made here, and so has the form of one.
fn made<T>(id: std::result::Result<T, wasmyard_model::ids::IdError>) -> Result<T> {
    id.map_err(|error| RegistryError::Invalid(error.to_string()))
}

impl Inner {
    /// Reads a zone from the store.
    async fn find_zone(&self, id: &ZoneId) -> Result<(Seen<Zone>, Zone)> {
        let seen = self.log.read(&ZONES, id.as_str()).await?;
        let zone = seen.record()?.ok_or_else(|| ZoneError::NotFound(id.to_string()))?;
        Ok((seen, zone))
    }

    /// Reads a zone, has it decided what becomes of it, and makes it so; decides again when somebody else was faster.
    /// Nothing decided leaves it as it is. Returns what it was and what it is.
    pub(super) async fn change_zone(
        &self,
        id: &ZoneId,
        mut decide: impl FnMut(&Zone) -> Result<Option<Zone>>,
    ) -> Result<(Zone, Arc<Zone>)> {
        for attempt in 0..ATTEMPTS {
            let (seen, before) = self.find_zone(id).await?;
            let Some(after) = decide(&before)? else { return Ok((before.clone(), Arc::new(before))) };
            let mut transaction = Transaction::default();
            transaction.put(&seen, &after)?;
            if after.settings != before.settings {
                self.job_again(&mut transaction, ZONE_DEPLOY, id.as_str()).await?;
            }
            match self.log.commit(&transaction).await {
                Ok(_) => {
                    self.refresh_zone(id).await?;
                    self.jobs_made.notify_waiters();
                    return Ok((before, Arc::new(after)));
                }
                Err(RegistryError::Conflict(_)) => step_aside(attempt).await,
                Err(error) => return Err(error),
            }
        }
        Err(RegistryError::Conflict(format!("zone {id}")))
    }

    /// Reads one zone again into the memory.
    async fn refresh_zone(&self, id: &ZoneId) -> Result<()> {
        let turn = self.zones.turn().await;
        let seen = self.log.read(&ZONES, id.as_str()).await?;
        let mut index = turn.copy();
        match (seen.whole(), seen.revision()) {
            (Some(zone), Some(revision)) => index.put(zone, revision),
            _ => index.take(id),
        }
        turn.show(index);
        Ok(())
    }

    /// Removes what belonged to a zone that is gone, and the note that it is to go. Several may do so at once.
    async fn purge_zone(&self, id: &ZoneId) -> Result<()> {
        let within = within(id);
        self.purge_hostnames(id).await?;
        self.purge_csrs(id).await?;
        self.purge_associations(id).await?;
        let mut attempt = 0;
        loop {
            let page = self.log.page(&DNS_RECORDS, &within, None, PAGE).await?;
            if page.is_empty() {
                break;
            }
            let mut transaction = Transaction::default();
            page.iter().for_each(|seen| transaction.delete(seen));
            self.log.commit_page(&transaction, &mut attempt).await?;
        }
        let note = self.log.read(&ZONE_PURGES, id.as_str()).await?;
        let set = self.log.read(&DNS_SETS, id.as_str()).await?;
        let mut transaction = Transaction::default();
        transaction.delete(&note);
        transaction.delete(&set);
        self.forget_asked(&mut transaction, id).await?;
        match self.log.commit(&transaction).await {
            Ok(_) | Err(RegistryError::Conflict(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Finishes deletions of zones that a crash interrupted.
    pub(super) async fn resume_zone_purges(&self) -> Result<()> {
        for note in self.log.all(&ZONE_PURGES, "").await? {
            if let Ok(id) = ZoneId::parse(note.id()) {
                self.purge_zone(&id).await?;
            }
        }
        Ok(())
    }
}

/// The ids of what belongs to a zone start with it.
fn within(zone: &ZoneId) -> String {
    format!("{zone}/")
}

/// How the index of zones follows the store.
pub(super) struct Zones;

#[async_trait]
impl Follow for Zones {
    fn prefix(&self) -> &'static str {
        ZONES.prefix()
    }

    async fn load(&self, registry: &Inner) -> Result<()> {
        let turn = registry.zones.turn().await;
        let mut index = ZoneIndex::default();
        for seen in registry.log.all(&ZONES, "").await? {
            if let (Some(zone), Some(revision)) = (seen.whole(), seen.revision()) {
                index.put(zone, revision);
            }
        }
        turn.show(index);
        Ok(())
    }

    async fn apply(&self, registry: &Inner, id: &str, _: Revision) -> Result<Option<RegistryEvent>> {
        let Ok(id) = ZoneId::parse(id) else { return Ok(None) };
        registry.refresh_zone(&id).await?;
        Ok(Some(RegistryEvent::Zone { id }))
    }
}
