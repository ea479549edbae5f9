//! Zones and custom hostnames as the configuration declares them.
//!
//! Owns what becomes of one that is there already: what the file names is made so, everything else stays; what is so
//! already is not touched, so that no check begins again because a node was started.

use std::sync::Arc;

use super::{Applied, DeclaredNames, let_go};
use crate::error::RegistryError;
use crate::record::Declared;
use crate::zone_error::ZoneError;
use crate::zones::{HostnameNames, new_pack};
use crate::{Registry, Result};
use wasmyard_model::config_keys::ConfigKeys;
use wasmyard_model::domain::Domain;
use wasmyard_model::hostname::{
    CustomHostname, CustomHostnameEdit, CustomName, HostnameError, NewCustomHostname, OriginEdit,
};
use wasmyard_model::ids::ZoneId;
use wasmyard_model::name::ConfigName;
use wasmyard_model::timestamp::Timestamp;
use wasmyard_model::zone::{NewZone, Zone, ZoneEdit, ZoneType};

impl Registry {
    /// Makes a zone as the configuration declares it, or changes the keys that it names.
    ///
    /// # Errors
    /// As [`Registry::create_zone`].
    pub async fn declare_zone(
        &self,
        name: &Domain,
        edit: &ZoneEdit,
        keys: ConfigKeys,
    ) -> Result<Applied<Zone>> {
        let (id, made) = match self.zone_named(name) {
            Some(zone) => (zone.id.clone(), false),
            None => {
                let new = NewZone { name: name.clone(), kind: ZoneType::Full };
                (self.create_zone(new).await?.id.clone(), true)
            }
        };
        let now = self.inner.clock().now();
        let decide = |before: &Zone| {
            let after = declared_zone(before, edit, &keys, now);
            Ok((after != *before).then_some(after))
        };
        let (before, record) = self.inner.change_zone(&id, decide).await?;
        let replaced = if made { Vec::new() } else { before.changed(&keys, &record) };
        Ok(Applied { record, made, replaced, let_go: let_go(before.config.as_ref(), &keys) })
    }

    /// Makes a custom hostname as the configuration declares it, or changes the keys that it names.
    ///
    /// # Errors
    /// As [`Registry::create_hostname`].
    pub async fn declare_hostname(
        &self,
        zone: &ZoneId,
        new: &NewCustomHostname,
        keys: ConfigKeys,
    ) -> Result<Applied<CustomHostname>> {
        let (found, made) = match self.hostname_named(zone, &new.name).await? {
            Some(found) => (found, false),
            None => match self.create_hostname(zone, new).await {
                Ok(made) => (made, true),
                Err(RegistryError::Zone(ZoneError::Hostname(HostnameError::Duplicate))) => {
                    let found = self.hostname_named(zone, &new.name).await?;
                    (found.ok_or_else(|| RegistryError::Conflict(new.name.to_string()))?, false)
                }
                Err(error) => return Err(error),
            },
        };
        let edit = what_differs(&found, &new.edit)?;
        if edit != CustomHostnameEdit::default() {
            self.over_configuration().edit_hostname(zone, &found.id, &edit).await?;
        }
        let decide = |before: &CustomHostname, _| {
            let declared = CustomHostname { config: Some(keys.clone()), ..before.clone() };
            Ok((declared != *before).then_some(declared))
        };
        let record = self.change_hostname(zone, &found.id, decide).await?;
        let replaced = if made { Vec::new() } else { found.changed(&keys, &record) };
        Ok(Applied { record, made, replaced, let_go: let_go(found.config.as_ref(), &keys) })
    }

    /// The custom hostname of a name in a zone.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn hostname_named(
        &self,
        zone: &ZoneId,
        name: &CustomName,
    ) -> Result<Option<Arc<CustomHostname>>> {
        let names = HostnameNames::Exactly(name.to_string());
        Ok(self.hostnames(zone, &names, |_| true, None, 1).await?.pop().map(|(_, found)| found))
    }

    /// Gives zones and custom hostnames that are no longer declared to the API, as they are.
    pub(super) async fn let_go_of_zones(
        &self,
        configuration: &ConfigName,
        before: &Declared,
        names: &DeclaredNames,
    ) -> Result<Vec<String>> {
        let mut gone = Vec::new();
        for name in before.zones.iter().filter(|name| !names.zones.contains(name)) {
            let Some(zone) = self.zone_named(name) else { continue };
            let decide =
                |before: &Zone| Ok(before.config.is_some().then(|| Zone { config: None, ..before.clone() }));
            match self.inner.change_zone(&zone.id, decide).await {
                Ok((before, _)) if before.config.is_some() => gone.push(format!("zone {name}")),
                Ok(_) | Err(RegistryError::Zone(ZoneError::NotFound(_))) => {}
                Err(error) => return Err(error),
            }
            match self.let_go_of_dns_records(configuration, &zone.id).await {
                Ok(()) | Err(RegistryError::Zone(ZoneError::NotFound(_))) => {}
                Err(error) => return Err(error),
            }
        }
        let known = before.hostnames.iter().filter_map(|text| {
            let (zone, name) = text.split_once('/')?;
            Some((Domain::parse(zone).ok()?, CustomName::parse(name).ok()?))
        });
        for (zone, name) in known.filter(|known| !names.hostnames.contains(known)) {
            let Some(zone) = self.zone_named(&zone) else { continue };
            let Some(found) = self.hostname_named(&zone.id, &name).await? else { continue };
            if found.config.is_none() {
                continue;
            }
            let decide =
                |before: &CustomHostname, _| Ok(Some(CustomHostname { config: None, ..before.clone() }));
            match self.change_hostname(&zone.id, &found.id, decide).await {
                Ok(_) => gone.push(format!("hostname {name}")),
                Err(RegistryError::Zone(ZoneError::HostnameNotFound(_))) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(gone)
    }
}

/// A zone with the keys of the configuration as it has them. What is so already keeps its dates.
fn declared_zone(before: &Zone, edit: &ZoneEdit, keys: &ConfigKeys, now: Timestamp) -> Zone {
    let mut differs = edit.clone();
    differs.settings.retain(|setting| before.settings.setting(setting.id()) != *setting);
    let origin = before.fallback_origin.as_ref().map(|fallback| &fallback.origin);
    differs.fallback_origin = differs.fallback_origin.filter(|wanted| wanted.as_ref() != origin);
    differs.hold = differs.hold.filter(|wanted| *wanted != before.hold);
    let after = if differs == ZoneEdit::default() { before.clone() } else { before.edited(&differs, now) };
    Zone { config: Some(keys.clone()), ..after }
}

/// The parts of an edit that would change something: `ssl` as it is already would begin all checks again.
fn what_differs(before: &CustomHostname, edit: &CustomHostnameEdit) -> Result<CustomHostnameEdit> {
    let after = before.edited(edit, new_pack()?, before.modified_at).map_err(ZoneError::Hostname)?;
    let config = |hostname: &CustomHostname| hostname.ssl.as_ref().map(|ssl| ssl.config.clone());
    let mut differs = edit.clone();
    differs.name = None;
    differs.metadata = differs.metadata.filter(|_| after.metadata != before.metadata);
    if after.origin == before.origin {
        differs.origin = OriginEdit::default();
    }
    differs.ssl = differs.ssl.filter(|_| config(&after) != config(before));
    Ok(differs)
}
