//! What is known of an encrypted connection, for whoever answers its requests.

use std::fmt;
use std::sync::Arc;

use super::certificates::{Certificates, Found};

/// The version of TLS that a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsVersion {
    /// 1.2
    Tls12,
    /// 1.3
    Tls13,
}

impl TlsVersion {
    /// Its name, as scripts know it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        }
    }
}

/// How a client's own connection to us is encrypted.
pub struct Encrypted {
    /// The version.
    pub version: TlsVersion,
    /// The name that the client asked for: in lower case, without a dot at its end.
    pub server_name: Box<str>,
    found: Found,
    certificates: Arc<dyn Certificates>,
}

impl Encrypted {
    pub(super) fn new(
        version: TlsVersion,
        server_name: Box<str>,
        found: Found,
        certificates: Arc<dyn Certificates>,
    ) -> Self {
        Self { version, server_name, found, certificates }
    }

    /// Whether a request for this host may come over the connection: a client may use one for several hosts of the same
    /// certificate, but what was agreed upon for one name says nothing about another's (RFC 9110 section 7.4).
    #[must_use]
    pub fn is_for(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        *self.server_name == *host || self.certificates.find(host) == Some(self.found)
    }
}

impl fmt::Debug for Encrypted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, server_name, .. } = self;
        formatter
            .debug_struct("Encrypted")
            .field("version", version)
            .field("server_name", server_name)
            .finish()
    }
}

impl PartialEq for Encrypted {
    fn eq(&self, other: &Self) -> bool {
        (self.version, &self.server_name, self.found) == (other.version, &other.server_name, other.found)
    }
}

impl Eq for Encrypted {}
