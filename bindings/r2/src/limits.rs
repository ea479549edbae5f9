//! What one bucket may hold, and how large its parts may be. The numbers are in the one table of limits,
//! `namespaces/model/src/limits/r2.rs`; here they have the types that they are compared with.

use wasmyard_model::limits::r2;

/// The longest key, in bytes.
pub const MAX_KEY_BYTES: usize = r2::KEY_BYTES as usize;
/// Custom and HTTP metadata of one object, in bytes of names and values.
pub const MAX_METADATA_BYTES: usize = r2::METADATA_BYTES as usize;
/// The most objects and common prefixes of one page of a list.
pub const MAX_LIST: usize = r2::LIST as usize;
/// The most objects that one call deletes.
pub const MAX_DELETE: usize = r2::DELETE as usize;
/// The most parts of one upload.
pub const MAX_PARTS: u64 = r2::PARTS;
/// How long an upload in parts may take, in seconds.
pub const UPLOAD_SECONDS: u64 = r2::UPLOAD_SECONDS;

/// Bounds on what is kept, and on what is under way.
#[derive(Clone, Copy, Debug)]
pub struct R2Limits {
    /// How many buckets there may be.
    pub buckets: u64,
    /// Objects of one bucket.
    pub objects: u64,
    /// Bytes of one bucket: keys, metadata, contents and parts together.
    pub bytes: u64,
    /// Bytes that one put, or one part, brings.
    pub put_bytes: u64,
    /// Least bytes of a part that is not the last.
    pub part_bytes: u64,
    /// Uploads of one bucket that are not complete.
    pub uploads: u64,
    /// Calls of one bucket under way at the same time.
    pub at_once: usize,
    /// Calls of one bucket that wait; one more is refused.
    pub waiting: usize,
    /// Contents of one bucket that are read or written at the same time; one more is refused.
    pub streams: usize,
    /// The same of all buckets together: each holds a file open.
    pub all_streams: usize,
}

impl Default for R2Limits {
    fn default() -> R2Limits {
        R2Limits {
            buckets: r2::BUCKETS,
            objects: r2::OBJECTS,
            bytes: r2::BUCKET_BYTES,
            put_bytes: r2::PUT_BYTES,
            part_bytes: r2::PART_BYTES,
            uploads: r2::UPLOADS,
            at_once: r2::AT_ONCE as usize,
            waiting: r2::WAITING as usize,
            streams: r2::STREAMS as usize,
            all_streams: 512,
        }
    }
}
