//! DNS records of a zone: add, read, change, delete, one or many at once; and which name is an origin.
//!
//! Owns the rules that hold between the records of one zone: a CNAME stands alone, no two say the same. Each change
//! changes a record of all of them, so that the rules hold whichever node was faster. What is held of them is
//! where origins are (`origins`).

use std::collections::{BTreeMap, BTreeSet};

use super::{DNS_RECORDS, DNS_SETS, within};
use crate::collection::{ATTEMPTS, Seen, Transaction, step_aside};
use crate::error::RegistryError;
use crate::ownership::refuse;
use crate::zone_error::ZoneError;
use crate::{Inner, Registry, Result};
use wasmyard_model::domain::Domain;
use wasmyard_model::ids::{DnsRecordId, ZoneId};
use wasmyard_model::limits::hostnames as limits;
use wasmyard_model::name::ConfigName;
use wasmyard_model::timestamp::Timestamp;
use wasmyard_model::zone::{DnsRecord, DnsRecordEdit, DnsRecordType, NewDnsRecord, Zone};

/// One of the changes that are made together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnsChange {
    /// A record goes.
    Delete(DnsRecordId),
    /// A record becomes another; what the edit does not give stays.
    Edit(DnsRecordId, DnsRecordEdit),
    /// There is one more.
    Create(DnsRecordEdit),
}

impl Registry {
    /// Adds a record.
    ///
    /// # Errors
    /// [`ZoneError`]: that the zone is not there, or which rule is broken; [`RegistryError::Store`].
    pub async fn create_dns_record(&self, zone: &ZoneId, edit: &DnsRecordEdit) -> Result<DnsRecord> {
        self.change_dns_record(zone, DnsChange::Create(edit.clone())).await
    }

    /// Changes a record; what the edit does not give stays.
    ///
    /// # Errors
    /// As [`Registry::create_dns_record`]; [`ZoneError::RecordNotFound`]; [`RegistryError::Configured`] for one that the
    /// configuration declares, unless this handle is [over it](Registry::over_configuration).
    pub async fn update_dns_record(
        &self,
        zone: &ZoneId,
        id: &DnsRecordId,
        edit: &DnsRecordEdit,
    ) -> Result<DnsRecord> {
        self.change_dns_record(zone, DnsChange::Edit(id.clone(), edit.clone())).await
    }

    /// Deletes a record, and returns it.
    ///
    /// # Errors
    /// As [`Registry::update_dns_record`].
    pub async fn delete_dns_record(&self, zone: &ZoneId, id: &DnsRecordId) -> Result<DnsRecord> {
        self.change_dns_record(zone, DnsChange::Delete(id.clone())).await
    }

    /// Makes changes in their order, all or none. Returns what each one made of its record; a record that went as it was.
    ///
    /// # Errors
    /// As [`Registry::update_dns_record`], of the first change that cannot be made.
    pub async fn change_dns_records(&self, zone: &ZoneId, changes: &[DnsChange]) -> Result<Vec<DnsRecord>> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let over = self.over_configuration;
        self.inner
            .draft_dns(zone, |draft| changes.iter().map(|change| draft.make(change, over)).collect())
            .await
    }

    /// Adds those of these records that go with what is there, in their order. Returns what became of each.
    ///
    /// # Errors
    /// [`ZoneError::NotFound`]; [`RegistryError::Store`].
    pub async fn add_dns_records(
        &self,
        zone: &ZoneId,
        records: &[DnsRecordEdit],
    ) -> Result<Vec<std::result::Result<DnsRecord, ZoneError>>> {
        let add = |draft: &mut Draft| {
            let mut done = Vec::with_capacity(records.len());
            for edit in records {
                done.push(match draft.make(&DnsChange::Create(edit.clone()), false) {
                    Ok(record) => Ok(record),
                    Err(RegistryError::Zone(refused)) => Err(refused),
                    Err(error) => return Err(error),
                });
            }
            Ok(done)
        };
        self.inner.draft_dns(zone, add).await
    }

    async fn change_dns_record(&self, zone: &ZoneId, change: DnsChange) -> Result<DnsRecord> {
        let changed = self.change_dns_records(zone, std::slice::from_ref(&change)).await?;
        changed.into_iter().next().ok_or(RegistryError::Closed)
    }

    /// Makes the records that a configuration declares in a zone these. One that is as it was keeps its id; where the API
    /// made the same one, the configuration takes it over; one that the file no longer has goes. What another
    /// configuration declared stays. Returns which records became others.
    ///
    /// # Errors
    /// As [`Registry::create_dns_record`]; [`RegistryError::Configured`] for a record of another configuration.
    pub async fn declare_dns_records(
        &self,
        configuration: &ConfigName,
        zone: &ZoneId,
        records: &[DnsRecordEdit],
    ) -> Result<Vec<String>> {
        self.inner.draft_dns(zone, |draft| draft.declare(configuration, records)).await
    }

    /// Gives the records of a zone that a configuration declared to the API, as they are.
    ///
    /// # Errors
    /// [`ZoneError::NotFound`]; [`RegistryError::Store`].
    pub(crate) async fn let_go_of_dns_records(
        &self,
        configuration: &ConfigName,
        zone: &ZoneId,
    ) -> Result<()> {
        let ours = |record: &&mut DnsRecord| record.configuration.as_ref() == Some(configuration);
        self.inner
            .draft_dns(zone, |draft| {
                let Draft { records, touched, .. } = draft;
                for record in records.values_mut().filter(ours) {
                    record.configuration = None;
                    touched.insert(record.id.clone());
                }
                Ok(())
            })
            .await
    }

    /// A record.
    ///
    /// # Errors
    /// [`ZoneError::RecordNotFound`]; [`RegistryError::Store`].
    pub async fn dns_record(&self, zone: &ZoneId, id: &DnsRecordId) -> Result<DnsRecord> {
        let seen = self.inner.log.read(&DNS_RECORDS, &key(zone, id)).await?;
        seen.record()?.ok_or_else(|| ZoneError::RecordNotFound(id.to_string()).into())
    }

    /// All records of a zone, in the order of their names.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn dns_records(&self, zone: &ZoneId) -> Result<Vec<DnsRecord>> {
        let seen = self.inner.log.all(&DNS_RECORDS, &within(zone)).await?;
        let mut records: Vec<DnsRecord> = seen.iter().filter_map(Seen::whole).collect();
        records.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        Ok(records)
    }

    /// Whether a zone has a proxied record for exactly this name: then the name is an origin.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn is_origin(&self, zone: &ZoneId, name: &Domain) -> Result<bool> {
        self.inner.is_origin(zone, name).await
    }
}

