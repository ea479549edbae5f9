//! Which certificates names are served with: the store of certificates made to follow the record of hostnames.
//!
//! Owns the one way in which a certificate comes to be served, whoever brought it: it is kept under the id of its pack, then
//! the hostname's record says so, then each name that is served is the pack's of whoever has the name. The registry makes a
//! job of every change that matters here together with the change, so that a process which ends between the two stores leaves
//! nothing behind; what is done twice is done once.

use std::sync::Arc;

use wasmyard_hostnames::ServedName;
use wasmyard_hostnames::certificates::{
    CertificateStore, Pair, PutError, ServedWith, describe, settings_of, zone_settings_of,
};
use wasmyard_hostnames::uploads::Trust;
use wasmyard_listener::tls::Settings;
use wasmyard_namespaces::RegistryError;
use wasmyard_namespaces::hostname::{CustomHostname, CustomName, HostnameCertificate, Ssl, SslStatus};
use wasmyard_namespaces::ids::{CertificateId, CertificatePackId, CustomHostnameId, ZoneId};
use wasmyard_namespaces::registry::{HostnameNames, ZoneError};

use crate::{Control, ControlError, Result};

/// How many hostnames of a zone are looked at at a time.
const PAGE: usize = 128;

/// The store of certificates, and whose turn it is to change what is served.
#[derive(Clone)]
pub(crate) struct Certificates {
    pub(crate) store: Arc<CertificateStore>,
    /// Which authorities customers' own certificates may be of.
    pub(crate) trust: Arc<Trust>,
    /// Whose turn it is to have a key made, or a certificate judged.
    pub(crate) making: Arc<tokio::sync::Mutex<()>>,
    /// Whose turn it is to change a part of a pack.
    pub(crate) packs: Arc<tokio::sync::Mutex<()>>,
    /// Two that make one name follow its record must not do so on what each of them read before.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Control {
    /// The same use cases, where visitors are served over TLS with the certificates of this store.
    #[must_use]
    pub fn with_certificates(mut self, store: Arc<CertificateStore>) -> Control {
        self.certificates = Some(Certificates {
            store,
            trust: Arc::default(),
            making: Arc::default(),
            packs: Arc::default(),
            turn: Arc::default(),
        });
        self
    }

    /// The same, where customers may bring certificates of these authorities.
    #[must_use]
    pub fn with_trust(mut self, trust: Trust) -> Control {
        if let Some(certificates) = &mut self.certificates {
            certificates.trust = Arc::new(trust);
        }
        self
    }

    /// The store of certificates; none where no visitor is served over TLS.
    #[must_use]
    pub fn certificates(&self) -> Option<&Arc<CertificateStore>> {
        self.certificates.as_ref().map(|certificates| &certificates.store)
    }

    /// Gives a custom hostname these certificates, as its pack of this id, in place of whatever it had, and serves its names
    /// with them if they are its own. The names that are served go on being served in every moment of it.
    ///
    /// # Errors
    /// [`ControlError::Certificates`]; that the hostname is gone; the registry's failure.
    pub async fn install_certificates(
        &self,
        zone: &ZoneId,
        id: &CustomHostnameId,
        pack: &CertificatePackId,
        pairs: Vec<Pair>,
    ) -> Result<Arc<CustomHostname>> {
        let Some(store) = self.certificates() else { return Err(ControlError::NoCertificates) };
        let now = self.now();
        let mut known: Vec<HostnameCertificate> = Vec::with_capacity(pairs.len());
        for pair in &pairs {
            let described = describe(pair, new_certificate_id()?, now);
            let unreadable = || ControlError::Invalid("a certificate cannot be read".to_owned());
            known.push(described.ok_or_else(unreadable)?);
        }
        store.keep(pack, pairs).await?;
        let after = self
            .registry
            .change_hostname(zone, id, |before, now| {
                let Some(ssl) = &before.ssl else { return Ok(None) };
                let status = match before.status.is_served() {
                    true => SslStatus::PendingDeployment,
                    // There is nothing to be deployed yet: it is served when the name is its own.
                    false => SslStatus::Active,
                };
                let ssl = Ssl {
                    id: pack.clone(),
                    next: ssl.next.clone().filter(|next| next != pack),
                    status,
                    certificates: known.clone(),
                    custom: Vec::new(),
                    validation_errors: Vec::new(),
                    ..ssl.clone()
                };
                Ok(Some(CustomHostname { ssl: Some(ssl), modified_at: now, ..before.clone() }))
            })
            .await?;
        self.deploy_certificates(&after).await;
        self.registry.hostname(zone, id).await.map_err(Into::into)
    }

    /// Makes what the names of a custom hostname are served with follow the record, which has changed. What fails is logged,
    /// and done by the job that was made with the change.
    pub(crate) async fn deploy_certificates(&self, hostname: &CustomHostname) {
        for name in hostname.served_names() {
            if let Err(error) = self.deploy_in_time(&name).await {
                tracing::error!(%name, %error, "what is served does not follow the record yet; it is tried again");
            }
        }
    }

