//! What each change does to the tables. Owns the counting of objects, bytes and uploads, and the note of contents that
//! nothing names any more: all are true after every change.

use rusqlite::{Connection, ErrorCode, OptionalExtension as _, params};
use wasmyard_model::BucketName;

use super::rows::{self, object_of, whole};
use super::uploads::{self, AddPart, Begin, Complete};
use crate::condition::Condition;
use crate::error::R2Error;
use crate::limits::R2Limits;
use crate::object::{Key, Object, StorageClass};
use crate::service::BucketInfo;

/// What is to be changed.
#[derive(Debug)]
pub(crate) enum Change {
    Create {
        bucket: BucketInfo,
        most: u64,
    },
    /// Gives a bucket another storage class for what names none.
    Reclass(BucketName, &'static str),
    Delete(BucketName),
    Put(Box<Put>),
    Remove {
        bucket: BucketName,
        keys: Vec<Key>,
    },
    Begin(Box<Begin>),
    AddPart(Box<AddPart>),
    Complete(Box<Complete>),
    Abort {
        bucket: BucketName,
        key: Key,
        upload: String,
    },
    /// Aborts some of the uploads that were begun before this moment.
    Expire(u64),
    /// These contents were removed.
    Forget(Vec<String>),
    Bind(BucketName, String),
    Unbind(BucketName, String),
    Rebind {
        from: String,
        to: String,
    },
}

/// An object whose content is there.
#[derive(Debug)]
pub(crate) struct Put {
    pub(crate) bucket: BucketName,
    pub(crate) object: Object,
    pub(crate) condition: Condition,
    pub(crate) limits: R2Limits,
}

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

pub(super) fn make(connection: &Connection, change: &Change) -> Made {
    match change {
        Change::Create { bucket, most } => create(connection, bucket, *most),
        Change::Reclass(name, class) => {
            let changed = connection
                .execute("UPDATE buckets SET class = ?2 WHERE name = ?1", params![name.as_str(), class])?;
            if changed == 0 {
                return Ok(Err(R2Error::BucketNotFound(name.clone())));
            }
            Ok(Ok(Outcome::done(Vec::new())))
        }
        Change::Delete(name) => delete(connection, name),
        Change::Put(change) => put(connection, change),
        Change::Remove { bucket, keys } => remove(connection, bucket, keys),
        Change::Begin(change) => uploads::begin(connection, change),
        Change::AddPart(change) => uploads::add_part(connection, change),
        Change::Complete(change) => uploads::complete(connection, change),
        Change::Abort { bucket, key, upload } => uploads::abort(connection, bucket, key, upload),
        Change::Expire(before) => uploads::expire(connection, *before),
        Change::Forget(contents) => {
            let mut statement = connection.prepare_cached("DELETE FROM garbage WHERE content = ?1")?;
            for content in contents {
                statement.execute(params![content])?;
            }
            Ok(Ok(Outcome::done(Vec::new())))
        }
        Change::Bind(name, script) => {
            let Some(of) = rows::number(connection, name)? else {
                return Ok(Err(R2Error::BucketNotFound(name.clone())));
            };
            connection.execute(
                "INSERT OR IGNORE INTO bound (bucket, script) VALUES (?1, ?2)",
                params![of, script],
            )?;
            Ok(Ok(Outcome::done(Vec::new())))
        }
        Change::Unbind(name, script) => {
            let of = rows::number(connection, name)?;
            connection.execute("DELETE FROM bound WHERE bucket = ?1 AND script = ?2", params![of, script])?;
            Ok(Ok(Outcome::done(Vec::new())))
        }
        Change::Rebind { from, to } => {
            connection.execute(
                "INSERT OR IGNORE INTO bound (bucket, script) \
                 SELECT bucket, ?2 || substr(script, length(?1) + 1) FROM bound \
                 WHERE substr(script, 1, length(?1)) = ?1",
                params![from, to],
            )?;
            Ok(Ok(Outcome::done(Vec::new())))
        }
    }
}

fn create(connection: &Connection, bucket: &BucketInfo, most: u64) -> Made {
    let there: u64 = connection.query_row("SELECT count(*) FROM buckets", [], |row| row.get(0))?;
    if there >= most {
        return Ok(Err(R2Error::Quota { limit: "r2_buckets", unit: "buckets", most }));
    }
    let made = connection.execute(
        "INSERT INTO buckets (name, created, place, class) VALUES (?1, ?2, ?3, ?4)",
        params![bucket.name.as_str(), whole(bucket.created), bucket.location, bucket.storage_class.as_str()],
    );
    match made {
        Ok(_) => Ok(Ok(Outcome::done(Vec::new()))),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            Ok(Err(R2Error::BucketTaken(bucket.name.clone())))
        }
        Err(error) => Err(error),
    }
}

