//! mTLS certificates: kept, listed, deleted; and which names of a zone ask for which.
//!
//! Owns that authorities which a name asks for stay, and that what is served follows: as jobs, made with the change itself.
//! What names ask for is in memory, too: who answers a request that came without a handshake of its own must know.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use async_trait::async_trait;

use super::certificates::CERTIFICATE_DEPLOY;
use super::{HostMatch, ZONE_DEPLOY, within};
use crate::collection::{ATTEMPTS, Collection, PAGE, Seen, Transaction, step_aside};
use crate::error::RegistryError;
use crate::follow::Follow;
use crate::zone_error::ZoneError;
use crate::{Inner, Registry, RegistryEvent, Result};
use wasmyard_model::client_ca::{ClientCertificateMode, HostnameAssociation, MtlsCertificate, MtlsError};
use wasmyard_model::hostname::CustomName;
use wasmyard_model::ids::{MtlsCertificateId, ZoneId};
use wasmyard_model::limits::hostnames as limits;
use wasmyard_model::secret::Secret;
use wasmyard_stores::Revision;

/// Authorities, by their id.
pub(crate) const AUTHORITIES: Collection<MtlsCertificate> = Collection::at("mtls-certificate/");
/// Keys of those that scripts show, in PEM form, by the certificate's id.
pub(crate) const KEYS: Collection<String> = Collection::at("mtls-key/");
/// What names ask for, by their zone's id and the name.
const ASSOCIATIONS: Collection<HostnameAssociation> = Collection::at("mtls-association/");
/// Who asks for authorities, by their id, the zone's and the name.
const ASSOCIATION_USES: Collection<()> = Collection::at("mtls-use/");

fn key(zone: &ZoneId, name: &str) -> String {
    format!("{}{name}", within(zone))
}

fn use_key(authority: &MtlsCertificateId, zone: &ZoneId, name: &str) -> String {
    format!("{authority}/{}", key(zone, name))
}

/// What becomes of clients without a certificate, by the zone's id and the name.
#[derive(Debug, Default)]
pub(crate) struct AssociationMemory(RwLock<HashMap<String, ClientCertificateMode>>);

impl Registry {
    /// Whether no request for a host may be answered without a certificate of its client. Asks memory alone.
    #[must_use]
    pub fn requires_client_certificate(&self, found: &HostMatch, host: &str) -> bool {
        let known = self.inner.associations.0.read().unwrap_or_else(PoisonError::into_inner);
        let Some(hostname) = found.hostname.as_ref().filter(|_| !known.is_empty()) else { return false };
        let of = |name: &str| known.get(&key(&found.zone.id, name)).copied();
        let mode = if hostname.name.as_str() == host {
            of(host)
        } else {
            let wildcard = host.split_once('.').map(|(_, parent)| format!("*.{parent}"));
            let own = wildcard.as_ref().is_some_and(|wildcard| *wildcard == hostname.name.as_str());
            let explicit = wildcard.as_deref().and_then(of);
            // What is below a hostname by its wildcard asks as the zone does; a hostname that is a wildcard asks for itself.
            if own { explicit } else { explicit.or_else(|| of(found.zone.name.as_str())) }
        };
        mode == Some(ClientCertificateMode::Required)
    }

    /// Whether any name asks clients for certificates. Asks memory alone.
    #[must_use]
    pub fn has_associations(&self) -> bool {
        !self.inner.associations.0.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// An id for authorities, which sorts after those that were made before.
    ///
    /// # Errors
    /// That the system gives no random bytes.
    pub fn new_mtls_certificate_id(&self) -> Result<MtlsCertificateId> {
        let text = super::uuid_in_order(self.inner.clock().now())?;
        super::made(MtlsCertificateId::parse(&text))
    }

    /// Keeps authorities; or a certificate that scripts show, with its key.
    ///
    /// # Errors
    /// [`MtlsError::TooMany`]; [`RegistryError::Store`].
    pub async fn create_mtls_certificate(&self, new: &MtlsCertificate, key: Option<&Secret>) -> Result<()> {
        let log = &self.inner.log;
        if log.count(&AUTHORITIES, "").await? >= limits::MTLS_CERTIFICATES {
            return Err(ZoneError::Mtls(MtlsError::TooMany).into());
        }
        let free = log.read(&AUTHORITIES, new.id.as_str()).await?;
        let mut transaction = Transaction::default();
        transaction.put(&free, new)?;
        if let Some(key) = key {
            transaction.put(&log.read(&KEYS, new.id.as_str()).await?, &key.expose().to_owned())?;
        }
        log.commit(&transaction).await.map(drop)
    }

    /// Authorities.
    ///
    /// # Errors
    /// [`MtlsError::NotFound`]; [`RegistryError::Store`].
    pub async fn mtls_certificate(&self, id: &MtlsCertificateId) -> Result<MtlsCertificate> {
        Ok(self.inner.find_authority(id).await?.1)
    }

    /// All authorities, in the order in which they were uploaded.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn mtls_certificates(&self) -> Result<Vec<MtlsCertificate>> {
        let seen = self.inner.log.all(&AUTHORITIES, "").await?;
        Ok(seen.iter().filter_map(Seen::whole).collect())
    }

