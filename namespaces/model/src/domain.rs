//! Names in the DNS: one spelling each, and where the public part of a name ends.
//!
//! Owns the grammar of domains as zones, custom hostnames and origins have them: lower-case A-labels, no port, no
//! address, no wildcard, no trailing dot. Which names nobody can own (public suffixes) and which are kept for
//! documentation is told here; who may use those all the same is decided by whoever asks. Never resolves anything.

use std::borrow::Borrow;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::name::{Hostname, shorten};

/// A name in the DNS: 1 to 253 bytes, labels of 1 to 63 of `a-z`, `0-9`, `-` and `_`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain(Arc<str>);

/// A text that is no domain, or a domain that cannot be used as one of a customer. Safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DomainError {
    /// Too long, empty, an address, or characters that no name has.
    #[error("\"{value}\" is not valid: {rule}")]
    Grammar {
        /// The text, shortened.
        value: String,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// It has characters outside ASCII.
    #[error(
        "\"{value}\" has characters outside ASCII; write international names as A-labels, like xn--bcher-kva"
    )]
    NonAscii {
        /// The text, shortened.
        value: String,
    },
    /// Its last label is kept for documentation and tests.
    #[error("\"{value}\" ends in a reserved top domain")]
    Reserved {
        /// The name.
        value: Domain,
    },
    /// It is one of the names that documents use, or below one.
    #[error("\"{value}\" ends in example.com, example.net or example.org")]
    Documentation {
        /// The name.
        value: Domain,
    },
    /// Nobody can own it.
    #[error(transparent)]
    Suffix(#[from] SuffixError),
}

/// Why no owner can be told from a name. The texts are those of the v4 API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SuffixError {
    /// The whole name is a public suffix, such as `co.uk`.
    #[error("publicsuffix: cannot derive eTLD+1 for domain \"{0}\"")]
    Whole(String),
    /// What it ends in can be no suffix.
    #[error("publicsuffix: invalid public suffix \"{suffix}\" for domain \"{domain}\"")]
    Invalid {
        /// What it ends in.
        suffix: String,
        /// The name, shortened.
        domain: String,
    },
}

/// Longest name, in bytes.
const LONGEST: usize = 253;
/// Top domains that are kept for documentation and tests.
const RESERVED: [&str; 4] = ["test", "example", "invalid", "localhost"];
/// Domains that are kept for documentation.
const DOCUMENTATION: [&str; 3] = ["example.com", "example.net", "example.org"];

impl Domain {
    /// Reads a name that is written in ASCII; upper case and one trailing dot are taken away.
    ///
    /// # Errors
    /// [`DomainError::Grammar`], [`DomainError::NonAscii`], or [`DomainError::Suffix`] for a name that ends in a
    /// number.
    pub fn parse(text: &str) -> Result<Domain, DomainError> {
        let broken = |rule| Err(DomainError::Grammar { value: shorten(text), rule });
        if text.is_empty() || text.len() > LONGEST + 1 {
            return broken("it must have 1 to 253 characters");
        }
        if !text.is_ascii() {
            return Err(DomainError::NonAscii { value: shorten(text) });
        }
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if bare.parse::<Ipv4Addr>().is_ok() || bare.parse::<Ipv6Addr>().is_ok() {
            return broken("it is an address, not a name");
        }
        let lower = text.to_ascii_lowercase();
        let name = lower.strip_suffix('.').unwrap_or(&lower);
        if name.is_empty() || name.len() > LONGEST {
            return broken("it must have 1 to 253 characters");
        }
        for label in name.split('.') {
            if label.is_empty() || label.len() > 63 {
                return broken("each label must have 1 to 63 characters");
            }
            if !label.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_')) {
                return broken("labels hold letters, digits, '-' and '_' only");
            }
            if label.starts_with('-') || label.ends_with('-') {
                return broken("a label may not start or end with '-'");
            }
        }
        // Resolvers read "127.1" and "0x7f.1" as addresses.
        let last = name.rsplit('.').next().unwrap_or(name);
        let digits = last.strip_prefix("0x").unwrap_or(last);
        if last.bytes().all(|b| b.is_ascii_digit())
            || (digits.len() < last.len() && digits.bytes().all(|b| b.is_ascii_hexdigit()))
        {
            return Err(SuffixError::Invalid { suffix: shorten(last), domain: shorten(name) }.into());
        }
        if name.contains("xn--") && !is_international(name) {
            return broken("its A-labels stand for no international name");
        }
        Ok(Domain(Arc::from(name)))
    }

    /// Reads a name that may be written in any alphabet: `bücher.example` becomes `xn--bcher-kva.example`.
    ///
    /// # Errors
    /// As [`Domain::parse`].
    pub fn from_any_alphabet(text: &str) -> Result<Domain, DomainError> {
        if text.is_ascii() || text.len() > 4 * LONGEST {
            return Domain::parse(text);
        }
        match idna::domain_to_ascii_cow(text.as_bytes(), idna::AsciiDenyList::EMPTY) {
            Ok(ascii) => Domain::parse(&ascii),
            Err(_) => Err(DomainError::Grammar {
                value: shorten(text),
                rule: "it is not a valid international name",
            }),
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The labels, from the left.
    pub fn labels(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('.')
    }

    /// What follows the first label; none for a single label.
    #[must_use]
    pub fn parent(&self) -> Option<&str> {
        self.0.split_once('.').map(|(_, parent)| parent)
    }

    /// Whether the name is another one or below it.
    #[must_use]
    pub fn is_within(&self, other: &Domain) -> bool {
        is_within(&self.0, &other.0)
    }

    /// Whether a host is this name, or a name below it.
    #[must_use]
    pub fn holds(&self, host: &Hostname) -> bool {
        is_within(host.as_str(), &self.0)
    }

    /// The part that somebody can register: the public suffix and one label more.
    ///
    /// # Errors
    /// [`SuffixError::Whole`] for a public suffix.
    pub fn registrable(&self) -> Result<&str, SuffixError> {
        psl::domain_str(&self.0).ok_or_else(|| SuffixError::Whole(shorten(&self.0)))
    }

    /// Refuses what is kept for documentation and tests.
    ///
    /// # Errors
    /// [`DomainError::Reserved`], [`DomainError::Documentation`].
    pub fn refuse_reserved(&self) -> Result<(), DomainError> {
        if self.0.rsplit('.').next().is_some_and(|last| RESERVED.contains(&last)) {
            return Err(DomainError::Reserved { value: self.clone() });
        }
        if DOCUMENTATION.iter().any(|name| is_within(&self.0, name)) {
            return Err(DomainError::Documentation { value: self.clone() });
        }
        Ok(())
    }
}

/// Whether a name is another one or below it.
fn is_within(name: &str, other: &str) -> bool {
    name.strip_suffix(other).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// Whether labels that claim to stand for other alphabets do so.
fn is_international(name: &str) -> bool {
    idna::domain_to_ascii_cow(name.as_bytes(), idna::AsciiDenyList::EMPTY).is_ok_and(|ascii| ascii == name)
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl Borrow<str> for Domain {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Serialize for Domain {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Domain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Domain, D::Error> {
        let text = String::deserialize(deserializer)?;
        Domain::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl TryFrom<&Hostname> for Domain {
    type Error = DomainError;

    fn try_from(host: &Hostname) -> Result<Domain, DomainError> {
        Domain::parse(host.as_str())
    }
}

#[cfg(test)]
mod tests;
