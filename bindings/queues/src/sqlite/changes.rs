//! What changes of queues and sends do to the tables. Owns the counting of messages and bytes: both are true after every change.

use rusqlite::{Connection, ErrorCode, OptionalExtension as _, params};
use wasmyard_model::{QueueId, QueueName};

use super::Outcome;
use super::{number, rows, whole};
use crate::error::QueueError;
use crate::limits::QueueLimits;
use crate::queue::{Queue, QueueChange};
use crate::store::Sent;

/// Messages that one sweep removes, so that nobody waits long behind it.
const SWEEP: i64 = 500;

pub(super) fn count(connection: &Connection) -> rusqlite::Result<u64> {
    connection.query_row("SELECT count(*) FROM queues", [], |row| row.get(0))
}

pub(super) fn create(connection: &Connection, queue: &Queue, most: u64) -> Outcome<()> {
    if count(connection)? >= most {
        return Ok(Err(QueueError::Quota { limit: "queues", unit: "queues", most }));
    }
    let settings = &queue.settings;
    let made = connection.execute(
        "INSERT INTO queues (id, name, created, modified, delay, paused, retention) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            queue.id.as_str(),
            queue.name.as_str(),
            whole(queue.created.unix_millis()),
            whole(queue.modified.unix_millis()),
            whole(settings.delivery_delay),
            settings.delivery_paused,
            whole(settings.retention),
        ],
    );
    named(made, &queue.name)
}

/// Two queues may not have one name: the table says so.
fn named(done: rusqlite::Result<usize>, name: &QueueName) -> Outcome<()> {
    match done {
        Ok(_) => Ok(Ok(())),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            Ok(Err(QueueError::NameTaken(name.clone())))
        }
        Err(error) => Err(error),
    }
}

pub(super) fn change(
    connection: &Connection,
    id: &QueueId,
    change: &QueueChange,
    now: u64,
) -> Outcome<Queue> {
    let Some(before) = rows::by_id(connection, id)? else {
        return Ok(Err(QueueError::NotFound(id.clone())));
    };
    let settings = match change.of(before.settings) {
        Ok(settings) => settings,
        Err(refused) => return Ok(Err(refused)),
    };
    let name = change.name.as_ref().unwrap_or(&before.name);
    let changed = connection.execute(
        "UPDATE queues SET name = ?2, modified = ?3, delay = ?4, paused = ?5, retention = ?6 WHERE id = ?1",
        params![
            id.as_str(),
            name.as_str(),
            whole(now),
            whole(settings.delivery_delay),
            settings.delivery_paused,
            whole(settings.retention),
        ],
    );
    if let Err(taken) = named(changed, name)? {
        return Ok(Err(taken));
    }
    if name != &before.name {
        connection.execute(
            "UPDATE consumers SET dead = ?2 WHERE dead = ?1",
            params![before.name.as_str(), name.as_str()],
        )?;
    }
    Ok(rows::by_id(connection, id)?.ok_or_else(|| QueueError::NotFound(id.clone())))
}

/// The queue is gone at once; what was in it goes with the sweep.
pub(super) fn delete(connection: &Connection, id: &QueueId) -> Outcome<()> {
    let Some(of) = number(connection, id)? else { return Ok(Err(QueueError::NotFound(id.clone()))) };
    connection.execute("DELETE FROM queues WHERE number = ?1", params![of])?;
    connection.execute("DELETE FROM consumers WHERE queue = ?1", params![of])?;
    connection.execute("DELETE FROM bound WHERE queue = ?1", params![of])?;
    connection.execute("INSERT INTO deleted (number) VALUES (?1)", params![of])?;
    Ok(Ok(()))
}

/// What a send has to know of its queue.
struct Target {
    number: i64,
    id: String,
    delay: u64,
    messages: u64,
    bytes: u64,
    is_consumed: bool,
}

fn target(connection: &Connection, name: &QueueName) -> rusqlite::Result<Option<Target>> {
    connection
        .prepare_cached(
            "SELECT number, queues.id, delay, messages, bytes, script IS NOT NULL FROM queues \
             LEFT JOIN consumers ON queue = number WHERE name = ?1",
        )?
        .query_row(params![name.as_str()], |row| {
            Ok(Target {
                number: row.get(0)?,
                id: row.get(1)?,
                delay: row.get(2)?,
                messages: row.get(3)?,
                bytes: row.get(4)?,
                is_consumed: row.get(5)?,
            })
        })
        .optional()
}

