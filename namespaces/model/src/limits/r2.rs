//! What a bucket of objects may hold, and how large its parts may be.
//!
//! Owns the numbers, which are those of Cloudflare's R2 where it has one. Never counts anything: `bindings/r2` does.

use super::row::LimitRow;
use super::row::LimitScope::R2;
use super::row::Unit::{self, Bytes, Count, Milliseconds};

/// Longest key, in bytes.
pub const KEY_BYTES: u64 = 1_024;
/// Custom metadata and HTTP metadata of one object together, in bytes of names and values.
pub const METADATA_BYTES: u64 = 8_192;
/// Bytes that one put, or one part of an upload, brings.
pub const PUT_BYTES: u64 = 5 << 30;
/// Least bytes of a part that is not the last of its upload.
pub const PART_BYTES: u64 = 5 << 20;
/// Parts of one upload.
pub const PARTS: u64 = 10_000;
/// Objects of one page of a list.
pub const LIST: u64 = 1_000;
/// Objects that one call deletes.
pub const DELETE: u64 = 1_000;
/// How long an upload in parts may take, in seconds: it is aborted after that.
pub const UPLOAD_SECONDS: u64 = 7 * 24 * 3_600;
/// Buckets.
pub const BUCKETS: u64 = 100_000;
/// Objects of one bucket.
pub const OBJECTS: u64 = 10_000_000;
/// Bytes of one bucket: keys, metadata and contents, those of uploads that are not complete included.
pub const BUCKET_BYTES: u64 = 1 << 40;
/// Uploads in parts of one bucket that are not complete.
pub const UPLOADS: u64 = 1_000;
/// Calls of one bucket under way at the same time, beside its streams.
pub const AT_ONCE: u64 = 4;
/// Calls of one bucket that wait.
pub const WAITING: u64 = 256;
/// Contents of one bucket that are read or written at the same time.
pub const STREAMS: u64 = 128;

const fn row(name: &'static str, unit: Unit, most: u64, doc: &'static str) -> LimitRow {
    LimitRow { name, scope: R2, unit, default: Some(most), min: 0, ceiling: most, doc }
}

/// The rows of the table of limits.
pub(super) const ROWS: &[LimitRow] = &[
    row("r2_key_bytes", Bytes, KEY_BYTES, "One key."),
    row("r2_metadata_bytes", Bytes, METADATA_BYTES, "Custom and HTTP metadata of one object together."),
    row("r2_put_bytes", Bytes, PUT_BYTES, "What one put, or one part of an upload, brings."),
    LimitRow {
        name: "r2_part_bytes",
        scope: R2,
        unit: Bytes,
        default: None,
        min: PART_BYTES,
        ceiling: PUT_BYTES,
        doc: "A part of an upload that is not its last.",
    },
    row("r2_parts", Count, PARTS, "Parts of one upload."),
    row("r2_list", Count, LIST, "Objects and common prefixes of one page of a list."),
    row("r2_delete", Count, DELETE, "Objects that one call deletes."),
    row(
        "r2_upload_ms",
        Milliseconds,
        UPLOAD_SECONDS * 1_000,
        "Time until an upload that is not complete is aborted.",
    ),
    row("r2_buckets", Count, BUCKETS, "Buckets of the platform."),
    row("r2_objects", Count, OBJECTS, "Objects of one bucket."),
    row("r2_bytes", Bytes, BUCKET_BYTES, "Keys, metadata, contents and parts of one bucket together."),
    row("r2_uploads", Count, UPLOADS, "Uploads of one bucket that are not complete."),
    row("r2_at_once", Count, AT_ONCE, "Calls of one bucket under way at the same time, beside its streams."),
    row("r2_waiting", Count, WAITING, "Calls of one bucket that wait; one more is refused."),
    row(
        "r2_streams",
        Count,
        STREAMS,
        "Contents of one bucket that are read or written at the same time; one more is refused.",
    ),
];
