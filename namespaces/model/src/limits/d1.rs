//! What an SQL database may hold, and how much one statement may take.
//!
//! Owns the numbers. Never counts anything: `bindings/d1` does.

use super::row::LimitRow;
use super::row::LimitScope::D1;
use super::row::Unit::{self, Bytes, Count, Milliseconds};

/// Longest text of one statement, in bytes.
pub const STATEMENT_BYTES: u64 = 100_000;
/// Largest row, text or blob, in bytes.
pub const VALUE_BYTES: u64 = 2_000_000;
/// Parameters that one statement binds.
pub const PARAMETERS: u64 = 100;
/// Columns of one table, or of one result.
pub const COLUMNS: u64 = 100;
/// Statements of one batch.
pub const BATCH: u64 = 1_000;
/// Bytes of all rows that one call returns.
pub const RESULT_BYTES: u64 = 32 << 20;
/// How long one call may take, in milliseconds.
pub const QUERY_MS: u64 = 30_000;
/// Bytes of one database.
pub const DATABASE_BYTES: u64 = 10 << 30;
/// Bytes of one database's past.
pub const HISTORY_BYTES: u64 = 1 << 30;
/// How far back a database can be restored, in milliseconds.
pub const HISTORY_MS: u64 = 30 * 24 * 60 * 60 * 1_000;
/// Longest name, in bytes.
pub const NAME_BYTES: u64 = 64;
/// Databases.
pub const DATABASES: u64 = 1_000_000;
/// Calls of one database that wait.
pub const WAITING: u64 = 64;
/// Databases that are open at the same time.
pub const OPEN: u64 = 256;
/// Bytes of one file of statements that is imported.
pub const IMPORT_BYTES: u64 = 5 << 30;

const fn row(name: &'static str, unit: Unit, most: u64, doc: &'static str) -> LimitRow {
    LimitRow { name, scope: D1, unit, default: Some(most), min: 0, ceiling: most, doc }
}

/// The rows of the table of limits.
pub(super) const ROWS: &[LimitRow] = &[
    row("d1_statement_bytes", Bytes, STATEMENT_BYTES, "Text of one statement."),
    row("d1_value_bytes", Bytes, VALUE_BYTES, "One row, text or blob."),
    row("d1_parameters", Count, PARAMETERS, "Parameters that one statement binds."),
    row("d1_columns", Count, COLUMNS, "Columns of one table, or of one result."),
    row("d1_batch", Count, BATCH, "Statements of one batch."),
    row("d1_result_bytes", Bytes, RESULT_BYTES, "Rows that one call returns."),
    row("d1_query_ms", Milliseconds, QUERY_MS, "One call, however many statements it has."),
    row("d1_database_bytes", Bytes, DATABASE_BYTES, "One database."),
    row("d1_history_bytes", Bytes, HISTORY_BYTES, "The past of one database; the oldest part goes first."),
    row("d1_history_ms", Milliseconds, HISTORY_MS, "How far back a database can be restored."),
    row("d1_name_bytes", Bytes, NAME_BYTES, "Name of a database."),
    row("d1_databases", Count, DATABASES, "Databases of the platform."),
    row("d1_waiting", Count, WAITING, "Calls of one database that wait; one more is refused."),
    row("d1_open", Count, OPEN, "Databases that are open at the same time."),
    row("d1_import_bytes", Bytes, IMPORT_BYTES, "One file of statements that is imported."),
];
