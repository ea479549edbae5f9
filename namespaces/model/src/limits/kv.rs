//! What a KV namespace may hold, and how large its parts may be.
//!
//! Owns the numbers. Never counts anything: `bindings/kv` does.

use super::row::LimitRow;
use super::row::LimitScope::Kv;
use super::row::Unit::{self, Bytes, Count, Milliseconds};

/// Longest key, in bytes.
pub const KEY_BYTES: u64 = 512;
/// Largest value, in bytes.
pub const VALUE_BYTES: u64 = 25 << 20;
/// Longest metadata, in bytes of JSON text.
pub const METADATA_BYTES: u64 = 1_024;
/// Keys of one page of a list.
pub const LIST: u64 = 1_000;
/// Keys that one call of the API puts or deletes.
pub const BULK: u64 = 10_000;
/// Shortest time to live, in seconds.
pub const MIN_TTL: u64 = 60;
/// Longest title, in bytes.
pub const TITLE_BYTES: u64 = 512;
/// Namespaces.
pub const NAMESPACES: u64 = 100_000;
/// Keys of one namespace.
pub const KEYS: u64 = 1_000_000;
/// Bytes of one namespace: keys, metadata and values.
pub const NAMESPACE_BYTES: u64 = 1 << 30;
/// Operations of one namespace under way at the same time.
pub const AT_ONCE: u64 = 4;
/// Operations of one namespace that wait.
pub const WAITING: u64 = 64;

const fn row(name: &'static str, unit: Unit, most: u64, doc: &'static str) -> LimitRow {
    LimitRow { name, scope: Kv, unit, default: Some(most), min: 0, ceiling: most, doc }
}

/// The rows of the table of limits.
pub(super) const ROWS: &[LimitRow] = &[
    row("kv_key_bytes", Bytes, KEY_BYTES, "One key."),
    row("kv_value_bytes", Bytes, VALUE_BYTES, "One value."),
    row("kv_metadata_bytes", Bytes, METADATA_BYTES, "Metadata beside one value."),
    row("kv_list", Count, LIST, "Keys of one page of a list."),
    row("kv_bulk", Count, BULK, "Keys that one call of the API puts or deletes."),
    LimitRow {
        name: "kv_ttl_ms",
        scope: Kv,
        unit: Milliseconds,
        default: None,
        min: MIN_TTL * 1_000,
        ceiling: u64::MAX,
        doc: "Time from now until a value goes, where it is to go.",
    },
    row("kv_title_bytes", Bytes, TITLE_BYTES, "Title of a namespace."),
    row("kv_namespaces", Count, NAMESPACES, "KV namespaces of the platform."),
    row("kv_keys", Count, KEYS, "Keys of one namespace."),
    row("kv_bytes", Bytes, NAMESPACE_BYTES, "Keys, metadata and values of one namespace together."),
    row("kv_at_once", Count, AT_ONCE, "Operations of one namespace under way at the same time."),
    row("kv_waiting", Count, WAITING, "Operations of one namespace that wait; one more is refused."),
];
