//! What is read of the tables. Must never change anything.

use rusqlite::types::Type;
use rusqlite::{Connection, Error, OptionalExtension as _, Row, ToSql, params};
use wasmyard_model::{QueueConsumerId, QueueId, QueueName, Timestamp};

use super::whole;
use crate::queue::{Backlog, Consumer, ConsumerKind, Queue, QueueSettings};

const SELECT: &str = "SELECT queues.id, queues.name, queues.created, queues.modified, queues.delay, queues.paused, \
    queues.retention, queues.messages, queues.bytes, consumers.id, consumers.script, consumers.settings, consumers.dead, \
    consumers.created FROM queues LEFT JOIN consumers ON consumers.queue = queues.number";

/// A text of the file that is not what was written.
fn damaged(column: usize, text: &str) -> Error {
    Error::FromSqlConversionFailure(column, Type::Text, text.to_owned().into())
}

fn parsed<T>(row: &Row<'_>, column: usize, parse: impl FnOnce(&str) -> Option<T>) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    parse(&text).ok_or_else(|| damaged(column, &text))
}

fn moment(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    Ok(Timestamp::at_unix_millis(row.get(column)?))
}

fn queue(row: &Row<'_>) -> rusqlite::Result<Queue> {
    Ok(Queue {
        id: parsed(row, 0, |text| QueueId::parse(text).ok())?,
        name: parsed(row, 1, QueueName::parse)?,
        created: moment(row, 2)?,
        modified: moment(row, 3)?,
        settings: QueueSettings {
            delivery_delay: row.get(4)?,
            delivery_paused: row.get(5)?,
            retention: row.get(6)?,
        },
        messages: row.get(7)?,
        bytes: row.get(8)?,
        consumer: if row.get::<_, Option<String>>(9)?.is_some() { Some(consumer(row, 9)?) } else { None },
    })
}

/// A consumer, of which the id is in this column and the rest behind it.
pub(super) fn consumer(row: &Row<'_>, first: usize) -> rusqlite::Result<Consumer> {
    let script: Option<String> = row.get(first + 1)?;
    let dead: Option<String> = row.get(first + 3)?;
    Ok(Consumer {
        id: parsed(row, first, |text| QueueConsumerId::parse(text).ok())?,
        kind: script.map_or(ConsumerKind::Pull, ConsumerKind::Worker),
        settings: parsed(row, first + 2, |text| serde_json::from_str(text).ok())?,
        dead_letters: match dead {
            Some(name) => Some(QueueName::parse(&name).ok_or_else(|| damaged(first + 3, &name))?),
            None => None,
        },
        created: moment(row, first + 4)?,
    })
}

fn one(connection: &Connection, which: &str, by: &dyn ToSql) -> rusqlite::Result<Option<Queue>> {
    connection.prepare_cached(&format!("{SELECT} WHERE {which} = ?1"))?.query_row([by], queue).optional()
}

pub(super) fn by_id(connection: &Connection, id: &QueueId) -> rusqlite::Result<Option<Queue>> {
    one(connection, "queues.id", &id.as_str())
}

pub(super) fn by_name(connection: &Connection, name: &QueueName) -> rusqlite::Result<Option<Queue>> {
    one(connection, "queues.name", &name.as_str())
}

pub(super) fn all(connection: &Connection, after: &str, limit: usize) -> rusqlite::Result<Vec<Queue>> {
    let mut statement = connection
        .prepare_cached(&format!("{SELECT} WHERE queues.name > ?1 ORDER BY queues.name LIMIT ?2"))?;
    statement.query_map(params![after, whole(limit as u64)], queue)?.collect()
}

pub(super) fn consumed(
    connection: &Connection,
    prefix: &str,
    after: &str,
    limit: usize,
) -> rusqlite::Result<Vec<Queue>> {
    let mut statement = connection.prepare_cached(&format!(
        "{SELECT} WHERE consumers.script IS NOT NULL AND substr(consumers.script, 1, length(?1)) = ?1 \
         AND queues.name > ?2 ORDER BY queues.name LIMIT ?3"
    ))?;
    statement.query_map(params![prefix, after, whole(limit as u64)], queue)?.collect()
}

pub(super) fn dead_letters_of(
    connection: &Connection,
    name: &QueueName,
    limit: usize,
) -> rusqlite::Result<Vec<QueueName>> {
    let mut statement = connection.prepare_cached(
        "SELECT queues.name FROM consumers JOIN queues ON queues.number = consumers.queue \
         WHERE consumers.dead = ?1 ORDER BY queues.name LIMIT ?2",
    )?;
    let rows = statement
        .query_map(params![name.as_str(), whole(limit as u64)], |row| parsed(row, 0, QueueName::parse))?;
    rows.collect()
}

pub(super) fn bound(
    connection: &Connection,
    id: &QueueId,
    after: &str,
    limit: usize,
) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare_cached(
        "SELECT script FROM bound WHERE script > ?2 \
         AND queue = (SELECT number FROM queues WHERE id = ?1) ORDER BY script LIMIT ?3",
    )?;
    statement.query_map(params![id.as_str(), after, whole(limit as u64)], |row| row.get(0))?.collect()
}

pub(super) fn backlog(connection: &Connection, id: &QueueId) -> rusqlite::Result<Option<Backlog>> {
    connection
        .prepare_cached(
            "SELECT messages, bytes, \
             coalesce((SELECT min(sent) FROM messages WHERE messages.queue = queues.number), 0) \
             FROM queues WHERE id = ?1",
        )?
        .query_row(params![id.as_str()], |row| {
            Ok(Backlog { messages: row.get(0)?, bytes: row.get(1)?, oldest_ms: row.get(2)? })
        })
        .optional()
}
