//! The embedded store: one SQLite file in the data directory.
//!
//! Owns `registry.sqlite`, `revision` and `reserve`, and the lock on the directory. One thread writes, and makes the appends that wait
//! for it durable with one fsync; a few connections read beside it. Never opens a file that is not its own:
//! the file says so itself. What is SQLite's stays below this file.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use super::{Cause, Change, Entry, Health, Precondition, Revision, Store, StoreError, Write, check_append};
use lock::DirectoryLock;
use mark::Mark;
use reserve::Reserve;
use writer::Request;

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
    readers: Arc<Readers>,
    /// None once it is closing.
    requests: Option<mpsc::Sender<Request>>,
    writer: Option<std::thread::JoinHandle<()>>,
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
        let (requests, queue) = mpsc::channel(options.queue.max(1));
        let writer = writer::Writer {
            connection: opened.connection,
            path: path.clone(),
            mark,
            reserve,
            is_full: Arc::clone(&is_full),
            newest: Arc::clone(&newest),
            _lock: lock,
        };
        let writer = std::thread::Builder::new()
            .name("registry-writer".to_owned())
            .spawn(move || writer.run(queue))
            .map_err(|source| StoreError::engine("start its writer", source))?;
        Ok(SqliteStore {
            readers: Arc::new(Readers::new(path, options.readers.max(1))),
            requests: Some(requests),
            writer: Some(writer),
            is_full,
            newest,
        })
    }

    async fn hand_over(
        &self,
        preconditions: &[Precondition],
        writes: &[Write],
        to_free: bool,
    ) -> Result<Revision, StoreError> {
        let append =
            writer::Append { preconditions: preconditions.to_vec(), writes: writes.to_vec(), to_free };
        self.request(|reply| Request::Append { append, reply }).await
    }

    async fn request<T>(
        &self,
        make: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Request,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let requests = self.requests.as_ref().ok_or(StoreError::Closed)?;
        requests.send(make(reply)).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.requests = None;
        self.readers.close();
        // The lock is free once the writer is gone: whoever opens the directory next will get it.
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the registry's writer ended in a panic");
        }
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn revision(&self) -> Result<Revision, StoreError> {
        self.readers
            .read("read the revision", |connection| file::state(connection).map(|state| state.0))
            .await
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
        self.readers.read("read a key", read).await
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
        self.readers.read("read keys", read).await
    }

    async fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let (start, end) = (lower_bound(prefix, after), upper_bound(prefix));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let read = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(SCAN)?;
            let rows = statement.query_map(params![start, end, limit], entry)?;
            rows.collect()
        };
        self.readers.read("scan", read).await
    }

    async fn count(&self, prefix: &str) -> Result<u64, StoreError> {
        let (start, end) = (prefix.to_owned(), upper_bound(prefix));
        let read = move |connection: &Connection| {
            connection.prepare_cached(COUNT)?.query_row(params![start, end], |row| row.get(0))
        };
        self.readers.read("count", read).await
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
        self.request(|reply| Request::Compact { keep_from, reply }).await
    }

    fn health(&self) -> Health {
        if !self.is_full.load(Ordering::Acquire) {
            return Health::Good;
        }
        // The writer looks whether there is room again; the next who asks will know.
        if let Some(requests) = &self.requests
            && requests.try_send(Request::LookForRoom).is_err()
        {
            tracing::trace!("the writer has other work");
        }
        Health::NoSpace
    }

    async fn close(&self) {
        self.readers.close();
        if let Err(error) = self.request(|reply| Request::Close { reply }).await {
            tracing::warn!(%error, "the registry's log could not be moved into its file; the next start does so");
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

/// Connections that only read. Made when first needed, kept afterwards.
#[derive(Debug)]
struct Readers {
    path: std::path::PathBuf,
    turns: Semaphore,
    /// None once the store is closed.
    idle: Mutex<Option<Vec<Connection>>>,
}

impl Readers {
    fn new(path: std::path::PathBuf, count: usize) -> Readers {
        Readers { path, turns: Semaphore::new(count), idle: Mutex::new(Some(Vec::new())) }
    }

    /// Runs a read on a thread that may block.
    async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        action: &'static str,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let _turn = self.turns.acquire().await.map_err(|_| StoreError::Closed)?;
        let readers = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || {
            let connection = readers.take()?;
            let result = read(&connection);
            readers.put_back(connection);
            result.map_err(file::fault(&readers.path, action))
        });
        done.await.map_err(|source| StoreError::engine(action, source))?
    }

    fn take(&self) -> Result<Connection, StoreError> {
        let idle = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.as_mut().ok_or(StoreError::Closed)?.pop()
        };
        idle.map_or_else(|| file::open_reader(&self.path), Ok)
    }

    fn put_back(&self, connection: Connection) {
        if let Some(idle) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            idle.push(connection);
        }
    }

    fn close(&self) {
        self.turns.close();
        *self.idle.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests;
