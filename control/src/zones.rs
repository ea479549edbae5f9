//! Zones, their DNS records and custom hostnames: every change of them.
//!
//! Owns which names customers may have on this platform, and what a person should know of a change: settings that this
//! server serves only in part, origins that are not there. What a record may be is the model's; that there is one of a
//! name is the registry's.

use std::sync::Arc;

use wasmyard_namespaces::domain::Domain;
use wasmyard_namespaces::hostname::{
    CustomHostname, CustomHostnameEdit, CustomName, HostnameError, NewCustomHostname, OriginEdit,
};
use wasmyard_namespaces::ids::{CustomHostnameId, DnsRecordId, ZoneId};
use wasmyard_namespaces::registry::ZoneError;
use wasmyard_namespaces::tls::Cipher;
use wasmyard_namespaces::zone::{
    DnsRecord, DnsRecordEdit, FallbackOrigin, NewZone, Setting, Zone, ZoneEdit, ZoneHold, ZoneType,
};
use wasmyard_namespaces::{RegistryError, Timestamp};

use crate::{Control, ControlError, Done, Result};

/// A fallback origin, and whether requests can go there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FallbackState {
    /// What was set.
    pub fallback: FallbackOrigin,
    /// Whether the zone has a proxied record for it.
    pub has_record: bool,
}

impl Control {
    /// The same use cases, where customers may have names that are kept for tests and documentation: on a laptop, in a
    /// laboratory.
    #[must_use]
    pub fn with_reserved_names(mut self) -> Control {
        self.reserved_names = true;
        self
    }

    /// A name that a customer may have on this platform.
    ///
    /// # Errors
    /// [`HostnameError::Name`].
    pub fn customer_name(&self, text: &str) -> std::result::Result<CustomName, HostnameError> {
        CustomName::for_customer(text, self.reserved_names).map_err(HostnameError::Name)
    }

    /// A name that an origin may have on this platform.
    ///
    /// # Errors
    /// [`HostnameError::Origin`], [`HostnameError::OriginWildcard`].
    pub fn origin_name(&self, text: &str) -> std::result::Result<Domain, HostnameError> {
        OriginEdit::parse_server(text, self.reserved_names)
    }

    /// The zone with an id.
    ///
    /// # Errors
    /// [`ZoneError::NotFound`].
    pub fn zone(&self, id: &ZoneId) -> Result<Arc<Zone>> {
        let found = self.registry.zone(id);
        found.ok_or_else(|| RegistryError::Zone(ZoneError::NotFound(id.to_string())).into())
    }

    /// Makes a zone.
    ///
    /// # Errors
    /// That the name is none or taken; or the registry's failure.
    pub async fn create_zone(&self, name: &str, kind: ZoneType) -> Result<Done<Arc<Zone>>> {
        let name = Zone::parse_name(name).map_err(|error| ControlError::Invalid(format!("name: {error}")))?;
        let zone = self.registry.create_zone(NewZone { name, kind }).await?;
        tracing::info!(zone = %zone.name, id = %zone.id, "zone made");
        Ok(Done::new(zone, Vec::new()))
    }

    /// Changes a zone.
    ///
    /// # Errors
    /// That it is not there; or the registry's failure.
    pub async fn edit_zone(&self, id: &ZoneId, edit: ZoneEdit) -> Result<Done<Arc<Zone>>> {
        let zone = self.registry.update_zone(id, edit).await?;
        tracing::info!(zone = %zone.name, "zone changed");
        Ok(Done::new(zone, Vec::new()))
    }

    /// Sets one setting of a zone.
    ///
    /// # Errors
    /// As [`Control::edit_zone`].
    pub async fn set_zone_setting(&self, id: &ZoneId, setting: Setting) -> Result<Done<Arc<Zone>>> {
        let remarks = match &setting {
            Setting::Ciphers(ciphers) => remarks_on(ciphers.iter().copied()),
            _ => Vec::new(),
        };
        let edit = ZoneEdit { setting: Some(setting), ..ZoneEdit::default() };
        Ok(Done { remarks, ..self.edit_zone(id, edit).await? })
    }

    /// Puts a hold on a zone, or takes it away.
    ///
    /// # Errors
    /// As [`Control::edit_zone`].
    pub async fn set_zone_hold(&self, id: &ZoneId, hold: Option<ZoneHold>) -> Result<Done<Arc<Zone>>> {
        self.edit_zone(id, ZoneEdit { hold: Some(hold), ..ZoneEdit::default() }).await
    }

    /// Deletes a zone with all that belongs to it.
    ///
    /// # Errors
    /// That it is not there; or the registry's failure.
    pub async fn delete_zone(&self, id: &ZoneId) -> Result<Done<()>> {
        let zone = self.zone(id)?;
        self.registry.delete_zone(id).await?;
        tracing::info!(zone = %zone.name, "zone deleted");
        Ok(Done::new((), Vec::new()))
    }