/// Keeps messages. Says which queue it is, if a script consumes it.
pub(super) fn send(
    connection: &Connection,
    name: &QueueName,
    sent: &[Sent],
    now: u64,
    limits: &QueueLimits,
) -> Outcome<Option<QueueId>> {
    let Some(of) = target(connection, name)? else {
        return Ok(Err(QueueError::NameNotFound(name.clone())));
    };
    let messages = of.messages.saturating_add(sent.len() as u64);
    let bytes = sent.iter().fold(of.bytes, |sum, message| sum.saturating_add(message.body.len() as u64));
    if messages > limits.messages {
        let (limit, unit, most) = ("queue_messages", "messages in the queue", limits.messages);
        return Ok(Err(QueueError::Quota { limit, unit, most }));
    }
    if bytes > limits.bytes {
        let (limit, unit, most) = ("queue_bytes", "bytes in the queue", limits.bytes);
        return Ok(Err(QueueError::Quota { limit, unit, most }));
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO messages (queue, id, sent, visible, kind, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for message in sent {
        let delay = message.delay.unwrap_or(of.delay);
        let visible = now.saturating_add(delay.saturating_mul(1_000));
        insert.execute(params![
            of.number,
            message.id.0,
            whole(now),
            whole(visible),
            message.content_type.as_str(),
            message.body.as_ref()
        ])?;
    }
    connection
        .prepare_cached("UPDATE queues SET messages = ?2, bytes = ?3 WHERE number = ?1")?
        .execute(params![of.number, whole(messages), whole(bytes)])?;
    Ok(Ok(if of.is_consumed { QueueId::parse(&of.id).ok() } else { None }))
}

/// All that is in the queue, at once: it has another number from now on, and what was sent to the one before is nobody's. That
/// goes with the sweep, so that nobody waits behind a large one.
pub(super) fn purge(connection: &Connection, id: &QueueId) -> Outcome<u64> {
    let Some(before) = number(connection, id)? else { return Ok(Err(QueueError::NotFound(id.clone()))) };
    let removed: u64 =
        connection
            .query_row("SELECT messages FROM queues WHERE number = ?1", params![before], |row| row.get(0))?;
    // No other queue is ever given it.
    let after: i64 = connection.query_row(
        "UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'queues' RETURNING seq",
        [],
        |row| row.get(0),
    )?;
    connection.execute(
        "UPDATE queues SET number = ?2, messages = 0, bytes = 0 WHERE number = ?1",
        params![before, after],
    )?;
    connection.execute("UPDATE consumers SET queue = ?2 WHERE queue = ?1", params![before, after])?;
    connection.execute("UPDATE bound SET queue = ?2 WHERE queue = ?1", params![before, after])?;
    connection.execute("INSERT INTO deleted (number) VALUES (?1)", params![before])?;
    Ok(Ok(removed))
}

/// Removes some messages that are too old, and then some of deleted queues.
pub(super) fn sweep(connection: &Connection, now: u64) -> Outcome<u64> {
    let mut old = connection.prepare_cached(
        "SELECT place, queue, octet_length(body) FROM queues CROSS JOIN messages ON messages.queue = queues.number \
         AND messages.sent <= ?1 - queues.retention * 1000 WHERE queues.messages > 0 LIMIT ?2",
    )?;
    let rows: Vec<(i64, i64, u64)> = old
        .query_map(params![whole(now), SWEEP], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (place, of, bytes) in &rows {
        remove(connection, *of, *place, *bytes)?;
    }
    if !rows.is_empty() {
        return Ok(Ok(rows.len() as u64));
    }
    let mut removed = connection
        .prepare_cached(
            "DELETE FROM messages WHERE place IN (SELECT place FROM messages \
             WHERE queue = (SELECT min(number) FROM deleted) LIMIT ?1)",
        )?
        .execute(params![SWEEP])?;
    if removed == 0 {
        // Nothing is left of the first: the next one, if there is one, is a piece of its own.
        removed =
            connection.execute("DELETE FROM deleted WHERE number = (SELECT min(number) FROM deleted)", [])?;
    }
    Ok(Ok(removed as u64))
}

/// Removes a message, and counts that it is gone.
pub(super) fn remove(connection: &Connection, of: i64, place: i64, bytes: u64) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM messages WHERE place = ?1")?.execute(params![place])?;
    connection
        .prepare_cached("UPDATE queues SET messages = messages - 1, bytes = bytes - ?2 WHERE number = ?1")?
        .execute(params![of, whole(bytes)])?;
    Ok(())
}
