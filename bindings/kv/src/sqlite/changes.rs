//! What each change does to the tables. Owns the counting of keys and bytes: both are true after every change.

use rusqlite::{Connection, ErrorCode, OptionalExtension as _, params};
use wasmyard_model::KvNamespaceId;

use super::{number, whole};
use crate::entry::Key;
use crate::error::KvError;
use crate::limits::KvLimits;
use crate::store::{KvNamespace, Put, Write};

/// Entries that one sweep removes, so that nobody waits long behind it.
const SWEEP: i64 = 500;

/// What is to be changed. The answer is a number where there is one to tell.
#[derive(Debug)]
pub(super) enum Change {
    Create { namespace: KvNamespace, most: u64 },
    Rename(KvNamespace),
    DeleteNamespace(KvNamespaceId),
    Write { id: KvNamespaceId, writes: Vec<Write>, limits: KvLimits },
    Increment { id: KvNamespaceId, key: Key, delta: u64, now: u64, limits: KvLimits },
    Bind(KvNamespaceId, String),
    Unbind(KvNamespaceId, String),
    Rebind { from: String, to: String },
    Sweep(u64),
}

type Outcome = wasmyard_sqlite::Outcome<u64, KvError>;

pub(super) fn make(connection: &Connection, change: &Change) -> Outcome {
    match change {
        Change::Create { namespace, most } => create(connection, namespace, *most),
        Change::Rename(namespace) => rename(connection, namespace),
        Change::DeleteNamespace(id) => delete_namespace(connection, id),
        Change::Write { id, writes, limits } => {
            let Some(of) = number(connection, id)? else {
                return Ok(Err(KvError::NamespaceNotFound(id.clone())));
            };
            write(connection, of, writes, limits)
        }
        Change::Increment { id, key, delta, now, limits } => {
            let Some(of) = number(connection, id)? else {
                return Ok(Err(KvError::NamespaceNotFound(id.clone())));
            };
            increment(connection, of, (key, *delta), *now, limits)
        }
        Change::Bind(id, script) => {
            let Some(of) = number(connection, id)? else {
                return Ok(Err(KvError::NamespaceNotFound(id.clone())));
            };
            connection.execute(
                "INSERT OR IGNORE INTO bound (namespace, script) VALUES (?1, ?2)",
                params![of, script],
            )?;
            Ok(Ok(0))
        }
        Change::Unbind(id, script) => {
            let of = number(connection, id)?;
            connection
                .execute("DELETE FROM bound WHERE namespace = ?1 AND script = ?2", params![of, script])?;
            Ok(Ok(0))
        }
        Change::Rebind { from, to } => {
            connection.execute(
                "INSERT OR IGNORE INTO bound (namespace, script) \
                 SELECT namespace, ?2 || substr(script, length(?1) + 1) FROM bound \
                 WHERE substr(script, 1, length(?1)) = ?1",
                params![from, to],
            )?;
            Ok(Ok(0))
        }
        Change::Sweep(now) => sweep(connection, *now),
    }
}

fn create(connection: &Connection, namespace: &KvNamespace, most: u64) -> Outcome {
    let there: u64 = connection.query_row("SELECT count(*) FROM namespaces", [], |row| row.get(0))?;
    if there >= most {
        return Ok(Err(KvError::Quota { limit: "kv_namespaces", unit: "namespaces", most }));
    }
    let made = connection.execute(
        "INSERT INTO namespaces (id, title) VALUES (?1, ?2)",
        params![namespace.id.as_str(), namespace.title],
    );
    titled(made, namespace)
}

fn rename(connection: &Connection, namespace: &KvNamespace) -> Outcome {
    let renamed = connection.execute(
        "UPDATE namespaces SET title = ?2 WHERE id = ?1",
        params![namespace.id.as_str(), namespace.title],
    );
    if renamed == Ok(0) {
        return Ok(Err(KvError::NamespaceNotFound(namespace.id.clone())));
    }
    titled(renamed, namespace)
}

/// Two namespaces may not have one title: the table says so.
fn titled(done: rusqlite::Result<usize>, namespace: &KvNamespace) -> Outcome {
    match done {
        Ok(_) => Ok(Ok(0)),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            Ok(Err(KvError::TitleTaken { title: namespace.title.clone() }))
        }
        Err(error) => Err(error),
    }
}

/// The namespace is gone at once; what was in it goes with the sweep.
fn delete_namespace(connection: &Connection, id: &KvNamespaceId) -> Outcome {
    let Some(of) = number(connection, id)? else {
        return Ok(Err(KvError::NamespaceNotFound(id.clone())));
    };
    connection.execute("DELETE FROM namespaces WHERE number = ?1", params![of])?;
    connection.execute("DELETE FROM bound WHERE namespace = ?1", params![of])?;
    connection.execute("INSERT INTO deleted (number) VALUES (?1)", params![of])?;
    Ok(Ok(0))
}

