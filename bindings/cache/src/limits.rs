//! How much is kept, and of what size. The numbers are in the one table of limits, `namespaces/model/src/limits/cache.rs`, and
//! what the operator says under `[cache]`; here they have the types that they are compared with.

use wasmyard_model::limits::cache;

/// The longest name of a cache, in bytes.
pub const MAX_NAME_BYTES: usize = cache::NAME_BYTES as usize;
/// The longest URL, in bytes.
pub const MAX_URL_BYTES: usize = cache::URL_BYTES as usize;
/// The largest head of a response that is kept, in bytes of names and values.
pub const MAX_HEAD_BYTES: usize = 2 * cache::HEAD_BYTES as usize;
/// The longest key of an entry: a name, a URL, and what says which of the responses of that it is.
pub(crate) const MAX_KEY_BYTES: usize = MAX_NAME_BYTES + MAX_URL_BYTES + 128;
/// Bodies up to this size are held in memory, too.
pub(crate) const SMALL_BYTES: u64 = 256 << 10;
/// What an entry of the memory takes beside its bytes.
pub(crate) const MEMORY_OVERHEAD_BYTES: u64 = 512;
/// What an entry of the disk counts at least: so that the number of entries, each of which takes memory, has a bound as well.
const LEAST_BYTES: u64 = 16 << 10;
/// What a file system gives away at once.
const BLOCK_BYTES: u64 = 4 << 10;

/// What a file counts.
pub(crate) fn weight(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK_BYTES).saturating_mul(BLOCK_BYTES).max(LEAST_BYTES)
}

/// Bounds on what is kept, and on what is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheLimits {
    /// Bytes on the disk, of all scripts together.
    pub disk_bytes: u64,
    /// Of these, one script's.
    pub script_bytes: u64,
    /// Bytes in memory, of all scripts together.
    pub memory_bytes: u64,
    /// One body.
    pub entry_bytes: u64,
    /// Calls of one script under way at the same time.
    pub calls: usize,
    /// The same of all scripts together.
    pub all_calls: usize,
    /// Bodies of one script that are read from the disk or written at the same time.
    pub streams: usize,
    /// The same of all scripts together: each holds a file open.
    pub all_streams: usize,
}

impl Default for CacheLimits {
    fn default() -> CacheLimits {
        CacheLimits {
            disk_bytes: 8 << 30,
            script_bytes: 1 << 30,
            memory_bytes: 64 << 20,
            entry_bytes: cache::ENTRY_BYTES,
            calls: 8,
            all_calls: 64,
            streams: cache::STREAMS as usize,
            all_streams: 512,
        }
    }
}
