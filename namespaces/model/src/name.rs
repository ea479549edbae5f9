//! The names people give: one grammar each, parsed once, valid ever after.
//!
//! Owns the grammars of namespace, script and binding names, tags and hostnames. A value of one of these
//! types is proof that its text keeps the rules; nothing downstream checks again. Never holds a name that
//! was not parsed, and never repeats an input at full length in an error.

use std::borrow::Borrow;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Which grammar a text was read with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NameKind {
    /// [`NamespaceName`]
    Namespace,
    /// [`ScriptName`]
    Script,
    /// [`BindingName`]
    Binding,
    /// [`Tag`]
    Tag,
    /// [`Hostname`]
    Hostname,
    /// [`ConfigName`]
    Config,
}

impl fmt::Display for NameKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NameKind::Namespace => "namespace name",
            NameKind::Script => "script name",
            NameKind::Binding => "binding name",
            NameKind::Tag => "tag",
            NameKind::Hostname => "hostname",
            NameKind::Config => "configuration name",
        })
    }
}

/// A text that breaks the grammar of its kind. Safe to show: the value is shortened and escaped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} \"{value}\" is not valid: {rule}; {remedy}")]
pub struct NameError {
    /// What the text was meant to be.
    pub kind: NameKind,
    /// The text, escaped and cut after 64 characters.
    pub value: String,
    /// The rule that it breaks.
    pub rule: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
}

impl NameError {
    fn new(kind: NameKind, value: &str, rule: &'static str, remedy: &'static str) -> NameError {
        NameError { kind, value: shorten(value), rule, remedy }
    }

    /// The name, shortened.
    pub(crate) fn value(&self) -> &str {
        &self.value
    }
}

/// Cuts a text from outside so that it fits a message or a log line, and escapes what a terminal would act on.
#[must_use]
pub fn shorten(value: &str) -> String {
    const SHOWN: usize = 64;
    let mut shown: String = value.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if value.chars().nth(SHOWN).is_some() {
        shown.push_str("...");
    }
    shown
}

/// Everything a parsed name has in common; the grammar itself is `$parse`, which returns the canonical text.
macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $parse:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Reads a name.
            ///
            /// # Errors
            /// [`NameError`] with the rule that the text breaks.
            pub fn parse(text: &str) -> Result<$name, NameError> {
                $parse(text).map($name)
            }

            /// The text, as the grammar's canonical form has it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                $name::parse(text)
            }
        }
        impl TryFrom<&str> for $name {
            type Error = NameError;
            fn try_from(text: &str) -> Result<Self, NameError> {
                $name::parse(text)
            }
        }
        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                $name::parse(&text)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                $name::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

name_type! {
    /// The name of a dispatch namespace: 1 to 64 of `a-z`, `0-9`, `-`, `_`, the first a letter or a digit.
    NamespaceName, parse_namespace
}
name_type! {
    /// The name of a script: 1 to 255 of `a-z`, `0-9`, `-`, `_`, the first a letter, a digit or `_`.
    ScriptName, parse_script
}
name_type! {
    /// The name under which a script sees a binding: an identifier of 1 to 64 ASCII characters.
    BindingName, parse_binding
}
name_type! {
    /// A label on a script: 1 to 1024 characters, no control characters, no `,` and no `&`.
    ///
    /// A comma separates tags in a filter and an ampersand ends a query parameter, so a tag with either
    /// could be set and never be asked for.
    Tag, parse_tag
}
name_type! {
    /// A host in canonical form: lower-case ASCII, no port, no trailing dot; international names as A-labels;
    /// IPv6 literals in brackets, as a `Host` header has them.
    Hostname, parse_hostname
}

name_type! {
    /// The name of a configuration, under which it owns what it declares: 1 to 64 of `a-z`, `0-9`, `-`, `_`, the
    /// first a letter or a digit. Nodes that share a store and have different files need different names.
    ConfigName, parse_config
}

/// The name of a configuration that says none.
impl Default for ConfigName {
    fn default() -> ConfigName {
        ConfigName(Arc::from("default"))
    }
}

impl Hostname {
    /// True when the host is an IP address and not a name.
    #[must_use]
    pub fn is_ip(&self) -> bool {
        self.0.starts_with('[') || self.0.parse::<Ipv4Addr>().is_ok()
    }
}

fn parse_namespace(text: &str) -> Result<Arc<str>, NameError> {
    slug(NameKind::Namespace, text, 64, "it must have 1 to 64 characters", |first| {
        first.is_ascii_lowercase() || first.is_ascii_digit()
    })
}

fn parse_config(text: &str) -> Result<Arc<str>, NameError> {
    slug(NameKind::Config, text, 64, "it must have 1 to 64 characters", |first| {
        first.is_ascii_lowercase() || first.is_ascii_digit()
    })
}

fn parse_script(text: &str) -> Result<Arc<str>, NameError> {
    slug(NameKind::Script, text, 255, "it must have 1 to 255 characters", |first| {
        first.is_ascii_lowercase() || first.is_ascii_digit() || first == '_'
    })
}

