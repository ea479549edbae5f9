//! The embedded store: one SQLite file in the data directory.
//!
//! Owns `registry.sqlite`, `revision` and `reserve`, and the lock on the directory. One thread writes, and makes the appends that wait
//! for it durable with one fsync; a few connections read beside it. Never opens a file that is not its own:
//! the file says so itself. What is SQLite's stays below this file.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::watch;
use wasmyard_sqlite::{Fault, Readers, Writer};

use super::{Cause, Change, Entry, Health, Precondition, Revision, Store, StoreError, Write, check_append};
use lock::DirectoryLock;
use mark::Mark;
use reserve::Reserve;
use writer::{Appender, Request};

mod file;
mod lock;
mod mark;
mod reserve;
mod writer;

/// How a store on disk behaves.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// How many connections read at the same time.
    pub readers: usize,
    /// How many appends may wait for the writer; more wait for their place in the queue.
    pub queue: usize,
}

impl Default for SqliteOptions {
    fn default() -> SqliteOptions {
        SqliteOptions { readers: 4, queue: 1_024 }
    }
}

/// A store on disk. Closing it (dropping it) waits for what the writer has begun.
#[derive(Debug)]
pub struct SqliteStore {
    readers: Readers,
    writer: Writer<Request>,
    /// Whether there is no room for changes, as far as the writer knows.
    is_full: Arc<AtomicBool>,
    newest: Arc<watch::Sender<Revision>>,
}

impl SqliteStore {
    /// Opens the store of a data directory, and makes both if need be.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another process has the directory; [`StoreError::Format`] when the file is
    /// of another program or version; [`StoreError::Damaged`] when it is not what was written;
    /// [`StoreError::NoSpace`] or [`StoreError::Engine`] when it cannot be opened.
    pub fn open(directory: &Path) -> Result<SqliteStore, StoreError> {
        SqliteStore::open_with(directory, &SqliteOptions::default())
    }

    /// Like [`SqliteStore::open`], with options.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn open_with(directory: &Path, options: &SqliteOptions) -> Result<SqliteStore, StoreError> {
        let lock = DirectoryLock::acquire(directory)?;
        let path = directory.join("registry.sqlite");
        let mark_path = mark::path(directory);
        let marked = mark::read(&mark_path).map_err(|source| StoreError::engine("read its mark", source))?;
        let mut reserve = Reserve::open(directory);
        let opened = loop {
            match file::open_writer(&path, marked.as_ref()) {
                // What is kept back is for this, too: what is there can then be served.
                Err(error) if error.cause() == Cause::NoSpace && reserve.give() => {}
                opened => break opened?,
            }
        };
        if marked.is_none() && opened.revision > 0 {
            tracing::warn!(
                revision = opened.revision,
                "what the registry should end with was not recorded; it is taken as it is"
            );
        }
        let mark = Mark::open(&mark_path, &opened.store, opened.revision)
            .map_err(|source| StoreError::engine("write its mark", source))?;
        let newest = Arc::new(watch::channel(opened.revision).0);
        let is_full = Arc::new(AtomicBool::new(!reserve.has_room()));
        if is_full.load(Ordering::Acquire) {
            tracing::error!(
                "the disk of the data directory is full: what is deployed is served, and no change is taken but those that make room"
            );
        }
        let work = Appender {
            connection: opened.connection,
            path: path.clone(),
            mark,
            reserve,
            is_full: Arc::clone(&is_full),
            newest: Arc::clone(&newest),
            _lock: lock,
        };
        let writer = Writer::start("registry-writer", options.queue, writer::TOGETHER, work)
            .map_err(|source| StoreError::engine("start its writer", source))?;
        Ok(SqliteStore { readers: Readers::new(&path, options.readers), writer, is_full, newest })
    }

    async fn hand_over(
        &self,
        preconditions: &[Precondition],
        writes: &[Write],
        to_free: bool,
    ) -> Result<Revision, StoreError> {
        let append =
            writer::Append { preconditions: preconditions.to_vec(), writes: writes.to_vec(), to_free };
        self.writer.ask(|reply| Request::Append { append, reply }).await?
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        // The lock is free once the writer is gone, which is dropped next: whoever opens the directory then will get it.
        self.readers.close();
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn revision(&self) -> Result<Revision, StoreError> {
        let read = |connection: &Connection| file::state(connection).map(|state| state.0);
        Ok(self.readers.read("read the revision", read).await?)
    }

    async fn append(&self, preconditions: &[Precondition], writes: &[Write]) -> Result<Revision, StoreError> {
        check_append(preconditions, writes)?;
        self.hand_over(preconditions, writes, false).await
    }

    async fn append_to_free(
        &self,
        preconditions: &[Precondition],
        writes: &[Write],
    ) -> Result<Revision, StoreError> {
        check_append(preconditions, writes)?;
        self.hand_over(preconditions, writes, true).await
    }

    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        let key = key.to_owned();
        let read = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(GET)?;
            statement.query_row(params![key], entry).optional()
        };
        Ok(self.readers.read("read a key", read).await?)
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Entry>, StoreError> {
        let keys = keys.to_vec();
        let read = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(GET)?;
            let mut found = Vec::new();
            for key in &keys {
                found.extend(statement.query_row(params![key], entry).optional()?);
            }
            Ok(found)
        };
        Ok(self.readers.read("read keys", read).await?)
    }

    async fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let (start, end) = (lower_bound(prefix, after), upper_bound(prefix));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let read = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(SCAN)?;
            let rows = statement.query_map(params![start, end, limit], entry)?;
            rows.collect()
        };
        Ok(self.readers.read("scan", read).await?)
    }

    async fn scan_back(
        &self,
        prefix: &str,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let (start, end) = (prefix.to_owned(), upper_bound(prefix));
        let end = match before {
            Some(before) if before < prefix || before.starts_with(prefix) => Value::Text(before.to_owned()),
            Some(_) | None => end,
        };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let read = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(SCAN_BACK)?;
            let rows = statement.query_map(params![start, end, limit], entry)?;
            rows.collect()
        };
        Ok(self.readers.read("scan", read).await?)
    }

    async fn keys(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, StoreError> {
        let (start, end) = (lower_bound(prefix, after), upper_bound(prefix));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let read = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(KEYS)?;
            let rows = statement.query_map(params![start, end, limit], |row| row.get(0))?;
            rows.collect()
        };
        Ok(self.readers.read("list", read).await?)
    }

    async fn count(&self, prefix: &str) -> Result<u64, StoreError> {
        let (start, end) = (prefix.to_owned(), upper_bound(prefix));
        let read = move |connection: &Connection| {
            connection.prepare_cached(COUNT)?.query_row(params![start, end], |row| row.get(0))
        };
        Ok(self.readers.read("count", read).await?)
    }

    async fn changes_since(&self, revision: Revision, limit: usize) -> Result<Vec<Change>, StoreError> {
        let limit = i64::try_from(limit.max(1)).unwrap_or(i64::MAX);
        let read = move |connection: &Connection| {
            // One transaction, so that nothing is compacted between the two questions.
            let snapshot = connection.unchecked_transaction()?;
            let (_, compacted) = file::state(&snapshot)?;
            if revision < compacted {
                return Ok(Err(StoreError::Compacted { asked: revision, oldest: compacted }));
            }
            let mut statement = snapshot.prepare_cached(
                "SELECT revision, key, deleted FROM changes WHERE revision > ?1 AND revision <= coalesce( \
                   (SELECT revision FROM changes WHERE revision > ?1 ORDER BY revision, part \
                    LIMIT 1 OFFSET ?2 - 1), ?3) \
                 ORDER BY revision, part",
            )?;
            let rows = statement.query_map(params![revision, limit, i64::MAX], |row| {
                Ok(Change { revision: row.get(0)?, key: row.get(1)?, deleted: row.get(2)? })
            })?;
            rows.collect::<rusqlite::Result<Vec<Change>>>().map(Ok)
        };
        self.readers.read("read the log", read).await?
    }

    fn watch(&self) -> watch::Receiver<Revision> {
        self.newest.subscribe()
    }

    async fn compact(&self, keep_from: Revision) -> Result<(), StoreError> {
        self.writer.ask(|reply| Request::Compact { keep_from, reply }).await?
    }

    fn health(&self) -> Health {
        if !self.is_full.load(Ordering::Acquire) {
            return Health::Good;
        }
        // The writer looks whether there is room again; the next who asks will know.
        if !self.writer.tell(Request::LookForRoom) {
            tracing::trace!("the writer has other work");
        }
        Health::NoSpace
    }

    async fn close(&self) {
        self.readers.close();
        if let Err(error) = self.writer.close().await {
            tracing::warn!(%error, "the registry's log could not be moved into its file; the next start does so");
        }
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> StoreError {
        match fault {
            Fault::Format { path, found, expected } => StoreError::Format { path, found, expected },
            Fault::Damaged { path, found } => StoreError::Damaged { path, found },
            Fault::NoSpace(source) => StoreError::NoSpace { source: source.into() },
            Fault::Engine { action, system: Some(kind), source } => {
                StoreError::Engine { action, cause: Cause::of_io(&kind.into()), source: source.into() }
            }
            Fault::Engine { action, system: None, source } => StoreError::engine(action, source),
            Fault::System { action, source } => StoreError::engine(action, source),
            Fault::Closed => StoreError::Closed,
        }
    }
}