    /// Whether any name asks for authorities.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn is_mtls_certificate_used(&self, id: &MtlsCertificateId) -> Result<bool> {
        Ok(!self.inner.log.page(&ASSOCIATION_USES, &format!("{id}/"), None, 1).await?.is_empty())
    }

    /// Deletes authorities that nobody asks for, or a certificate that scripts show: where that is not forced, one that nobody is
    /// noted as bound to.
    ///
    /// # Errors
    /// [`MtlsError::NotFound`], [`MtlsError::InUse`]; [`RegistryError::Conflict`] when scripts are noted as bound to it;
    /// [`RegistryError::Store`].
    pub async fn delete_mtls_certificate(
        &self,
        id: &MtlsCertificateId,
        is_forced: bool,
    ) -> Result<MtlsCertificate> {
        let inner = &self.inner;
        for attempt in 0..ATTEMPTS {
            let (seen, found) = inner.find_authority(id).await?;
            let uses = inner.log.page(&ASSOCIATION_USES, &format!("{id}/"), None, 1).await?;
            if let Some(used) = uses.first() {
                let name = used.id().rsplit('/').next().unwrap_or_default().to_owned();
                return Err(ZoneError::Mtls(MtlsError::InUse(name)).into());
            }
            let mut transaction = Transaction::default();
            transaction.delete(&seen);
            inner.delete_identity(&mut transaction, id, is_forced).await?;
            match inner.log.commit(&transaction).await {
                Ok(_) => return Ok(found),
                Err(RegistryError::Conflict(_)) => step_aside(attempt).await,
                Err(error) => return Err(error),
            }
        }
        Err(RegistryError::Conflict(format!("mTLS certificate {id}")))
    }

    /// What names of a zone ask for, by the names.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn hostname_associations(&self, zone: &ZoneId) -> Result<Vec<(String, HostnameAssociation)>> {
        let seen = self.inner.log.all(&ASSOCIATIONS, &within(zone)).await?;
        let name = |seen: &Seen<HostnameAssociation>| Some((name_of(seen), seen.whole()?));
        Ok(seen.iter().filter_map(name).collect())
    }

    /// What a name of a zone asks for, with the authorities themselves.
    ///
    /// # Errors
    /// That a record is damaged or missing: nobody is to be let in because of that; [`RegistryError::Store`].
    pub async fn hostname_association(
        &self,
        zone: &ZoneId,
        name: &str,
    ) -> Result<Option<(HostnameAssociation, MtlsCertificate)>> {
        let seen = self.inner.log.read(&ASSOCIATIONS, &key(zone, name)).await?;
        let Some(association) = seen.record()? else { return Ok(None) };
        let (_, authority) = self.inner.find_authority(&association.authority).await?;
        Ok(Some((association, authority)))
    }

    /// Has these names of a zone ask for authorities, and no other names of it for the same. Returns the names for which
    /// something changes.
    ///
    /// # Errors
    /// [`MtlsError::NotFound`], [`MtlsError::ManyHostnames`]; that the zone is not there; [`RegistryError::Store`].
    pub async fn associate_hostnames(
        &self,
        zone: &ZoneId,
        wanted: &HostnameAssociation,
        names: &[CustomName],
    ) -> Result<Vec<CustomName>> {
        let inner = &self.inner;
        for attempt in 0..ATTEMPTS {
            let mut transaction = Transaction::default();
            let (zone_seen, zone_found) = inner.find_zone(zone).await?;
            transaction.expect(&zone_seen);
            let (seen, authority) = inner.find_authority(&wanted.authority).await?;
            if !authority.ca {
                return Err(ZoneError::Mtls(MtlsError::NotCa(wanted.authority.clone())).into());
            }
            // Whoever deletes them at the same moment has to look again.
            transaction.put(&seen, &authority)?;
            let before = inner.log.all(&ASSOCIATIONS, &within(zone)).await?;
            let mut changed = Vec::new();
            let mut left = 0u64;
            for seen in &before {
                let name = name_of(seen);
                let stays = names.iter().any(|wanted| wanted.as_str() == name);
                let whole = seen.whole();
                // One that cannot be read makes way.
                let is_ours = whole.as_ref().is_none_or(|known| known.authority == wanted.authority);
                if stays || !is_ours {
                    left += u64::from(!stays);
                    continue;
                }
                transaction.delete(seen);
                transaction.delete_with(seen, &ASSOCIATION_USES, &use_key(&wanted.authority, zone, &name));
                changed.extend(CustomName::parse(&name).ok());
            }
            if left + names.len() as u64 > limits::MTLS_ASSOCIATIONS {
                return Err(ZoneError::Mtls(MtlsError::ManyHostnames).into());
            }
            for name in names {
                let seen = inner.log.read(&ASSOCIATIONS, &key(zone, name.as_str())).await?;
                let known = seen.whole();
                if known.as_ref() == Some(wanted) {
                    continue;
                }
                if let Some(known) = known.filter(|known| known.authority != wanted.authority) {
                    let of_before = use_key(&known.authority, zone, name.as_str());
                    transaction.delete_with(&seen, &ASSOCIATION_USES, &of_before);
                }
                transaction.put(&seen, wanted)?;
                let used = use_key(&wanted.authority, zone, name.as_str());
                transaction.put_with(&seen, &ASSOCIATION_USES, &used, &())?;
                changed.push(name.clone());
            }
            for name in &changed {
                if name.as_str() == zone_found.name.as_str() {
                    inner.job_again(&mut transaction, ZONE_DEPLOY, zone.as_str()).await?;
                } else {
                    inner.job_again(&mut transaction, CERTIFICATE_DEPLOY, name.as_str()).await?;
                }
            }
            match inner.log.commit(&transaction).await {
                Ok(_) => {
                    for name in &changed {
                        inner.refresh_association(&key(zone, name.as_str())).await?;
                    }
                    inner.jobs_made.notify_waiters();
                    return Ok(changed);
                }
                Err(RegistryError::Conflict(_)) => step_aside(attempt).await,
                Err(error) => return Err(error),
            }
        }
        Err(RegistryError::Conflict(format!("hostname associations of zone {zone}")))
    }
}

