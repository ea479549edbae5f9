//! What was changed, by whom, and what came of it: the entries of the audit log.
//!
//! Owns what an entry says. Must never hold a value that somebody sent beside names and identifiers: a secret in an entry
//! would stay for as long as the log is kept.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::closed::closed;
use crate::name::shorten;
use crate::timestamp::Timestamp;

closed! {
    /// Who changes things.
    ActorKind {
        /// Whoever has a token of the API.
        Token = "token",
        /// The configuration file, at a start or at SIGHUP.
        Configuration = "configuration",
    }
}

closed! {
    /// What kind of change it was.
    ActionKind {
        /// Something was to be made.
        Create = "create",
        /// Something was to be other than it was.
        Update = "update",
        /// Something was to go.
        Delete = "delete",
    }
}

/// Who made a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// What they are.
    pub kind: ActorKind,
    /// The token's id, or the configuration's name.
    pub id: String,
    /// The token's name, or the configuration's.
    pub name: String,
}

/// The zone that a change was in. Its name is kept beside its id, because it may be gone when somebody asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditZone {
    /// Its id.
    pub id: String,
    /// Its name; none where there was none of this id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// One change, or one that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// A UUID.
    pub id: String,
    /// When it was over.
    pub when: Timestamp,
    /// Who.
    pub actor: Actor,
    /// From where; none where that is not known, and for the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// What the client says that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The call by its name in the API's document, such as `userScripts.upload`; or `configuration.apply`.
    pub action: String,
    /// What kind of change.
    pub kind: ActionKind,
    /// The method of the call; empty for the configuration.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub method: String,
    /// The path of the call, as a pattern: what it names is in `named`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// What the path names, outermost first: what it is, and which.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub named: Vec<(String, String)>,
    /// The id of what was made, where the answer says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<String>,
    /// Its zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<AuditZone>,
    /// The status of the answer; 200 or 400 for the configuration.
    pub status: u16,
    /// Why it was refused: the code of the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u32>,
}

/// Longest name, or identifier, that an entry holds: in characters, of which some are written as several.
const LONGEST: usize = 128;

impl AuditEntry {
    /// Whether the change was made.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// What was changed: the last that the path names, or what was made.
    #[must_use]
    pub fn resource_id(&self) -> Option<&str> {
        self.made.as_deref().or_else(|| self.named.last().map(|(_, id)| id.as_str()))
    }

    /// What kind of thing was changed: the area of the call.
    #[must_use]
    pub fn resource_kind(&self) -> &str {
        self.action.rsplit_once('.').map_or(self.action.as_str(), |(area, _)| area)
    }
}

/// A text that somebody sent, made short and printable enough for an entry.
#[must_use]
pub fn bounded(text: &str) -> String {
    if text.chars().count() <= LONGEST && !text.chars().any(char::is_control) {
        return text.to_owned();
    }
    shorten(text)
}
