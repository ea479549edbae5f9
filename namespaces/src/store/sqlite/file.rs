//! The file: how it is opened, what it says it is, and its tables.
//!
//! Owns the format and its version. Never changes a file that is not ours.

use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, params};

use crate::blob::sync_folder;
use crate::store::{Revision, StoreError};

/// "WYRD": says that the file is a registry of this program.
const APPLICATION: i64 = 0x5759_5244;
/// The version of the tables below.
const FORMAT: i64 = 1;

const TABLES: &str = "
    CREATE TABLE state (
        one       INTEGER PRIMARY KEY CHECK (one = 1),
        revision  INTEGER NOT NULL,
        compacted INTEGER NOT NULL
    ) STRICT;
    INSERT INTO state VALUES (1, 0, 0);

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

/// Opens the file for writing, and makes it if need be. The caller has the directory's lock.
pub(super) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    make_private(path).map_err(|source| StoreError::engine("make its file", source))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> rusqlite::Result<(Connection, i64, i64, i64)> {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        let application = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let format = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let tables = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        Ok((connection, application, format, tables))
    };
    let (mut connection, application, format, tables) =
        open().map_err(|source| StoreError::engine("open its file", source))?;
    let is_empty = (application, format, tables) == (0, 0, 0);
    if !is_empty && (application, format) != (APPLICATION, FORMAT) {
        return Err(StoreError::Format {
            path: path.display().to_string(),
            found: format!("{application:#x}/{format}"),
            expected: format!("{APPLICATION:#x}/{FORMAT}"),
        });
    }
    let prepare = |connection: &mut Connection| -> rusqlite::Result<()> {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // FULL: each commit waits until the log is on the disk. NORMAL would lose commits with the power.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        // Secrets that were deleted are overwritten where that costs no further page.
        connection.pragma_update(None, "secure_delete", "FAST")?;
        if is_empty {
            let transaction = connection.transaction()?;
            transaction.execute_batch(TABLES)?;
            transaction.pragma_update(None, "application_id", APPLICATION)?;
            transaction.pragma_update(None, "user_version", FORMAT)?;
            transaction.commit()?;
        }
        Ok(())
    };
    prepare(&mut connection).map_err(|source| StoreError::engine("prepare its file", source))?;
    // The file itself is durable by SQLite; that the directory names it is up to us.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.map_or(Ok(()), sync_folder).map_err(|source| StoreError::engine("sync its directory", source))?;
    Ok(connection)
}

/// Opens the file for reading. There must be a writer.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_update(None, "trusted_schema", false)?;
        Ok(connection)
    };
    open().map_err(|source: rusqlite::Error| StoreError::engine("open its file", source))
}

/// The newest revision, and the one up to which the log is forgotten.
pub(super) fn state(connection: &Connection) -> rusqlite::Result<(Revision, Revision)> {
    let mut statement = connection.prepare_cached("SELECT revision, compacted FROM state")?;
    statement.query_row(params![], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// The newest revision, at opening.
pub(super) fn revision(connection: &Connection) -> Result<Revision, StoreError> {
    state(connection).map(|state| state.0).map_err(|source| StoreError::engine("read the revision", source))
}

/// Makes the file, readable by its owner only, before SQLite would make it readable for others. Its
/// companions (`-wal`, `-shm`) take the file's mode.
fn make_private(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path).map(drop)
}
