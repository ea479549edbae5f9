//! Rows of the tables as what they stand for.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasmyard_model::BucketName;

use crate::body::Piece;
use crate::info::BucketInfo;
use crate::object::{Object, StorageClass};

/// An object by its bucket's number and its key.
pub(super) const OBJECT: &str = "SELECT key, version, size, etag, uploaded, checksums, metadata, parts \
     FROM objects WHERE bucket = ?1 AND key = ?2";

/// Of a row that begins as [`OBJECT`] does.
pub(super) fn object_of(row: &Row<'_>) -> rusqlite::Result<Object> {
    let key: Vec<u8> = row.get(0)?;
    Ok(Object {
        key: String::from_utf8_lossy(&key).into_owned(),
        version: row.get(1)?,
        size: row.get(2)?,
        etag: row.get(3)?,
        uploaded: row.get(4)?,
        checksums: from_json(row, 5)?,
        metadata: from_json(row, 6)?,
    })
}

pub(super) fn parts_of(row: &Row<'_>) -> rusqlite::Result<u64> {
    row.get(7)
}

/// A bucket of a row with name, creation, place, class, objects, bytes and uploads.
pub(super) fn bucket_of(row: &Row<'_>) -> rusqlite::Result<BucketInfo> {
    let name: String = row.get(0)?;
    let name = BucketName::parse(&name)
        .ok_or_else(|| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, name.into()))?;
    let class: String = row.get(3)?;
    Ok(BucketInfo {
        name,
        created: row.get(1)?,
        location: row.get(2)?,
        storage_class: StorageClass::parse(&class).unwrap_or_default(),
        objects: row.get(4)?,
        bytes: row.get(5)?,
        uploads: row.get(6)?,
    })
}

/// The number that a bucket has in this file.
pub(super) fn number(connection: &Connection, name: &BucketName) -> rusqlite::Result<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT number FROM buckets WHERE name = ?1")?;
    statement.query_row(params![name.as_str()], |row| row.get(0)).optional()
}

/// The contents that an object consists of.
pub(super) fn pieces(connection: &Connection, object: &Object, parts: u64) -> rusqlite::Result<Vec<Piece>> {
    if parts == 0 {
        let one = Piece { name: object.version.clone(), size: object.size };
        return Ok(if object.size == 0 { Vec::new() } else { vec![one] });
    }
    let mut statement =
        connection.prepare_cached("SELECT content, size FROM pieces WHERE version = ?1 ORDER BY position")?;
    let rows = statement
        .query_map(params![object.version], |row| Ok(Piece { name: row.get(0)?, size: row.get(1)? }))?;
    rows.collect()
}

pub(super) fn to_json(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

pub(super) fn from_json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into()))
}

/// SQLite's numbers have a sign.
pub(super) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
