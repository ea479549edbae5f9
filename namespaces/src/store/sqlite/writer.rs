//! The writer: the one thread that changes the file.
//!
//! Owns the write connection and the order of appends. Takes all appends that wait, makes them in one
//! transaction, and answers after its commit: under load one fsync serves many. Never answers before.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use tokio::sync::{mpsc, oneshot, watch};

use super::file;
use super::lock::DirectoryLock;
use crate::store::{Expected, Precondition, Revision, StoreError, Write};

/// Most appends in one transaction.
const BATCH: usize = 128;

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What the writer is asked to do.
pub(super) enum Request {
    Append { preconditions: Vec<Precondition>, writes: Vec<Write>, reply: Reply<Revision> },
    Compact { keep_from: Revision, reply: Reply<()> },
}

/// What becomes of a request once the commit is through.
enum Answer {
    Append(Reply<Revision>, Result<Revision, StoreError>),
    Compact(Reply<()>),
}

pub(super) struct Writer {
    /// Before the lock, so that the file is closed when the lock goes.
    connection: Connection,
    newest: Arc<watch::Sender<Revision>>,
    _lock: DirectoryLock,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        newest: Arc<watch::Sender<Revision>>,
        lock: DirectoryLock,
    ) -> Writer {
        Writer { connection, newest, _lock: lock }
    }

    /// Serves until nobody can ask any more, and the queue is empty.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Request>) {
        while let Some(first) = queue.blocking_recv() {
            let mut batch = vec![first];
            while batch.len() < BATCH
                && let Ok(next) = queue.try_recv()
            {
                batch.push(next);
            }
            self.serve(batch);
        }
    }

    fn serve(&mut self, batch: Vec<Request>) {
        let mut answers = Vec::with_capacity(batch.len());
        match self.commit(batch, &mut answers) {
            Ok(revision) => {
                self.newest.send_if_modified(|newest| std::mem::replace(newest, revision) != revision);
                answers.into_iter().for_each(Answer::send);
            }
            Err(error) => {
                // Nothing of the batch happened: those that were not answered yet failed together.
                tracing::error!(error = %error, "the registry's store could not write");
                let text = error.to_string();
                answers.into_iter().for_each(|answer| answer.fail(&text));
            }
        }
    }

    /// Makes all requests in one transaction. On an error, those that were not begun are dropped with it,
    /// which their callers see as [`StoreError::Closed`].
    fn commit(&mut self, batch: Vec<Request>, answers: &mut Vec<Answer>) -> rusqlite::Result<Revision> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (mut revision, _) = file::state(&transaction)?;
        for request in batch {
            match request {
                Request::Append { preconditions, writes, reply } => {
                    let made = append(&transaction, &mut revision, &preconditions, &writes);
                    let answer = match made {
                        Ok(outcome) => Answer::Append(reply, outcome),
                        Err(error) => {
                            answers.push(Answer::Append(reply, Err(StoreError::Closed)));
                            return Err(error);
                        }
                    };
                    answers.push(answer);
                }
                Request::Compact { keep_from, reply } => {
                    answers.push(Answer::Compact(reply));
                    compact(&transaction, keep_from.saturating_sub(1).min(revision))?;
                }
            }
        }
        transaction.commit()?;
        Ok(revision)
    }
}

impl Answer {
    fn send(self) {
        // An error says that whoever asked went away.
        match self {
            Answer::Append(reply, outcome) => drop(reply.send(outcome)),
            Answer::Compact(reply) => drop(reply.send(Ok(()))),
        }
    }

    fn fail(self, text: &str) {
        let error = || StoreError::engine("write", text);
        match self {
            // A conflict is true whatever became of the rest.
            Answer::Append(reply, Err(conflict @ StoreError::Conflict { .. })) => {
                drop(reply.send(Err(conflict)));
            }
            Answer::Append(reply, _) => drop(reply.send(Err(error()))),
            Answer::Compact(reply) => drop(reply.send(Err(error()))),
        }
    }
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