fn write(connection: &Connection, of: i64, writes: &[Write], limits: &KvLimits) -> Outcome {
    let (mut keys, mut bytes): (u64, u64) = connection
        .prepare_cached("SELECT keys, bytes FROM namespaces WHERE number = ?1")?
        .query_row(params![of], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for write in writes {
        let (Write::Put(Put { key, .. }) | Write::Delete(key)) = write;
        let old = size(connection, of, key)?;
        bytes = bytes.saturating_sub(old.unwrap_or(0));
        keys = keys.saturating_sub(u64::from(old.is_some()));
        match write {
            Write::Delete(key) => {
                connection
                    .prepare_cached("DELETE FROM entries WHERE namespace = ?1 AND key = ?2")?
                    .execute(params![of, key.as_str().as_bytes()])?;
            }
            Write::Put(put) => {
                let new = put.size();
                keys += 1;
                bytes = bytes.saturating_add(new);
                if keys > limits.keys && old.is_none() {
                    return Ok(Err(KvError::Quota { limit: "kv_keys", unit: "keys", most: limits.keys }));
                }
                // What makes a value smaller is always taken.
                if bytes > limits.bytes && new > old.unwrap_or(0) {
                    return Ok(Err(KvError::Quota { limit: "kv_bytes", unit: "bytes", most: limits.bytes }));
                }
                insert(connection, of, put)?;
            }
        }
    }
    connection
        .prepare_cached("UPDATE namespaces SET keys = ?2, bytes = ?3 WHERE number = ?1")?
        .execute(params![of, whole(keys), whole(bytes)])?;
    Ok(Ok(0))
}

/// Adds to a number. The writer is alone: nothing comes between the look and the change.
fn increment(
    connection: &Connection,
    of: i64,
    (key, delta): (&Key, u64),
    now: u64,
    limits: &KvLimits,
) -> Outcome {
    let found = match super::get(connection, of, key, now, NUMBER_BYTES) {
        Ok(Ok(found)) => found,
        Ok(Err(KvError::NoRoom { .. })) => return Ok(Err(no_number(key))),
        Ok(Err(other)) => return Ok(Err(other)),
        Err(error) => return Err(error),
    };
    let before = match &found {
        None => Some(0),
        Some(found) => std::str::from_utf8(&found.value).ok().and_then(|text| text.parse::<u64>().ok()),
    };
    let Some(before) = before else { return Ok(Err(no_number(key))) };
    let Some(sum) = before.checked_add(delta) else {
        return Ok(Err(KvError::Invalid(format!(
            "the key \"{key}\" has {before}, and {delta} more are beyond 64 bits; put a smaller number"
        ))));
    };
    let (metadata, expires) = found.map_or((None, None), |found| (found.metadata, found.expires));
    let put = Put { key: key.clone(), value: sum.to_string().into(), metadata, expires };
    Ok(write(connection, of, &[Write::Put(put)], limits)?.map(|_| sum))
}

/// The longest number of 64 bits, in decimal digits.
const NUMBER_BYTES: u64 = 20;

fn no_number(key: &Key) -> KvError {
    KvError::Invalid(format!(
        "the value of the key \"{key}\" is no number of 64 bits in decimal digits; put one, or delete it"
    ))
}

impl Put {
    fn size(&self) -> u64 {
        let metadata = self.metadata.as_ref().map_or(0, String::len);
        (self.key.as_str().len() + metadata + self.value.len()) as u64
    }
}

/// How many bytes an entry takes, if it is there, expired or not.
fn size(connection: &Connection, of: i64, key: &Key) -> rusqlite::Result<Option<u64>> {
    connection
        .prepare_cached(
            "SELECT octet_length(key) + coalesce(octet_length(metadata), 0) + octet_length(value) \
             FROM entries WHERE namespace = ?1 AND key = ?2",
        )?
        .query_row(params![of, key.as_str().as_bytes()], |row| row.get(0))
        .optional()
}

fn insert(connection: &Connection, of: i64, put: &Put) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "INSERT INTO entries (namespace, key, expires, metadata, value) VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT (namespace, key) DO UPDATE SET \
             expires = excluded.expires, metadata = excluded.metadata, value = excluded.value",
        )?
        .execute(params![
            of,
            put.key.as_str().as_bytes(),
            put.expires.map(whole),
            put.metadata,
            put.value.as_ref()
        ])
}

/// Removes some entries that have expired, and then some of deleted namespaces.
fn sweep(connection: &Connection, now: u64) -> Outcome {
    let mut expired = connection.prepare_cached(
        "SELECT rowid, namespace, octet_length(key) + coalesce(octet_length(metadata), 0) + octet_length(value) \
         FROM entries WHERE expires <= ?1 LIMIT ?2",
    )?;
    let rows: Vec<(i64, i64, u64)> = expired
        .query_map(params![whole(now), SWEEP], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (row, of, size) in &rows {
        connection.prepare_cached("DELETE FROM entries WHERE rowid = ?1")?.execute(params![row])?;
        connection
            .prepare_cached("UPDATE namespaces SET keys = keys - 1, bytes = bytes - ?2 WHERE number = ?1")?
            .execute(params![of, whole(*size)])?;
    }
    let mut removed = rows.len();
    if removed == 0 {
        removed = connection
            .prepare_cached(
                "DELETE FROM entries WHERE rowid IN (SELECT entries.rowid FROM entries \
                 WHERE namespace = (SELECT min(number) FROM deleted) LIMIT ?1)",
            )?
            .execute(params![SWEEP])?;
        if removed == 0 {
            // Nothing is left of the first: the next one, if there is one, is a piece of its own.
            removed = connection
                .execute("DELETE FROM deleted WHERE number = (SELECT min(number) FROM deleted)", [])?;
        }
    }
    Ok(Ok(removed as u64))
}
