//! The file: how it is opened, what it says it is, and its tables.
//!
//! Owns the format and its version, and the checks before a file is trusted. Never changes a file that is not ours, nor
//! one that lacks what was recorded of it.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, params};
use wasmyard_sqlite::{Fault, FileFormat, Opening};

use super::mark::{self, Marked};
use crate::{Revision, StoreError};

const FORMAT: FileFormat = FileFormat {
    // "WYRD": says that the file is a registry of this program.
    application: 0x5759_5244,
    // Of the tables below and of the records in them; any other is refused.
    version: 3,
    tables: TABLES,
    // Secrets that were deleted are overwritten where that costs no further page.
    secure_delete: "FAST",
};

/// How long a start looks for damage.
const LONGEST_CHECK: Duration = Duration::from_millis(500);

const TABLES: &str = "
    CREATE TABLE state (
        one       INTEGER PRIMARY KEY CHECK (one = 1),
        revision  INTEGER NOT NULL,
        compacted INTEGER NOT NULL,
        store     TEXT NOT NULL
    ) STRICT;

    CREATE TABLE current (
        key      TEXT PRIMARY KEY NOT NULL,
        value    BLOB NOT NULL,
        revision INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE changes (
        revision INTEGER NOT NULL,
        part     INTEGER NOT NULL,
        key      TEXT NOT NULL,
        deleted  INTEGER NOT NULL,
        PRIMARY KEY (revision, part)
    ) STRICT, WITHOUT ROWID;
";

/// The file, open for writing.
pub(super) struct Opened {
    pub(super) connection: Connection,
    /// Tells this store from all others.
    pub(super) store: String,
    pub(super) revision: Revision,
}

/// Opens the file for writing, and makes it if need be. The caller has the directory's lock. What was recorded of it
/// elsewhere must be in it; else it is left as it is, its log included.
pub(super) fn open_writer(path: &Path, marked: Option<&Marked>) -> Result<Opened, StoreError> {
    let damaged = |found: String| Err(StoreError::Damaged { path: path.display().to_string(), found });
    if let (Some(marked), false) = (marked, path.exists()) {
        return damaged(format!("it is missing, and {} was recorded of it", changes(marked.revision)));
    }
    let opening = Opening::open(path, &FORMAT)?;
    let is_new = opening.is_new();
    if !is_new {
        opening.check_whole(LONGEST_CHECK)?;
    } else if let Some(marked) = marked {
        return damaged(format!("it is empty, and {} was recorded of it", changes(marked.revision)));
    }
    let (store, revision) = if is_new {
        (uuid::Uuid::new_v4().simple().to_string(), 0)
    } else {
        identity(opening.connection()).map_err(Fault::of(path, "read the revision"))?
    };
    if let Some(marked) = marked {
        if marked.store != store {
            return damaged(format!(
                "it is not the registry that `{}` beside it was written for",
                mark::NAME
            ));
        }
        if marked.revision > revision {
            return damaged(format!(
                "it ends after {}, and {} was recorded as durable: its log (-wal) was damaged or removed, or the file was replaced by an older one",
                changes(revision),
                changes(marked.revision)
            ));
        }
    }
    let connection = opening.prepare(|transaction| {
        transaction.execute("INSERT INTO state VALUES (1, 0, 0, ?1)", params![store]).map(drop)
    })?;
    Ok(Opened { connection, store, revision })
}

fn changes(revision: Revision) -> String {
    format!("change {revision}")
}

/// The newest revision, and the one up to which the log is forgotten.
pub(super) fn state(connection: &Connection) -> rusqlite::Result<(Revision, Revision)> {
    let mut statement = connection.prepare_cached("SELECT revision, compacted FROM state")?;
    statement.query_row(params![], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Which store it is, and its newest revision.
fn identity(connection: &Connection) -> rusqlite::Result<(String, Revision)> {
    connection.query_row("SELECT store, revision FROM state", params![], |row| Ok((row.get(0)?, row.get(1)?)))
}
