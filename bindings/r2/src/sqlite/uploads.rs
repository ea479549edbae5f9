//! Uploads in parts, in the tables: begun, filled, completed, aborted.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension as _, params};
use wasmyard_model::BucketName;

use super::counts::{Counts, Freed, Made, Outcome, note};
use super::objects::store;
use super::rows::{self, whole};
use crate::checksum::{Algorithm, Checksums, Composing, etag_of_parts, hex};
use crate::condition::Condition;
use crate::error::R2Error;
use crate::info::Part;
use crate::limits::R2Limits;
use crate::object::{Key, Metadata, Object, StorageClass};

/// Uploads that one sweep aborts, so that nobody waits long behind it.
const SWEEP: i64 = 16;

/// An upload that begins.
#[derive(Debug)]
pub(crate) struct Begin {
    pub(crate) bucket: BucketName,
    pub(crate) key: Key,
    pub(crate) id: String,
    pub(crate) started: u64,
    pub(crate) metadata: Metadata,
    pub(crate) limits: R2Limits,
}

/// A part whose content is there.
#[derive(Debug)]
pub(crate) struct AddPart {
    pub(crate) bucket: BucketName,
    pub(crate) key: Key,
    pub(crate) upload: String,
    pub(crate) number: u64,
    pub(crate) content: String,
    pub(crate) size: u64,
    pub(crate) md5: String,
    pub(crate) checksums: Checksums,
    pub(crate) uploaded: u64,
    pub(crate) limits: R2Limits,
}

/// An upload that is to be an object, of these parts.
#[derive(Debug)]
pub(crate) struct Complete {
    pub(crate) bucket: BucketName,
    pub(crate) key: Key,
    pub(crate) upload: String,
    pub(crate) parts: Vec<Part>,
    pub(crate) condition: Condition,
    /// Checksums that the object must have, of its content or of its parts.
    pub(crate) checksums: Vec<(Algorithm, Vec<u8>)>,
    pub(crate) version: String,
    pub(crate) uploaded: u64,
    pub(crate) limits: R2Limits,
}

pub(super) fn begin(connection: &Connection, begin: &Begin) -> Made {
    let Some(mut counts) = Counts::of(connection, &begin.bucket)? else {
        return Ok(Err(R2Error::BucketNotFound(begin.bucket.clone())));
    };
    counts.uploads += 1;
    let most = begin.limits.uploads;
    if counts.uploads > most {
        return Ok(Err(R2Error::Quota { limit: "r2_uploads", unit: "uploads that are not complete", most }));
    }
    let mut metadata = begin.metadata.clone();
    metadata.storage_class.get_or_insert(counts.class);
    connection
        .prepare_cached(
            "INSERT INTO uploads (id, bucket, key, started, metadata) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            begin.id,
            counts.number,
            begin.key.as_str().as_bytes(),
            whole(begin.started),
            rows::to_json(&metadata)?,
        ])?;
    counts.write(connection)?;
    Ok(Ok(Outcome::done(Vec::new())))
}

/// The counts of a bucket and what was said of an upload when it began, if it is there and is of this key.
fn found(
    connection: &Connection,
    bucket: &BucketName,
    key: &Key,
    upload: &str,
) -> rusqlite::Result<Result<(Counts, Metadata), R2Error>> {
    let Some(counts) = Counts::of(connection, bucket)? else {
        return Ok(Err(R2Error::BucketNotFound(bucket.clone())));
    };
    let metadata = connection
        .prepare_cached("SELECT metadata FROM uploads WHERE id = ?1 AND bucket = ?2 AND key = ?3")?
        .query_row(params![upload, counts.number, key.as_str().as_bytes()], |row| rows::from_json(row, 0))
        .optional()?;
    Ok(metadata.map(|metadata| (counts, metadata)).ok_or_else(|| R2Error::UploadNotFound(upload.to_owned())))
}

