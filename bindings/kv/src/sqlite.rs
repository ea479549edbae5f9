//! The embedded store: one SQLite file in the data directory.
//!
//! Owns `kv.sqlite`. One thread writes, and makes the changes that wait for it durable with one fsync; a few connections
//! read beside it, on threads that may block. Must never answer before what it answers for is on the disk.

use std::path::Path;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, params};
use wasmyard_model::KvNamespaceId;
use wasmyard_sqlite::{Changes, Fault, Opening, Readers, Together};

use crate::entry::{Found, Key, Listed};
use crate::error::KvError;
use crate::limits::KvLimits;
use crate::store::{KvNamespace, KvUsage, Store, Write};
use changes::Change;

mod changes;
mod file;

/// Connections that read at the same time.
const READERS: usize = 4;
/// How changes are made; how many callers there are is bounded before.
const TOGETHER: Together = Together { thread: "kv-writer", what: "the KV store", waiting: 64, most: 64 };

/// A store on disk. Dropping it waits for what the writer has begun.
#[derive(Debug)]
pub struct SqliteKv {
    readers: Readers,
    changes: Changes<KvError>,
}

impl SqliteKv {
    /// Opens the store of a data directory, and makes it if need be. The caller has the directory to itself.
    ///
    /// # Errors
    /// [`KvError::Store`] when the file cannot be opened, or is of another program or version; [`KvError::Full`].
    pub fn open(directory: &Path) -> Result<SqliteKv, KvError> {
        let path = directory.join("kv.sqlite");
        let connection = Opening::open(&path, &file::FORMAT)?.prepare(|_| Ok(()))?;
        let changes = Changes::start(connection, path.clone(), TOGETHER)?;
        Ok(SqliteKv { readers: Readers::new(&path, READERS), changes })
    }

    async fn change(&self, change: Change) -> Result<u64, KvError> {
        self.changes.make(move |connection| changes::make(connection, &change)).await
    }
}

impl Drop for SqliteKv {
    fn drop(&mut self) {
        self.readers.close();
    }
}

impl From<Fault> for KvError {
    fn from(fault: Fault) -> KvError {
        match fault {
            Fault::NoSpace(_) => KvError::Full,
            Fault::Engine { action, source, .. } => KvError::store(action, source),
            Fault::System { action, source } => KvError::Store { action, source },
            fault @ (Fault::Format { .. } | Fault::Damaged { .. }) => KvError::store("use its file", fault),
            fault @ Fault::Closed => KvError::store("answer", fault),
        }
    }
}

#[async_trait]
impl Store for SqliteKv {
    async fn create(&self, namespace: &KvNamespace, limits: &KvLimits) -> Result<(), KvError> {
        let change = Change::Create { namespace: namespace.clone(), most: limits.namespaces };
        self.change(change).await.map(drop)
    }

    async fn rename(&self, namespace: &KvNamespace) -> Result<(), KvError> {
        self.change(Change::Rename(namespace.clone())).await.map(drop)
    }

    async fn delete(&self, id: &KvNamespaceId) -> Result<(), KvError> {
        self.change(Change::DeleteNamespace(id.clone())).await.map(drop)
    }

    async fn namespace(&self, id: &KvNamespaceId) -> Result<Option<KvNamespace>, KvError> {
        let id = id.clone();
        let read = move |connection: &Connection| {
            let mut statement =
                connection.prepare_cached("SELECT id, title FROM namespaces WHERE id = ?1")?;
            statement.query_row(params![id.as_str()], namespace).optional()
        };
        Ok(self.readers.read("read a namespace", read).await?)
    }

    async fn titled(&self, title: &str) -> Result<Option<KvNamespace>, KvError> {
        let title = title.to_owned();
        let read = move |connection: &Connection| {
            let mut statement =
                connection.prepare_cached("SELECT id, title FROM namespaces WHERE title = ?1")?;
            statement.query_row(params![title], namespace).optional()
        };
        Ok(self.readers.read("read a namespace", read).await?)
    }