    /// Makes what a name is served with follow the record of whoever has it: its certificates, its settings of TLS, or
    /// nothing, where it is nobody's or its owner asked for no certificate. Where its owner waits for the first, what was
    /// served goes on: a name that changes hands does not go dark.
    ///
    /// # Errors
    /// [`ControlError::Certificates`]; the registry's failure.
    pub async fn deploy_name(&self, name: &CustomName) -> Result<()> {
        let Some(Certificates { store, turn, .. }) = &self.certificates else { return Ok(()) };
        let Ok(served) = ServedName::parse(name.as_str()) else { return Ok(()) };
        let _turn = turn.lock().await;
        let owner = self.registry.served_under(name).await?;
        let Some((owner, ssl)) = owner.as_ref().and_then(|owner| Some((owner, owner.ssl.as_ref()?))) else {
            store.stop_serving(&served).await?;
            return Ok(());
        };
        if !ssl.is_ready() {
            return Ok(());
        }
        let settings = self.settings_for(owner, name).await?;
        let wanted = ServedWith { pack: Some(ssl.id.clone()), settings: Some(settings.clone()) };
        let present = store.served_with(&served).await?;
        let has_pack = present.as_ref().is_some_and(|present| present.pack == wanted.pack);
        if has_pack && present.as_ref() != Some(&wanted) {
            store.set_settings(&served, &settings).await?;
        } else if !has_pack {
            match store.serve(&served, &ssl.id, &settings).await {
                // The wildcard of a hostname whose certificate is not for it yet: another one is on its way.
                Err(PutError::Vault(error)) if error.is_other_name() => return Ok(()),
                served => served?,
            }
            tracing::info!(%name, zone = %owner.zone, pack = %ssl.id, "a certificate is served");
        }
        if ssl.status.is_being_deployed() && *name == owner.name {
            self.was_deployed(&owner.zone, &owner.id, &ssl.id).await?;
        }
        Ok(())
    }

    /// How a name is served: the settings of a custom hostname are for its own name, and what is below it by a wildcard is
    /// served as its zone says.
    async fn settings_for(&self, owner: &CustomHostname, name: &CustomName) -> Result<Settings> {
        let settings = if owner.name == *name {
            let own = owner.ssl.as_ref().and_then(|ssl| ssl.config.settings.clone());
            settings_of(&own.unwrap_or_default())
        } else {
            let zone = self.registry.zone(&owner.zone);
            zone.map(|zone| zone_settings_of(&zone.settings)).unwrap_or_default()
        };
        self.with_clients(settings, owner, name).await
    }

    /// Makes what is below custom hostnames of a zone be served as the zone says now.
    ///
    /// # Errors
    /// As [`Control::deploy_name`].
    pub async fn deploy_zone(&self, zone: &ZoneId) -> Result<()> {
        if self.certificates.is_none() {
            return Ok(());
        }
        let has_wildcard = |hostname: &CustomHostname| {
            hostname.status.is_served()
                && hostname.ssl.as_ref().is_some_and(|ssl| ssl.config.wildcard == Some(true))
        };
        let mut after: Option<String> = None;
        loop {
            let names = HostnameNames::All;
            let page = self.registry.hostnames(zone, &names, has_wildcard, after.as_deref(), PAGE).await?;
            for (_, hostname) in &page {
                for name in hostname.served_names().filter(|name| *name != hostname.name) {
                    self.deploy_name(&name).await?;
                }
            }
            match page.into_iter().last() {
                Some((key, _)) => after = Some(key),
                None => return Ok(()),
            }
        }
    }

    async fn was_deployed(
        &self,
        zone: &ZoneId,
        id: &CustomHostnameId,
        pack: &CertificatePackId,
    ) -> Result<()> {
        let changed = self.registry.change_hostname(zone, id, |before, now| {
            let deployed = |ssl: &&Ssl| ssl.id == *pack && ssl.status.is_being_deployed();
            let Some(ssl) = before.ssl.as_ref().filter(deployed) else { return Ok(None) };
            // What was late is said of it no more.
            let was_late = ssl.status == SslStatus::DeploymentTimedOut;
            let validation_errors = if was_late { Vec::new() } else { ssl.validation_errors.clone() };
            let ssl = Ssl { status: SslStatus::Active, validation_errors, ..ssl.clone() };
            Ok(Some(CustomHostname { ssl: Some(ssl), modified_at: now, ..before.clone() }))
        });
        match changed.await {
            Ok(_) | Err(RegistryError::Zone(ZoneError::HostnameNotFound(_))) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Forgets the certificates of a pack that no hostname has any more, with their keys. Names that are served with them are
    /// made to follow their record first.
    ///
    /// # Errors
    /// As [`Control::deploy_name`].
    pub async fn forget_certificates(&self, pack: &CertificatePackId) -> Result<()> {
        let Some(store) = self.certificates() else { return Ok(()) };
        for name in store.names_of(pack).await? {
            if let Ok(name) = CustomName::parse(name.as_str()) {
                self.deploy_name(&name).await?;
            }
        }
        store.forget(pack).await?;
        Ok(())
    }
}

pub(crate) fn new_certificate_id() -> Result<CertificateId> {
    CertificateId::parse(&uuid::Uuid::new_v4().to_string())
        .map_err(|error| ControlError::Invalid(error.to_string()))
}

#[cfg(test)]
mod tests;
