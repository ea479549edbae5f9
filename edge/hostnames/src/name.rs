//! The one spelling of a name that certificates are found by.

use std::fmt;

use wasmyard_model::{Domain, DomainError};

/// The most bytes of a name in DNS (RFC 1035 section 2.3.4), without the dot at its end.
pub(crate) const LONGEST: usize = 253;

/// A host's name, or `*.` and the name that stands above one label of any name: in lower case, in ASCII, without a dot
/// at its end.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServedName(Box<str>);

/// What is wrong with a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// It is no name.
    #[error(transparent)]
    Domain(#[from] DomainError),
    /// With the wildcard it is too long.
    #[error("{0} is longer than 253 bytes with its wildcard")]
    Long(Domain),
}

impl ServedName {
    /// Reads a name as people write it.
    ///
    /// # Errors
    /// [`InvalidName`], with the reason.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        match text.strip_prefix("*.") {
            None => Ok(Self(Domain::from_any_alphabet(text)?.as_str().into())),
            Some(rest) => {
                let domain = Domain::from_any_alphabet(rest)?;
                let name = format!("*.{domain}");
                if name.len() > LONGEST { Err(InvalidName::Long(domain)) } else { Ok(Self(name.into())) }
            }
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it stands for many names.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with("*.")
    }
}

impl std::borrow::Borrow<str> for ServedName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServedName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_spelling() {
        for (text, name) in [
            ("Shop.TEST", "shop.test"),
            ("shop.test.", "shop.test"),
            ("*.Shop.test", "*.shop.test"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("localhost", "localhost"),
            ("_dmarc.shop.test", "_dmarc.shop.test"),
        ] {
            assert_eq!(ServedName::parse(text).unwrap().as_str(), name);
        }
    }

    #[test]
    fn what_is_no_name_is_refused_with_the_reason() {
        let long = format!("{}.test", "a.".repeat(130));
        let label = format!("{}.test", "a".repeat(64));
        for text in [
            "",
            ".",
            "*",
            "*.",
            "a..b",
            "*.*.test",
            "a.*.test",
            "-a.test",
            "a b.test",
            "192.0.2.1",
            "[::1]",
            &long,
            &label,
        ] {
            assert!(ServedName::parse(text).is_err(), "{text:?}");
        }
        let error = ServedName::parse("a.*.test").unwrap_err().to_string();
        assert!(error.contains("a.*.test") && error.contains("labels"), "{error}");
    }
}
