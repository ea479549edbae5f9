//! The file: how it is opened, what it says it is, and its tables.
//!
//! Owns the format and its version, and the checks before a file is trusted. Never changes a file that is not ours, nor
//! one that lacks what was recorded of it.

use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, params};

use super::mark::{self, Marked};
use crate::blob::sync_folder;
use crate::fault::try_folder;
use crate::{Cause, Revision, StoreError};

/// "WYRD": says that the file is a registry of this program.
const APPLICATION: i64 = 0x5759_5244;
/// The version of the tables below and of the records in them. Any other one is refused.
const FORMAT: i64 = 2;

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
    make_private(path).map_err(|source| StoreError::engine("make its file", source))?;
    let (mut connection, heading) = open(path).map_err(fault(path, "open its file"))?;
    if !heading.is_empty() {
        heading.check(path)?;
        check_length(&connection, path)?;
        check_pages(&connection, path)?;
    } else if let Some(marked) = marked {
        return damaged(format!("it is empty, and {} was recorded of it", changes(marked.revision)));
    }
    let store = uuid::Uuid::new_v4().simple().to_string();
    let (store, revision) = if heading.is_empty() {
        (store, 0)
    } else {
        identity(&connection).map_err(fault(path, "read the revision"))?
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
    prepare(&mut connection, heading.is_empty().then_some(store.as_str()))
        .map_err(fault(path, "prepare its file"))?;
    // The file itself is durable by SQLite; that the directory names it is up to us.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.map_or(Ok(()), sync_folder).map_err(|source| StoreError::engine("sync its directory", source))?;
    Ok(Opened { connection, store, revision })
}

fn changes(revision: Revision) -> String {
    format!("change {revision}")
}

/// What a file says it is.
struct Heading {
    application: i64,
    format: i64,
    tables: i64,
}

impl Heading {
    fn is_empty(&self) -> bool {
        (self.application, self.format, self.tables) == (0, 0, 0)
    }

    fn check(&self, path: &Path) -> Result<(), StoreError> {
        if (self.application, self.format) == (APPLICATION, FORMAT) {
            return Ok(());
        }
        let shown = |application, format| match application {
            APPLICATION => format!("{format}"),
            _ => format!("{format} of another program ({application:#x})"),
        };
        Err(StoreError::Format {
            path: path.display().to_string(),
            found: shown(self.application, self.format),
            expected: shown(APPLICATION, FORMAT),
        })
    }
}

fn open(path: &Path) -> rusqlite::Result<(Connection, Heading)> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    // Until it is known to be whole, closing it must leave the log as it is: it may be all that is left.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    let application = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let format = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok((connection, Heading { application, format, tables }))
}

/// Makes the settings of a connection that writes, and the tables of a new store.
fn prepare(connection: &mut Connection, new: Option<&str>) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // FULL: each commit waits until the log is on the disk. NORMAL would lose commits with the power.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    // Secrets that were deleted are overwritten where that costs no further page.
    connection.pragma_update(None, "secure_delete", "FAST")?;
    let Some(store) = new else { return Ok(()) };
    let transaction = connection.transaction()?;
    transaction.execute_batch(TABLES)?;
    transaction.execute("INSERT INTO state VALUES (1, 0, 0, ?1)", params![store])?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}

/// A file that ends within a page was cut: SQLite takes what is missing there for zeros, and says nothing. Where
/// there is a log, a crash may have left it so, and the log has the page.
fn check_length(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let len = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let page: u64 = connection
        .pragma_query_value(None, "page_size", |row| row.get(0))
        .map_err(fault(path, "read its heading"))?;
    if len(Path::new(&log)) == 0 && !len(path).is_multiple_of(page.max(1)) {
        let found = "it ends within a page: it was cut".to_owned();
        return Err(StoreError::Damaged { path: path.display().to_string(), found });
    }
    Ok(())
}

/// Looks through the pages for damage, for as long as a start may take.
fn check_pages(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let interrupt = connection.get_interrupt_handle();
    let (done, waiting) = std::sync::mpsc::channel::<()>();
    let watch = std::thread::Builder::new().name("registry-check".to_owned()).spawn(move || {
        if waiting.recv_timeout(LONGEST_CHECK) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            interrupt.interrupt();
        }
    });
    let watch = watch.map_err(|source| StoreError::engine("check its file", source))?;
    let found: rusqlite::Result<String> = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
    drop(done);
    if watch.join().is_err() {
        tracing::error!("the check of the registry's file ended in a panic");
    }
    match found {
        Ok(text) if text == "ok" => Ok(()),
        Ok(found) => Err(StoreError::Damaged { path: path.display().to_string(), found }),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
            tracing::info!(
                seconds = LONGEST_CHECK.as_secs(),
                "the registry's file is too large to be checked whole at a start"
            );
            Ok(())
        }
        Err(error) => Err(fault(path, "check its file")(error)),
    }
}

/// How long a start looks for damage. Pages that are not reached are checked by SQLite when they are read.
const LONGEST_CHECK: Duration = Duration::from_secs(3);

/// What an error of the engine means for the store.
pub(super) fn fault(path: &Path, action: &'static str) -> impl Fn(rusqlite::Error) -> StoreError {
    move |source| {
        let folder = path.parent().unwrap_or(path);
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                StoreError::Damaged { path: path.display().to_string(), found: source.to_string() }
            }
            Some(ErrorCode::DiskFull) => StoreError::NoSpace { source: source.into() },
            Some(
                ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly
                | ErrorCode::SystemIoFailure,
            ) => {
                // SQLite does not say why. The system does, to whoever tries the same.
                let tried = try_folder(folder).err().map(|error| Cause::of_io(&error));
                match (tried, source.sqlite_error_code()) {
                    (Some(Cause::NoSpace), _) => StoreError::NoSpace { source: source.into() },
                    (Some(cause), _) => StoreError::Engine { action, cause, source: source.into() },
                    // The folder can be written: it is the file that cannot.
                    (None, Some(ErrorCode::PermissionDenied | ErrorCode::ReadOnly)) => {
                        StoreError::Engine { action, cause: Cause::Denied, source: source.into() }
                    }
                    (None, _) => StoreError::engine(action, source),
                }
            }
            Some(_) | None => StoreError::engine(action, source),
        }
    }
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
    open().map_err(fault(path, "open its file"))
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
