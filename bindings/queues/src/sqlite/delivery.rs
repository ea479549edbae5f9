//! Messages handed over: which are due, who has them, what becomes of them.
//!
//! Owns the rule that a message is with one holder at a time, and that it leaves its queue only when it was handled, when it came as
//! often as it may, or when it is too old. Where the queue of dead letters has no more room than it may have, it takes the dead all
//! the same: they were accepted once.

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use wasmyard_model::QueueId;

use super::Outcome;
use super::changes::remove;
use super::{number, rows, whole};
use crate::error::QueueError;
use crate::message::{ContentType, LeaseId, Leased, MessageId, Settled, Settlement};
use crate::queue::{Consumer, ConsumerKind};
use crate::store::{Due, Handed, Holder, Lease};

/// Messages that are looked at for one batch, beside those that go: so that nobody waits long behind it.
const LOOKED_AT: usize = 500;

/// What a process that is gone had handed over to scripts is there again.
pub(super) fn take_back(connection: &Connection) -> rusqlite::Result<usize> {
    connection.execute("UPDATE messages SET visible = sent, lease = NULL, pushed = 0 WHERE pushed = 1", [])
}

/// When a batch is due: when as many messages can be handed over as make one, or when the first has waited for the others as long
/// as it is to.
pub(super) fn due(connection: &Connection, id: &QueueId) -> rusqlite::Result<Option<Due>> {
    let snapshot = connection.unchecked_transaction()?;
    let Some(queue) = rows::by_id(&snapshot, id)? else { return Ok(None) };
    let Some(consumer) = queue.consumer.filter(|consumer| consumer.kind != ConsumerKind::Pull) else {
        return Ok(None);
    };
    let Some(number) = number(&snapshot, id)? else { return Ok(None) };
    let size = consumer.settings.batch();
    let mut statement =
        snapshot.prepare_cached("SELECT visible FROM messages WHERE queue = ?1 ORDER BY visible LIMIT ?2")?;
    let times = statement
        .query_map(params![number, whole(size as u64)], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<u64>>>()?;
    let waited = times.first().map(|first| first.saturating_add(consumer.settings.wait_ms()));
    let full = times.last().copied().filter(|_| times.len() == size);
    let at = match (waited, full) {
        _ if queue.settings.delivery_paused => None,
        (Some(waited), Some(full)) => Some(waited.min(full)),
        (waited, _) => waited,
    };
    Ok(Some(Due { queue: queue.name, consumer, at }))
}

/// A message that may be handed over.
struct Candidate {
    place: i64,
    sent: u64,
    attempts: u32,
    bytes: u64,
}

pub(super) fn lease(connection: &Connection, id: &QueueId, lease: Lease) -> Outcome<Handed> {
    let Some(queue) = rows::by_id(connection, id)? else { return Ok(Err(QueueError::NotFound(id.clone()))) };
    let Some(number) = number(connection, id)? else { return Ok(Err(QueueError::NotFound(id.clone()))) };
    let Some(consumer) = queue.consumer.filter(|_| !queue.settings.delivery_paused) else {
        return Ok(Ok(Handed::default()));
    };
    let (mut handed, mut bytes) = (Handed::default(), 0_u64);
    let oldest = lease.now.saturating_sub(queue.settings.retention.saturating_mul(1_000));
    for found in candidates(connection, number, lease.now)? {
        if found.sent <= oldest {
            remove(connection, number, found.place, found.bytes)?;
            continue;
        }
        if found.attempts >= consumer.settings.attempts() {
            // Nobody said what became of it, the last time that it was handed over.
            bury(connection, number, &found, &consumer, lease.now, &mut handed.over, &mut handed.stirred)?;
            continue;
        }
        bytes = bytes.saturating_add(found.bytes);
        let is_full = handed.messages.len() >= lease.messages;
        if is_full || (bytes > lease.bytes && !handed.messages.is_empty()) {
            break;
        }
        handed.messages.push(hand_over(connection, &found, &lease)?);
    }
    Ok(Ok(handed))
}

fn candidates(connection: &Connection, of: i64, now: u64) -> rusqlite::Result<Vec<Candidate>> {
    let mut statement = connection.prepare_cached(
        "SELECT place, sent, attempts, octet_length(body) FROM messages \
         WHERE queue = ?1 AND visible <= ?2 ORDER BY visible, place LIMIT ?3",
    )?;
    let rows = statement.query_map(params![of, whole(now), whole(LOOKED_AT as u64)], |row| {
        Ok(Candidate { place: row.get(0)?, sent: row.get(1)?, attempts: row.get(2)?, bytes: row.get(3)? })
    })?;
    rows.collect()
}

fn hand_over(connection: &Connection, found: &Candidate, lease: &Lease) -> rusqlite::Result<Leased> {
    let place = found.place;
    // SQLite's own chance is from the operating system: nobody guesses it.
    connection
        .prepare_cached(
            "UPDATE messages SET visible = ?2, lease = random(), attempts = attempts + 1, pushed = ?3 WHERE place = ?1 \
             RETURNING id, lease, sent, attempts, kind, body",
        )?
        .query_row(params![place, whole(lease.until), lease.holder == Holder::Worker], |row| {
            leased(row, place)
        })
}

/// The oldest messages, with leases that settle nothing.
pub(super) fn peek(
    connection: &Connection,
    id: &QueueId,
    limit: usize,
) -> rusqlite::Result<Option<Vec<Leased>>> {
    let Some(of) = number(connection, id)? else { return Ok(None) };
    let mut statement = connection.prepare_cached(
        "SELECT id, 0, sent, attempts, kind, body FROM messages WHERE queue = ?1 ORDER BY sent, place LIMIT ?2",
    )?;
    let rows = statement.query_map(params![of, whole(limit as u64)], |row| leased(row, 0))?;
    rows.collect::<rusqlite::Result<_>>().map(Some)
}

/// A message of these columns: id, lease, sent, attempts, kind, body.
fn leased(row: &Row<'_>, place: i64) -> rusqlite::Result<Leased> {
    let kind: String = row.get(4)?;
    let body: Vec<u8> = row.get(5)?;
    Ok(Leased {
        id: MessageId(row.get(0)?),
        lease: LeaseId { place, token: row.get(1)? },
        sent_ms: row.get(2)?,
        attempts: row.get(3)?,
        content_type: ContentType::parse(&kind).unwrap_or(ContentType::Bytes),
        body: body.into(),
    })
}

/// A message that came as often as it may goes to the queue of dead letters, and else nowhere.
fn bury(
    connection: &Connection,
    of: i64,
    found: &Candidate,
    consumer: &Consumer,
    now: u64,
    counts: &mut Settled,
    stirred: &mut Vec<QueueId>,
) -> rusqlite::Result<()> {
    let Some(name) = &consumer.dead_letters else {
        counts.dropped += 1;
        return remove(connection, of, found.place, found.bytes);
    };
    let grave: Option<(i64, String, bool)> = connection
        .prepare_cached(
            "SELECT number, queues.id, script IS NOT NULL FROM queues LEFT JOIN consumers ON queue = number WHERE name = ?1",
        )?
        .query_row(params![name.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((to, id, is_consumed)) = grave else {
        counts.dropped += 1;
        return remove(connection, of, found.place, found.bytes);
    };
    // It is a new message there: it was sent now, and has not been handed over.
    connection
        .prepare_cached(
            "UPDATE messages SET queue = ?2, sent = ?3, visible = ?3, attempts = 0, lease = NULL, pushed = 0 WHERE place = ?1",
        )?
        .execute(params![found.place, to, whole(now)])?;
    for (queue, by) in [(of, -1), (to, 1)] {
        connection
            .prepare_cached(
                "UPDATE queues SET messages = messages + ?2, bytes = bytes + ?3 WHERE number = ?1",
            )?
            .execute(params![queue, by, by * whole(found.bytes)])?;
    }
    counts.dead += 1;
    if is_consumed
        && let Ok(id) = QueueId::parse(&id)
        && !stirred.contains(&id)
    {
        stirred.push(id);
    }
    Ok(())
}

pub(super) fn settle(
    connection: &Connection,
    id: &QueueId,
    settlements: &[(LeaseId, Settlement)],
    now: u64,
) -> Outcome<(Settled, Vec<QueueId>)> {
    let Some(queue) = rows::by_id(connection, id)? else { return Ok(Err(QueueError::NotFound(id.clone()))) };
    let Some(number) = number(connection, id)? else { return Ok(Err(QueueError::NotFound(id.clone()))) };
    let (mut counts, mut stirred) = (Settled::default(), Vec::new());
    for (lease, settlement) in settlements {
        let Some(found) = held(connection, number, *lease)? else {
            counts.unknown += 1;
            continue;
        };
        let away = match (settlement, &queue.consumer) {
            (Settlement::Ack, _) => {
                counts.acked += 1;
                remove(connection, number, found.place, found.bytes)?;
                continue;
            }
            (Settlement::Retry(_), Some(consumer)) if found.attempts >= consumer.settings.attempts() => {
                bury(connection, number, &found, consumer, now, &mut counts, &mut stirred)?;
                continue;
            }
            (Settlement::Retry(Some(delay)) | Settlement::Release(delay), _) => {
                u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)
            }
            (Settlement::Retry(None), Some(consumer)) => {
                consumer.settings.retry_delay.unwrap_or_default().saturating_mul(1_000)
            }
            (Settlement::Retry(None), None) => 0,
        };
        let is_released = matches!(settlement, Settlement::Release(_));
        counts.retried += u64::from(!is_released);
        connection
            .prepare_cached(
                "UPDATE messages SET visible = ?2, lease = NULL, pushed = 0, attempts = attempts - ?3 WHERE place = ?1",
            )?
            .execute(params![found.place, whole(now.saturating_add(away)), is_released])?;
    }
    let is_worked = matches!(&queue.consumer, Some(Consumer { kind: ConsumerKind::Worker(_), .. }));
    if is_worked {
        stirred.push(id.clone());
    }
    Ok(Ok((counts, stirred)))
}

/// The message of a lease that is not over: its lease is still this one. A lease whose time has passed holds as long as nobody else
/// was given the message.
fn held(connection: &Connection, of: i64, lease: LeaseId) -> rusqlite::Result<Option<Candidate>> {
    connection
        .prepare_cached(
            "SELECT place, sent, attempts, octet_length(body) FROM messages WHERE place = ?1 AND queue = ?2 AND lease = ?3",
        )?
        .query_row(params![lease.place, of, lease.token], |row| {
            Ok(Candidate { place: row.get(0)?, sent: row.get(1)?, attempts: row.get(2)?, bytes: row.get(3)? })
        })
        .optional()
}