fn key(zone: &ZoneId, id: &DnsRecordId) -> String {
    format!("{zone}/{id}")
}

/// The records of a zone while changes are made to them. Nothing of it is written before all of them fit.
struct Draft {
    zone: Zone,
    now: Timestamp,
    records: BTreeMap<DnsRecordId, DnsRecord>,
    /// Those that are made, changed or gone.
    touched: BTreeSet<DnsRecordId>,
}

impl Draft {
    fn make(&mut self, change: &DnsChange, over: bool) -> Result<DnsRecord> {
        match change {
            DnsChange::Create(edit) => {
                let wanted = edit.apply(None, &self.zone.name).map_err(ZoneError::Record)?;
                self.create(wanted, None)
            }
            DnsChange::Edit(id, edit) => {
                let before = self.changeable(id, over)?;
                let wanted = edit.apply(Some(&before), &self.zone.name).map_err(ZoneError::Record)?;
                self.put(before.clone(), wanted, before.configuration)
            }
            DnsChange::Delete(id) => {
                let before = self.changeable(id, over)?;
                self.delete(id);
                Ok(before)
            }
        }
    }

    /// A record that is there, and not the configuration's.
    fn changeable(&self, id: &DnsRecordId, over: bool) -> Result<DnsRecord> {
        let before = self.records.get(id).ok_or_else(|| ZoneError::RecordNotFound(id.to_string()))?;
        if before.configuration.is_some() && !over {
            refuse(&["DNS".to_owned()], &told(before))?;
        }
        Ok(before.clone())
    }

    fn delete(&mut self, id: &DnsRecordId) {
        self.records.remove(id);
        self.touched.insert(id.clone());
    }

    fn create(&mut self, wanted: NewDnsRecord, configuration: Option<ConfigName>) -> Result<DnsRecord> {
        if self.records.len() as u64 >= limits::DNS_RECORDS {
            return Err(ZoneError::TooManyRecords.into());
        }
        let id = super::made(DnsRecordId::parse(&uuid::Uuid::new_v4().simple().to_string()))?;
        let record = DnsRecord {
            id,
            zone: self.zone.id.clone(),
            name: wanted.name.clone(),
            content: wanted.content.clone(),
            ttl: wanted.ttl,
            proxied: wanted.proxied,
            comment: None,
            tags: Vec::new(),
            created_on: self.now,
            modified_on: self.now,
            configuration: None,
        };
        self.put(record, wanted, configuration)
    }

    fn put(
        &mut self,
        before: DnsRecord,
        wanted: NewDnsRecord,
        configuration: Option<ConfigName>,
    ) -> Result<DnsRecord> {
        self.judge(&before.id, &wanted)?;
        let NewDnsRecord { name, content, ttl, proxied, comment, tags } = wanted;
        let modified_on = self.now;
        let record =
            DnsRecord { name, content, ttl, proxied, comment, tags, modified_on, configuration, ..before };
        self.touched.insert(record.id.clone());
        self.records.insert(record.id.clone(), record.clone());
        Ok(record)
    }