    /// The fallback origin of a zone.
    ///
    /// # Errors
    /// [`ZoneError::NoFallbackOrigin`]; that the zone is not there; or the registry's failure.
    pub async fn fallback_origin(&self, id: &ZoneId) -> Result<FallbackState> {
        let zone = self.zone(id)?;
        let fallback =
            zone.fallback_origin.clone().ok_or(RegistryError::Zone(ZoneError::NoFallbackOrigin))?;
        let has_record = self.registry.is_origin(id, &fallback.origin).await?;
        Ok(FallbackState { fallback, has_record })
    }

    /// Sets the fallback origin of a zone.
    ///
    /// # Errors
    /// [`ZoneError::OriginOutside`], a name that is none; that the zone is not there; or the registry's failure.
    pub async fn set_fallback_origin(&self, id: &ZoneId, origin: &str) -> Result<FallbackState> {
        let zone = self.zone(id)?;
        let origin = Domain::from_any_alphabet(origin)
            .map_err(|error| ControlError::Invalid(format!("origin: {error}")))?;
        if !zone.contains(&origin) {
            return Err(RegistryError::Zone(ZoneError::OriginOutside(origin)).into());
        }
        self.edit_zone(id, ZoneEdit { fallback_origin: Some(Some(origin)), ..ZoneEdit::default() }).await?;
        self.fallback_origin(id).await
    }

    /// Takes the fallback origin of a zone away. Returns what it was.
    ///
    /// # Errors
    /// As [`Control::fallback_origin`].
    pub async fn delete_fallback_origin(&self, id: &ZoneId) -> Result<FallbackState> {
        let before = self.fallback_origin(id).await?;
        self.edit_zone(id, ZoneEdit { fallback_origin: Some(None), ..ZoneEdit::default() }).await?;
        Ok(before)
    }

    /// Adds a DNS record.
    ///
    /// # Errors
    /// Which rule is broken; that the zone is not there; or the registry's failure.
    pub async fn create_dns_record(&self, zone: &ZoneId, edit: &DnsRecordEdit) -> Result<DnsRecord> {
        let record = self.registry.create_dns_record(zone, edit).await?;
        tracing::info!(%zone, record = %record.name, "DNS record made");
        Ok(record)
    }

    /// Changes a DNS record.
    ///
    /// # Errors
    /// As [`Control::create_dns_record`]; that it is not there.
    pub async fn edit_dns_record(
        &self,
        zone: &ZoneId,
        id: &DnsRecordId,
        edit: &DnsRecordEdit,
    ) -> Result<DnsRecord> {
        let record = self.registry.update_dns_record(zone, id, edit).await?;
        tracing::info!(%zone, record = %record.name, "DNS record changed");
        Ok(record)
    }

    /// Deletes a DNS record.
    ///
    /// # Errors
    /// That it is not there; or the registry's failure.
    pub async fn delete_dns_record(&self, zone: &ZoneId, id: &DnsRecordId) -> Result<()> {
        self.registry.delete_dns_record(zone, id).await?;
        tracing::info!(%zone, record = %id, "DNS record deleted");
        Ok(())
    }

    /// Makes a custom hostname, which waits until it was shown whose it is.
    ///
    /// # Errors
    /// Which rule is broken; that the zone is not there; or the registry's failure.
    pub async fn create_hostname(
        &self,
        zone: &ZoneId,
        new: &NewCustomHostname,
    ) -> Result<Done<Arc<CustomHostname>>> {
        let hostname = self.registry.create_hostname(zone, new).await?;
        tracing::info!(%zone, hostname = %hostname.name, id = %hostname.id, "custom hostname made");
        Ok(Done::new(hostname, remarks_on_edit(&new.edit)))
    }

    /// Changes a custom hostname.
    ///
    /// # Errors
    /// As [`Control::create_hostname`]; that it is not there.
    pub async fn edit_hostname(
        &self,
        zone: &ZoneId,
        id: &CustomHostnameId,
        edit: &CustomHostnameEdit,
    ) -> Result<Done<Arc<CustomHostname>>> {
        let hostname = self.registry.edit_hostname(zone, id, edit).await?;
        tracing::info!(%zone, hostname = %hostname.name, "custom hostname changed");
        Ok(Done::new(hostname, remarks_on_edit(edit)))
    }

    /// Deletes a custom hostname.
    ///
    /// # Errors
    /// That it is not there; or the registry's failure.
    pub async fn delete_hostname(&self, zone: &ZoneId, id: &CustomHostnameId) -> Result<()> {
        self.registry.delete_hostname(zone, id).await?;
        tracing::info!(%zone, hostname = %id, "custom hostname deleted");
        Ok(())
    }

    /// What time it is, for what holds from a moment on.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.registry.options().clock.now()
    }
}

fn remarks_on_edit(edit: &CustomHostnameEdit) -> Vec<String> {
    let settings = edit.ssl.as_ref().and_then(|ssl| ssl.settings.as_ref());
    settings.map(|settings| remarks_on(settings.not_served())).unwrap_or_default()
}

fn remarks_on(ciphers: impl Iterator<Item = Cipher>) -> Vec<String> {
    let left: Vec<&str> =
        ciphers.filter(|cipher| !cipher.is_served()).map(|cipher| cipher.as_str()).collect();
    if left.is_empty() {
        return Vec::new();
    }
    vec![format!("{}: these suites are kept as they were set and never used here.", left.join(", "))]
}
