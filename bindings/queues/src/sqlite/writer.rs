//! The writer: the one thread that changes the file.
//!
//! Takes all changes that wait, makes them in one transaction, and answers after its commit: under load one fsync serves many
//! senders. A change that is refused leaves nothing behind, and does not touch those beside it.

use std::path::PathBuf;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;
use wasmyard_sqlite::{Fault, Work, checkpoint};

use crate::error::QueueError;

/// Most changes in one transaction.
pub(super) const TOGETHER: usize = 256;

/// What a change comes to: the outer error is SQLite's, the inner one a rule's.
pub(super) type Outcome<T> = rusqlite::Result<Result<T, QueueError>>;

/// What the writer is asked to do.
pub(super) type Request = Box<dyn Change>;

/// One change, and who waits for what it comes to.
pub(super) trait Change: Send + 'static {
    /// Makes it, and keeps what it comes to. False where it is refused.
    fn make(&mut self, connection: &Connection) -> rusqlite::Result<bool>;
    /// Answers: with what was kept, or with why nothing was made durable.
    fn answer(self: Box<Self>, failed: Option<QueueError>);
}

impl std::fmt::Debug for dyn Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Change")
    }
}

/// A change that is a function.
pub(super) struct Asked<T, F> {
    make: Option<F>,
    made: Option<Result<T, QueueError>>,
    reply: oneshot::Sender<Result<T, QueueError>>,
}

impl<T: Send + 'static, F: FnOnce(&Connection) -> Outcome<T> + Send + 'static> Asked<T, F> {
    pub(super) fn request(make: F, reply: oneshot::Sender<Result<T, QueueError>>) -> Request {
        Box::new(Asked { make: Some(make), made: None, reply })
    }
}

impl<T: Send + 'static, F: FnOnce(&Connection) -> Outcome<T> + Send + 'static> Change for Asked<T, F> {
    fn make(&mut self, connection: &Connection) -> rusqlite::Result<bool> {
        let Some(make) = self.make.take() else { return Ok(false) };
        let made = make(connection)?;
        let is_made = made.is_ok();
        self.made = Some(made);
        Ok(is_made)
    }

    fn answer(self: Box<Self>, failed: Option<QueueError>) {
        let answer = match (failed, self.made) {
            (Some(failed), _) => Err(failed),
            (None, Some(made)) => made,
            (None, None) => Err(QueueError::store("write", "it was not made")),
        };
        // Whoever asked may have gone meanwhile; what was asked for is done.
        drop(self.reply.send(answer));
    }
}

/// Holds the connection that writes.
pub(super) struct Changer {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
}

impl Work for Changer {
    type Request = Request;

    fn serve(&mut self, mut batch: Vec<Request>) {
        match self.commit(&mut batch) {
            Ok(failed) => batch.into_iter().zip(failed).for_each(|(change, failed)| change.answer(failed)),
            Err(fault) => {
                // Nothing of the batch happened: it failed together.
                tracing::error!(error = %fault, "the store of queues could not write");
                let (is_full, text) = (matches!(fault, Fault::NoSpace(_)), fault.to_string());
                for change in batch {
                    let why =
                        if is_full { QueueError::Full } else { QueueError::store("write", text.clone()) };
                    change.answer(Some(why));
                }
            }
        }
    }

    fn close(&mut self) -> Result<(), Fault> {
        let moved = checkpoint(&self.connection, "TRUNCATE");
        if !moved.map_err(Fault::of(&self.path, "move its log into its file"))? {
            tracing::debug!("somebody still reads: the log of the store of queues stays for the next start");
        }
        Ok(())
    }
}

impl Changer {
    /// Makes the changes durable. Says of each whether it failed by itself.
    fn commit(&mut self, batch: &mut [Request]) -> Result<Vec<Option<QueueError>>, Fault> {
        let fault = Fault::of(&self.path, "write");
        let mut transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&fault)?;
        let mut failures = Vec::with_capacity(batch.len());
        for change in batch {
            let mut savepoint = transaction.savepoint().map_err(&fault)?;
            let (is_made, failed) = match change.make(&savepoint).map_err(&fault) {
                Ok(is_made) => (is_made, None),
                // The disk fails all of them; what else one does wrong is its own.
                Err(fault @ Fault::NoSpace(_)) => return Err(fault),
                Err(fault) => (false, Some(fault.into())),
            };
            if !is_made {
                savepoint.rollback().map_err(&fault)?;
            }
            savepoint.commit().map_err(&fault)?;
            failures.push(failed);
        }
        transaction.commit().map_err(&fault)?;
        Ok(failures)
    }
}
