//! The writer: the one thread that changes the file.
//!
//! Takes all changes that wait, makes them in one transaction, and answers after its commit: under load one fsync serves
//! many. A change that is refused leaves nothing behind, and does not touch those beside it.

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::changes::{self, Change};
use super::file;
use crate::error::KvError;

/// Most changes in one transaction.
const BATCH: usize = 64;

type Reply = oneshot::Sender<Result<u64, KvError>>;

/// What the writer is asked to do.
#[derive(Debug)]
pub(super) enum Request {
    Change { change: Change, reply: Reply },
    Close(oneshot::Sender<()>),
}

/// Writes until nobody can ask any more.
pub(super) fn run(mut connection: Connection, mut queue: mpsc::Receiver<Request>) {
    while let Some(first) = queue.blocking_recv() {
        let mut batch = Vec::new();
        let mut next = Some(first);
        let mut closing = Vec::new();
        while let Some(request) = next.take() {
            match request {
                Request::Change { change, reply } => batch.push((change, reply)),
                Request::Close(reply) => closing.push(reply),
            }
            if batch.len() < BATCH {
                next = queue.try_recv().ok();
            }
        }
        if !batch.is_empty() {
            write(&mut connection, batch);
        }
        if !closing.is_empty() && checkpoint(&connection) {
            // Whoever asked may have gone.
            closing.into_iter().for_each(|reply| reply.send(()).unwrap_or_default());
        }
    }
    checkpoint(&connection);
}

fn write(connection: &mut Connection, batch: Vec<(Change, Reply)>) {
    let (changes, replies): (Vec<Change>, Vec<Reply>) = batch.into_iter().unzip();
    match commit(connection, &changes) {
        Ok(outcomes) => replies.into_iter().zip(outcomes).for_each(|(reply, outcome)| {
            // Whoever asked may have gone meanwhile; what was asked for is done.
            drop(reply.send(outcome));
        }),
        Err(error) => {
            // Nothing of the batch happened: it failed together.
            tracing::error!(%error, "the KV store could not write");
            let text = error.to_string();
            let is_full = error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull);
            for reply in replies {
                let why = if is_full { KvError::Full } else { KvError::store("write", text.clone()) };
                drop(reply.send(Err(why)));
            }
        }
    }
}

fn commit(connection: &mut Connection, batch: &[Change]) -> rusqlite::Result<Vec<Result<u64, KvError>>> {
    let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut outcomes = Vec::with_capacity(batch.len());
    for change in batch {
        let mut savepoint = transaction.savepoint()?;
        let outcome = match changes::make(&savepoint, change) {
            Ok(outcome) => outcome,
            // The disk fails all of them; what else one does wrong is its own.
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull) => {
                return Err(error);
            }
            Err(error) => Err(file::fault("write")(error)),
        };
        if outcome.is_err() {
            savepoint.rollback()?;
        }
        savepoint.commit()?;
        outcomes.push(outcome);
    }
    transaction.commit()?;
    Ok(outcomes)
}

/// Moves the log into the file. Says whether all of it went.
fn checkpoint(connection: &Connection) -> bool {
    let moved = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
    matches!(moved, Ok(0))
}
