//! From where a token may be used.
//!
//! Owns the reading of addresses and networks, and the judgement of an address by them.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::name::shorten;

/// From which networks, and from which not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Texts", into = "Texts")]
pub struct Condition {
    /// Empty: from everywhere.
    within: Vec<IpNet>,
    /// Not from here, in any case.
    outside: Vec<IpNet>,
}

/// A condition as it is kept.
#[derive(Serialize, Deserialize)]
struct Texts {
    #[serde(default, rename = "in", skip_serializing_if = "Vec::is_empty")]
    within: Vec<String>,
    #[serde(default, rename = "not_in", skip_serializing_if = "Vec::is_empty")]
    outside: Vec<String>,
}

impl From<Condition> for Texts {
    fn from(condition: Condition) -> Texts {
        let [within, outside] = condition.texts();
        Texts { within, outside }
    }
}

impl TryFrom<Texts> for Condition {
    type Error = ConditionError;

    fn try_from(texts: Texts) -> Result<Condition, ConditionError> {
        Condition::parse(&texts.within, &texts.outside)
    }
}

/// Networks of each kind, at most.
const MOST_NETWORKS: usize = 64;

/// Why a condition is none. Safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// A text that names no network.
    #[error("\"{0}\" is no network; write it like 192.0.2.0/24, 2001:db8::/32 or 192.0.2.7")]
    Network(String),
    /// Too many of them.
    #[error("a token has {MOST_NETWORKS} networks of each kind at most; name larger ones")]
    TooMany,
}

impl Condition {
    /// Reads networks and addresses.
    ///
    /// # Errors
    /// [`ConditionError`] with the text and the form, or the bound.
    pub fn parse(within: &[String], outside: &[String]) -> Result<Condition, ConditionError> {
        let read = |texts: &[String]| {
            if texts.len() > MOST_NETWORKS {
                return Err(ConditionError::TooMany);
            }
            texts.iter().map(|text| network(text)).collect::<Result<Vec<IpNet>, _>>()
        };
        Ok(Condition { within: read(within)?, outside: read(outside)? })
    }

    /// Whether there is none: a token may be used from everywhere.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.within.is_empty() && self.outside.is_empty()
    }

    /// Whether a token may be used from an address. Of an address that is not known only no condition admits.
    #[must_use]
    pub fn admits(&self, address: Option<IpAddr>) -> bool {
        let Some(address) = address.map(|address| address.to_canonical()) else { return self.is_none() };
        let has = |networks: &[IpNet]| networks.iter().any(|network| network.contains(&address));
        (self.within.is_empty() || has(&self.within)) && !has(&self.outside)
    }

    /// Whether it admits no address that another one does not.
    #[must_use]
    pub fn is_within(&self, own: &Condition) -> bool {
        let mut inside = self.within.iter().map(|net| own.within.iter().any(|own| own.contains(net)));
        let narrow = own.within.is_empty() || (!self.within.is_empty() && inside.all(|inside| inside));
        narrow && own.outside.iter().all(|net| self.outside.iter().any(|mine| mine.contains(net)))
    }

    /// The networks as clients write them: from where, and from where not.
    #[must_use]
    pub fn texts(&self) -> [Vec<String>; 2] {
        [&self.within, &self.outside].map(|networks| networks.iter().map(ToString::to_string).collect())
    }
}

fn network(text: &str) -> Result<IpNet, ConditionError> {
    let text = text.trim();
    let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse::<IpNet>()
        .ok()
        .or_else(address)
        .map(|network| network.trunc())
        .ok_or_else(|| ConditionError::Network(shorten(text)))
}
