//! Certificates that somebody brings: requests for them, made, read, listed, deleted; and which custom hostnames have what.
//!
//! Owns that a request which is in use stays. Whoever takes one into use changes its record in the same append, so that a
//! deletion which did not see it is made anew. Their keys are elsewhere: what is to be forgotten of them comes as a job with
//! the deletion.

use super::check_key;
use super::within;
use crate::collection::{ATTEMPTS, Collection, PAGE, Seen, Transaction, step_aside};
use crate::error::RegistryError;
use crate::zone_error::ZoneError;
use crate::{Inner, Registry, Result};
use wasmyard_model::csr::{CsrError, CsrOwner, CustomCsr};
use wasmyard_model::hostname::{CertificateError, CustomHostname, CustomName, HostnameError, Ssl};
use wasmyard_model::ids::{CustomCsrId, ZoneId};
use wasmyard_model::limits::hostnames as limits;

/// Requests, by whose they are and their own id.
const CSRS: Collection<CustomCsr> = Collection::at("csr/");
/// Hostnames with a certificate of a request, by the request's id, the zone's and the hostname's; the record is its name.
const CSR_USES: Collection<CustomName> = Collection::at("csr-use/");

/// The kind of the jobs that forget the key of a request which is gone. The key is the request's id.
pub const CSR_FORGET: &str = "csr-forget";

/// The kind of the jobs that look how near the end of certificates is which somebody brought. The key is that of checks.
pub const CERTIFICATE_AGE: &str = "certificate-age";

/// What the keys of an owner's requests begin with.
fn of(owner: &CsrOwner) -> String {
    match owner {
        CsrOwner::Zone(zone) => within(zone),
        CsrOwner::Account => "account/".to_owned(),
    }
}

fn key(owner: &CsrOwner, id: &CustomCsrId) -> String {
    format!("{}{id}", of(owner))
}

impl Registry {
    /// An id for a request, which sorts after those that were made before.
    ///
    /// # Errors
    /// That the system gives no random bytes.
    pub fn new_csr_id(&self) -> Result<CustomCsrId> {
        let text = super::uuid_in_order(self.inner.clock().now())?;
        super::made(CustomCsrId::parse(&text))
    }

    /// Keeps a request whose key is kept.
    ///
    /// # Errors
    /// [`CsrError::TooMany`]; that the zone is not there; [`RegistryError::Store`].
    pub async fn create_csr(&self, csr: &CustomCsr) -> Result<()> {
        let inner = &self.inner;
        for attempt in 0..ATTEMPTS {
            let mut transaction = Transaction::default();
            if let CsrOwner::Zone(zone) = &csr.owner {
                let (zone_seen, _) = inner.find_zone(zone).await?;
                transaction.expect(&zone_seen);
            }
            if inner.log.count(&CSRS, &of(&csr.owner)).await? >= limits::CUSTOM_CSRS {
                return Err(ZoneError::Csr(CsrError::TooMany).into());
            }
            let free = inner.log.read(&CSRS, &key(&csr.owner, &csr.id)).await?;
            transaction.put(&free, csr)?;
            match inner.log.commit(&transaction).await {
                Ok(_) => return Ok(()),
                Err(RegistryError::Conflict(_)) => step_aside(attempt).await,
                Err(error) => return Err(error),
            }
        }
        Err(RegistryError::Conflict(format!("custom CSR {}", csr.id)))
    }

    /// A request.
    ///
    /// # Errors
    /// [`CsrError::NotFound`]; [`RegistryError::Store`].
    pub async fn csr(&self, owner: &CsrOwner, id: &CustomCsrId) -> Result<CustomCsr> {
        Ok(self.inner.find_csr(owner, id).await?.1)
    }

    /// The request that a custom hostname of a zone may use: one of the zone's, or of the account's.
    ///
    /// # Errors
    /// [`CertificateError::CsrNotFound`]; [`RegistryError::Store`].
    pub async fn csr_for(&self, zone: &ZoneId, id: &CustomCsrId) -> Result<CustomCsr> {
        Ok(self.inner.find_csr_for(zone, id).await?.1)
    }

