//! Why something cannot be done with a database.
//!
//! Owns the one error of the crate. Its texts are safe to show, but for those of [`D1Error::is_internal`], which are for
//! the log. Must never hold a value of a database, but for what SQLite itself says of a statement.

use std::time::Duration;

use wasmyard_model::DatabaseId;

/// Why something cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum D1Error {
    /// There is no such database.
    #[error("the database {0} could not be found; list the databases for those there are")]
    NotFound(String),
    /// Another database has that name.
    #[error("a database with the name {name:?} exists already; choose another name")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// What was given breaks a rule; the text names field, value and remedy.
    #[error("{0}")]
    Invalid(String),
    /// SQLite refused a statement; the text is its own, with its code.
    #[error("{message}")]
    Sql {
        /// What SQLite says.
        message: String,
        /// Which statement of the call it was, from zero.
        statement: usize,
    },
    /// The database, or the platform, holds as much as it may.
    #[error("{limit} is {most}, and no more is kept; {remedy}")]
    Quota {
        /// The limit's name.
        limit: &'static str,
        /// The limit.
        most: u64,
        /// What helps.
        remedy: &'static str,
    },
    /// The rows that a call returns take too much room.
    #[error("the rows take more than {room} bytes; ask for fewer with LIMIT, or for fewer columns")]
    NoRoom {
        /// The reader's room.
        room: u64,
    },
    /// A call took too long.
    #[error("the call took longer than {most:?} and was interrupted; nothing of it was kept")]
    TooSlow {
        /// How long it may take.
        most: Duration,
    },
    /// A call took more CPU time than whoever asked has left.
    #[error(
        "the call took more CPU time than the invocation has left and was interrupted; nothing of it was kept"
    )]
    CpuSpent,
    /// Nobody waits for the answer any more.
    #[error("whoever asked went away, and the call was interrupted; nothing of it was kept")]
    Abandoned,
    /// Too much waits for this database.
    #[error("too many calls wait for this database already ({most} may); try again in a moment")]
    Busy {
        /// How many may wait.
        most: usize,
    },
    /// The disk is full.
    #[error("the disk is full: the database cannot be written; nothing of the call was kept")]
    Full,
    /// A file is not what was written.
    #[error(
        "the file of the database {id} is damaged ({found}); restore it from a backup or an export. Other databases are not touched"
    )]
    Damaged {
        /// The database.
        id: DatabaseId,
        /// What is wrong with it.
        found: String,
    },
    /// There is no way back to a moment.
    #[error("{0}")]
    NoWayBack(String),
    /// The store failed.
    #[error("the store of databases could not {action}: {source}")]
    Store {
        /// What it was to do.
        action: &'static str,
        /// Why it could not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl D1Error {
    /// A failure of the store.
    pub fn store(
        action: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> D1Error {
        D1Error::Store { action, source: source.into() }
    }

    /// A failure of the operating system with a file.
    pub(crate) fn system(action: &'static str) -> impl Fn(std::io::Error) -> D1Error {
        move |source| match source.kind() {
            std::io::ErrorKind::StorageFull
            | std::io::ErrorKind::QuotaExceeded
            | std::io::ErrorKind::FileTooLarge => D1Error::Full,
            _ => D1Error::store(action, source),
        }
    }

    /// Whether the text is for the log alone.
    #[must_use]
    pub const fn is_internal(&self) -> bool {
        matches!(self, D1Error::Store { .. })
    }
}
