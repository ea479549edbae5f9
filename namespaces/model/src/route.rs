//! Routes: which host and path goes to which script.
//!
//! Owns the grammar of patterns ([`RoutePattern`]), what a route leads to ([`RouteTarget`]), and the table
//! that requests are matched with ([`RouteTable`]). Never looks a script up, and never reads the store.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::name::{Hostname, NameError, NamespaceName, ScriptName, shorten};
use crate::namespace::Origin;
use crate::url_path::{decoded, decoded_segment, is_dots};

pub use table::{RouteMatch, RouteTable};

mod table;

/// Who brought a route into being.
pub type RouteOrigin = Origin;

/// A host pattern with a path pattern. Written `*/*`, `*.host/*`, `host/path*` (prefix), `host/path`
/// (exact) or `host`, which is short for `host/*`.
#[derive(Clone, Debug)]
pub struct RoutePattern {
    host: HostPattern,
    path: PathPattern,
    /// The path as it was written, to be shown.
    written: Box<str>,
}

/// Patterns that take the same requests are equal, however their paths are written.
impl PartialEq for RoutePattern {
    fn eq(&self, other: &RoutePattern) -> bool {
        self.host == other.host && self.path == other.path
    }
}

impl Eq for RoutePattern {}

impl Hash for RoutePattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.host.hash(state);
        self.path.hash(state);
    }
}

/// Which hosts a pattern takes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// `*`: every host.
    Any,
    /// `*.suffix`: one or more labels in front of the suffix.
    Wildcard(Hostname),
    /// This host only.
    Exact(Hostname),
}

/// Which paths a pattern takes. Paths are compared decoded ([`crate::url_path::routed`]), byte by byte.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PathPattern {
    /// This path only.
    Exact(Box<str>),
    /// Every path that starts so. `/*` is the prefix `/`.
    Prefix(Box<str>),
}

/// A text that is no route pattern. Safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoutePatternError {
    /// The pattern breaks a rule.
    #[error("route pattern \"{pattern}\" is not valid: {rule}; write it like \"*.example.com/*\"")]
    Rule {
        /// The pattern, shortened.
        pattern: String,
        /// The rule.
        rule: &'static str,
    },
    /// The host breaks the grammar of hostnames.
    #[error("route pattern \"{pattern}\": {source}")]
    Host {
        /// The pattern, shortened.
        pattern: String,
        /// The rule.
        source: NameError,
    },
}

const MAX_PATTERN_BYTES: usize = 2_048;

impl RoutePattern {
    /// The hosts it takes.
    #[must_use]
    pub fn host(&self) -> &HostPattern {
        &self.host
    }

    /// The paths it takes.
    #[must_use]
    pub fn path(&self) -> &PathPattern {
        &self.path
    }
}

impl FromStr for RoutePattern {
    type Err = RoutePatternError;

    fn from_str(text: &str) -> Result<RoutePattern, RoutePatternError> {
        let rule = |rule| RoutePatternError::Rule { pattern: shorten(text), rule };
        if text.is_empty() || text.len() > MAX_PATTERN_BYTES {
            return Err(rule("it must have 1 to 2048 characters"));
        }
        if text.contains("://") {
            return Err(rule("it may not have a scheme, because every scheme is matched"));
        }
        let (host, path) = match text.find('/') {
            Some(slash) => text.split_at(slash),
            None => (text, "/*"),
        };
        let host = parse_host(host).map_err(|error| match error {
            HostError::Rule(broken) => rule(broken),
            HostError::Name(source) => RoutePatternError::Host { pattern: shorten(text), source },
        })?;
        let written = path.into();
        let path = parse_path(path).map_err(rule)?;
        Ok(RoutePattern { host, path, written })
    }
}