fn entry(row: &rusqlite::Row<'_>) -> rusqlite::Result<Entry> {
    let value: Vec<u8> = row.get(1)?;
    Ok(Entry { key: row.get(0)?, value: value.into(), revision: row.get(2)? })
}

const GET: &str = "SELECT key, value, revision FROM current WHERE key = ?1";
// Both bounds are plain comparisons, so that the index ends the walk: a condition with OR would go on to the
// end of the table when a prefix has few keys.
const SCAN: &str =
    "SELECT key, value, revision FROM current WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3";
const SCAN_BACK: &str =
    "SELECT key, value, revision FROM current WHERE key >= ?1 AND key < ?2 ORDER BY key DESC LIMIT ?3";
/// Answered by the index of the keys: the rows, and the values in them, lie elsewhere.
const KEYS: &str = "SELECT key FROM current WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3";
const COUNT: &str = "SELECT count(*) FROM current WHERE key >= ?1 AND key < ?2";

/// The first text to be read. The text with a zero byte at its end is the very next one in the order of bytes.
fn lower_bound(prefix: &str, after: Option<&str>) -> String {
    match after {
        Some(after) if after >= prefix => format!("{after}\0"),
        Some(_) | None => prefix.to_owned(),
    }
}

/// The first value after all texts that start with `prefix`. Where no text is, an empty blob: SQLite sorts
/// every blob behind every text.
fn upper_bound(prefix: &str) -> Value {
    let mut bound = prefix.to_owned();
    while let Some(last) = bound.pop() {
        // The next character in the order of UTF-8, which is that of code points; surrogates are none.
        let next = match last {
            '\u{D7FF}' => Some('\u{E000}'),
            last => char::from_u32(u32::from(last) + 1),
        };
        if let Some(next) = next {
            bound.push(next);
            return Value::Text(bound);
        }
    }
    Value::Blob(Vec::new())
}

#[cfg(test)]
mod tests;
