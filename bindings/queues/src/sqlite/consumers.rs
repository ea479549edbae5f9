//! What changes of consumers and of bound scripts do to the tables.

use rusqlite::{Connection, OptionalExtension as _, params};
use wasmyard_model::{QueueConsumerId, QueueId, QueueName};

use super::Outcome;
use super::{changes, number, rows, whole};
use crate::error::QueueError;
use crate::queue::{Consumer, ConsumerKind, Queue};

fn of_queue(connection: &Connection, of: i64) -> rusqlite::Result<Option<Consumer>> {
    connection
        .prepare_cached("SELECT id, script, settings, dead, created FROM consumers WHERE queue = ?1")?
        .query_row(params![of], |row| rows::consumer(row, 0))
        .optional()
}

pub(super) fn set(
    connection: &Connection,
    id: &QueueId,
    of: Option<&QueueConsumerId>,
    mut consumer: Consumer,
    dead: Option<&Queue>,
    most: u64,
) -> Outcome<Consumer> {
    let Some(queue) = rows::by_id(connection, id)? else { return Ok(Err(QueueError::NotFound(id.clone()))) };
    let Some(number) = number(connection, id)? else { return Ok(Err(QueueError::NotFound(id.clone()))) };
    match (of_queue(connection, number)?, of) {
        (None, None) => {}
        (Some(before), Some(of)) if before.id == *of => {
            // It is the same one, in another way.
            consumer.id = before.id;
            consumer.created = before.created;
        }
        (_, Some(of)) => return Ok(Err(QueueError::ConsumerNotFound(of.clone()))),
        (Some(before), None) => {
            let consumer = before.kind.told();
            return Ok(Err(QueueError::ConsumerTaken { queue: queue.name, consumer }));
        }
    }
    if let Some(dead) = dead
        && rows::by_name(connection, &dead.name)?.is_none()
        && let Err(refused) = changes::create(connection, dead, most)?
    {
        return Ok(Err(refused));
    }
    let script = match &consumer.kind {
        ConsumerKind::Worker(script) => Some(script.as_str()),
        ConsumerKind::Pull => None,
    };
    let settings = match serde_json::to_string(&consumer.settings) {
        Ok(settings) => settings,
        Err(error) => return Ok(Err(QueueError::store("write settings", error))),
    };
    connection.execute(
        "INSERT OR REPLACE INTO consumers (queue, id, script, settings, dead, created) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            number,
            consumer.id.as_str(),
            script,
            settings,
            consumer.dead_letters.as_ref().map(QueueName::as_str),
            whole(consumer.created.unix_millis()),
        ],
    )?;
    Ok(Ok(consumer))
}

pub(super) fn remove(
    connection: &Connection,
    id: &QueueId,
    consumer: &QueueConsumerId,
    now: u64,
) -> Outcome<()> {
    let Some(number) = number(connection, id)? else { return Ok(Err(QueueError::NotFound(id.clone()))) };
    let removed = connection
        .execute("DELETE FROM consumers WHERE queue = ?1 AND id = ?2", params![number, consumer.as_str()])?;
    if removed == 0 {
        return Ok(Err(QueueError::ConsumerNotFound(consumer.clone())));
    }
    connection.execute("UPDATE queues SET modified = ?2 WHERE number = ?1", params![number, whole(now)])?;
    Ok(Ok(()))
}

pub(super) fn bind(connection: &Connection, name: &QueueName, script: &str) -> Outcome<()> {
    let found: Option<i64> = connection
        .prepare_cached("SELECT number FROM queues WHERE name = ?1")?
        .query_row(params![name.as_str()], |row| row.get(0))
        .optional()?;
    let Some(number) = found else { return Ok(Err(QueueError::NameNotFound(name.clone()))) };
    connection
        .execute("INSERT OR IGNORE INTO bound (queue, script) VALUES (?1, ?2)", params![number, script])?;
    Ok(Ok(()))
}

pub(super) fn rebind(connection: &Connection, from: &str, to: &str) -> Outcome<()> {
    connection.execute(
        "INSERT OR IGNORE INTO bound (queue, script) \
         SELECT queue, ?2 || substr(script, length(?1) + 1) FROM bound WHERE substr(script, 1, length(?1)) = ?1",
        params![from, to],
    )?;
    Ok(Ok(()))
}

pub(super) fn hand_on(connection: &Connection, from: &str, to: &str) -> Outcome<()> {
    connection.execute(
        "UPDATE consumers SET script = ?2 || substr(script, length(?1) + 1) \
         WHERE script IS NOT NULL AND substr(script, 1, length(?1)) = ?1",
        params![from, to],
    )?;
    Ok(Ok(()))
}

pub(super) fn forget(connection: &Connection, prefix: &str) -> Outcome<u64> {
    let forgotten = connection.execute(
        "DELETE FROM consumers WHERE script IS NOT NULL AND substr(script, 1, length(?1)) = ?1",
        params![prefix],
    )?;
    Ok(Ok(forgotten as u64))
}
