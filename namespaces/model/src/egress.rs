//! What may be said about where scripts send requests: rules that name hosts, and the rules of a namespace.
//!
//! Owns their grammar and their form in records and configuration. Judges nothing by itself and knows nothing
//! of what the platform allows: the data plane does, for every request.

mod host;

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

pub use host::{BadHost, Host, read as read_authority};

use crate::name::{Hostname, shorten};

/// Most rules in each list of a namespace's egress rules.
pub const MAX_EGRESS_RULES: usize = 256;

/// What somebody writes to name hosts: `*`, `*.example.com` (one or more labels in front),
/// `example.com`, an address, or a network such as `10.1.0.0/16`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostRule {
    /// Every host.
    Any,
    /// Every host below this one, not itself.
    Below(Hostname),
    /// This name.
    Name(Hostname),
    /// Every address of this network.
    Net(IpNet),
}

/// A text that names no hosts. Safe to show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostRuleError {
    /// Neither a name nor an address nor a network.
    #[error("{0}")]
    Rule(&'static str),
}

/// Where the scripts of one namespace may send requests, within what the platform allows everybody.
///
/// What is left out changes nothing, but for `allow_private`: what it does not name stays closed to the
/// namespace's scripts, even where the platform opened it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct EgressRules {
    /// The hosts that requests may go to. None: as the platform has it. Empty: nothing goes out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_hosts: Option<Vec<HostRule>>,
    /// Hosts that no request goes to, beside those that the platform refuses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deny_hosts: Vec<HostRule>,
    /// Addresses that are not public and may be reached, if the platform opened them as well.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow_private: Vec<HostRule>,
    /// The ports that may be reached, if the platform opened them as well. None: as the platform has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ports: Option<Vec<u16>>,
}

/// The rules as an object has them. A list of the same values, by position, is no way to write rules.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lists {
    #[serde(default)]
    allow_hosts: Option<Vec<HostRule>>,
    #[serde(default, deserialize_with = "list")]
    deny_hosts: Vec<HostRule>,
    #[serde(default, deserialize_with = "list")]
    allow_private: Vec<HostRule>,
    #[serde(default)]
    ports: Option<Vec<u16>>,
}

impl TryFrom<Map<String, Value>> for EgressRules {
    type Error = serde_json::Error;

    fn try_from(object: Map<String, Value>) -> Result<Self, serde_json::Error> {
        let Lists { allow_hosts, deny_hosts, allow_private, ports } =
            serde_json::from_value(Value::Object(object))?;
        Ok(Self { allow_hosts, deny_hosts, allow_private, ports })
    }
}

/// Why rules are not taken. Safe to show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EgressRulesError {
    /// A list is too long.
    #[error("egress.{list} has {entries} entries; at most {MAX_EGRESS_RULES} are allowed")]
    TooMany {
        /// The list.
        list: &'static str,
        /// How many it has.
        entries: usize,
    },
    /// Port 0 is no port.
    #[error("egress.ports holds 0; a port is a number from 1 to 65535")]
    Port,
}

impl EgressRules {
    /// Checks the sizes, and that ports are ports.
    ///
    /// # Errors
    /// [`EgressRulesError`] for the first rule that is broken.
    pub fn validate(&self) -> Result<(), EgressRulesError> {
        let lengths = [
            ("allow_hosts", self.allow_hosts.as_ref().map_or(0, Vec::len)),
            ("deny_hosts", self.deny_hosts.len()),
            ("allow_private", self.allow_private.len()),
            ("ports", self.ports.as_ref().map_or(0, Vec::len)),
        ];
        if let Some((list, entries)) = lengths.into_iter().find(|(_, length)| *length > MAX_EGRESS_RULES) {
            return Err(EgressRulesError::TooMany { list, entries });
        }
        if self.ports.iter().flatten().any(|port| *port == 0) {
            return Err(EgressRulesError::Port);
        }
        Ok(())
    }
}

impl HostRule {
    /// Whether it names this host as it stands in the URL.
    #[must_use]
    pub fn takes(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Any, _) => true,
            (Self::Net(_), Host::Address(address)) => self.holds(*address),
            (Self::Name(wanted), Host::Name(name)) => wanted.as_str() == name,
            (Self::Below(suffix), Host::Name(name)) => name
                .strip_suffix(suffix.as_str())
                .and_then(|front| front.strip_suffix('.'))
                .is_some_and(|front| !front.is_empty()),
            (Self::Net(_), Host::Name(_)) | (Self::Name(_) | Self::Below(_), Host::Address(_)) => false,
        }
    }

    /// Whether it is a network that holds this address.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        matches!(self, Self::Net(net) if net.contains(&address))
    }
}

impl FromStr for HostRule {
    type Err = HostRuleError;

    fn from_str(text: &str) -> Result<Self, HostRuleError> {
        let rule = |rule| Err(HostRuleError::Rule(rule));
        if text == "*" {
            return Ok(Self::Any);
        }
        if text.contains('/') && !text.contains("://") {
            return match text.parse::<IpNet>() {
                Ok(net) => Ok(Self::Net(undressed(net.trunc()))),
                Err(_) => rule("a network is written like 10.1.0.0/16 or fd00:1::/32"),
            };
        }
        let (below, name) = match text.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, text),
        };
        if name.contains('*') {
            return rule("'*' may stand alone or as the whole first label, as in *.example.com");
        }
        let Ok(name) = Hostname::parse(name) else {
            return rule("expected a host, *.host, an address or a network, without scheme, port and path");
        };
        match Host::parse(name.as_str()) {
            Ok(Host::Address(_)) if below => rule("an address has no labels for '*' to match"),
            Ok(Host::Address(address)) => Ok(Self::Net(IpNet::from(address))),
            Ok(Host::Name(_)) if below => Ok(Self::Below(name)),
            Ok(Host::Name(_)) => Ok(Self::Name(name)),
            Err(_) => rule("expected a host, *.host, an address or a network"),
        }
    }
}

impl fmt::Display for HostRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Below(suffix) => write!(f, "*.{suffix}"),
            Self::Name(name) => write!(f, "{name}"),
            Self::Net(net) => write!(f, "{net}"),
        }
    }
}

impl Serialize for HostRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HostRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error| {
            serde::de::Error::custom(format!("\"{}\" names no hosts: {error}", shorten(&text)))
        })
    }
}

/// A list, or `null` for an empty one: clients that describe all fields send that.
fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<HostRule>, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Addresses are judged as IPv4 where they are IPv4, so a network of dressed ones is one of IPv4.
fn undressed(net: IpNet) -> IpNet {
    const DRESS_BITS: u8 = 96;
    match (net.addr().to_canonical(), net) {
        (IpAddr::V4(plain), IpNet::V6(dressed)) if dressed.prefix_len() >= DRESS_BITS => {
            ipnet::Ipv4Net::new(plain, dressed.prefix_len() - DRESS_BITS).map_or(net, IpNet::V4)
        }
        _ => net,
    }
}

#[cfg(test)]
mod tests;
