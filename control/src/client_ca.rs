//! mTLS certificates: authorities that say whose clients hosts let in, with the names that ask for them; and those that scripts show.
//!
//! Owns the order of it: first the record says so, then what is served follows, and only then is the caller told.

use wasmyard_hostnames::certificates::{DescribedAuthority, Pair, describe_authority};
use wasmyard_listener::tls::{ClientAuth, Settings};
use wasmyard_namespaces::client_ca::{
    ClientCertificateMode, HostnameAssociation, MtlsCertificate, MtlsError, check_name,
};
use wasmyard_namespaces::hostname::{CustomHostname, CustomName};
use wasmyard_namespaces::ids::{MtlsCertificateId, ZoneId};
use wasmyard_namespaces::registry::{HostnameNames, ZoneError};
use wasmyard_namespaces::{RegistryError, Secret};

use crate::bound::Resource;
use crate::{Control, ControlError, Done, Force, Result};

fn refused(error: MtlsError) -> ControlError {
    RegistryError::Zone(ZoneError::Mtls(error)).into()
}

fn unreadable(error: impl std::fmt::Display) -> ControlError {
    refused(MtlsError::Certificates(error.to_string()))
}

impl Control {
    /// Keeps certificates of authorities of clients, given in PEM form.
    ///
    /// # Errors
    /// [`MtlsError`]; the registry's failure.
    pub async fn create_mtls_certificate(&self, name: &str, certificates: &str) -> Result<MtlsCertificate> {
        let read = ClientAuth::from_pem(certificates.as_bytes(), true).map_err(unreadable)?;
        let described = read.authorities().iter().map(describe_authority).collect();
        self.keep_mtls_certificate(name, certificates, described, None).await
    }

    /// Keeps a certificate that scripts show, the ones above it behind it, and its key, both in PEM form.
    ///
    /// # Errors
    /// [`MtlsError`]; the registry's failure.
    pub async fn create_client_certificate(
        &self,
        name: &str,
        certificates: &str,
        key: &Secret,
    ) -> Result<MtlsCertificate> {
        let pair = Pair::of_client(certificates.as_bytes(), key.expose().as_bytes());
        let pair = pair.map_err(|error| refused(MtlsError::Pair(error.to_string())))?;
        let described = pair.chain().iter().map(describe_authority).collect();
        self.keep_mtls_certificate(name, certificates, described, Some(key)).await
    }

    async fn keep_mtls_certificate(
        &self,
        name: &str,
        certificates: &str,
        described: Option<Vec<DescribedAuthority>>,
        key: Option<&Secret>,
    ) -> Result<MtlsCertificate> {
        check_name(name).map_err(refused)?;
        let described = described.ok_or_else(|| unreadable("a certificate cannot be read"))?;
        let (Some(first), Some(expires_on)) =
            (described.first(), described.iter().map(|one| one.expires_on).min())
        else {
            return Err(unreadable("there is none"));
        };
        let new = MtlsCertificate {
            id: self.registry.new_mtls_certificate_id()?,
            name: name.to_owned(),
            ca: key.is_none(),
            certificates: certificates.to_owned(),
            issuer: first.issuer.clone(),
            signature: first.signature.clone(),
            serial_number: first.serial_number.clone(),
            uploaded_on: self.now(),
            expires_on,
        };
        self.registry.create_mtls_certificate(&new, key).await?;
        tracing::info!(id = %new.id, issuer = new.issuer, ca = new.ca, "mTLS certificate uploaded");
        Ok(new)
    }

    /// Deletes authorities that no name asks for; or a certificate that scripts show, unless some are bound to it.
    ///
    /// # Errors
    /// [`MtlsError::NotFound`], [`MtlsError::InUse`]; that scripts are bound to it; the registry's failure.
    pub async fn delete_mtls_certificate(
        &self,
        id: &MtlsCertificateId,
        force: Force,
    ) -> Result<Done<MtlsCertificate>> {
        self.registry.mtls_certificate(id).await?;
        let bound = self.referrers_noted(Resource::MtlsCertificate(id)).await?;
        let remarks = bound.stand_against("deleted", force)?;
        let deleted = self.registry.delete_mtls_certificate(id, force == Force::Yes).await?;
        tracing::info!(%id, "mTLS certificate deleted");
        Ok(Done::new(deleted, remarks))
    }

