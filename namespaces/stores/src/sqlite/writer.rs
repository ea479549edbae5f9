//! The writer: the one thread that changes the file.
//!
//! Owns the write connection and the order of appends. Takes all appends that wait, makes them in one
//! transaction, and answers after its commit: under load one fsync serves many. Never answers before.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use tokio::sync::{oneshot, watch};
use wasmyard_sqlite::{Fault, Work, checkpoint};

use super::file;
use super::lock::DirectoryLock;
use super::mark::Mark;
use super::reserve::Reserve;
use crate::{Cause, Expected, Precondition, Revision, StoreError, Write};

/// Most appends in one transaction.
pub(super) const TOGETHER: usize = 128;

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What the writer is asked to do.
#[derive(Debug)]
pub(super) enum Request {
    Append { append: Append, reply: Reply<Revision> },
    Compact { keep_from: Revision, reply: Reply<()> },
    LookForRoom,
}

/// What is to be appended.
#[derive(Debug)]
pub(super) struct Append {
    pub(super) preconditions: Vec<Precondition>,
    pub(super) writes: Vec<Write>,
    /// Whether it makes room, and may use what is kept back for that.
    pub(super) to_free: bool,
}

/// A part of a batch, in the order in which it came.
enum Part {
    Append(Append, Reply<Revision>),
    Compact(Revision, Reply<()>),
}

/// What came of a part of a batch.
type Outcome = Result<Revision, StoreError>;

/// Holds the connection that writes.
pub(super) struct Appender {
    /// Before the lock, so that the file is closed when the lock goes.
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    pub(super) mark: Mark,
    pub(super) reserve: Reserve,
    pub(super) is_full: Arc<AtomicBool>,
    pub(super) newest: Arc<watch::Sender<Revision>>,
    pub(super) _lock: DirectoryLock,
}

impl Work for Appender {
    type Request = Request;

    fn serve(&mut self, batch: Vec<Request>) {
        let mut parts = Vec::with_capacity(batch.len());
        for request in batch {
            match request {
                Request::Append { append, reply } => parts.push(Part::Append(append, reply)),
                Request::Compact { keep_from, reply } => parts.push(Part::Compact(keep_from, reply)),
                Request::LookForRoom => self.look_for_room(),
            }
        }
        if !parts.is_empty() {
            self.append(parts);
        }
    }

    fn close(&mut self) -> Result<(), Fault> {
        let moved = checkpoint(&self.connection, "TRUNCATE");
        if !moved.map_err(Fault::of(&self.path, "move its log into its file"))? {
            tracing::debug!("somebody still reads: the log stays for the next start");
        }
        self.mark.sync().map_err(|source| Fault::system("write its mark", source))
    }
}

impl Appender {
    fn append(&mut self, batch: Vec<Part>) {
        // What is kept back must not be used up by changes that do not make room.
        let (mut batch, refused) = if self.is_full.load(Ordering::Acquire) && !self.refill() {
            batch.into_iter().partition(Part::makes_room)
        } else {
            (batch, Vec::new())
        };
        refused.into_iter().for_each(|work| work.answer(Err(no_space("the disk is full"))));
        let mut last_resort = false;
        while !batch.is_empty() {
            let error = match self.commit(&batch) {
                Ok((revision, outcomes)) => return self.answer(batch, revision, outcomes),
                Err(error) => StoreError::from(Fault::of(&self.path, "write")(error)),
            };
            if error.cause() != Cause::NoSpace {
                // Nothing of the batch happened: it failed together.
                tracing::error!(%error, "the registry's store could not write");
                let text = error.to_string();
                return batch
                    .into_iter()
                    .for_each(|work| work.answer(Err(StoreError::engine("write", text.clone()))));
            }
            if !last_resort {
                // What the log holds is brought to its place: its room can be used again.
                last_resort = true;
                drop(checkpoint(&self.connection, "RESTART"));
                continue;
            }
            if !self.is_full.swap(true, Ordering::AcqRel) {
                tracing::error!(%error, "the disk of the data directory is full: what is deployed is served, and no change is taken but those that make room");
            }
            let (free, refused): (Vec<Part>, Vec<Part>) = batch.into_iter().partition(Part::makes_room);
            refused.into_iter().for_each(|work| work.answer(Err(no_space("the disk is full"))));
            batch = free;
            if !batch.is_empty() && !self.reserve.give() {
                let text = error.to_string();
                return batch.into_iter().for_each(|work| work.answer(Err(no_space(&text))));
            }
        }
    }

