//! The writer: the one thread that changes the index.
//!
//! Takes all changes that wait, makes them in one transaction, and answers after its commit: under load one fsync serves
//! many. A change that is refused leaves nothing behind, and does not touch those beside it.

use std::path::PathBuf;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;
use wasmyard_sqlite::{Fault, Work, checkpoint};

use super::changes::{self, Change};
use super::counts::Outcome;
use crate::error::R2Error;

/// Most changes in one transaction.
pub(super) const TOGETHER: usize = 64;

type Reply = oneshot::Sender<Result<Outcome, R2Error>>;

/// What the writer is asked to do.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) change: Change,
    pub(super) reply: Reply,
}

/// Holds the connection that writes.
pub(super) struct Changer {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
}

impl Work for Changer {
    type Request = Request;

    fn serve(&mut self, batch: Vec<Request>) {
        let (changes, replies): (Vec<Change>, Vec<Reply>) =
            batch.into_iter().map(|request| (request.change, request.reply)).unzip();
        match self.commit(&changes) {
            Ok(outcomes) => replies.into_iter().zip(outcomes).for_each(|(reply, outcome)| {
                // Whoever asked may have gone meanwhile; what was asked for is done.
                drop(reply.send(outcome));
            }),
            Err(fault) => {
                // Nothing of the batch happened: it failed together.
                tracing::error!(error = %fault, "the index of objects could not be written");
                let (is_full, text) = (matches!(fault, Fault::NoSpace(_)), fault.to_string());
                for reply in replies {
                    let why = if is_full { R2Error::Full } else { R2Error::store("write", text.clone()) };
                    drop(reply.send(Err(why)));
                }
            }
        }
    }

    fn close(&mut self) -> Result<(), Fault> {
        let moved = checkpoint(&self.connection, "TRUNCATE");
        if !moved.map_err(Fault::of(&self.path, "move its log into its file"))? {
            tracing::debug!("somebody still reads: the log of the index of objects stays for the next start");
        }
        Ok(())
    }
}

impl Changer {
    fn commit(&mut self, batch: &[Change]) -> Result<Vec<Result<Outcome, R2Error>>, Fault> {
        let fault = Fault::of(&self.path, "write");
        let mut transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&fault)?;
        let mut outcomes = Vec::with_capacity(batch.len());
        for change in batch {
            let mut savepoint = transaction.savepoint().map_err(&fault)?;
            let outcome = match changes::make(&savepoint, change).map_err(&fault) {
                Ok(outcome) => outcome,
                // The disk fails all of them; what else one does wrong is its own.
                Err(fault @ Fault::NoSpace(_)) => return Err(fault),
                Err(fault) => Err(fault.into()),
            };
            if outcome.is_err() {
                savepoint.rollback().map_err(&fault)?;
            }
            savepoint.commit().map_err(&fault)?;
            outcomes.push(outcome);
        }
        transaction.commit().map_err(&fault)?;
        Ok(outcomes)
    }
}
