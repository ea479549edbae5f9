//! What a script may put into its caches.
//!
//! Owns the numbers that are fixed; how much all caches take is for the operator to say, under `[cache]`. Never counts anything:
//! `bindings/cache` does.

use super::row::LimitRow;
use super::row::LimitScope::Cache;
use super::row::Unit::{self, Bytes, Count};

/// Longest name of a cache, in bytes.
pub const NAME_BYTES: u64 = 1_023;
/// Longest URL that a response is put under, in bytes.
pub const URL_BYTES: u64 = 16 << 10;
/// Head of a response that is kept: names and values of its fields, in bytes.
pub const HEAD_BYTES: u64 = 128 << 10;
/// Body of a response that is kept.
pub const ENTRY_BYTES: u64 = 512 << 20;
/// Bodies of one script that are read from the disk or written at the same time.
pub const STREAMS: u64 = 64;

const fn row(name: &'static str, unit: Unit, most: u64, doc: &'static str) -> LimitRow {
    LimitRow { name, scope: Cache, unit, default: Some(most), min: 0, ceiling: most, doc }
}

/// The rows of the table of limits.
pub(super) const ROWS: &[LimitRow] = &[
    row("cache_name_bytes", Bytes, NAME_BYTES, "The name of a cache."),
    row("cache_url_bytes", Bytes, URL_BYTES, "The URL that a response is put under."),
    row("cache_head_bytes", Bytes, HEAD_BYTES, "The header fields of a response; one with more is not kept."),
    row("cache_entry_bytes", Bytes, ENTRY_BYTES, "The body of a response; a larger one is not kept."),
    row(
        "cache_streams",
        Count,
        STREAMS,
        "Bodies of one script that are read from the disk or written at the same time; one more is not found, or not kept.",
    ),
];