fn delete(connection: &Connection, name: &BucketName) -> Made {
    let Some(counts) = Counts::of(connection, name)? else {
        return Ok(Err(R2Error::BucketNotFound(name.clone())));
    };
    if counts.objects > 0 {
        return Ok(Err(R2Error::BucketNotEmpty { bucket: name.clone(), objects: counts.objects }));
    }
    let freed = uploads::abort_all(connection, counts.number)?;
    connection.execute("DELETE FROM buckets WHERE number = ?1", params![counts.number])?;
    connection.execute("DELETE FROM bound WHERE bucket = ?1", params![counts.number])?;
    Ok(Ok(Outcome::done(freed)))
}

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

fn put(connection: &Connection, change: &Put) -> Made {
    let Put { bucket, object, condition, limits } = change;
    let Some(mut counts) = Counts::of(connection, bucket)? else {
        return Ok(Err(R2Error::BucketNotFound(bucket.clone())));
    };
    let mut object = object.clone();
    object.metadata.storage_class.get_or_insert(counts.class);
    let stored = store(connection, &mut counts, &object, 0, condition, limits)?;
    if let Ok(outcome) = &stored
        && outcome.done
    {
        counts.write(connection)?;
    }
    Ok(stored)
}

/// Puts an object in place of what was there.
pub(super) fn store(
    connection: &Connection,
    counts: &mut Counts,
    object: &Object,
    parts: u64,
    condition: &Condition,
    limits: &R2Limits,
) -> Made {
    let key = object.key.as_bytes();
    let old = connection
        .prepare_cached(rows::OBJECT)?
        .query_row(params![counts.number, key], |row| Ok((object_of(row)?, rows::parts_of(row)?)))
        .optional()?;
    if !condition.holds(old.as_ref().map(|(object, _)| object)) {
        return Ok(Ok(Outcome::default()));
    }
    let mut freed = Vec::new();
    let old_weight = old.as_ref().map_or(0, |(object, _)| object.weight());
    if let Some((old, old_parts)) = &old {
        counts.bytes = counts.bytes.saturating_sub(old_weight);
        freed = free(connection, old, *old_parts)?;
    } else {
        counts.objects += 1;
        if counts.objects > limits.objects {
            return Ok(Err(R2Error::Quota { limit: "r2_objects", unit: "objects", most: limits.objects }));
        }
    }
    let weight = object.weight();
    counts.bytes = counts.bytes.saturating_add(weight);
    // What makes an object smaller is always taken.
    if counts.bytes > limits.bytes && weight > old_weight {
        return Ok(Err(R2Error::Quota { limit: "r2_bytes", unit: "bytes", most: limits.bytes }));
    }
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO objects \
             (bucket, key, version, size, etag, uploaded, parts, weight, checksums, metadata) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            counts.number,
            key,
            object.version,
            whole(object.size),
            object.etag,
            whole(object.uploaded),
            whole(parts),
            whole(weight),
            rows::to_json(&object.checksums)?,
            rows::to_json(&object.metadata)?,
        ])?;
    Ok(Ok(Outcome { freed, done: true, object: Some(object.clone()) }))
}

fn remove(connection: &Connection, bucket: &BucketName, keys: &[Key]) -> Made {
    let Some(mut counts) = Counts::of(connection, bucket)? else {
        return Ok(Err(R2Error::BucketNotFound(bucket.clone())));
    };
    let mut freed = Vec::new();
    for key in keys {
        let key = key.as_str().as_bytes();
        let old = connection
            .prepare_cached(rows::OBJECT)?
            .query_row(params![counts.number, key], |row| Ok((object_of(row)?, rows::parts_of(row)?)))
            .optional()?;
        let Some((old, parts)) = old else { continue };
        connection
            .prepare_cached("DELETE FROM objects WHERE bucket = ?1 AND key = ?2")?
            .execute(params![counts.number, key])?;
        counts.objects = counts.objects.saturating_sub(1);
        counts.bytes = counts.bytes.saturating_sub(old.weight());
        freed.extend(free(connection, &old, parts)?);
    }
    counts.write(connection)?;
    Ok(Ok(Outcome::done(freed)))
}

/// Notes that the contents of an object are named by nothing any more.
fn free(connection: &Connection, object: &Object, parts: u64) -> rusqlite::Result<Vec<Freed>> {
    let pieces = rows::pieces(connection, object, parts)?;
    if parts > 0 {
        connection
            .prepare_cached("DELETE FROM pieces WHERE version = ?1")?
            .execute(params![object.version])?;
    }
    let freed: Vec<Freed> = pieces
        .into_iter()
        .map(|piece| Freed { content: piece.name, version: object.version.clone() })
        .collect();
    note(connection, &freed)?;
    Ok(freed)
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