pub(super) fn add_part(connection: &Connection, part: &AddPart) -> Made {
    let mut counts = match found(connection, &part.bucket, &part.key, &part.upload)? {
        Ok((counts, _)) => counts,
        Err(error) => return Ok(Err(error)),
    };
    let old: Option<(String, u64)> = connection
        .prepare_cached("SELECT content, size FROM parts WHERE upload = ?1 AND number = ?2")?
        .query_row(params![part.upload, whole(part.number)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let old_size = old.as_ref().map_or(0, |(_, size)| *size);
    counts.bytes = counts.bytes.saturating_sub(old_size).saturating_add(part.size);
    if counts.bytes > part.limits.bytes && part.size > old_size {
        return Ok(Err(R2Error::Quota { limit: "r2_bytes", unit: "bytes", most: part.limits.bytes }));
    }
    let freed: Vec<Freed> =
        old.into_iter().map(|(content, _)| Freed { content, version: part.upload.clone() }).collect();
    note(connection, &freed)?;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO parts (upload, number, content, size, md5, uploaded, checksums) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            part.upload,
            whole(part.number),
            part.content,
            whole(part.size),
            part.md5,
            whole(part.uploaded),
            rows::to_json(&part.checksums)?,
        ])?;
    counts.write(connection)?;
    Ok(Ok(Outcome::done(freed)))
}

struct Kept {
    number: u64,
    content: String,
    size: u64,
    md5: String,
    checksums: Checksums,
}

fn kept(connection: &Connection, upload: &str) -> rusqlite::Result<Vec<Kept>> {
    let mut statement = connection.prepare_cached(
        "SELECT number, content, size, md5, checksums FROM parts WHERE upload = ?1 ORDER BY number",
    )?;
    let rows = statement.query_map(params![upload], |row| {
        Ok(Kept {
            number: row.get(0)?,
            content: row.get(1)?,
            size: row.get(2)?,
            md5: row.get(3)?,
            checksums: rows::from_json(row, 4)?,
        })
    })?;
    rows.collect()
}

pub(super) fn complete(connection: &Connection, change: &Complete) -> Made {
    let (mut counts, metadata) = match found(connection, &change.bucket, &change.key, &change.upload)? {
        Ok(found) => found,
        Err(error) => return Ok(Err(error)),
    };
    let named: HashMap<u64, &Part> = change.parts.iter().map(|part| (part.number, part)).collect();
    let (taken, left): (Vec<Kept>, Vec<Kept>) =
        kept(connection, &change.upload)?.into_iter().partition(|kept| named.contains_key(&kept.number));
    if let Err(error) = fits(&change.parts, &taken, change.limits.part_bytes) {
        return Ok(Err(error));
    }
    let size: u64 = taken.iter().map(|part| part.size).sum();
    let checksums = match composed(&taken, &change.checksums) {
        Ok(checksums) => checksums,
        Err(error) => return Ok(Err(error)),
    };
    let object = Object {
        key: change.key.to_string(),
        version: change.version.clone(),
        size,
        etag: etag_of_parts(taken.iter().map(|part| part.md5.as_str())),
        uploaded: change.uploaded,
        metadata,
        checksums,
    };
    // The parts count until they are the object's.
    let all: u64 = taken.iter().chain(&left).map(|part| part.size).sum();
    counts.bytes = counts.bytes.saturating_sub(all);
    counts.uploads = counts.uploads.saturating_sub(1);
    let parts = taken.len() as u64;
    let mut outcome = match store(connection, &mut counts, &object, parts, &change.condition, &change.limits)?
    {
        Ok(outcome) if outcome.done => outcome,
        // The parts stay: who sent them may complete the upload when the condition holds.
        Ok(outcome) => return Ok(Ok(outcome)),
        Err(error) => return Ok(Err(error)),
    };
    let mut insert = connection
        .prepare_cached("INSERT INTO pieces (version, position, content, size) VALUES (?1, ?2, ?3, ?4)")?;
    for (position, part) in taken.iter().enumerate() {
        insert.execute(params![change.version, whole(position as u64), part.content, whole(part.size)])?;
    }
    let unused: Vec<Freed> = left
        .into_iter()
        .map(|part| Freed { content: part.content, version: change.upload.clone() })
        .collect();
    note(connection, &unused)?;
    outcome.freed.extend(unused);
    forget(connection, &change.upload)?;
    counts.write(connection)?;
    Ok(Ok(outcome))
}

/// The checksum of an object of these parts, which has to be the one that is expected.
fn composed(taken: &[Kept], expected: &[(Algorithm, Vec<u8>)]) -> Result<Checksums, R2Error> {
    let mut composing = Composing::default();
    taken.iter().for_each(|part| composing.add(part.size, part.checksums.clone()));
    let made = composing.finish();
    for (algorithm, bytes) in expected {
        let of_parts = made.of_parts.as_ref().filter(|of| of.algorithm == *algorithm);
        let found = made.of(*algorithm).or(of_parts.map(|of| of.digits.as_str())).unwrap_or_default();
        let given = hex(bytes);
        if found != given {
            let (algorithm, found) = (algorithm.name(), found.to_owned());
            return Err(R2Error::BadDigest { algorithm, given, found });
        }
    }
    Ok(made)
}