    async fn usage(&self, id: &KvNamespaceId) -> Result<Option<KvUsage>, KvError> {
        let id = id.clone();
        let read = move |connection: &Connection| {
            let mut statement =
                connection.prepare_cached("SELECT keys, bytes FROM namespaces WHERE id = ?1")?;
            let usage = |row: &rusqlite::Row<'_>| Ok(KvUsage { keys: row.get(0)?, bytes: row.get(1)? });
            statement.query_row(params![id.as_str()], usage).optional()
        };
        Ok(self.readers.read("read how much is in a namespace", read).await?)
    }

    async fn namespaces(&self, after: Option<&str>, limit: usize) -> Result<Vec<KvNamespace>, KvError> {
        let after = after.unwrap_or_default().to_owned();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let read = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, title FROM namespaces WHERE title > ?1 ORDER BY title LIMIT ?2",
            )?;
            statement.query_map(params![after, limit], namespace)?.collect()
        };
        Ok(self.readers.read("list namespaces", read).await?)
    }

    async fn count(&self) -> Result<u64, KvError> {
        let read = |connection: &Connection| {
            connection.query_row("SELECT count(*) FROM namespaces", params![], |row| row.get(0))
        };
        Ok(self.readers.read("count namespaces", read).await?)
    }

    async fn get(
        &self,
        id: &KvNamespaceId,
        key: &Key,
        now: u64,
        room: u64,
    ) -> Result<Option<Found>, KvError> {
        let (of, key) = (id.clone(), key.clone());
        let read = move |connection: &Connection| {
            let snapshot = connection.unchecked_transaction()?;
            let Some(number) = number(&snapshot, &of)? else {
                return Ok(Err(KvError::NamespaceNotFound(of)));
            };
            get(&snapshot, number, &key, now, room)
        };
        self.readers.read("read a value", read).await?
    }

    async fn write(&self, id: &KvNamespaceId, writes: Vec<Write>, limits: &KvLimits) -> Result<(), KvError> {
        self.change(Change::Write { id: id.clone(), writes, limits: *limits }).await.map(drop)
    }

    async fn increment(
        &self,
        id: &KvNamespaceId,
        key: &Key,
        delta: u64,
        now: u64,
        limits: &KvLimits,
    ) -> Result<u64, KvError> {
        let (id, key, limits) = (id.clone(), key.clone(), *limits);
        self.change(Change::Increment { id, key, delta, now, limits }).await
    }

    async fn list(
        &self,
        id: &KvNamespaceId,
        prefix: &str,
        after: Option<&str>,
        now: u64,
        limit: usize,
    ) -> Result<Vec<Listed>, KvError> {
        let of = id.clone();
        let (start, end) = (lower_bound(prefix, after), upper_bound(prefix));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let read = move |connection: &Connection| {
            let snapshot = connection.unchecked_transaction()?;
            let Some(number) = number(&snapshot, &of)? else {
                return Ok(Err(KvError::NamespaceNotFound(of)));
            };
            let mut statement = snapshot.prepare_cached(
                "SELECT key, metadata, expires FROM entries WHERE namespace = ?1 AND key >= ?2 \
                 AND (?3 IS NULL OR key < ?3) AND (expires IS NULL OR expires > ?4) ORDER BY key LIMIT ?5",
            )?;
            let rows = statement.query_map(params![number, start, end, whole(now), limit], |row| {
                let name: Vec<u8> = row.get(0)?;
                let name = String::from_utf8_lossy(&name).into_owned();
                Ok(Listed { name, metadata: row.get(1)?, expires: row.get(2)? })
            })?;
            rows.collect::<rusqlite::Result<Vec<Listed>>>().map(Ok)
        };
        self.readers.read("list keys", read).await?
    }

    async fn bind(&self, id: &KvNamespaceId, script: &str) -> Result<(), KvError> {
        self.change(Change::Bind(id.clone(), script.to_owned())).await.map(drop)
    }

    async fn bound(
        &self,
        id: &KvNamespaceId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, KvError> {
        let (id, after) = (id.clone(), after.unwrap_or_default().to_owned());
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let read = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(
                "SELECT script FROM bound WHERE script > ?2 \
                 AND namespace = (SELECT number FROM namespaces WHERE id = ?1) ORDER BY script LIMIT ?3",
            )?;
            statement.query_map(params![id.as_str(), after, limit], |row| row.get(0))?.collect()
        };
        Ok(self.readers.read("read who is bound", read).await?)
    }

    async fn unbind(&self, id: &KvNamespaceId, script: &str) -> Result<(), KvError> {
        self.change(Change::Unbind(id.clone(), script.to_owned())).await.map(drop)
    }

    async fn rebind(&self, from: &str, to: &str) -> Result<(), KvError> {
        self.change(Change::Rebind { from: from.to_owned(), to: to.to_owned() }).await.map(drop)
    }

    async fn sweep(&self, now: u64) -> Result<u64, KvError> {
        self.change(Change::Sweep(now)).await
    }

    async fn close(&self) {
        self.readers.close();
        if let Err(error) = self.changes.close().await {
            tracing::warn!(%error, "the KV store's log could not be moved into its file; the next start does so");
        }
    }
}

