//! What is known of an encrypted connection, for whoever answers its requests.

use std::fmt;
use std::sync::Arc;

use rustls::CipherSuite;

use super::certificates::{Certificates, Found};
use super::groups::Groups;
use super::shown::ClientCertificate;

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
    /// The suite, by the name that OpenSSL has for it.
    pub cipher: &'static str,
    /// The name that the client asked for: in lower case, without a dot at its end; none where it named none.
    pub server_name: Option<Box<str>>,
    /// The certificate that the client showed, if it was asked for one: it was verified.
    pub client_certificate: Option<ClientCertificate>,
    pub(super) found: Found,
    pub(super) certificates: Arc<dyn Certificates>,
    pub(super) groups: Arc<Groups>,
}

impl Encrypted {
    /// Whether a request for this host may come over the connection: a client may use one for several hosts of the same
    /// certificate, but what was agreed upon for one name says nothing about another's (RFC 9110 section 7.4). A host
    /// that asks clients for certificates is served over connections that were made for it, and after it began to ask
    /// for what it asks now.
    #[must_use]
    pub fn is_for(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        let is_named = self.server_name.as_deref() == Some(host);
        if is_named && !self.groups.may_ask_clients() {
            return true;
        }
        let found = self.certificates.find(host);
        match found {
            Some(found) if self.groups.ask_clients(found.group) => {
                is_named && found.group == self.found.group
            }
            // Who named none knows by the certificate alone whom it speaks with, and agreed to these settings.
            found if self.server_name.is_none() => found.is_none_or(|found| found.group == self.found.group),
            found => is_named || found == Some(self.found),
        }
    }
}

impl Encrypted {
    /// Whether a host is served over QUIC as well, as far as its settings of TLS say. Looks into memory alone.
    #[must_use]
    pub fn may_go_on_over_quic(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        self.certificates.find(host).is_some_and(|found| self.groups.speak_quic(found.group))
    }
}

/// The name of a suite, as OpenSSL and BoringSSL have it; empty for one that is not spoken.
pub(super) fn cipher_name(suite: CipherSuite) -> &'static str {
    match suite {
        CipherSuite::TLS13_AES_128_GCM_SHA256 => "AEAD-AES128-GCM-SHA256",
        CipherSuite::TLS13_AES_256_GCM_SHA384 => "AEAD-AES256-GCM-SHA384",
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => "AEAD-CHACHA20-POLY1305-SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => "ECDHE-ECDSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => "ECDHE-ECDSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-ECDSA-CHACHA20-POLY1305",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => "ECDHE-RSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => "ECDHE-RSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-RSA-CHACHA20-POLY1305",
        _ => "",
    }
}

impl fmt::Debug for Encrypted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, cipher, server_name, .. } = self;
        let mut shown = formatter.debug_struct("Encrypted");
        shown.field("version", version).field("cipher", cipher).field("server_name", server_name);
        shown.finish_non_exhaustive()
    }
}

impl PartialEq for Encrypted {
    fn eq(&self, other: &Self) -> bool {
        let parts = |one: &Self| (one.version, one.cipher, one.found);
        parts(self) == parts(other)
            && self.server_name == other.server_name
            && self.client_certificate == other.client_certificate
    }
}

impl Eq for Encrypted {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_that_is_spoken_has_a_name() {
        for suite in rustls::crypto::aws_lc_rs::default_provider().cipher_suites {
            assert_ne!(cipher_name(suite.suite()), "", "{:?}", suite.suite());
        }
    }
}
