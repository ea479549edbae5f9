//! Why a custom hostname cannot be as somebody wants it.
//!
//! Owns one variant for each rule that the v4 API has a code for. The texts of the codes are the API's
//! (`api/src/error`); what is here says which value broke the rule.

use super::CertificateError;
use crate::domain::{Domain, DomainError};
use crate::ids::ZoneId;
use crate::tls::Cipher;

/// A rule of custom hostnames that something breaks. Safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostnameError {
    /// The name itself.
    #[error("hostname: {0}")]
    Name(DomainError),
    /// The zone has one of that name.
    #[error("hostname: the zone has a custom hostname of that name")]
    Duplicate,
    /// A name cannot change.
    #[error("hostname: a custom hostname keeps its name; make another one")]
    Rename,
    /// Metadata that is no object or too large.
    #[error("custom_metadata: {0}")]
    Metadata(String),
    /// Metadata for many names at once.
    #[error("custom_metadata: wildcard hostnames have none")]
    MetadataOfWildcard,
    /// The name of an origin.
    #[error("custom_origin_server or custom_origin_sni: {0}")]
    Origin(DomainError),
    /// An origin with a wildcard.
    #[error("custom_origin_server: an origin is one name, without \"*\"")]
    OriginWildcard,
    /// An origin that the zone has no proxied record for.
    #[error(
        "custom_origin_server: zone {zone} has no proxied A, AAAA or CNAME record for {server}; make one"
    )]
    OriginUnknown {
        /// The zone.
        zone: ZoneId,
        /// The origin.
        server: Domain,
    },
    /// A name for the handshake with an origin that is not there.
    #[error(
        "custom_origin_sni: set custom_origin_server as well, a fallback origin is asked for the request's host"
    )]
    SniWithoutOrigin,
    /// A setting that is neither on nor off, or no version.
    #[error("ssl.settings.{setting}: \"{value}\" is not accepted")]
    Setting {
        /// Which.
        setting: TlsSetting,
        /// The value, shortened.
        value: String,
    },
    /// Cipher suites that are not known, or of which none is served.
    #[error("ssl.settings.ciphers: {what}; served here are {}", Cipher::served_names())]
    Ciphers {
        /// What is wrong with them.
        what: String,
    },
    /// Cipher suites beside TLS 1.3, whose suites cannot be chosen.
    #[error("ssl.settings.ciphers: they are those of TLS 1.2 and before, and min_tls_version is 1.3")]
    CiphersOfTls13,
    /// A way of validation that is not there.
    #[error("ssl.method: \"{0}\" is not there; http and txt are")]
    Method(String),
    /// A type of certificate that is not there.
    #[error("ssl.type: \"{0}\" is not there; dv is")]
    Type(String),
    /// One of the two without the other.
    #[error("ssl: give method and type together, or neither")]
    MethodAndType,
    /// A way of building chains that is not there.
    #[error("ssl.bundle_method: \"{0}\" is not there")]
    BundleMethod(String),
    /// Anything else about certificates.
    #[error("ssl: {0}")]
    Ssl(String),
    /// A certificate that was brought.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The only certificate of a hostname cannot go.
    #[error("the certificate is the only one of its hostname; replace it, or ask for a managed one")]
    LastCertificate,
    /// A managed certificate for a wildcard hostname.
    #[error("ssl: a hostname with \"*\" has no managed certificate; use ssl.wildcard of the name below it")]
    ManagedWildcard,
    /// No name is short enough for a certificate's common name.
    #[error("ssl.cloudflare_branding: the name has more than 64 characters; set it to true")]
    Branding,
}

/// A setting of TLS that has a code of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsSetting {
    /// `http2`.
    Http2,
    /// `tls_1_2_only`.
    Tls12Only,
    /// `tls_1_3`.
    Tls13,
    /// `min_tls_version`.
    MinTlsVersion,
    /// `early_hints`.
    EarlyHints,
}

impl std::fmt::Display for TlsSetting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            TlsSetting::Http2 => "http2",
            TlsSetting::Tls12Only => "tls_1_2_only",
            TlsSetting::Tls13 => "tls_1_3",
            TlsSetting::MinTlsVersion => "min_tls_version",
            TlsSetting::EarlyHints => "early_hints",
        })
    }
}