fn namespace(row: &rusqlite::Row<'_>) -> rusqlite::Result<KvNamespace> {
    let id: String = row.get(0)?;
    let id = KvNamespaceId::parse(&id).ok_or_else(|| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, id.into())
    })?;
    Ok(KvNamespace { id, title: row.get(1)? })
}

/// The number that a namespace has in this file.
fn number(connection: &Connection, id: &KvNamespaceId) -> rusqlite::Result<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT number FROM namespaces WHERE id = ?1")?;
    statement.query_row(params![id.as_str()], |row| row.get(0)).optional()
}

/// A value. Its size is looked at first, so that none is read which there is no room for.
fn get(
    connection: &Connection,
    number: i64,
    key: &Key,
    now: u64,
    room: u64,
) -> rusqlite::Result<Result<Option<Found>, KvError>> {
    let mut statement = connection.prepare_cached(
        "SELECT expires, metadata, octet_length(value), CASE WHEN octet_length(value) <= ?4 THEN value END \
         FROM entries WHERE namespace = ?1 AND key = ?2 AND (expires IS NULL OR expires > ?3)",
    )?;
    let key = key.as_str().as_bytes();
    let found = statement
        .query_row(params![number, key, whole(now), whole(room)], |row| {
            let value: Option<Vec<u8>> = row.get(3)?;
            Ok((row.get(0)?, row.get(1)?, row.get::<_, u64>(2)?, value))
        })
        .optional()?;
    Ok(match found {
        None => Ok(None),
        Some((_, _, size, None)) => Err(KvError::NoRoom { size, room }),
        Some((expires, metadata, _, Some(value))) => {
            Ok(Some(Found { value: value.into(), metadata, expires }))
        }
    })
}

/// SQLite's numbers have a sign.
fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The first key to be read. A key with a zero byte at its end is the very next one in the order of bytes.
fn lower_bound(prefix: &str, after: Option<&str>) -> Vec<u8> {
    match after {
        Some(after) if after >= prefix => [after.as_bytes(), &[0]].concat(),
        Some(_) | None => prefix.as_bytes().to_vec(),
    }
}

/// The first key after all that begin with `prefix`; none where all others do.
fn upper_bound(prefix: &str) -> Option<Vec<u8>> {
    let mut bound = prefix.as_bytes().to_vec();
    while let Some(last) = bound.pop() {
        if let Some(next) = last.checked_add(1) {
            bound.push(next);
            return Some(bound);
        }
    }
    None
}
