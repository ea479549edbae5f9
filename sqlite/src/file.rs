//! The file: how it is opened, what it says it is, and its settings.
//!
//! Owns the order of a start: a file is looked at first, judged by the caller, and changed only then. Until that moment
//! its log stays as it is, because it may be all that is left.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction};

use crate::fault::{Fault, private, sync_folder};

/// One kind of file: what it says it is, and what is in a new one.
#[derive(Clone, Copy, Debug)]
pub struct FileFormat {
    /// Tells the file from those of other programs, and from the others of this one.
    pub application: i64,
    /// The version of the tables and of what is in them. Any other one is refused.
    pub version: i64,
    /// The tables of a new file.
    pub tables: &'static str,
    /// How what is deleted is overwritten: `FAST` where that costs no further page, or `ON`.
    pub secure_delete: &'static str,
}

/// A file that was opened and looked at, and not changed yet.
#[derive(Debug)]
pub struct Opening {
    path: PathBuf,
    connection: Connection,
    format: FileFormat,
    is_new: bool,
}

impl Opening {
    /// Opens a file for writing, and makes an empty one, readable by its owner only, if there is none. Nobody else may
    /// write to it.
    ///
    /// # Errors
    /// [`Fault::Format`] for a file of another program or version, and whatever keeps it from being opened.
    pub fn open(path: &Path, format: &FileFormat) -> Result<Opening, Fault> {
        // Before SQLite would make it readable for others. Its companions (`-wal`, `-shm`) take the file's mode.
        private().open(path).map_err(|source| Fault::system("make its file", source))?;
        let (connection, heading) = look(path).map_err(Fault::of(path, "open its file"))?;
        let is_new = heading == Heading::default();
        if !is_new {
            heading.check(path, format)?;
        }
        Ok(Opening { path: path.to_owned(), connection, format: *format, is_new })
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// What can be asked of it already.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Looks for damage, for so long at most. Pages that are not reached are checked by SQLite when they are read.
    ///
    /// # Errors
    /// [`Fault::Damaged`], and whatever keeps it from being read.
    pub fn check_whole(&self, longest: Duration) -> Result<(), Fault> {
        self.check_length()?;
        self.check_pages(longest)
    }

    /// A file that ends within a page was cut: SQLite takes what is missing there for zeros, and says nothing. Where
    /// there is a log, a crash may have left it so, and the log has the page.
    fn check_length(&self) -> Result<(), Fault> {
        let len = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
        let mut log = self.path.as_os_str().to_owned();
        log.push("-wal");
        let page: u64 = self
            .connection
            .pragma_query_value(None, "page_size", |row| row.get(0))
            .map_err(Fault::of(&self.path, "read its heading"))?;
        if len(Path::new(&log)) == 0 && !len(&self.path).is_multiple_of(page.max(1)) {
            return Err(self.damaged("it ends within a page: it was cut".to_owned()));
        }
        Ok(())
    }

    fn check_pages(&self, longest: Duration) -> Result<(), Fault> {
        let interrupt = self.connection.get_interrupt_handle();
        let (done, waiting) = std::sync::mpsc::channel::<()>();
        let watch = std::thread::Builder::new().name("file-check".to_owned()).spawn(move || {
            if waiting.recv_timeout(longest) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                interrupt.interrupt();
            }
        });
        let watch = watch.map_err(|source| Fault::system("check its file", source))?;
        let found: rusqlite::Result<String> =
            self.connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
        drop(done);
        let file = self.path.display();
        if watch.join().is_err() {
            tracing::error!(%file, "the check of a file ended in a panic");
        }
        match found {
            Ok(text) if text == "ok" => Ok(()),
            Ok(found) => Err(self.damaged(found)),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
                tracing::info!(%file, seconds = longest.as_secs_f64(), "a file is too large to be checked whole at a start");
                Ok(())
            }
            Err(error) => Err(Fault::of(&self.path, "check its file")(error)),
        }
    }

    fn damaged(&self, found: String) -> Fault {
        Fault::Damaged { path: self.path.display().to_string(), found }
    }

    /// Takes the file: makes the settings of a connection that writes, and what is in a new one, the caller's part
    /// included.
    ///
    /// # Errors
    /// Whatever keeps it from being written.
    pub fn prepare(
        mut self,
        fill: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
    ) -> Result<Connection, Fault> {
        self.settle(fill).map_err(Fault::of(&self.path, "prepare its file"))?;
        // The file itself is durable by SQLite; that the directory names it is up to us.
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        folder.map_or(Ok(()), sync_folder).map_err(|source| Fault::system("sync its directory", source))?;
        Ok(self.connection)
    }

    fn settle(
        &mut self,
        fill: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let (connection, format) = (&mut self.connection, &self.format);
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // FULL: each commit waits until the log is on the disk. NORMAL would lose commits with the power.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        // What is deleted may have been a secret.
        connection.pragma_update(None, "secure_delete", format.secure_delete)?;
        if !self.is_new {
            return Ok(());
        }
        let transaction = connection.transaction()?;
        transaction.execute_batch(format.tables)?;
        fill(&transaction)?;
        transaction.pragma_update(None, "application_id", format.application)?;
        transaction.pragma_update(None, "user_version", format.version)?;
        transaction.commit()
    }
}

/// What a file says it is.
#[derive(Default, PartialEq, Eq)]
struct Heading {
    application: i64,
    version: i64,
    tables: i64,
}

impl Heading {
    fn check(&self, path: &Path, format: &FileFormat) -> Result<(), Fault> {
        if (self.application, self.version) == (format.application, format.version) {
            return Ok(());
        }
        let found = if self.application == format.application {
            self.version.to_string()
        } else {
            format!("{} of another program ({:#x})", self.version, self.application)
        };
        Err(Fault::Format { path: path.display().to_string(), found, expected: format.version.to_string() })
    }
}

fn look(path: &Path) -> rusqlite::Result<(Connection, Heading)> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    // Until it is known to be whole, closing it must leave the log as it is.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    let application = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok((connection, Heading { application, version, tables }))
}

/// Opens a file for reading. There must be a writer.
///
/// # Errors
/// Whatever keeps it from being opened.
pub fn open_reader(path: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        Ok(connection)
    };
    open().map_err(Fault::of(path, "open its file"))
}

/// Moves the log into the file, by the mode of that name. False where somebody still reads: the log then stays for the
/// next start.
///
/// # Errors
/// SQLite's own.
pub fn checkpoint(connection: &Connection, mode: &'static str) -> rusqlite::Result<bool> {
    let pragma = format!("PRAGMA wal_checkpoint({mode})");
    connection.query_row(&pragma, [], |row| row.get::<_, i64>(0)).map(|busy| busy == 0)
}

/// How long a connection waits for another one's lock.
const BUSY: Duration = Duration::from_secs(5);
