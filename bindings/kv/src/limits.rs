//! What one KV namespace may hold, and how large its parts may be. The numbers are in the one table of limits,
//! `namespaces/model/src/limits/kv.rs`; here they have the types that they are compared with.

use wasmyard_model::limits::kv;

/// The longest key, in bytes.
pub const MAX_KEY_BYTES: usize = kv::KEY_BYTES as usize;
/// The largest value, in bytes.
pub const MAX_VALUE_BYTES: usize = kv::VALUE_BYTES as usize;
/// The longest metadata, in bytes of JSON text.
pub const MAX_METADATA_BYTES: usize = kv::METADATA_BYTES as usize;
/// The most keys of one page of a list.
pub const MAX_LIST: usize = kv::LIST as usize;
/// The shortest time to live, in seconds.
pub const MIN_TTL: u64 = kv::MIN_TTL;
/// The longest title of a namespace, in bytes.
pub const MAX_TITLE_BYTES: usize = kv::TITLE_BYTES as usize;
/// The most keys that one call may write or delete.
pub const MAX_BULK: usize = kv::BULK as usize;

/// Bounds on what is kept, and on what is under way.
#[derive(Clone, Copy, Debug)]
pub struct KvLimits {
    /// How many namespaces there may be.
    pub namespaces: u64,
    /// Keys of one namespace.
    pub keys: u64,
    /// Bytes of one namespace: keys, metadata and values together.
    pub bytes: u64,
    /// Operations under way at the same time, of all namespaces.
    pub at_once: usize,
    /// Operations of one namespace under way at the same time.
    pub at_once_per_namespace: usize,
    /// Operations of one namespace that wait; one more is refused.
    pub waiting_per_namespace: usize,
}

impl Default for KvLimits {
    fn default() -> KvLimits {
        KvLimits {
            namespaces: kv::NAMESPACES,
            keys: kv::KEYS,
            bytes: kv::NAMESPACE_BYTES,
            at_once: 16,
            at_once_per_namespace: kv::AT_ONCE as usize,
            waiting_per_namespace: kv::WAITING as usize,
        }
    }
}