/// The name in a key.
fn name_of(seen: &Seen<HostnameAssociation>) -> String {
    seen.id().rsplit('/').next().unwrap_or_default().to_owned()
}

impl Inner {
    pub(crate) async fn find_authority(
        &self,
        id: &MtlsCertificateId,
    ) -> Result<(Seen<MtlsCertificate>, MtlsCertificate)> {
        let seen = self.log.read(&AUTHORITIES, id.as_str()).await?;
        let found = seen.record()?.ok_or_else(|| ZoneError::Mtls(MtlsError::NotFound(id.to_string())))?;
        Ok((seen, found))
    }

    /// Has the memory read what a name asks for again.
    async fn refresh_association(&self, id: &str) -> Result<()> {
        let found = self.log.read(&ASSOCIATIONS, id).await?.whole();
        let mut known = self.associations.0.write().unwrap_or_else(PoisonError::into_inner);
        match found {
            Some(association) => drop(known.insert(id.to_owned(), association.mode)),
            None => drop(known.remove(id)),
        }
        Ok(())
    }

    /// Removes what names of a zone that is gone asked for.
    pub(super) async fn purge_associations(&self, zone: &ZoneId) -> Result<()> {
        let mut attempt = 0;
        loop {
            let page = self.log.page(&ASSOCIATIONS, &within(zone), None, PAGE).await?;
            if page.is_empty() {
                return Ok(());
            }
            let mut transaction = Transaction::default();
            for seen in &page {
                transaction.delete(seen);
                if let Some(known) = seen.whole() {
                    let used = use_key(&known.authority, zone, &name_of(seen));
                    transaction.delete_with(seen, &ASSOCIATION_USES, &used);
                }
            }
            self.log.commit_page(&transaction, &mut attempt).await?;
        }
    }
}

/// How the memory of what names ask for follows the store.
pub(crate) struct Associations;

#[async_trait]
impl Follow for Associations {
    fn prefix(&self) -> &'static str {
        ASSOCIATIONS.prefix()
    }

    async fn load(&self, registry: &Inner) -> Result<()> {
        let seen = registry.log.all(&ASSOCIATIONS, "").await?;
        let all = seen.iter().filter_map(|seen| Some((seen.id().to_owned(), seen.whole()?.mode))).collect();
        *registry.associations.0.write().unwrap_or_else(PoisonError::into_inner) = all;
        Ok(())
    }

    async fn apply(&self, registry: &Inner, id: &str, _: Revision) -> Result<Option<RegistryEvent>> {
        registry.refresh_association(id).await?;
        Ok(None)
    }
}
