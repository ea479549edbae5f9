//! The file: how it is opened, what it says it is, and its tables. Never changes a file that is not ours.

use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::error::KvError;

/// "WYKV": says that the file holds the keys and values of this program.
const APPLICATION: i64 = 0x5759_4b56;
/// The version of the tables below. Any other one is refused.
const FORMAT: i64 = 1;

/// `value` comes last: whoever reads the other columns does not touch the pages of a large one. A number is never given
/// to a second namespace, so that what is left of a deleted one is nobody's.
const TABLES: &str = "
    CREATE TABLE namespaces (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id     TEXT NOT NULL UNIQUE,
        title  TEXT NOT NULL UNIQUE,
        keys   INTEGER NOT NULL DEFAULT 0,
        bytes  INTEGER NOT NULL DEFAULT 0
    ) STRICT;

    CREATE TABLE deleted (
        number INTEGER PRIMARY KEY
    ) STRICT;

    CREATE TABLE entries (
        namespace INTEGER NOT NULL,
        key       BLOB NOT NULL,
        expires   INTEGER,
        metadata  TEXT,
        value     BLOB NOT NULL,
        PRIMARY KEY (namespace, key)
    ) STRICT;

    CREATE INDEX expiring ON entries (expires) WHERE expires IS NOT NULL;

    CREATE TABLE bound (
        namespace INTEGER NOT NULL,
        script    TEXT NOT NULL,
        PRIMARY KEY (namespace, script)
    ) STRICT, WITHOUT ROWID;
";

/// Opens the file for writing, and makes it if need be.
pub(super) fn open_writer(path: &Path) -> Result<Connection, KvError> {
    make_private(path).map_err(|source| KvError::store("make its file", source))?;
    let connection = Connection::open(path).map_err(fault("open its file"))?;
    prepare(&connection)?;
    Ok(connection)
}

fn prepare(connection: &Connection) -> Result<(), KvError> {
    let opening = "open its file";
    let setting = |name: &'static str| -> Result<i64, KvError> {
        connection.pragma_query_value(None, name, |row| row.get(0)).map_err(fault(opening))
    };
    connection.busy_timeout(Duration::from_secs(5)).map_err(fault(opening))?;
    let (application, format) = (setting("application_id")?, setting("user_version")?);
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(fault(opening))?;
    let is_new = application == 0 && format == 0 && tables == 0;
    if !is_new && application != APPLICATION {
        return Err(KvError::store(opening, "it is a file of another program"));
    }
    if !is_new && format != FORMAT {
        let text = format!("its format is {format}, and this program reads {FORMAT}");
        return Err(KvError::store(opening, text));
    }
    let set = |name: &'static str, value: &dyn rusqlite::ToSql| {
        connection.pragma_update_and_check(None, name, value, |_| Ok(())).or_else(no_row)
    };
    let prepared = || -> rusqlite::Result<()> {
        set("journal_mode", &"wal")?;
        // A commit is on the disk before it is answered.
        set("synchronous", &"full")?;
        set("trusted_schema", &false)?;
        // What is deleted is overwritten: it was somebody's data.
        set("secure_delete", &true)?;
        set("journal_size_limit", &(64 << 20))?;
        if is_new {
            connection.execute_batch(&format!(
                "BEGIN IMMEDIATE; {TABLES} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {FORMAT}; COMMIT;"
            ))?;
        }
        Ok(())
    };
    prepared().map_err(fault(opening))
}

/// Some pragmas answer with what they are now, others with nothing.
fn no_row(error: rusqlite::Error) -> rusqlite::Result<()> {
    if error == rusqlite::Error::QueryReturnedNoRows { Ok(()) } else { Err(error) }
}

/// Opens the file for reading. There must be a writer.
pub(super) fn open_reader(path: &Path) -> Result<Connection, KvError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_update(None, "trusted_schema", false)?;
        Ok(connection)
    };
    open().map_err(fault("open its file"))
}

/// What an error of the engine means.
pub(super) fn fault(action: &'static str) -> impl Fn(rusqlite::Error) -> KvError {
    move |source| match source.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => KvError::Full,
        Some(_) | None => KvError::store(action, source),
    }
}

/// Whether the disk is full. SQLite does not always say so; the system does, to whoever tries the same.
pub(super) fn is_full(directory: &Path) -> bool {
    let path = directory.join("kv.room");
    // As much as SQLite takes beside the file when it opens it.
    let tried = std::fs::write(&path, [0; 64 << 10]);
    drop(std::fs::remove_file(&path));
    tried.is_err_and(|error| error.kind() == std::io::ErrorKind::StorageFull)
}

/// Makes the file, readable by its owner only, before SQLite would make it readable for others.
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
