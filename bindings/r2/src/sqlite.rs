//! The index: one SQLite file in the data directory, which says which objects there are.
//!
//! Owns `r2.sqlite`. One thread writes, and makes the changes that wait for it durable with one fsync; a few connections
//! read beside it, on threads that may block. Must never answer before what it answers for is on the disk.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, params};
use wasmyard_model::BucketName;
use wasmyard_sqlite::{Changes, Fault, Opening, Readers, Together};

use crate::body::Piece;
use crate::error::R2Error;
use crate::info::{BucketInfo, PartInfo, UploadInfo};
use crate::list::{Page, Wanted};
use crate::object::{Key, Object};
use rows::whole;

pub(crate) use changes::Change;
pub(crate) use counts::{Freed, Outcome};
pub(crate) use objects::Put;
pub(crate) use uploads::{AddPart, Begin, Complete};

mod changes;
mod counts;
mod file;
mod listing;
mod objects;
mod rows;
mod uploads;

/// Connections that read at the same time.
const READERS: usize = 4;
/// How changes are made; how many callers there are is bounded before.
const TOGETHER: Together =
    Together { thread: "r2-writer", what: "the index of objects", waiting: 64, most: 64 };
/// Notes of contents that one sweep looks at.
const SWEEP: i64 = 500;

const BUCKETS: &str = "SELECT name, created, place, class, objects, bytes, uploads FROM buckets";

/// The index on disk. Dropping it waits for what the writer has begun.
#[derive(Debug)]
pub struct Index {
    readers: Readers,
    changes: Changes<R2Error>,
}

impl Index {
    /// Opens the index of a data directory, and makes it if need be. The caller has the directory to itself.
    ///
    /// # Errors
    /// [`R2Error::Store`] when the file cannot be opened, or is of another program or version; [`R2Error::Full`].
    pub fn open(directory: &Path) -> Result<Index, R2Error> {
        let path = directory.join("r2.sqlite");
        let connection = Opening::open(&path, &file::FORMAT)?.prepare(|_| Ok(()))?;
        let changes = Changes::start(connection, path.clone(), TOGETHER)?;
        Ok(Index { readers: Readers::new(&path, READERS), changes })
    }

    pub(crate) async fn change(&self, change: Change) -> Result<Outcome, R2Error> {
        self.changes.make(move |connection| changes::make(connection, &change)).await
    }

