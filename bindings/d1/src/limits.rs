//! What one database may hold, and how much a call may take. The numbers are in the one table of limits,
//! `namespaces/model/src/limits/d1.rs`; here they have the types that they are compared with.

use std::time::Duration;

use wasmyard_model::limits::d1;

/// The longest text of a statement, in bytes.
pub const MAX_STATEMENT_BYTES: usize = d1::STATEMENT_BYTES as usize;
/// The most parameters of a statement.
pub const MAX_PARAMETERS: usize = d1::PARAMETERS as usize;
/// The most statements of one call.
pub const MAX_BATCH: usize = d1::BATCH as usize;
/// The longest name of a database, in bytes.
pub const MAX_NAME_BYTES: usize = d1::NAME_BYTES as usize;
/// The largest file of statements, in bytes.
pub const MAX_IMPORT_BYTES: u64 = d1::IMPORT_BYTES;
/// Bytes of a page. Never another: the past is kept in pages of this size.
pub(crate) const PAGE_BYTES: usize = 4_096;

/// Bounds on what is kept, and on what is under way.
#[derive(Clone, Copy, Debug)]
pub struct D1Limits {
    /// How many databases there may be.
    pub databases: u64,
    /// Bytes of one database.
    pub bytes: u64,
    /// Bytes of one database's past.
    pub history_bytes: u64,
    /// How far back a database can be restored.
    pub history: Duration,
    /// Bytes of the rows that one call returns.
    pub result_bytes: u64,
    /// How long one call may take.
    pub query: Duration,
    /// Databases that are open at the same time.
    pub open: usize,
    /// Calls that work at the same time, of all databases.
    pub at_once: usize,
    /// Calls of one database that wait; one more is refused.
    pub waiting: usize,
    /// Pages of a log that are moved into their file together.
    pub log_pages: u32,
}

impl Default for D1Limits {
    fn default() -> D1Limits {
        D1Limits {
            databases: d1::DATABASES,
            bytes: d1::DATABASE_BYTES,
            history_bytes: d1::HISTORY_BYTES,
            history: Duration::from_millis(d1::HISTORY_MS),
            result_bytes: d1::RESULT_BYTES,
            query: Duration::from_millis(d1::QUERY_MS),
            open: d1::OPEN as usize,
            at_once: 16,
            waiting: d1::WAITING as usize,
            log_pages: 1_000,
        }
    }
}
