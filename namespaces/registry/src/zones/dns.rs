//! DNS records of a zone: add, read, change, delete; and which name is an origin.
//!
//! Owns the rules that hold between the records of one zone: a CNAME stands alone, no two say the same. Each change of
//! one changes a record of all of them, so that the rules hold whichever node was faster. Held nowhere in memory: what
//! looks for a host looks at zones and claims.

use super::{DNS_RECORDS, DNS_SETS, within};
use crate::collection::{ATTEMPTS, Seen, Transaction, step_aside};
use crate::error::RegistryError;
use crate::zone_error::ZoneError;
use crate::{Inner, Registry, Result};
use wasmyard_model::domain::Domain;
use wasmyard_model::ids::{DnsRecordId, ZoneId};
use wasmyard_model::limits::hostnames as limits;
use wasmyard_model::zone::{DnsRecord, DnsRecordEdit, DnsRecordType, NewDnsRecord};

impl Registry {
    /// Adds a record.
    ///
    /// # Errors
    /// [`ZoneError`]: that the zone is not there, or which rule is broken; [`RegistryError::Store`].
    pub async fn create_dns_record(&self, zone: &ZoneId, edit: &DnsRecordEdit) -> Result<DnsRecord> {
        let id = super::made(DnsRecordId::parse(&uuid::Uuid::new_v4().simple().to_string()))?;
        self.inner.write_dns_record(zone, &id, edit, true).await
    }

    /// Changes a record; what the edit does not give stays.
    ///
    /// # Errors
    /// As [`Registry::create_dns_record`]; [`ZoneError::RecordNotFound`].
    pub async fn update_dns_record(
        &self,
        zone: &ZoneId,
        id: &DnsRecordId,
        edit: &DnsRecordEdit,
    ) -> Result<DnsRecord> {
        self.inner.write_dns_record(zone, id, edit, false).await
    }

    /// Deletes a record.
    ///
    /// # Errors
    /// [`ZoneError::RecordNotFound`]; [`RegistryError::Store`].
    pub async fn delete_dns_record(&self, zone: &ZoneId, id: &DnsRecordId) -> Result<()> {
        let inner = &self.inner;
        for attempt in 0..ATTEMPTS {
            let set = inner.log.read(&DNS_SETS, zone.as_str()).await?;
            let seen = inner.log.read(&DNS_RECORDS, &key(zone, id)).await?;
            if !seen.exists() {
                return Err(ZoneError::RecordNotFound(id.to_string()).into());
            }
            let mut transaction = Transaction::default();
            transaction.delete(&seen);
            transaction.put(&set, &())?;
            match inner.log.commit(&transaction).await {
                Ok(_) => return Ok(()),
                Err(RegistryError::Conflict(_)) => step_aside(attempt).await,
                Err(error) => return Err(error),
            }
        }
        Err(RegistryError::Conflict(format!("DNS record {id}")))
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

impl Inner {
    async fn write_dns_record(
        &self,
        zone_id: &ZoneId,
        id: &DnsRecordId,
        edit: &DnsRecordEdit,
        new: bool,
    ) -> Result<DnsRecord> {
        for attempt in 0..ATTEMPTS {
            let (zone_seen, zone) = self.find_zone(zone_id).await?;
            let set = self.log.read(&DNS_SETS, zone_id.as_str()).await?;
            let seen = self.log.read(&DNS_RECORDS, &key(zone_id, id)).await?;
            let before = seen.record()?;
            if before.is_none() && !new {
                return Err(ZoneError::RecordNotFound(id.to_string()).into());
            }
            let wanted = edit.apply(before.as_ref(), &zone.name).map_err(ZoneError::Record)?;
            let others = self.log.all(&DNS_RECORDS, &within(zone_id)).await?;
            let others = others.iter().filter(|other| other.key() != seen.key());
            judge(&wanted, &others.filter_map(Seen::whole).collect::<Vec<_>>(), new)?;
            let now = self.clock().now();
            let record = DnsRecord {
                id: id.clone(),
                zone: zone_id.clone(),
                name: wanted.name,
                content: wanted.content,
                ttl: wanted.ttl,
                proxied: wanted.proxied,
                comment: wanted.comment,
                tags: wanted.tags,
                created_on: before.map_or(now, |before| before.created_on),
                modified_on: now,
            };
            let mut transaction = Transaction::default();
            transaction.expect(&zone_seen);
            transaction.put(&seen, &record)?;
            transaction.put(&set, &())?;
            match self.log.commit(&transaction).await {
                Ok(_) => return Ok(record),
                Err(RegistryError::Conflict(_)) => step_aside(attempt).await,
                Err(error) => return Err(error),
            }
        }
        Err(RegistryError::Conflict(format!("the DNS records of zone {zone_id}")))
    }

    /// Whether a zone has a proxied record for exactly this name.
    pub(super) async fn is_origin(&self, zone: &ZoneId, name: &Domain) -> Result<bool> {
        let records = self.log.all(&DNS_RECORDS, &within(zone)).await?;
        let mut records = records.iter().filter_map(Seen::whole);
        Ok(records.any(|record| record.proxied && record.name.as_str() == name.as_str()))
    }
}

/// Refuses a record that does not go with the others of its zone.
fn judge(wanted: &NewDnsRecord, others: &[DnsRecord], new: bool) -> Result<()> {
    if new && others.len() as u64 >= limits::DNS_RECORDS {
        return Err(ZoneError::TooManyRecords.into());
    }
    let (name, kind) = (wanted.name.to_string(), wanted.content.kind());
    let mut same_name = others.iter().filter(|other| other.name == wanted.name);
    if same_name.clone().any(|other| other.content == wanted.content) {
        return Err(ZoneError::RecordExists { name, kind: kind.as_str() }.into());
    }
    let is_cname = |kind| kind == DnsRecordType::Cname;
    if same_name.any(|other| is_cname(kind) || is_cname(other.content.kind())) {
        return Err(ZoneError::RecordBesideCname { name }.into());
    }
    Ok(())
}
