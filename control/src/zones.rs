//! Zones, their DNS records and custom hostnames: every change of them.
//!
//! Owns which names customers may have on this platform, and what a person should know of a change: settings that this
//! server serves only in part, origins that are not there. What a record may be is the model's; that there is one of a
//! name is the registry's.

use std::sync::{Arc, PoisonError};

use wasmyard_namespaces::domain::Domain;
use wasmyard_namespaces::hostname::{
    CustomHostname, CustomHostnameEdit, CustomName, HostnameError, NewCustomHostname, OriginEdit,
};
use wasmyard_namespaces::ids::{CustomHostnameId, ZoneId};
use wasmyard_namespaces::registry::{DnsChange, HostnameNames, ZoneError};
use wasmyard_namespaces::tls::Cipher;
use wasmyard_namespaces::zone::{
    DnsRecord, DnsRecordEdit, FallbackOrigin, NewZone, Setting, Zone, ZoneEdit, ZoneHold, ZoneType,
};
use wasmyard_namespaces::{BlockedNames, RegistryError, Timestamp};

use crate::{Control, ControlError, Done, Force, Result, configured};

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

    /// The same use cases, where no zone may claim these names.
    #[must_use]
    pub fn with_blocked_names(self, blocked: BlockedNames) -> Control {
        self.block_names(blocked);
        self
    }

    /// Lets no zone claim these names from now on, and all others that were blocked before. What is served all the same is found by
    /// [`Control::check_blocked_names`].
    pub fn block_names(&self, blocked: BlockedNames) {
        *self.blocked.write().unwrap_or_else(PoisonError::into_inner) = blocked;
    }

    /// Whether no zone may claim a name.
    pub(crate) fn blocks(&self, name: &str) -> bool {
        self.blocked.read().unwrap_or_else(PoisonError::into_inner).contains(name)
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
        if self.blocks(name.as_str()) {
            return Err(RegistryError::Zone(ZoneError::Blocked(name)).into());
        }
        let zone = self.registry.create_zone(NewZone { name, kind }).await?;
        tracing::info!(zone = %zone.name, id = %zone.id, "zone made");
        Ok(Done::new(zone, Vec::new()))
    }

    /// Changes a zone.
    ///
    /// # Errors
    /// That it is not there, or that the configuration declares what would change; or the registry's failure.
    pub async fn edit_zone(&self, id: &ZoneId, edit: ZoneEdit, force: Force) -> Result<Done<Arc<Zone>>> {
        let before = self.zone(id)?;
        let zone = self.changing(force).update_zone(id, edit).await?;
        tracing::info!(zone = %zone.name, "zone changed");
        let changed = before.config.as_ref().map(|keys| before.changed(keys, &zone)).unwrap_or_default();
        Ok(Done::new(zone, configured::remark(&changed)))
    }

    /// Sets one setting of a zone.
    ///
    /// # Errors
    /// As [`Control::edit_zone`].
    pub async fn set_zone_setting(
        &self,
        id: &ZoneId,
        setting: Setting,
        force: Force,
    ) -> Result<Done<Arc<Zone>>> {
        let remarks = match &setting {
            Setting::Ciphers(ciphers) => remarks_on(ciphers.iter().copied()),
            _ => Vec::new(),
        };
        let edit = ZoneEdit { settings: vec![setting], ..ZoneEdit::default() };
        let mut done = self.edit_zone(id, edit, force).await?;
        done.remarks.extend(remarks);
        Ok(done)
    }

    /// Puts a hold on a zone, or takes it away.
    ///
    /// # Errors
    /// As [`Control::edit_zone`].
    pub async fn set_zone_hold(
        &self,
        id: &ZoneId,
        hold: Option<ZoneHold>,
        force: Force,
    ) -> Result<Done<Arc<Zone>>> {
        self.edit_zone(id, ZoneEdit { hold: Some(hold), ..ZoneEdit::default() }, force).await
    }

    /// Deletes a zone with all that belongs to it.
    ///
    /// # Errors
    /// That it is not there, or that the configuration declares it; or the registry's failure.
    pub async fn delete_zone(&self, id: &ZoneId, force: Force) -> Result<Done<()>> {
        let zone = self.zone(id)?;
        let names = HostnameNames::All;
        let most = configured::MOST_NAMES;
        let held = self.registry.hostnames(id, &names, |_| true, None, most.saturating_add(1)).await?;
        self.changing(force).delete_zone(id).await?;
        tracing::info!(zone = %zone.name, "zone deleted");
        let mut remarks = configured::gone(zone.config.as_ref(), &format!("zone \"{}\"", zone.name));
        if !held.is_empty() {
            let names: Vec<&str> = held.iter().take(most).map(|(_, held)| held.name.as_str()).collect();
            let more = if held.len() > most { " and more" } else { "" };
            remarks.push(format!(
                "custom hostnames went with it, whose visitors are served no more: {}{more}.",
                names.join(", ")
            ));
        }
        Ok(Done::new((), remarks))
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
    pub async fn set_fallback_origin(
        &self,
        id: &ZoneId,
        origin: &str,
        force: Force,
    ) -> Result<Done<FallbackState>> {
        let zone = self.zone(id)?;
        let origin = Domain::from_any_alphabet(origin)
            .map_err(|error| ControlError::Invalid(format!("origin: {error}")))?;
        if !zone.contains(&origin) {
            return Err(RegistryError::Zone(ZoneError::OriginOutside(origin)).into());
        }
        let edit = ZoneEdit { fallback_origin: Some(Some(origin)), ..ZoneEdit::default() };
        let done = self.edit_zone(id, edit, force).await?;
        Ok(Done::new(self.fallback_origin(id).await?, done.remarks))
    }

    /// Takes the fallback origin of a zone away. Returns what it was.
    ///
    /// # Errors
    /// As [`Control::fallback_origin`].
    pub async fn delete_fallback_origin(&self, id: &ZoneId, force: Force) -> Result<Done<FallbackState>> {
        let before = self.fallback_origin(id).await?;
        let edit = ZoneEdit { fallback_origin: Some(None), ..ZoneEdit::default() };
        Ok(Done::new(before, self.edit_zone(id, edit, force).await?.remarks))
    }

    /// Makes changes of a zone's DNS records in their order, all or none. Returns what each one made of its record.
    ///
    /// # Errors
    /// Which rule is broken; that the zone or a record is not there, or that the configuration declares it; or the
    /// registry's failure.
    pub async fn change_dns_records(
        &self,
        zone: &ZoneId,
        changes: &[DnsChange],
        force: Force,
    ) -> Result<Done<Vec<DnsRecord>>> {
        let records = self.changing(force).change_dns_records(zone, changes).await?;
        tracing::info!(%zone, changes = changes.len(), "DNS records changed");
        let remarks = records.iter().filter_map(configured::record).collect();
        Ok(Done::new(records, remarks))
    }

    /// Adds those of these records that go with what is there. Returns what became of each.
    ///
    /// # Errors
    /// That the zone is not there; or the registry's failure.
    pub async fn import_dns_records(
        &self,
        zone: &ZoneId,
        records: &[DnsRecordEdit],
    ) -> Result<Vec<std::result::Result<DnsRecord, ZoneError>>> {
        let done = self.registry.add_dns_records(zone, records).await?;
        let added = done.iter().filter(|done| done.is_ok()).count();
        tracing::info!(%zone, added, of = records.len(), "DNS records imported");
        Ok(done)
    }

    /// Makes one change of a DNS record.
    ///
    /// # Errors
    /// As [`Control::change_dns_records`].
    pub async fn change_dns_record(
        &self,
        zone: &ZoneId,
        change: DnsChange,
        force: Force,
    ) -> Result<Done<DnsRecord>> {
        let done = self.change_dns_records(zone, std::slice::from_ref(&change), force).await?;
        let record = done.result.into_iter().next().ok_or(RegistryError::Closed)?;
        Ok(Done::new(record, done.remarks))
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
        let hostname = self.asking(&self.registry).create_hostname(zone, new).await?;
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
        force: Force,
    ) -> Result<Done<Arc<CustomHostname>>> {
        let before = self.registry.hostname(zone, id).await?;
        let hostname = self.asking(&self.changing(force)).edit_hostname(zone, id, edit).await?;
        tracing::info!(%zone, hostname = %hostname.name, "custom hostname changed");
        self.deploy_certificates(&hostname).await;
        let changed = before.config.as_ref().map(|keys| before.changed(keys, &hostname)).unwrap_or_default();
        let mut remarks = remarks_on_edit(edit);
        remarks.extend(configured::remark(&changed));
        Ok(Done::new(hostname, remarks))
    }

    /// Deletes a custom hostname.
    ///
    /// # Errors
    /// That it is not there; or the registry's failure.
    pub async fn delete_hostname(
        &self,
        zone: &ZoneId,
        id: &CustomHostnameId,
        force: Force,
    ) -> Result<Done<()>> {
        let before = self.registry.hostname(zone, id).await?;
        self.changing(force).delete_hostname(zone, id).await?;
        self.deploy_certificates(&before).await;
        tracing::info!(%zone, hostname = %id, "custom hostname deleted");
        let name = format!("hostname \"{}\"", before.name);
        Ok(Done::new((), configured::gone(before.config.as_ref(), &name)))
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
