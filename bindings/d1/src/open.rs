//! One open database: its connection, and when its log goes into its file.
//!
//! The process has the file to itself, and one connection to it: SQLite locks nothing and keeps its index of the log in
//! memory. Nothing but [`OpenDatabase::move_log`] ever moves the log, for what it replaces is kept first.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use wasmyard_model::{Clock, DatabaseId};
use wasmyard_sqlite::sync_folder;

use crate::budget::Budget;
use crate::error::D1Error;
use crate::guard::Guard;
use crate::history::past::Past;
use crate::history::times::Times;
use crate::history::wal::Wal;
use crate::history::{Files, back, keep};
use crate::limits::{D1Limits, PAGE_BYTES};
use wasmyard_model::limits::d1;

/// Says that a file is a database of this program: "WYD1".
const APPLICATION: i64 = 0x5759_4431;
/// What one open database keeps in memory of its file, in KiB.
const CACHE_KIB: i64 = 1_024;
/// Statements that are kept prepared.
const PREPARED: usize = 32;

/// One open database.
pub(crate) struct OpenDatabase {
    pub(crate) id: DatabaseId,
    pub(crate) connection: Connection,
    pub(crate) guard: Arc<Guard>,
    pub(crate) budget: Budget,
    /// Of its bytes: what it may have now.
    pub(crate) limits: D1Limits,
    /// The bytes that the platform lets it have.
    most: u64,
    /// Bytes of the database.
    pub(crate) size: u64,
    files: Files,
    clock: Clock,
    /// Pages in the log, as its last commit said.
    log: Arc<AtomicU32>,
    /// Those that were there when that was last looked at.
    seen: u32,
    times: Times,
}

impl std::fmt::Debug for OpenDatabase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenDatabase").field("id", &self.id).finish_non_exhaustive()
    }
}

impl OpenDatabase {
    /// Opens a database, and makes its file if there is none.
    pub(crate) fn open(
        id: &DatabaseId,
        files: Files,
        clock: Clock,
        limits: D1Limits,
    ) -> Result<OpenDatabase, D1Error> {
        let is_new = begin(&files)?;
        let damaged = told(id, "open a database");
        let (mut connection, log) = connect(&files, &limits, is_new).map_err(&damaged)?;
        let (columns, value) = (d1::COLUMNS as i32, d1::VALUE_BYTES as i32);
        let guard = Guard::over(&mut connection, columns, value).map_err(&damaged)?;
        let budget = Budget::over(&mut connection).map_err(&damaged)?;
        let now = millis(&clock);
        let past = Past::open(&files.past, now).map_err(D1Error::system("open the past of a database"))?;
        let newest = past.tail().map_err(D1Error::system("read the past of a database"))?;
        let newest = newest.map_or(past.floor, |tail| tail.heading.last);
        // A crash leaves a log. How long its file is says nothing: what was never committed may be at its end.
        let left = Wal::read(&files.wal).map_err(D1Error::system("read the log of a database"))?;
        let wrote = left.as_ref().map(|_| written(&files.wal));
        let pages = left.map_or(0, |left| u32::try_from(left.frames.len()).unwrap_or(u32::MAX));
        log.store(pages, Ordering::Relaxed);
        let times = Times::open(&files.times, newest, wrote);
        let id = id.clone();
        let mut open = OpenDatabase {
            id,
            connection,
            guard,
            budget,
            limits,
            most: limits.bytes,
            size: 0,
            files,
            clock,
            log,
            seen: pages,
            times,
        };
        open.measure().map_err(&damaged)?;
        Ok(open)
    }

    /// How large it may become: as whoever asks may fill it, and never more than the platform lets it have.
    pub(crate) fn may_have(&mut self, size: Option<u64>) -> Result<(), D1Error> {
        let bytes = size.map_or(self.most, |size| size.min(self.most));
        if bytes != self.limits.bytes {
            // Zero would ask how many there may be.
            let pages = (bytes / PAGE_BYTES as u64).max(1);
            let set = || self.connection.pragma_update(None, "max_page_count", pages);
            self.guard.trusting(set).map_err(told(&self.id, "bound a database"))?;
            self.limits.bytes = bytes;
        }
        Ok(())
    }

    /// The newest moment of it.
    pub(crate) fn moment(&self) -> u64 {
        self.times.last()
    }

    /// The newest moment, for whoever may come back to it.
    pub(crate) fn tell_moment(&mut self) -> u64 {
        self.times.tell(self.seen)
    }

    /// Notes what was committed since that was last done, and moves the log when it is long.
    pub(crate) fn committed(&mut self) {
        let pages = self.log.load(Ordering::Relaxed);
        if pages == self.seen {
            return;
        }
        self.times.committed(self.seen, millis(&self.clock));
        self.seen = pages;
        if let Err(error) = self.measure() {
            tracing::warn!(database = %self.id, %error, "the size of a database is not known");
        }
        if pages >= self.limits.log_pages
            && let Err(error) = self.move_log()
        {
            // What was committed is in the log, and stays there.
            tracing::warn!(database = %self.id, %error, "the log of a database could not be moved into its file");
        }
    }

    /// Keeps what the log replaces, and moves it into its file.
    pub(crate) fn move_log(&mut self) -> Result<(), D1Error> {
        if self.seen == 0 {
            return Ok(());
        }
        let now = millis(&self.clock);
        let system = D1Error::system("keep the past of a database");
        let mut past = Past::open(&self.files.past, now).map_err(&system)?;
        keep::keep(&self.files, &self.times, &mut past).map_err(&system)?;
        let moved = "PRAGMA wal_checkpoint(TRUNCATE)";
        let busy: i64 = self
            .guard
            .trusting(|| self.connection.query_row(moved, [], |row| row.get(0)))
            .map_err(told(&self.id, "move a log into its file"))?;
        if busy != 0 {
            return Err(D1Error::store("move a log into its file", "a statement is under way"));
        }
        self.times.moved();
        self.seen = 0;
        self.log.store(0, Ordering::Relaxed);
        let kept = u64::try_from(self.limits.history.as_millis()).unwrap_or(u64::MAX);
        past.forget(now.saturating_sub(kept), self.limits.history_bytes)
            .map_err(D1Error::system("forget what is too old of a database"))
    }