    /// Refuses a record that does not go with the others of its zone.
    fn judge(&self, id: &DnsRecordId, wanted: &NewDnsRecord) -> Result<()> {
        let (name, kind) = (wanted.name.to_string(), wanted.content.kind());
        let mut same_name =
            self.records.values().filter(|other| other.id != *id && other.name == wanted.name);
        if same_name.clone().any(|other| other.content == wanted.content) {
            return Err(ZoneError::RecordExists { name, kind: kind.as_str() }.into());
        }
        let is_cname = |kind| kind == DnsRecordType::Cname;
        if same_name.any(|other| is_cname(kind) || is_cname(other.content.kind())) {
            return Err(ZoneError::RecordBesideCname { name }.into());
        }
        Ok(())
    }

    fn declare(&mut self, configuration: &ConfigName, records: &[DnsRecordEdit]) -> Result<Vec<String>> {
        let mut wanted = Vec::with_capacity(records.len());
        for edit in records {
            wanted.push(edit.apply(None, &self.zone.name).map_err(ZoneError::Record)?);
        }
        // First what leaves the file, so that a CNAME can come in its place.
        let is_wanted = |record: &DnsRecord| {
            wanted.iter().any(|wanted| wanted.name == record.name && wanted.content == record.content)
        };
        let ours = |record: &DnsRecord| record.configuration.as_ref() == Some(configuration);
        let left: Vec<DnsRecord> =
            self.records.values().filter(|record| ours(record) && !is_wanted(record)).cloned().collect();
        for record in left {
            tracing::info!(zone = %self.zone.name, record = %record.name, "removed a DNS record that the configuration no longer declares");
            self.delete(&record.id);
        }
        let mut replaced = Vec::new();
        for wanted in wanted {
            let known = self
                .records
                .values()
                .find(|record| record.name == wanted.name && record.content == wanted.content)
                .cloned();
            match known {
                None => drop(self.create(wanted, Some(configuration.clone()))?),
                Some(known) if ours(&known) && known.to_new() == wanted => {}
                Some(known) => {
                    if let Some(owner) = known.configuration.as_ref().filter(|_| !ours(&known)) {
                        let owned = format!("{} in the configuration \"{owner}\"", told(&known));
                        return Err(RegistryError::Configured(owned));
                    }
                    replaced.push(told(&known));
                    self.put(known, wanted, Some(configuration.clone()))?;
                }
            }
        }
        Ok(replaced)
    }
}

/// A record as messages name it.
fn told(record: &DnsRecord) -> String {
    format!("DNS record {} {}", record.name, record.content.kind().as_str())
}

impl Inner {
    /// Makes a draft of a zone's records and writes it, all of it or nothing; makes it again when somebody else was
    /// faster.
    async fn draft_dns<T>(&self, zone: &ZoneId, draft: impl Fn(&mut Draft) -> Result<T>) -> Result<T> {
        for attempt in 0..ATTEMPTS {
            let (zone_seen, found) = self.find_zone(zone).await?;
            let set = self.log.read(&DNS_SETS, zone.as_str()).await?;
            let seen = self.log.all(&DNS_RECORDS, &within(zone)).await?;
            let records =
                seen.iter().filter_map(Seen::whole).map(|record| (record.id.clone(), record)).collect();
            let now = self.clock().now();
            let mut drafted = Draft { zone: found, now, records, touched: BTreeSet::new() };
            let made = draft(&mut drafted)?;
            if drafted.touched.is_empty() {
                return Ok(made);
            }
            let mut transaction = Transaction::default();
            for id in &drafted.touched {
                let key = key(zone, id);
                let before = seen.iter().find(|seen| seen.id() == key);
                match (drafted.records.get(id), before) {
                    (Some(record), Some(before)) => transaction.put(before, record)?,
                    (Some(record), None) => transaction.put_with(&set, &DNS_RECORDS, &key, record)?,
                    (None, Some(before)) => transaction.delete(before),
                    (None, None) => {}
                }
            }
            // One that is only deleted needs room for nothing, and no zone.
            if !drafted.touched.iter().all(|id| !drafted.records.contains_key(id)) {
                transaction.expect(&zone_seen);
            }
            transaction.put(&set, &())?;
            match self.log.commit(&transaction).await {
                Ok(_) => {
                    self.forget_origins(zone).await;
                    return Ok(made);
                }
                Err(RegistryError::Conflict(_)) => step_aside(attempt).await,
                Err(error) => return Err(error),
            }
        }
        Err(RegistryError::Conflict(format!("the DNS records of zone {zone}")))
    }

    /// Whether a zone has a proxied record for exactly this name.
    pub(super) async fn is_origin(&self, zone: &ZoneId, name: &Domain) -> Result<bool> {
        let records = self.log.all(&DNS_RECORDS, &within(zone)).await?;
        let mut records = records.iter().filter_map(Seen::whole);
        Ok(records.any(|record| record.proxied && record.name.as_str() == name.as_str()))
    }
}