fn slug(
    kind: NameKind,
    text: &str,
    longest: usize,
    length_rule: &'static str,
    may_start: impl Fn(char) -> bool,
) -> Result<Arc<str>, NameError> {
    if text.is_empty() || text.len() > longest {
        return Err(NameError::new(kind, text, length_rule, "choose another length"));
    }
    if !text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_') {
        return Err(NameError::new(
            kind,
            text,
            "only a-z, 0-9, '-' and '_' are allowed",
            "write it in lower case and replace other characters by '-'",
        ));
    }
    if !text.starts_with(may_start) {
        return Err(NameError::new(
            kind,
            text,
            "the first character may not be a separator",
            "start it with a letter or a digit",
        ));
    }
    Ok(Arc::from(text))
}

fn parse_binding(text: &str) -> Result<Arc<str>, NameError> {
    let kind = NameKind::Binding;
    if text.is_empty() || text.len() > 64 {
        return Err(NameError::new(kind, text, "it must have 1 to 64 characters", "choose another length"));
    }
    if !text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(NameError::new(
            kind,
            text,
            "only A-Z, a-z, 0-9 and '_' are allowed",
            "replace other characters by '_'",
        ));
    }
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(NameError::new(
            kind,
            text,
            "the first character may not be a digit",
            "start it with a letter or '_'",
        ));
    }
    Ok(Arc::from(text))
}

fn parse_tag(text: &str) -> Result<Arc<str>, NameError> {
    const LONGEST: usize = 1024;
    let kind = NameKind::Tag;
    // Bytes first: counting the characters of an endless text would be work without bound.
    if text.is_empty() || text.len() > LONGEST * 4 || text.chars().count() > LONGEST {
        return Err(NameError::new(kind, text, "it must have 1 to 1024 characters", "choose another length"));
    }
    if text.contains([',', '&']) {
        return Err(NameError::new(
            kind,
            text,
            "',' and '&' are not allowed, because filters separate tags with them",
            "replace them, for instance by '-'",
        ));
    }
    if text.chars().any(char::is_control) {
        return Err(NameError::new(kind, text, "control characters are not allowed", "remove them"));
    }
    Ok(Arc::from(text))
}

fn parse_hostname(text: &str) -> Result<Arc<str>, NameError> {
    let kind = NameKind::Hostname;
    let error = |rule, remedy| Err(NameError::new(kind, text, rule, remedy));
    // Unicode may shrink on its way to A-labels, but never from a kilobyte to 253.
    if text.is_empty() || text.len() > 1024 {
        return error("it must have 1 to 253 characters", "choose another length");
    }
    if text.contains("://") || text.contains(['/', '?', '#', '@']) {
        return error("only a host is allowed here", "leave out scheme, credentials and path");
    }
    if let Some(address) = ipv6_literal(text) {
        return match address {
            Some(address) => Ok(Arc::from(format!("[{address}]"))),
            None => error("it holds ':', and is not an IPv6 address", "leave out the port"),
        };
    }
    let ascii = match to_ascii(text) {
        Some(ascii) => ascii,
        None => return error("it is not a valid international name", "check the spelling of each label"),
    };
    let host = ascii.strip_suffix('.').unwrap_or(&ascii);
    if host.is_empty() || host.len() > 253 {
        return error("it must have 1 to 253 characters", "choose another length");
    }
    for label in host.split('.') {
        if label.is_empty() || label.len() > 63 {
            return error(
                "each label must have 1 to 63 characters",
                "remove doubled dots, shorten the label",
            );
        }
        if !label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_') {
            return error("labels hold letters, digits, '-' and '_' only", "remove other characters");
        }
        if label.starts_with('-') || label.ends_with('-') {
            return error("a label may not start or end with '-'", "remove the hyphen");
        }
    }
    // Resolvers read "127.1" and "0x7f.1" as addresses; a name that means an address must say so plainly.
    let last = host.rsplit('.').next().unwrap_or(host);
    if is_number(last) && host.parse::<Ipv4Addr>().map(|address| address.to_string()) != Ok(host.to_owned()) {
        return error("it ends in a number, and is not an IPv4 address", "write all four parts in decimal");
    }
    Ok(Arc::from(host))
}

/// None: not written like an IPv6 address. Some(None): written like one, and wrong.
fn ipv6_literal(text: &str) -> Option<Option<Ipv6Addr>> {
    if !text.contains([':', '[', ']']) {
        return None;
    }
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    Some(inner.parse::<Ipv6Addr>().ok())
}

fn to_ascii(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    if lower.is_ascii() && !lower.contains("xn--") {
        return Some(lower);
    }
    idna::domain_to_ascii_cow(lower.as_bytes(), idna::AsciiDenyList::EMPTY).ok().map(|host| host.into_owned())
}

fn is_number(label: &str) -> bool {
    let hex = label.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
    hex || label.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests;
