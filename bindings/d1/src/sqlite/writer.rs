//! The writer of the catalog: all changes that wait become durable with one fsync.

use std::path::PathBuf;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;
use wasmyard_sqlite::{Fault, Work, checkpoint};

use super::changes::{self, Change};
use crate::error::D1Error;

/// Most changes in one transaction.
pub(super) const TOGETHER: usize = 64;

type Reply = oneshot::Sender<Result<(), D1Error>>;

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
                tracing::error!(error = %fault, "the list of databases could not be written");
                let (is_full, text) = (matches!(fault, Fault::NoSpace(_)), fault.to_string());
                for reply in replies {
                    let why =
                        if is_full { D1Error::Full } else { D1Error::store("write its list", text.clone()) };
                    drop(reply.send(Err(why)));
                }
            }
        }
    }

    fn close(&mut self) -> Result<(), Fault> {
        let moved = checkpoint(&self.connection, "TRUNCATE");
        if !moved.map_err(Fault::of(&self.path, "move its log into its file"))? {
            tracing::debug!(
                "somebody still reads: the log of the list of databases stays for the next start"
            );
        }
        Ok(())
    }
}

impl Changer {
    fn commit(&mut self, batch: &[Change]) -> Result<Vec<Result<(), D1Error>>, Fault> {
        let fault = Fault::of(&self.path, "write");
        let mut transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&fault)?;
        let mut outcomes = Vec::with_capacity(batch.len());
        for change in batch {
            let mut savepoint = transaction.savepoint().map_err(&fault)?;
            let outcome = changes::make(&savepoint, change).map_err(&fault)?;
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
