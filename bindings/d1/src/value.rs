//! Statements, and what they answer.

use std::time::Duration;

use crate::bookmark::Bookmark;

/// A value of SQLite.
#[derive(Clone, Debug, PartialEq)]
pub enum SqlValue {
    /// NULL.
    Null,
    /// INTEGER.
    Integer(i64),
    /// REAL.
    Real(f64),
    /// TEXT.
    Text(String),
    /// BLOB.
    Blob(Vec<u8>),
}

/// A statement with what is bound to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statement {
    /// The text: one statement, or several where nothing is bound.
    pub sql: String,
    /// What is bound to its parameters, in their order.
    pub params: Vec<SqlValue>,
}

/// What one statement answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResultSet {
    /// The columns' names, as often as there are columns of that name.
    pub columns: Vec<String>,
    /// The rows, each with as many values as there are columns.
    pub rows: Vec<Vec<SqlValue>>,
    /// What the statement took and did.
    pub meta: Meta,
}

/// What a statement took and did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Meta {
    /// How long it took.
    pub duration: Duration,
    /// How many rows it changed, those that triggers and foreign keys changed with them.
    pub changes: u64,
    /// The identifier of the row that was inserted last, by whichever statement.
    pub last_row_id: i64,
    /// Rows that were looked at: those a scan went over, or those that were returned, whichever are more.
    pub rows_read: u64,
    /// Rows that were written.
    pub rows_written: u64,
    /// Bytes of the database after the call.
    pub size_after: u64,
    /// Whether it may have changed the database.
    pub changed_db: bool,
}

/// What a call answered.
#[derive(Clone, Debug)]
pub struct Answers {
    /// A result for each statement.
    pub results: Vec<ResultSet>,
    /// The database as it is now.
    pub bookmark: Bookmark,
    /// CPU time that was burned on a thread that is not the caller's.
    pub cpu: Duration,
}

impl Statement {
    /// A statement without parameters.
    #[must_use]
    pub fn plain(sql: impl Into<String>) -> Statement {
        Statement { sql: sql.into(), params: Vec::new() }
    }
}

impl SqlValue {
    /// About how many bytes it takes.
    pub(crate) fn weight(&self) -> u64 {
        let held = match self {
            SqlValue::Null | SqlValue::Integer(_) | SqlValue::Real(_) => 0,
            SqlValue::Text(text) => text.len(),
            SqlValue::Blob(bytes) => bytes.len(),
        };
        held as u64 + size_of::<SqlValue>() as u64
    }
}
