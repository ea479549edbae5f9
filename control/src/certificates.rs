//! Which certificates names are served with: the store of certificates made to follow the record of hostnames.
//!
//! Owns the one way in which a certificate comes to be served, whoever brought it: it is kept under the id of its pack, then
//! the hostname's record says so, then each name that is served is the pack's of whoever has the name. The registry makes a
//! job of every change that matters here together with the change, so that a process which ends between the two stores leaves
//! nothing behind; what is done twice is done once.

use std::sync::Arc;

use wasmyard_hostnames::ServedName;
use wasmyard_hostnames::certificates::{CertificateStore, Pair, PutError, ServedWith, describe, settings_of};
use wasmyard_namespaces::RegistryError;
use wasmyard_namespaces::hostname::{CustomHostname, CustomName, HostnameCertificate, Ssl, SslStatus};
use wasmyard_namespaces::ids::{CertificateId, CertificatePackId, CustomHostnameId, ZoneId};
use wasmyard_namespaces::registry::ZoneError;

use crate::{Control, ControlError, Result};

/// The store of certificates, and whose turn it is to change what is served.
#[derive(Clone)]
pub(crate) struct Certificates {
    store: Arc<CertificateStore>,
    /// Two that make one name follow its record must not do so on what each of them read before.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Control {
    /// The same use cases, where visitors are served over TLS with the certificates of this store.
    #[must_use]
    pub fn with_certificates(mut self, store: Arc<CertificateStore>) -> Control {
        self.certificates = Some(Certificates { store, turn: Arc::default() });
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
            if let Err(error) = self.deploy_name(&name).await {
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
        let Some(Certificates { store, turn }) = &self.certificates else { return Ok(()) };
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
        let settings = settings_of(&ssl.config.settings.clone().unwrap_or_default());
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
        if ssl.status == SslStatus::PendingDeployment && *name == owner.name {
            self.was_deployed(&owner.zone, &owner.id, &ssl.id).await?;
        }
        Ok(())
    }

    async fn was_deployed(
        &self,
        zone: &ZoneId,
        id: &CustomHostnameId,
        pack: &CertificatePackId,
    ) -> Result<()> {
        let changed = self.registry.change_hostname(zone, id, |before, now| {
            let deployed = |ssl: &&Ssl| ssl.id == *pack && ssl.status == SslStatus::PendingDeployment;
            let Some(ssl) = before.ssl.as_ref().filter(deployed) else { return Ok(None) };
            let ssl = Ssl { status: SslStatus::Active, ..ssl.clone() };
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

fn new_certificate_id() -> Result<CertificateId> {
    CertificateId::parse(&uuid::Uuid::new_v4().to_string())
        .map_err(|error| ControlError::Invalid(error.to_string()))
}

#[cfg(test)]
mod tests;