    /// All requests of an owner, in the order in which they were made.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn csrs(&self, owner: &CsrOwner) -> Result<Vec<CustomCsr>> {
        let seen = self.inner.log.all(&CSRS, &of(owner)).await?;
        Ok(seen.iter().filter_map(Seen::whole).collect())
    }

    /// Deletes a request; its key is forgotten by a job.
    ///
    /// # Errors
    /// [`CsrError::NotFound`], [`CsrError::InUse`]; [`RegistryError::Store`].
    pub async fn delete_csr(&self, owner: &CsrOwner, id: &CustomCsrId) -> Result<()> {
        let inner = &self.inner;
        for attempt in 0..ATTEMPTS {
            let (seen, _) = inner.find_csr(owner, id).await?;
            let uses = inner.log.page(&CSR_USES, &format!("{id}/"), None, 1).await?;
            if let Some(in_use) = uses.first() {
                let name = in_use.whole().map_or_else(|| "a hostname".to_owned(), |name| name.to_string());
                return Err(ZoneError::Csr(CsrError::InUse(name)).into());
            }
            let mut transaction = Transaction::default();
            transaction.delete(&seen);
            inner.job_again(&mut transaction, CSR_FORGET, id.as_str()).await?;
            match inner.log.commit(&transaction).await {
                Ok(_) => {
                    inner.jobs_made.notify_waiters();
                    return Ok(());
                }
                Err(RegistryError::Conflict(_)) => step_aside(attempt).await,
                Err(error) => return Err(error),
            }
        }
        Err(RegistryError::Conflict(format!("custom CSR {id}")))
    }
}

impl Inner {
    async fn find_csr(&self, owner: &CsrOwner, id: &CustomCsrId) -> Result<(Seen<CustomCsr>, CustomCsr)> {
        let seen = self.log.read(&CSRS, &key(owner, id)).await?;
        let csr = seen.record()?.ok_or_else(|| ZoneError::Csr(CsrError::NotFound(id.to_string())))?;
        Ok((seen, csr))
    }

    async fn find_csr_for(&self, zone: &ZoneId, id: &CustomCsrId) -> Result<(Seen<CustomCsr>, CustomCsr)> {
        for owner in [CsrOwner::Zone(zone.clone()), CsrOwner::Account] {
            let seen = self.log.read(&CSRS, &key(&owner, id)).await?;
            if let Some(csr) = seen.record()? {
                return Ok((seen, csr));
            }
        }
        let missing = HostnameError::Certificate(CertificateError::CsrNotFound(id.to_string()));
        Err(ZoneError::Hostname(missing).into())
    }

    /// Adds to a transaction which requests a hostname has certificates of, where a change changes that.
    async fn change_csr_uses(
        &self,
        transaction: &mut Transaction,
        before: Option<&CustomHostname>,
        after: Option<&CustomHostname>,
    ) -> Result<()> {
        let used = |hostname: Option<&CustomHostname>| -> Vec<CustomCsrId> {
            hostname.into_iter().flat_map(CustomHostname::csrs).cloned().collect()
        };
        let (old, new) = (used(before), used(after));
        let use_key = |csr: &CustomCsrId, of: &CustomHostname| format!("{csr}/{}/{}", of.zone, of.id);
        if let Some(before) = before {
            for gone in old.iter().filter(|csr| !new.contains(csr)) {
                transaction.delete(&self.log.read(&CSR_USES, &use_key(gone, before)).await?);
            }
        }
        if let Some(after) = after {
            for taken in new.iter().filter(|csr| !old.contains(csr)) {
                let (seen, csr) = self.find_csr_for(&after.zone, taken).await?;
                // Whoever deletes it at the same moment has to look again.
                transaction.put(&seen, &csr)?;
                transaction.put(&self.log.read(&CSR_USES, &use_key(taken, after)).await?, &after.name)?;
            }
        }
        Ok(())
    }

    /// Adds to a transaction what follows from certificates that somebody brought: which requests are in use, and that somebody
    /// looks when they end.
    pub(super) async fn change_custom(
        &self,
        transaction: &mut Transaction,
        before: Option<&CustomHostname>,
        after: Option<&CustomHostname>,
    ) -> Result<()> {
        self.change_csr_uses(transaction, before, after).await?;
        let is_custom = |hostname: &&CustomHostname| hostname.ssl.as_ref().is_some_and(Ssl::is_custom);
        if let Some(after) = after.filter(is_custom)
            && before.filter(is_custom).is_none()
        {
            self.job_soon(transaction, CERTIFICATE_AGE, &check_key(&after.zone, &after.id)).await?;
        }
        Ok(())
    }

    /// Removes the requests of a zone that is gone.
    pub(super) async fn purge_csrs(&self, zone: &ZoneId) -> Result<()> {
        let mut attempt = 0;
        loop {
            let page = self.log.page(&CSRS, &within(zone), None, PAGE).await?;
            if page.is_empty() {
                return Ok(());
            }
            let mut transaction = Transaction::default();
            for seen in &page {
                transaction.delete(seen);
                if let Some(csr) = seen.whole() {
                    self.job_again(&mut transaction, CSR_FORGET, csr.id.as_str()).await?;
                }
            }
            self.log.commit_page(&transaction, &mut attempt).await?;
        }
    }
}
