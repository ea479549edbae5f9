//! The name of a custom hostname: a domain, or `*.` and a domain.
//!
//! Owns its grammar. Never decides who may have a name.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::{Domain, DomainError};

/// The name of a custom hostname, in canonical form.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CustomName(Arc<str>);

impl CustomName {
    /// Reads a name: its grammar alone, as it is written down. See [`CustomName::for_customer`].
    ///
    /// # Errors
    /// [`DomainError`] with the rule that it breaks.
    pub fn parse(text: &str) -> Result<CustomName, DomainError> {
        let Some(rest) = text.strip_prefix("*.") else {
            let domain = Domain::parse(text)?;
            return Ok(CustomName(Arc::from(domain.as_str())));
        };
        let domain = Domain::parse(rest)?;
        if domain.as_str().len() > LONGEST_BASE {
            let rule = "with \"*.\" it must have at most 253 characters";
            return Err(DomainError::Grammar { value: crate::name::shorten(text), rule });
        }
        Ok(CustomName(Arc::from(format!("*.{domain}"))))
    }

    /// Reads a name that a customer can have: somebody can own it, and, where reserved names are not allowed, it is
    /// none of those.
    ///
    /// # Errors
    /// [`DomainError`] with the rule that it breaks.
    pub fn for_customer(text: &str, allow_reserved: bool) -> Result<CustomName, DomainError> {
        let name = CustomName::parse(text)?;
        let domain = Domain::parse(name.base())?;
        if !allow_reserved {
            domain.refuse_reserved()?;
        }
        domain.registrable()?;
        Ok(name)
    }

    /// `*.` in front of this name; none where it is there already, or would be too long.
    #[must_use]
    pub fn below(&self) -> Option<CustomName> {
        let fits = !self.is_wildcard() && self.0.len() <= LONGEST_BASE;
        fits.then(|| CustomName(Arc::from(format!("*.{}", self.0))))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it stands for all names one label below.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with("*.")
    }

    /// The name without `*.`.
    #[must_use]
    pub fn base(&self) -> &str {
        self.0.strip_prefix("*.").unwrap_or(&self.0)
    }
}

impl From<&Domain> for CustomName {
    fn from(domain: &Domain) -> CustomName {
        CustomName(Arc::from(domain.as_str()))
    }
}

impl fmt::Display for CustomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for CustomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl Serialize for CustomName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for CustomName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<CustomName, D::Error> {
        let text = String::deserialize(deserializer)?;
        CustomName::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Longest name behind `*.`, in bytes.
const LONGEST_BASE: usize = 251;