    /// Tells of a batch that is on the disk.
    fn answer(&mut self, batch: Vec<Part>, revision: Revision, outcomes: Vec<Outcome>) {
        if let Err(error) = self.mark.record(revision) {
            tracing::error!(%error, "the last revision could not be recorded; damage of the log may go unseen");
        }
        self.newest.send_if_modified(|newest| std::mem::replace(newest, revision) != revision);
        batch.into_iter().zip(outcomes).for_each(|(work, outcome)| work.answer(outcome));
        if self.is_full.load(Ordering::Acquire) {
            self.refill();
        }
    }

    /// Makes all requests in one transaction.
    fn commit(&mut self, batch: &[Part]) -> rusqlite::Result<(Revision, Vec<Outcome>)> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (mut revision, _) = file::state(&transaction)?;
        let mut outcomes = Vec::with_capacity(batch.len());
        for work in batch {
            outcomes.push(match work {
                Part::Append(Append { preconditions, writes, .. }, _) => {
                    append(&transaction, &mut revision, preconditions, writes)?
                }
                Part::Compact(keep_from, _) => {
                    compact(&transaction, keep_from.saturating_sub(1).min(revision))?;
                    Ok(revision)
                }
            });
        }
        transaction.commit()?;
        Ok((revision, outcomes))
    }

    /// Takes room to be kept back, and says whether there is room for changes beside it.
    fn refill(&mut self) -> bool {
        let has_room = self.reserve.has_room();
        if has_room && self.is_full.swap(false, Ordering::AcqRel) {
            tracing::info!("there is room on the disk again: changes are taken");
        }
        has_room
    }

    fn look_for_room(&mut self) {
        if self.is_full.load(Ordering::Acquire) {
            self.refill();
        }
    }
}

impl Part {
    fn makes_room(&self) -> bool {
        match self {
            Part::Append(append, _) => append.to_free,
            Part::Compact(..) => true,
        }
    }

    fn answer(self, outcome: Outcome) {
        // An error says that whoever asked went away.
        match self {
            Part::Append(_, reply) => drop(reply.send(outcome)),
            Part::Compact(_, reply) => drop(reply.send(outcome.map(|_| ()))),
        }
    }
}

fn no_space(text: &str) -> StoreError {
    StoreError::NoSpace { source: text.to_owned().into() }
}

/// Checks and makes one append inside the transaction. Checks come before writes, so that a conflict leaves
/// nothing behind.
fn append(
    transaction: &Transaction<'_>,
    revision: &mut Revision,
    preconditions: &[Precondition],
    writes: &[Write],
) -> rusqlite::Result<Result<Revision, StoreError>> {
    let mut find = transaction.prepare_cached("SELECT revision FROM current WHERE key = ?1")?;
    for precondition in preconditions {
        let found: Option<Revision> =
            find.query_row(params![precondition.key], |row| row.get(0)).optional()?;
        let holds = match precondition.expected {
            Expected::Absent => found.is_none(),
            Expected::Revision(expected) => found == Some(expected),
        };
        if !holds {
            return Ok(Err(StoreError::Conflict { key: precondition.key.clone() }));
        }
    }
    *revision += 1;
    let mut put = transaction.prepare_cached(
        "INSERT INTO current (key, value, revision) VALUES (?1, ?2, ?3) \
         ON CONFLICT (key) DO UPDATE SET value = excluded.value, revision = excluded.revision",
    )?;
    let mut delete = transaction.prepare_cached("DELETE FROM current WHERE key = ?1")?;
    let mut log = transaction
        .prepare_cached("INSERT INTO changes (revision, part, key, deleted) VALUES (?1, ?2, ?3, ?4)")?;
    for (part, write) in writes.iter().enumerate() {
        let deleted = match write {
            Write::Put { key, value } => {
                put.execute(params![key, value.as_ref(), *revision])?;
                false
            }
            Write::Delete { key } => {
                delete.execute(params![key])?;
                true
            }
        };
        let part = i64::try_from(part).unwrap_or(i64::MAX);
        log.execute(params![*revision, part, write.key(), deleted])?;
    }
    transaction.prepare_cached("UPDATE state SET revision = ?1")?.execute(params![*revision])?;
    Ok(Ok(*revision))
}

fn compact(transaction: &Transaction<'_>, last: Revision) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM changes WHERE revision <= ?1", params![last])?;
    transaction.execute("UPDATE state SET compacted = max(compacted, ?1)", params![last])?;
    Ok(())
}
