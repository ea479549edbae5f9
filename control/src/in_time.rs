//! Certificates that are brought into use, or taken away, and are late with it.
//!
//! Owns how long either may take until somebody is told: what serves is another store than the record, and may fail while that
//! does not. Both are tried on, for as long as it takes.

use std::time::Duration;

use wasmyard_acme::schedule::WEEK;
use wasmyard_namespaces::hostname::{CustomHostname, CustomName, Ssl, SslStatus};
use wasmyard_namespaces::ids::{CustomHostnameId, ZoneId};
use wasmyard_namespaces::registry::ZoneError;
use wasmyard_namespaces::{RegistryError, Timestamp};

use crate::{Control, Result};

const NOT_DEPLOYED: &str = "the certificate is there and could not be brought into use; the server's log says why, and it is tried on";
const NOT_DELETED: &str =
    "the certificate could not be taken away; the server's log says why, and it is tried on";

impl Control {
    /// Makes what a name is served with follow the record of whoever has it, as [`Control::deploy_name`] does. Where that failed
    /// for a week, the record says so.
    ///
    /// # Errors
    /// As [`Control::deploy_name`]: then it is to be tried again.
    pub async fn deploy_in_time(&self, name: &CustomName) -> Result<()> {
        let deployed = self.deploy_name(name).await;
        if deployed.is_err()
            && let Some(owner) = self.registry.served_under(name).await?
        {
            let is_late = |ssl: &Ssl, hostname: &CustomHostname, now: Timestamp| {
                let there = ssl.certificates.iter().map(|one| one.uploaded_on).max();
                let since = there.unwrap_or(hostname.checks.began).max(hostname.checks.began);
                ssl.status == SslStatus::PendingDeployment && now.since(since) >= WEEK
            };
            let timed_out = (SslStatus::DeploymentTimedOut, NOT_DEPLOYED);
            self.times_out(&owner.zone, &owner.id, timed_out, is_late).await?;
        }
        deployed
    }

    /// Takes the certificates away of a custom hostname that is gone from its customer's DNS for good. Returns when to go on; none
    /// where nothing is left to do.
    ///
    /// # Errors
    /// As [`Control::forget_certificates`]: then it is to be tried again, and where it failed for a week, the record says so.
    pub async fn delete_certificates(
        &self,
        zone: &ZoneId,
        id: &CustomHostnameId,
    ) -> Result<Option<Duration>> {
        let hostname = match self.registry.hostname(zone, id).await {
            Ok(hostname) => hostname,
            Err(RegistryError::Zone(ZoneError::HostnameNotFound(_))) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Some(ssl) = hostname.ssl.as_ref().filter(|ssl| ssl.status.is_being_deleted()) else {
            return Ok(None);
        };
        for pack in std::iter::once(&ssl.id).chain(&ssl.next) {
            if let Err(error) = self.forget_certificates(pack).await {
                let is_late = |ssl: &Ssl, hostname: &CustomHostname, now: Timestamp| {
                    // A week after it moved it began to be taken away.
                    ssl.status == SslStatus::PendingDeletion && now.since(hostname.checks.began) >= 2 * WEEK
                };
                self.times_out(zone, id, (SslStatus::DeletionTimedOut, NOT_DELETED), is_late).await?;
                return Err(error);
            }
        }
        let gone = ssl.id.clone();
        let changed = self.registry.change_hostname(zone, id, |before, now| {
            let gone = |ssl: &&Ssl| ssl.id == gone && ssl.status.is_being_deleted();
            let Some(ssl) = before.ssl.as_ref().filter(gone) else { return Ok(None) };
            let ssl = Ssl { status: SslStatus::Deleted, ..ssl.clone().emptied(ssl.id.clone()) };
            Ok(Some(CustomHostname { ssl: Some(ssl), modified_at: now, ..before.clone() }))
        });
        match changed.await {
            Ok(_) | Err(RegistryError::Zone(ZoneError::HostnameNotFound(_))) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Says that something takes too long, where it does.
    async fn times_out(
        &self,
        zone: &ZoneId,
        id: &CustomHostnameId,
        (status, error): (SslStatus, &str),
        is_late: impl Fn(&Ssl, &CustomHostname, Timestamp) -> bool,
    ) -> Result<()> {
        let changed = self.registry.change_hostname(zone, id, |before, now| {
            let late = before.ssl.as_ref().filter(|ssl| is_late(ssl, before, now));
            let Some(ssl) = late else { return Ok(None) };
            let ssl = Ssl { status, validation_errors: vec![error.to_owned()], ..ssl.clone() };
            Ok(Some(CustomHostname { ssl: Some(ssl), modified_at: now, ..before.clone() }))
        });
        match changed.await {
            Ok(_) | Err(RegistryError::Zone(ZoneError::HostnameNotFound(_))) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