    /// Closes it: its file then holds everything.
    pub(crate) fn close(mut self) -> Result<(), D1Error> {
        self.move_log()?;
        let closed = self.connection.close();
        closed.map_err(|(_, error)| told(&self.id, "close a database")(error))?;
        // It is empty.
        remove(&self.files.wal)
    }

    /// Goes back to a moment, and closes it. Says at which moment it was, and at which it is now.
    pub(crate) fn back(mut self, moment: u64) -> Result<(u64, u64), D1Error> {
        self.move_log()?;
        let before = self.times.last();
        let now = millis(&self.clock);
        let system = D1Error::system("open the past of a database");
        let mut past = Past::open(&self.files.past, now).map_err(&system)?;
        if moment < past.floor {
            return Err(too_old(past.floor));
        }
        if moment >= before {
            return Ok((before, before));
        }
        let next = self.times.next(now);
        let (id, files) = (self.id.clone(), self.files.clone());
        self.connection.close().map_err(|(_, error)| told(&id, "close a database")(error))?;
        // The log is empty, and must not be taken for the other file's.
        remove(&files.wal)?;
        remove(&files.times)?;
        back::back(&files, &mut past, moment, next).map_err(not_gone_back)?;
        Ok((before, next))
    }

    /// The oldest moment that can be gone back to, and bytes of the past.
    pub(crate) fn past(&self) -> Result<(u64, u64), D1Error> {
        let system = D1Error::system("open the past of a database");
        let past = Past::open(&self.files.past, millis(&self.clock)).map_err(system)?;
        Ok((past.floor, past.len()))
    }

    fn measure(&mut self) -> rusqlite::Result<()> {
        let pages: u64 = self.guard.trusting(|| {
            let mut statement = self.connection.prepare_cached("PRAGMA page_count")?;
            statement.query_row([], |row| row.get(0))
        })?;
        self.size = pages * PAGE_BYTES as u64;
        Ok(())
    }
}

/// Why a database is what it was.
fn not_gone_back(error: std::io::Error) -> D1Error {
    if error.kind() == std::io::ErrorKind::InvalidData {
        tracing::error!(%error, "the past of a database is damaged");
        let text = "the past of this database is damaged between that moment and now; nothing was changed";
        return D1Error::NoWayBack(text.to_owned());
    }
    D1Error::system("restore a database")(error)
}

/// That there is no way back so far.
pub(crate) fn too_old(floor: u64) -> D1Error {
    let text = wasmyard_model::timestamp::Timestamp::from(
        std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(floor),
    );
    D1Error::NoWayBack(format!(
        "the past of this database begins at {text}; choose that moment or a later one"
    ))
}

/// Milliseconds since 1970.
pub(crate) fn millis(clock: &Clock) -> u64 {
    clock.now().unix_micros() / 1_000
}

/// When a file was written last, in milliseconds since 1970.
fn written(path: &std::path::Path) -> u64 {
    let found = std::fs::metadata(path).and_then(|found| found.modified());
    found.map_or(0, |at| wasmyard_model::timestamp::Timestamp::from(at).unix_micros() / 1_000)
}

/// Sees to it that there is a file. Says whether there is nothing in it.
fn begin(files: &Files) -> Result<bool, D1Error> {
    let system = D1Error::system("make the file of a database");
    if let Some(folder) = files.main.parent()
        && !folder.is_dir()
    {
        std::fs::create_dir_all(folder).map_err(&system)?;
        // What is in a folder that a power cut takes away is gone, whatever was made durable of it.
        for above in folder.ancestors().skip(1).take(2) {
            sync_folder(above).map_err(&system)?;
        }
    }
    // Readable by its owner only; its companions take its mode.
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&files.main);
    Ok(file.and_then(|file| file.metadata()).map_err(&system)?.len() == 0)
}

fn remove(path: &std::path::Path) -> Result<(), D1Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(D1Error::system("remove a file of a database")(error))
        }
        _ => Ok(()),
    }
}

fn connect(files: &Files, limits: &D1Limits, is_new: bool) -> rusqlite::Result<(Connection, Arc<AtomicU32>)> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    // Locks of the system are let go whenever any handle of the file is closed, and keep nobody out who is not there.
    let mut connection = Connection::open_with_flags_and_vfs(&files.main, flags, "unix-none")?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    if is_new {
        connection.pragma_update(None, "page_size", PAGE_BYTES as i64)?;
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let log = Arc::new(AtomicU32::new(0));
    let told = Arc::clone(&log);
    // In place of the hook that would move the log.
    connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages: i32| {
        told.store(u32::try_from(pages).unwrap_or_default(), Ordering::Relaxed);
        Ok(())
    }))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "max_page_count", limits.bytes / PAGE_BYTES as u64)?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    if is_new {
        connection.pragma_update(None, "application_id", APPLICATION)?;
    }
    Ok((connection, log))
}

/// What a failure of SQLite means that no statement caused.
pub(crate) fn told(id: &DatabaseId, action: &'static str) -> impl Fn(rusqlite::Error) -> D1Error {
    move |source| match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            D1Error::Damaged { id: id.clone(), found: source.to_string() }
        }
        Some(ErrorCode::DiskFull) => D1Error::Full,
        _ => D1Error::store(action, source),
    }
}
