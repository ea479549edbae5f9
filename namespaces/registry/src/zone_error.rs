//! Why the registry refused something about a zone.
//!
//! Owns the variants and their texts, which are safe to show to whoever may see the zone.

use std::time::Duration;

use wasmyard_model::client_ca::MtlsError;
use wasmyard_model::csr::CsrError;
use wasmyard_model::domain::Domain;
use wasmyard_model::hostname::HostnameError;
use wasmyard_model::limits::hostnames as limits;
use wasmyard_model::zone::DnsRecordError;

/// Why the registry refused something about a zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ZoneError {
    /// No zone with that id.
    #[error("there is no zone {0}; list the zones for those there are")]
    NotFound(String),
    /// There is one of that name.
    #[error("there is a zone {0} already")]
    Exists(Domain),
    /// Another zone keeps the name.
    #[error("the name {0} is held by the zone above it; its owner has to take the hold away first")]
    Held(Domain),
    /// The operator lets nobody have it.
    #[error("the name {0} is blocked by the operator of this platform; another one can be used")]
    Blocked(Domain),
    /// As many as there may be.
    #[error("there are {} zones, the most that there may be; delete some", limits::ZONES)]
    TooMany,
    /// No DNS record with that id.
    #[error("the zone has no DNS record {0}; list the records for those it has")]
    RecordNotFound(String),
    /// A record that cannot be.
    #[error(transparent)]
    Record(#[from] DnsRecordError),
    /// There is one like it.
    #[error("there is a {kind} record for {name} with this content already")]
    RecordExists {
        /// Its name.
        name: String,
        /// Its type.
        kind: &'static str,
    },
    /// A CNAME stands alone.
    #[error("{name} has records already, and a CNAME record stands alone; delete the others, or this one")]
    RecordBesideCname {
        /// The name.
        name: String,
    },
    /// As many as there may be.
    #[error("the zone has {} DNS records, the most that there may be; delete some", limits::DNS_RECORDS)]
    TooManyRecords,
    /// A fallback origin outside of the zone.
    #[error("origin: {0} is not in the zone; a fallback origin is one of the zone's own names")]
    OriginOutside(Domain),
    /// The zone has no fallback origin.
    #[error("the zone has no fallback origin")]
    NoFallbackOrigin,
    /// No custom hostname with that id.
    #[error("the zone has no custom hostname {0}; list them for those it has")]
    HostnameNotFound(String),
    /// No certificate with that id in the pack.
    #[error(
        "the custom hostname has no uploaded certificate {0} in this pack; see ssl.id and ssl.certificates"
    )]
    CertificateNotFound(String),
    /// A rule of custom hostnames.
    #[error(transparent)]
    Hostname(#[from] HostnameError),
    /// A rule of requests for certificates.
    #[error(transparent)]
    Csr(#[from] CsrError),
    /// A rule of authorities of clients.
    #[error(transparent)]
    Mtls(#[from] MtlsError),
    /// None may be made.
    #[error("the operator allows this zone no custom hostnames")]
    NoQuota,
    /// As many as there may be.
    #[error("the zone has {allocated} custom hostnames, the most that there may be; delete some")]
    Quota {
        /// How many.
        allocated: u64,
    },
    /// It asks for certificates too often.
    #[error(
        "the zone asked for {per_minute} certificates within a minute, the most that it may; ask again in {} seconds",
        wait.as_secs().max(1)
    )]
    TooOften {
        /// How many it may ask for.
        per_minute: u64,
        /// How long it may ask for none.
        wait: Duration,
    },
}
