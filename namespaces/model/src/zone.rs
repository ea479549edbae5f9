//! A zone: a domain of the platform builder, to which custom hostnames belong.
//!
//! Owns the record of a zone, its hold, and where its hostnames' requests go when they name no place of their own.
//! Wasmyard is not the zone's name server: what is known of its DNS is what the builder wrote here ([`DnsRecord`]).
//! Never lists its hostnames or records: those are kept by the zone's id.

use serde::{Deserialize, Serialize};

use crate::closed::closed;
use crate::config_keys::ConfigKeys;
use crate::domain::{Domain, DomainError};
use crate::ids::ZoneId;
use crate::timestamp::Timestamp;

pub use dns::{DnsContent, DnsName, DnsRecord, DnsRecordEdit, DnsRecordError, DnsRecordType, NewDnsRecord};
pub use file::ZoneFile;
pub use origin::{OriginPlace, OriginTable};
pub use settings::{Setting, SettingError, SettingId, SslMode, Tls13, ZoneSettings};

mod dns;
mod file;
mod origin;
mod settings;

closed! {
    /// How a zone came to be, in the words of the v4 API. Nothing depends on it here.
    ZoneType {
        /// The whole of its DNS is described here.
        Full = "full",
        /// A part of its DNS is described here.
        Partial = "partial",
        /// Its DNS is copied from elsewhere.
        Secondary = "secondary",
        /// It is not in the public DNS.
        Internal = "internal",
    }
}

closed! {
    /// Whether a zone is in use.
    ZoneStatus {
        /// It is being made.
        Initializing = "initializing",
        /// It waits for its owner.
        Pending = "pending",
        /// It is in use.
        Active = "active",
        /// It left.
        Moved = "moved",
    }
}

/// A zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    /// The id, which stays the same for the life of the zone.
    pub id: ZoneId,
    /// The domain.
    pub name: Domain,
    /// How it came to be.
    #[serde(rename = "type")]
    pub kind: ZoneType,
    /// Whether it is in use. A zone is its builder's own, so it is in use at once.
    pub status: ZoneStatus,
    /// Whether its custom hostnames lead nowhere for the moment.
    #[serde(default)]
    pub paused: bool,
    /// When it was made.
    pub created_on: Timestamp,
    /// When the record last changed.
    pub modified_on: Timestamp,
    /// When it came into use.
    pub activated_on: Option<Timestamp>,
    /// What its builder set; what was not set has its default.
    #[serde(default)]
    pub settings: ZoneSettings,
    /// Whether it keeps its name, and those below, from being taken elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<ZoneHold>,
    /// Where requests for its custom hostnames go that have no origin of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback_origin: Option<FallbackOrigin>,
    /// The label under which validation of its hostnames' certificates can be delegated: 16 hex digits.
    pub dcv_label: String,
    /// What of it the configuration names; none: the API made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<ConfigKeys>,
}

/// A hold on a zone: nobody else takes its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneHold {
    /// Whether names below the zone's are held as well.
    pub include_subdomains: bool,
    /// From when on it holds; none: it holds now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_after: Option<Timestamp>,
}

impl ZoneHold {
    /// Whether it holds at a moment.
    #[must_use]
    pub fn holds_at(&self, now: Timestamp) -> bool {
        self.hold_after.is_none_or(|after| after <= now)
    }
}

/// Where requests go that have no origin of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FallbackOrigin {
    /// A name in the zone.
    pub origin: Domain,
    /// When the zone first had one.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Zone {
    /// Reads the name of a zone, in any alphabet.
    ///
    /// # Errors
    /// [`DomainError`]: of its grammar, or [`DomainError::Suffix`] for a name that nobody can own.
    pub fn parse_name(text: &str) -> Result<Domain, DomainError> {
        let name = Domain::from_any_alphabet(text)?;
        name.registrable()?;
        Ok(name)
    }

    /// Whether a name is the zone's or below it.
    #[must_use]
    pub fn contains(&self, name: &Domain) -> bool {
        name.is_within(&self.name)
    }

    /// Whether the zone keeps a name from being taken by another zone at a moment.
    #[must_use]
    pub fn holds(&self, name: &Domain, now: Timestamp) -> bool {
        self.hold.is_some_and(|hold| {
            hold.holds_at(now) && (*name == self.name || (hold.include_subdomains && self.contains(name)))
        })
    }
}

/// What a new zone needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewZone {
    /// Its name.
    pub name: Domain,
    /// How it comes to be.
    pub kind: ZoneType,
}

/// What is to change about a zone; what is none stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ZoneEdit {
    /// Whether its custom hostnames lead nowhere.
    pub paused: Option<bool>,
    /// How it came to be.
    pub kind: Option<ZoneType>,
    /// Settings.
    pub settings: Vec<Setting>,
    /// A new hold, or (`Some(None)`) none any more.
    pub hold: Option<Option<ZoneHold>>,
    /// A new fallback origin, or (`Some(None)`) none any more.
    pub fallback_origin: Option<Option<Domain>>,
}

impl Zone {
    /// The zone with a change made to it.
    #[must_use]
    pub fn edited(&self, edit: &ZoneEdit, now: Timestamp) -> Zone {
        let mut zone = self.clone();
        zone.paused = edit.paused.unwrap_or(zone.paused);
        zone.kind = edit.kind.unwrap_or(zone.kind);
        for setting in &edit.settings {
            zone.settings.set(setting.clone(), now);
        }
        zone.hold = edit.hold.unwrap_or(zone.hold);
        if let Some(origin) = &edit.fallback_origin {
            let created_at = zone.fallback_origin.map_or(now, |before| before.created_at);
            zone.fallback_origin =
                origin.clone().map(|origin| FallbackOrigin { origin, created_at, updated_at: now });
        }
        zone.modified_on = now;
        zone
    }

    /// The keys of `keys` whose values differ in another state of the zone: `settings.ssl`, `fallback_origin`, `hold`.
    #[must_use]
    pub fn changed(&self, keys: &ConfigKeys, other: &Zone) -> Vec<String> {
        keys.iter().filter(|key| !self.has_same(key, other)).map(str::to_owned).collect()
    }

    fn has_same(&self, key: &str, other: &Zone) -> bool {
        let origin = |zone: &Zone| zone.fallback_origin.as_ref().map(|fallback| fallback.origin.clone());
        match key.strip_prefix(SETTINGS) {
            Some(setting) => SettingId::parse(setting)
                .is_none_or(|id| self.settings.setting(id) == other.settings.setting(id)),
            None if key == FALLBACK_ORIGIN => origin(self) == origin(other),
            None if key == HOLD => self.hold == other.hold,
            None => true,
        }
    }
}

/// What the keys of settings begin with.
pub const SETTINGS: &str = "settings.";
/// The key of a zone's fallback origin.
pub const FALLBACK_ORIGIN: &str = "fallback_origin";
/// The key of a zone's hold.
pub const HOLD: &str = "hold";

#[cfg(test)]
mod tests;