    pub(crate) async fn bucket(&self, name: &BucketName) -> Result<Option<BucketInfo>, R2Error> {
        let name = name.clone();
        let read = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(&format!("{BUCKETS} WHERE name = ?1"))?;
            statement.query_row(params![name.as_str()], rows::bucket_of).optional()
        };
        Ok(self.readers.read("read a bucket", read).await?)
    }

    /// Buckets whose names come after `after` and have `contains` in them, by their names.
    pub(crate) async fn buckets(
        &self,
        after: &str,
        contains: &str,
        limit: usize,
        backwards: bool,
    ) -> Result<Vec<BucketInfo>, R2Error> {
        let (after, contains) = (after.to_owned(), contains.to_owned());
        let read = move |connection: &Connection| {
            let (place, order) =
                if backwards { ("(?1 = '' OR name < ?1)", "DESC") } else { ("name > ?1", "ASC") };
            let mut statement = connection.prepare_cached(&format!(
                "{BUCKETS} WHERE {place} AND instr(name, ?2) > 0 ORDER BY name {order} LIMIT ?3"
            ))?;
            statement.query_map(params![after, contains, whole(limit as u64)], rows::bucket_of)?.collect()
        };
        Ok(self.readers.read("list buckets", read).await?)
    }

    /// An object with its contents.
    pub(crate) async fn object(
        &self,
        bucket: &BucketName,
        key: &Key,
    ) -> Result<Option<(Object, Vec<Piece>)>, R2Error> {
        let (of, key) = (bucket.clone(), key.clone());
        let read = move |connection: &Connection| {
            let snapshot = connection.unchecked_transaction()?;
            let Some(number) = rows::number(&snapshot, &of)? else {
                return Ok(Err(R2Error::BucketNotFound(of)));
            };
            let found = snapshot
                .prepare_cached(rows::OBJECT)?
                .query_row(params![number, key.as_str().as_bytes()], |row| {
                    Ok((rows::object_of(row)?, rows::parts_of(row)?))
                })
                .optional()?;
            let Some((object, parts)) = found else { return Ok(Ok(None)) };
            let pieces = rows::pieces(&snapshot, &object, parts)?;
            Ok(Ok(Some((object, pieces))))
        };
        self.readers.read("read an object", read).await?
    }

    pub(crate) async fn page(&self, bucket: &BucketName, wanted: Wanted) -> Result<Page, R2Error> {
        let of = bucket.clone();
        let read = move |connection: &Connection| {
            let snapshot = connection.unchecked_transaction()?;
            match rows::number(&snapshot, &of)? {
                None => Ok(Err(R2Error::BucketNotFound(of))),
                Some(number) => listing::page(&snapshot, number, &wanted).map(Ok),
            }
        };
        self.readers.read("list objects", read).await?
    }

    /// Uploads whose keys begin with `prefix`, after a key and an id, by both.
    pub(crate) async fn uploads(
        &self,
        bucket: &BucketName,
        prefix: &str,
        after: (String, String),
        limit: usize,
    ) -> Result<Vec<UploadInfo>, R2Error> {
        let (of, prefix) = (bucket.clone(), prefix.to_owned());
        let read = move |connection: &Connection| {
            let Some(number) = rows::number(connection, &of)? else {
                return Ok(Err(R2Error::BucketNotFound(of)));
            };
            let mut statement = connection.prepare_cached(
                "SELECT key, id, started FROM uploads WHERE bucket = ?1 AND (key, id) > (?2, ?3) \
                 AND substr(key, 1, ?4) = ?5 ORDER BY key, id LIMIT ?6",
            )?;
            let (key, id) = after;
            let (prefix, limit) = (prefix.as_bytes(), whole(limit as u64));
            let rows = statement.query_map(
                params![number, key.as_bytes(), id, whole(prefix.len() as u64), prefix, limit],
                |row| {
                    let key: Vec<u8> = row.get(0)?;
                    let key = String::from_utf8_lossy(&key).into_owned();
                    Ok(UploadInfo { key, id: row.get(1)?, started: row.get(2)? })
                },
            )?;
            rows.collect::<rusqlite::Result<Vec<_>>>().map(Ok)
        };
        self.readers.read("list uploads", read).await?
    }

    /// Parts of an upload after a number; none where there is no such upload of this key.
    pub(crate) async fn parts(
        &self,
        bucket: &BucketName,
        key: &Key,
        upload: &str,
        after: u64,
        limit: usize,
    ) -> Result<Option<Vec<PartInfo>>, R2Error> {
        let (of, key, upload) = (bucket.clone(), key.clone(), upload.to_owned());
        let read = move |connection: &Connection| {
            let Some(number) = rows::number(connection, &of)? else {
                return Ok(Err(R2Error::BucketNotFound(of)));
            };
            let there = connection
                .prepare_cached("SELECT 1 FROM uploads WHERE id = ?1 AND bucket = ?2 AND key = ?3")?
                .exists(params![upload, number, key.as_str().as_bytes()])?;
            if !there {
                return Ok(Ok(None));
            }
            let mut statement = connection.prepare_cached(
                "SELECT number, size, md5, uploaded, checksums FROM parts WHERE upload = ?1 AND number > ?2 \
                 ORDER BY number LIMIT ?3",
            )?;
            let rows = statement.query_map(params![upload, whole(after), whole(limit as u64)], |row| {
                Ok(PartInfo {
                    number: row.get(0)?,
                    size: row.get(1)?,
                    etag: row.get(2)?,
                    uploaded: row.get(3)?,
                    checksums: rows::from_json(row, 4)?,
                })
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>().map(|parts| Ok(Some(parts)))
        };
        self.readers.read("list parts", read).await?
    }

    /// Scripts that were noted as bound, after `after`.
    pub(crate) async fn bound(
        &self,
        bucket: &BucketName,
        after: &str,
        limit: usize,
    ) -> Result<Vec<String>, R2Error> {
        let (of, after) = (bucket.clone(), after.to_owned());
        let read = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(
                "SELECT script FROM bound WHERE script > ?2 \
                 AND bucket = (SELECT number FROM buckets WHERE name = ?1) ORDER BY script LIMIT ?3",
            )?;
            statement.query_map(params![of.as_str(), after, whole(limit as u64)], |row| row.get(0))?.collect()
        };
        Ok(self.readers.read("read who is bound", read).await?)
    }

    /// Some contents that are to be removed, after a name.
    pub(crate) async fn garbage(&self, after: &str) -> Result<Vec<Freed>, R2Error> {
        let after = after.to_owned();
        let read = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(
                "SELECT content, version FROM garbage WHERE content > ?1 ORDER BY content LIMIT ?2",
            )?;
            let rows = statement.query_map(params![after, SWEEP], |row| {
                Ok(Freed { content: row.get(0)?, version: row.get(1)? })
            })?;
            rows.collect()
        };
        Ok(self.readers.read("read which contents are to be removed", read).await?)
    }

    /// Which of these contents nothing names, not even the note of those that are to be removed.
    pub(crate) async fn unnamed(&self, contents: Vec<String>) -> Result<Vec<String>, R2Error> {
        let read = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM objects WHERE version = ?1) \
                 OR EXISTS (SELECT 1 FROM pieces WHERE content = ?1) \
                 OR EXISTS (SELECT 1 FROM parts WHERE content = ?1) \
                 OR EXISTS (SELECT 1 FROM garbage WHERE content = ?1)",
            )?;
            let mut unnamed = Vec::new();
            for content in contents {
                if !statement.query_row(params![content], |row| row.get::<_, bool>(0))? {
                    unnamed.push(content);
                }
            }
            Ok(unnamed)
        };
        Ok(self.readers.read("look for contents that nothing names", read).await?)
    }

    /// Brings everything to its place, before the process ends.
    pub(crate) async fn close(&self) {
        self.readers.close();
        if let Err(error) = self.changes.close().await {
            tracing::warn!(%error, "the log of the index of objects could not be moved into its file; the next start does so");
        }
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        self.readers.close();
    }
}

impl From<Fault> for R2Error {
    fn from(fault: Fault) -> R2Error {
        match fault {
            Fault::NoSpace(_) => R2Error::Full,
            Fault::Engine { action, source, .. } => R2Error::store(action, source),
            Fault::System { action, source } => R2Error::Store { action, source },
            fault @ (Fault::Format { .. } | Fault::Damaged { .. }) => R2Error::store("use its index", fault),
            fault @ Fault::Closed => R2Error::store("answer", fault),
        }
    }
}