enum HostError {
    Rule(&'static str),
    Name(NameError),
}

fn parse_host(host: &str) -> Result<HostPattern, HostError> {
    if host == "*" {
        return Ok(HostPattern::Any);
    }
    if host.is_empty() {
        return Err(HostError::Rule("it must start with a host, \"*.host\" or \"*\""));
    }
    let suffix = host.strip_prefix("*.");
    if suffix.unwrap_or(host).contains('*') {
        return Err(HostError::Rule("in the host, one '*' may stand, alone or as the whole first label"));
    }
    if let Some(suffix) = suffix {
        let suffix = Hostname::parse(suffix).map_err(HostError::Name)?;
        if suffix.is_ip() {
            return Err(HostError::Rule("an IP address has no labels for '*' to match"));
        }
        return Ok(HostPattern::Wildcard(suffix));
    }
    Hostname::parse(host).map(HostPattern::Exact).map_err(HostError::Name)
}

fn parse_path(path: &str) -> Result<PathPattern, &'static str> {
    if path.contains(['?', '#']) {
        return Err("queries and fragments are not matched, leave them out");
    }
    if !path.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("the path holds printable ASCII only, percent-encode the rest");
    }
    if path.contains('\\') {
        return Err("a backslash in a request's path is a slash: write '/'");
    }
    let prefix = path.strip_suffix('*');
    let text = prefix.unwrap_or(path);
    if text.contains('*') {
        return Err("in the path, '*' may only be the last character");
    }
    let (whole, last) = text.rsplit_once('/').unwrap_or(("", text));
    // What stands before '*' is the beginning of a segment, not one.
    let mut segments = whole.split('/').chain((prefix.is_none()).then_some(last));
    if segments.any(is_dots) {
        return Err(
            "segments \".\" and \"..\" are resolved before a route is looked up: write the path without them",
        );
    }
    if prefix.is_some() && decoded_segment(last).is_none() {
        return Err("an escape before '*' must be whole and stand for text; write '%25' for '%'");
    }
    let text = decoded(text).into();
    Ok(if prefix.is_some() { PathPattern::Prefix(text) } else { PathPattern::Exact(text) })
}

/// The canonical text: the host in canonical form, the path always there.
impl fmt::Display for RoutePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            HostPattern::Any => f.write_str("*")?,
            HostPattern::Wildcard(suffix) => write!(f, "*.{suffix}")?,
            HostPattern::Exact(host) => write!(f, "{host}")?,
        }
        f.write_str(&self.written)
    }
}

impl Serialize for RoutePattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RoutePattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RoutePattern, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What a route leads to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteTarget {
    /// A platform script.
    Script(ScriptName),
    /// The native rule: the label that `*` matched names the user script of this namespace.
    Namespace(NamespaceName),
    /// Opted out of dispatch: this status, and no body.
    Respond(u16),
}

/// A pattern with its target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// 32 hex digits.
    pub id: String,
    /// What it takes.
    pub pattern: RoutePattern,
    /// What it leads to.
    pub target: RouteTarget,
    /// Who made it.
    pub origin: RouteOrigin,
}

/// A route that is wrong as a whole. Safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// The native rule needs a label that names the script.
    #[error(
        "route {pattern} leads to a namespace, and no '*' in its host names the script; write it like \"*.example.com/*\""
    )]
    NoLabel {
        /// The pattern.
        pattern: RoutePattern,
    },
    /// No HTTP status that ends a request.
    #[error("route {pattern} responds with {status}, which is no final HTTP status; choose 200 to 599")]
    Status {
        /// The pattern.
        pattern: RoutePattern,
        /// The status.
        status: u16,
    },
}

impl RouteTarget {
    /// Checks that the target makes sense behind this pattern.
    ///
    /// # Errors
    /// [`RouteError`] with the rule that is broken.
    pub fn check(&self, pattern: &RoutePattern) -> Result<(), RouteError> {
        match self {
            RouteTarget::Namespace(_) if matches!(pattern.host, HostPattern::Exact(_)) => {
                Err(RouteError::NoLabel { pattern: pattern.clone() })
            }
            RouteTarget::Respond(status) if !(200..600).contains(status) => {
                Err(RouteError::Status { pattern: pattern.clone(), status: *status })
            }
            RouteTarget::Script(_) | RouteTarget::Namespace(_) | RouteTarget::Respond(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
