//! Where a permission holds: the account, a namespace, a script, all zones, or one of them.
//!
//! Owns the form in which clients name them as resources, and what lies within what.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ids::ZoneId;
use crate::name::{NamespaceName, ScriptName, shorten};
use crate::script::ScriptKey;

/// Where a permission holds, or a call acts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// Everywhere.
    Account,
    /// A namespace, with its scripts.
    Namespace(NamespaceName),
    /// One script.
    Script(ScriptKey),
    /// Every zone.
    Zones,
    /// One zone.
    Zone(ZoneId),
}

/// A text that names no resource. Safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is no resource; write com.cloudflare.api.account.ID, and behind account: .zone.* or .zone.ID, \
     .dispatch_namespace.NAME, .dispatch_namespace.NAME.script.NAME or .script.NAME"
)]
pub struct PlaceError(String);

const ACCOUNT: &str = "com.cloudflare.api.account.";

impl Place {
    /// Whether another place is this one, or within it.
    #[must_use]
    pub fn covers(&self, other: &Place) -> bool {
        match (self, other) {
            (Place::Account, _) | (Place::Zones, Place::Zones | Place::Zone(_)) => true,
            (Place::Namespace(own), Place::Script(ScriptKey::User { namespace, .. })) => own == namespace,
            (own, other) => own == other,
        }
    }

    /// In words, behind "on".
    #[must_use]
    pub fn described(&self) -> String {
        match self {
            Place::Account => "the account".to_owned(),
            Place::Namespace(name) => format!("the namespace \"{name}\""),
            Place::Script(key) => format!("the script \"{key}\""),
            Place::Zones => "all zones".to_owned(),
            Place::Zone(id) => format!("the zone {id}"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ACCOUNT)?;
        match self {
            Place::Account => f.write_str("*"),
            Place::Namespace(name) => write!(f, "dispatch_namespace.{name}"),
            Place::Script(ScriptKey::User { namespace, script }) => {
                write!(f, "dispatch_namespace.{namespace}.script.{script}")
            }
            Place::Script(ScriptKey::Platform(script)) => write!(f, "script.{script}"),
            Place::Zones => f.write_str("zone.*"),
            Place::Zone(id) => write!(f, "zone.{id}"),
        }
    }
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Place, PlaceError> {
        parse(text).ok_or_else(|| PlaceError(shorten(text)))
    }
}

/// Names have no dots in them, so that the segments say what is meant.
fn parse(text: &str) -> Option<Place> {
    let mut segments = text.strip_prefix(ACCOUNT)?.split('.');
    let namespace = |text: &str| NamespaceName::parse(text).ok();
    let script = |text: &str| ScriptName::parse(text).ok();
    let place = match (segments.next()?, segments.next(), segments.next(), segments.next()) {
        // There is one account, whatever it is called.
        (account, None, None, None) if is_account(account) => Place::Account,
        ("zone", Some("*"), None, None) => Place::Zones,
        ("zone", Some(id), None, None) => Place::Zone(ZoneId::parse(id).ok()?),
        ("script", Some(name), None, None) => Place::Script(ScriptKey::Platform(script(name)?)),
        ("dispatch_namespace", Some(name), None, None) => Place::Namespace(namespace(name)?),
        ("dispatch_namespace", Some(within), Some("script"), Some(name)) => {
            Place::Script(ScriptKey::User { namespace: namespace(within)?, script: script(name)? })
        }
        _ => return None,
    };
    segments.next().is_none().then_some(place)
}

fn is_account(text: &str) -> bool {
    let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    text == "*" || ((1..=64).contains(&text.len()) && text.bytes().all(is_usual))
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Place, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