/// Whether the parts that are named are those that are there, and large enough.
fn fits(named: &[Part], taken: &[Kept], least: u64) -> Result<(), R2Error> {
    if named.is_empty() {
        return Err(R2Error::InvalidPart(
            "an object has at least one part; name those of the upload".to_owned(),
        ));
    }
    let mut there: HashMap<u64, &Kept> = taken.iter().map(|kept| (kept.number, kept)).collect();
    let mut seen = HashSet::new();
    for part in named {
        let number = part.number;
        if !seen.insert(number) {
            return Err(R2Error::InvalidPart(format!("part {number} is named twice; name it once")));
        }
        let same = |kept: &Kept| {
            kept.md5 == part.etag.trim_matches('"') && kept.checksums.has_all_of(&part.checksums)
        };
        if !there.remove(&number).is_some_and(same) {
            return Err(R2Error::InvalidPart(format!(
                "part {number} with the etag {:?} is not there; upload it, and name the etag that came with it",
                part.etag
            )));
        }
    }
    let but_last = taken.split_last().map_or(&[][..], |(_, rest)| rest);
    match but_last.iter().find(|part| part.size < least) {
        Some(part) => Err(R2Error::PartTooSmall { part: part.number, found: part.size, least }),
        None => Ok(()),
    }
}

fn forget(connection: &Connection, upload: &str) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM parts WHERE upload = ?1")?.execute(params![upload])?;
    connection.prepare_cached("DELETE FROM uploads WHERE id = ?1")?.execute(params![upload])?;
    Ok(())
}

pub(super) fn abort(connection: &Connection, bucket: &BucketName, key: &Key, upload: &str) -> Made {
    let mut counts = match found(connection, bucket, key, upload)? {
        Ok((counts, _)) => counts,
        Err(error) => return Ok(Err(error)),
    };
    let freed = drop_upload(connection, &mut counts, upload)?;
    counts.write(connection)?;
    Ok(Ok(Outcome::done(freed)))
}

fn drop_upload(connection: &Connection, counts: &mut Counts, upload: &str) -> rusqlite::Result<Vec<Freed>> {
    let parts = kept(connection, upload)?;
    counts.uploads = counts.uploads.saturating_sub(1);
    counts.bytes = counts.bytes.saturating_sub(parts.iter().map(|part| part.size).sum());
    let freed: Vec<Freed> =
        parts.into_iter().map(|part| Freed { content: part.content, version: upload.to_owned() }).collect();
    note(connection, &freed)?;
    forget(connection, upload)?;
    Ok(freed)
}

/// Aborts all uploads of a bucket that goes.
pub(super) fn abort_all(connection: &Connection, bucket: i64) -> rusqlite::Result<Vec<Freed>> {
    let mut statement = connection.prepare_cached("SELECT id FROM uploads WHERE bucket = ?1")?;
    let ids: Vec<String> =
        statement.query_map(params![bucket], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let class = StorageClass::default();
    let mut counts = Counts { number: bucket, objects: 0, bytes: 0, uploads: 0, class };
    let mut freed = Vec::new();
    for id in ids {
        freed.extend(drop_upload(connection, &mut counts, &id)?);
    }
    Ok(freed)
}

/// Aborts some uploads that were begun before a moment.
pub(super) fn expire(connection: &Connection, before: u64) -> Made {
    let mut statement = connection.prepare_cached(
        "SELECT uploads.id, buckets.name FROM uploads JOIN buckets ON buckets.number = uploads.bucket \
         WHERE uploads.started < ?1 ORDER BY uploads.started LIMIT ?2",
    )?;
    let found: Vec<(String, String)> = statement
        .query_map(params![whole(before), SWEEP], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut outcome = Outcome { done: !found.is_empty(), ..Outcome::default() };
    for (upload, name) in found {
        let counts =
            BucketName::parse(&name).map(|name| Counts::of(connection, &name)).transpose()?.flatten();
        let Some(mut counts) = counts else { continue };
        outcome.freed.extend(drop_upload(connection, &mut counts, &upload)?);
        counts.write(connection)?;
    }
    Ok(Ok(outcome))
}
