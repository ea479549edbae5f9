//! What a bucket holds, counted, and what a change leaves to be removed.

use rusqlite::{Connection, OptionalExtension as _, params};
use wasmyard_model::BucketName;

use super::rows::whole;
use crate::error::R2Error;
use crate::object::{Object, StorageClass};

/// A content that nothing names any more, of that version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Freed {
    pub(crate) content: String,
    pub(crate) version: String,
}

/// What a change did.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) freed: Vec<Freed>,
    /// False where a condition did not hold, and nothing was done.
    pub(crate) done: bool,
    /// The object that came of it.
    pub(crate) object: Option<Object>,
}

impl Outcome {
    pub(super) fn done(freed: Vec<Freed>) -> Outcome {
        Outcome { freed, done: true, object: None }
    }
}

pub(super) type Made = rusqlite::Result<Result<Outcome, R2Error>>;

/// What a bucket holds.
pub(super) struct Counts {
    pub(super) number: i64,
    pub(super) objects: u64,
    pub(super) bytes: u64,
    pub(super) uploads: u64,
    /// Of what is put without one.
    pub(super) class: StorageClass,
}

impl Counts {
    pub(super) fn of(connection: &Connection, name: &BucketName) -> rusqlite::Result<Option<Counts>> {
        connection
            .prepare_cached("SELECT number, objects, bytes, uploads, class FROM buckets WHERE name = ?1")?
            .query_row(params![name.as_str()], |row| {
                let class: String = row.get(4)?;
                Ok(Counts {
                    class: StorageClass::parse(&class).unwrap_or_default(),
                    number: row.get(0)?,
                    objects: row.get(1)?,
                    bytes: row.get(2)?,
                    uploads: row.get(3)?,
                })
            })
            .optional()
    }

    pub(super) fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached("UPDATE buckets SET objects = ?2, bytes = ?3, uploads = ?4 WHERE number = ?1")?
            .execute(params![self.number, whole(self.objects), whole(self.bytes), whole(self.uploads)])?;
        Ok(())
    }
}

/// Notes contents that are to be removed.
pub(super) fn note(connection: &Connection, freed: &[Freed]) -> rusqlite::Result<()> {
    let mut statement =
        connection.prepare_cached("INSERT OR IGNORE INTO garbage (content, version) VALUES (?1, ?2)")?;
    for Freed { content, version } in freed {
        statement.execute(params![content, version])?;
    }
    Ok(())
}
