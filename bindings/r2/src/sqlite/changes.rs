//! Which changes there are, and what each does to the tables.

use rusqlite::{Connection, ErrorCode, params};
use wasmyard_model::BucketName;

use super::counts::{Counts, Made, Outcome};
use super::objects::{self, Put};
use super::rows::{self, whole};
use super::uploads::{self, AddPart, Begin, Complete};
use crate::error::R2Error;
use crate::info::BucketInfo;
use crate::object::Key;

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
        Change::Put(change) => objects::put(connection, change),
        Change::Remove { bucket, keys } => objects::remove(connection, bucket, keys),
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
