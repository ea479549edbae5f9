//! Objects, in the tables: put in place of others, and removed.

use rusqlite::{Connection, OptionalExtension as _, params};
use wasmyard_model::BucketName;

use super::counts::{Counts, Freed, Made, Outcome, note};
use super::rows::{self, object_of, whole};
use crate::condition::Condition;
use crate::error::R2Error;
use crate::limits::R2Limits;
use crate::object::{Key, Object};

/// An object whose content is there.
#[derive(Debug)]
pub(crate) struct Put {
    pub(crate) bucket: BucketName,
    pub(crate) object: Object,
    pub(crate) condition: Condition,
    pub(crate) limits: R2Limits,
}

pub(super) fn put(connection: &Connection, change: &Put) -> Made {
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

pub(super) fn remove(connection: &Connection, bucket: &BucketName, keys: &[Key]) -> Made {
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