    /// Whether scripts are bound to a certificate.
    ///
    /// # Errors
    /// The registry's failure.
    pub async fn is_mtls_certificate_bound(&self, id: &MtlsCertificateId) -> Result<bool> {
        Ok(!self.referrers_noted(Resource::MtlsCertificate(id)).await?.bindings.is_empty())
    }

    /// Has these names of a zone, and no other ones of it, ask clients for certificates of these authorities. When this
    /// returns, the next handshake does.
    ///
    /// # Errors
    /// [`MtlsError`]; [`ControlError::NoCertificates`]; the failure of a store, after which it is tried again.
    pub async fn associate_hostnames(
        &self,
        zone: &ZoneId,
        authority: &MtlsCertificateId,
        mode: ClientCertificateMode,
        names: &[String],
    ) -> Result<Vec<CustomName>> {
        let own = self.zone(zone)?;
        if self.certificates.is_none() {
            return Err(ControlError::NoCertificates);
        }
        let mut wanted: Vec<CustomName> = Vec::with_capacity(names.len().min(PAGE));
        for name in names {
            let name =
                CustomName::parse(name).map_err(|error| refused(MtlsError::Hostname(error.to_string())))?;
            if !wanted.contains(&name) {
                wanted.push(name);
            }
            // Before each is looked for.
            if wanted.len() > PAGE {
                return Err(refused(MtlsError::ManyHostnames));
            }
        }
        for name in &wanted {
            if name.as_str() != own.name.as_str() && !self.is_of_zone(zone, name).await? {
                return Err(refused(MtlsError::OtherHostname(name.clone())));
            }
        }
        let association = HostnameAssociation { authority: authority.clone(), mode };
        let changed = self.registry.associate_hostnames(zone, &association, &wanted).await?;
        for name in changed {
            if name.as_str() == own.name.as_str() {
                self.deploy_zone(zone).await?;
            } else {
                self.deploy_name(&name).await?;
            }
        }
        tracing::info!(zone = %own.name, %authority, mode = mode.as_str(), names = wanted.len(), "hostname associations set");
        Ok(wanted)
    }

    /// Whether a zone has a custom hostname of this name, or one that it is the wildcard below.
    async fn is_of_zone(&self, zone: &ZoneId, name: &CustomName) -> Result<bool> {
        let base = name.as_str().strip_prefix("*.").unwrap_or(name.as_str());
        for exact in [name.as_str(), base] {
            let names = HostnameNames::Exactly(exact.to_owned());
            let any = |_: &CustomHostname| true;
            if !self.registry.hostnames(zone, &names, any, None, 1).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Adds to settings of a name what it asks clients for: what is said of it, or, below a custom hostname by its wildcard,
    /// what is said of its zone. What cannot be read is an error: nobody is let in because of that.
    pub(crate) async fn with_clients(
        &self,
        settings: Settings,
        owner: &CustomHostname,
        name: &CustomName,
    ) -> Result<Settings> {
        let mut asked = self.registry.hostname_association(&owner.zone, name.as_str()).await?;
        if asked.is_none()
            && owner.name != *name
            && let Some(zone) = self.registry.zone(&owner.zone)
        {
            asked = self.registry.hostname_association(&owner.zone, zone.name.as_str()).await?;
        }
        let Some((association, authority)) = asked else { return Ok(settings) };
        let required = association.mode == ClientCertificateMode::Required;
        let clients =
            ClientAuth::from_pem(authority.certificates.as_bytes(), required).map_err(unreadable)?;
        Ok(Settings { clients: Some(clients), ..settings })
    }
}

/// As many names as are looked for in one call.
const PAGE: usize = wasmyard_namespaces::limits::hostnames::MTLS_ASSOCIATIONS as usize;
