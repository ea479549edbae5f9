//! How many zones and custom hostnames there may be, and how large their parts.
//!
//! Owns the numbers. Never counts anything: the registry does.

use super::row::LimitRow;
use super::row::LimitScope::Zone;
use super::row::Unit::{self, Bytes, Count};

/// Zones.
pub const ZONES: u64 = 1_000;
/// DNS records of one zone.
pub const DNS_RECORDS: u64 = 3_500;
/// Changes of DNS records that are made together.
pub const DNS_BATCH: usize = 1_000;
/// Longest file of DNS records, in bytes.
pub const ZONE_FILE_BYTES: usize = 256 << 10;
/// Custom hostnames of one zone.
pub const CUSTOM_HOSTNAMES: u64 = 1_000_000;
/// Longest metadata of a custom hostname, in bytes of JSON text.
pub const METADATA_BYTES: u64 = 4_096;
/// Requests for certificates of one zone, or of the account.
pub const CUSTOM_CSRS: u64 = 1_000;
/// Names in one request for a certificate.
pub const CSR_SANS: u64 = 200;
/// Certificates of authorities of clients, each of which may be several.
pub const MTLS_CERTIFICATES: u64 = 1_000;
/// Names of one zone that ask clients for certificates.
pub const MTLS_ASSOCIATIONS: u64 = 1_000;
/// Cipher suites in one setting.
pub const CIPHERS: u64 = 64;
/// Custom hostnames and DNS records of one page of a list.
pub const PAGE: u64 = 1_000;
/// Longest comment on a DNS record, in bytes.
pub const COMMENT_BYTES: u64 = 500;
/// Tags on a DNS record.
pub const RECORD_TAGS: u64 = 20;

const fn row(name: &'static str, unit: Unit, most: u64, doc: &'static str) -> LimitRow {
    LimitRow { name, scope: Zone, unit, default: Some(most), min: 0, ceiling: most, doc }
}

/// The rows of the table of limits.
pub(super) const ROWS: &[LimitRow] = &[
    row("zones", Count, ZONES, "Zones of the platform."),
    row("dns_records", Count, DNS_RECORDS, "DNS records of one zone."),
    row("dns_batch", Count, DNS_BATCH as u64, "Changes of DNS records in one call."),
    row("zone_file_bytes", Bytes, ZONE_FILE_BYTES as u64, "File of DNS records that is imported."),
    row("custom_hostnames", Count, CUSTOM_HOSTNAMES, "Custom hostnames of one zone, active or not."),
    row(
        "custom_metadata_bytes",
        Bytes,
        METADATA_BYTES,
        "Metadata of one custom hostname, as JSON without spaces.",
    ),
    row(
        "custom_csrs",
        Count,
        CUSTOM_CSRS,
        "Requests for certificates (custom CSRs) of one zone, and as many of the account.",
    ),
    row("custom_csr_sans", Count, CSR_SANS, "Names in one request for a certificate."),
    row("mtls_certificates", Count, MTLS_CERTIFICATES, "Uploads of certificates of authorities of clients."),
    row(
        "mtls_associations",
        Count,
        MTLS_ASSOCIATIONS,
        "Names of one zone that ask clients for certificates.",
    ),
    row("ciphers", Count, CIPHERS, "Cipher suites in one setting."),
    row("zone_list", Count, PAGE, "Zones, custom hostnames or DNS records of one page of a list."),
    row("dns_comment_bytes", Bytes, COMMENT_BYTES, "Comment on one DNS record."),
    row("dns_record_tags", Count, RECORD_TAGS, "Tags on one DNS record."),
];
