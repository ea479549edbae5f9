//! Changes made together: those that wait become durable in one transaction, with one fsync, and are answered after it.
//!
//! Owns what becomes of one among others. Each is made in a savepoint of its own: one that is refused, or that SQLite refuses,
//! leaves nothing behind and does not touch those beside it. Where the disk fails, none of them happened, and each is told so.

use core::marker::PhantomData;
use std::fmt;
use std::path::PathBuf;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use crate::fault::Fault;
use crate::file::checkpoint;
use crate::writer::{Work, Writer};

/// What a change comes to: the outer error is SQLite's, the inner one a rule's.
pub type Outcome<T, E> = rusqlite::Result<Result<T, E>>;

/// How a file's changes are made.
#[derive(Clone, Copy, Debug)]
pub struct Together {
    /// The name of the thread that makes them.
    pub thread: &'static str,
    /// What the file is, for the log.
    pub what: &'static str,
    /// Changes that wait; who comes then waits for room.
    pub waiting: usize,
    /// Most changes in one transaction.
    pub most: usize,
}

/// The way to the one thread that changes a file. Dropping it waits for what was asked for.
#[derive(Debug)]
pub struct Changes<E> {
    writer: Writer<Request<E>>,
}

impl<E: From<Fault> + Send + 'static> Changes<E> {
    /// Starts the thread, which has the connection from then on.
    ///
    /// # Errors
    /// [`Fault::System`] where the operating system gives none.
    pub fn start(connection: Connection, path: PathBuf, how: Together) -> Result<Changes<E>, Fault> {
        let work = Changer { connection, path, what: how.what, of: PhantomData };
        let writer = Writer::start(how.thread, how.waiting, how.most, work)
            .map_err(|source| Fault::system("start its writer", source))?;
        Ok(Changes { writer })
    }

    /// Makes a change, and answers once it is on the disk.
    ///
    /// # Errors
    /// The rule that refused it, or the fault that kept it from being made. Then nothing of it happened.
    ///
    /// # Cancel safety
    /// Dropping the future does not take back what was asked for.
    pub async fn make<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> Outcome<T, E> + Send + 'static,
    ) -> Result<T, E> {
        self.writer.ask(|reply| Request(Box::new(Asked { change: Some(change), made: None, reply }))).await?
    }

    /// Brings everything to its place. Whatever is asked for afterwards is told that the file is closed.
    ///
    /// # Errors
    /// [`Fault::Closed`] where it was closed before, and whatever keeps the file from being written.
    pub async fn close(&self) -> Result<(), Fault> {
        self.writer.close().await
    }
}

struct Request<E>(Box<dyn Change<E>>);

impl<E> fmt::Debug for Request<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Request")
    }
}

/// One change, and who waits for what it comes to.
trait Change<E>: Send {
    /// Makes it, and keeps what it comes to. False where it is refused.
    fn make(&mut self, connection: &Connection) -> rusqlite::Result<bool>;
    /// Answers: with what was kept, or with why nothing was made durable.
    fn answer(self: Box<Self>, failed: Option<E>);
}

/// A change that is a function.
struct Asked<T, E, F> {
    change: Option<F>,
    made: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Change<E> for Asked<T, E, F>
where
    T: Send,
    E: From<Fault> + Send,
    F: FnOnce(&Connection) -> Outcome<T, E> + Send,
{
    fn make(&mut self, connection: &Connection) -> rusqlite::Result<bool> {
        let Some(change) = self.change.take() else { return Ok(false) };
        let made = change(connection)?;
        let is_made = made.is_ok();
        self.made = Some(made);
        Ok(is_made)
    }

    fn answer(self: Box<Self>, failed: Option<E>) {
        let answer = match (failed, self.made) {
            (Some(failed), _) => Err(failed),
            (None, Some(made)) => made,
            (None, None) => Err(Fault::system("write", "it was not made").into()),
        };
        // Whoever asked may have gone meanwhile; what was asked for is done.
        drop(self.reply.send(answer));
    }
}

/// Holds the connection that writes.
struct Changer<E> {
    connection: Connection,
    path: PathBuf,
    what: &'static str,
    of: PhantomData<fn() -> E>,
}

impl<E: From<Fault> + Send + 'static> Work for Changer<E> {
    type Request = Request<E>;

    fn serve(&mut self, mut batch: Vec<Request<E>>) {
        match self.commit(&mut batch) {
            Ok(failures) => {
                batch.into_iter().zip(failures).for_each(|(request, failed)| request.0.answer(failed));
            }
            Err(fault) => {
                // Nothing of the batch happened: it failed together.
                tracing::error!(error = %fault, what = self.what, "changes could not be written");
                batch.into_iter().for_each(|request| request.0.answer(Some(fault.again().into())));
            }
        }
    }

    fn close(&mut self) -> Result<(), Fault> {
        let moved = checkpoint(&self.connection, "TRUNCATE");
        if !moved.map_err(Fault::of(&self.path, "move its log into its file"))? {
            tracing::debug!(what = self.what, "somebody still reads: the log stays for the next start");
        }
        Ok(())
    }
}

impl<E: From<Fault>> Changer<E> {
    /// Makes the changes durable. Says of each whether it failed by itself.
    fn commit(&mut self, batch: &mut [Request<E>]) -> Result<Vec<Option<E>>, Fault> {
        let fault = Fault::of(&self.path, "write");
        let mut transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&fault)?;
        let mut failures = Vec::with_capacity(batch.len());
        for Request(change) in batch {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::{FileFormat, Opening};

    const FORMAT: FileFormat = FileFormat {
        application: 0x5759_5458,
        version: 1,
        tables: "CREATE TABLE numbers (number INTEGER NOT NULL PRIMARY KEY) STRICT;",
        secure_delete: "OFF",
    };

    #[derive(Debug)]
    enum Refusal {
        Odd,
        Fault(Fault),
    }

    impl From<Fault> for Refusal {
        fn from(fault: Fault) -> Refusal {
            Refusal::Fault(fault)
        }
    }

    fn changes(folder: &std::path::Path) -> Changes<Refusal> {
        let path = folder.join("numbers.sqlite");
        let connection = Opening::open(&path, &FORMAT).unwrap().prepare(|_| Ok(())).unwrap();
        let how = Together { thread: "numbers", what: "numbers", waiting: 8, most: 8 };
        Changes::start(connection, path, how).unwrap()
    }

    /// Puts a number down, and only then looks whether it may be there.
    fn put(number: i64) -> impl FnOnce(&Connection) -> Outcome<i64, Refusal> + Send + 'static {
        move |connection| {
            connection.execute("INSERT INTO numbers VALUES (?1)", [number])?;
            Ok(if number % 2 == 0 { Ok(number) } else { Err(Refusal::Odd) })
        }
    }

    fn there(folder: &std::path::Path) -> Vec<i64> {
        let reader = crate::open_reader(&folder.join("numbers.sqlite")).unwrap();
        let mut statement = reader.prepare("SELECT number FROM numbers ORDER BY number").unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<rusqlite::Result<_>>().unwrap()
    }

    /// Asks for changes while another is being made, so that these are made together.
    async fn together<T>(changes: &Changes<Refusal>, ask: impl Future<Output = T>) -> T {
        let (begin, begun) = oneshot::channel();
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let first = changes.make(move |_| {
            begin.send(()).unwrap();
            held.recv().unwrap();
            Ok(Ok(()))
        });
        let rest = async {
            begun.await.unwrap();
            // Whatever is asked for waits in the queue once it was polled: only then the first one goes on.
            tokio::join!(ask, async { hold.send(()).unwrap() }).0
        };
        let (first, rest) = tokio::join!(first, rest);
        first.unwrap();
        rest
    }

    #[tokio::test]
    async fn one_that_fails_leaves_nothing_and_does_not_touch_those_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let changes = changes(folder.path());
        let asked = async {
            tokio::join!(
                changes.make(put(2)),
                changes.make(put(3)),
                changes.make(put(2)),
                changes.make(put(4))
            )
        };
        let (two, three, again, four) = together(&changes, asked).await;
        assert_eq!(two.unwrap(), 2);
        assert!(matches!(three, Err(Refusal::Odd)), "{three:?}");
        assert!(matches!(again, Err(Refusal::Fault(Fault::Engine { action: "write", .. }))), "{again:?}");
        assert_eq!(four.unwrap(), 4);
        assert_eq!(there(folder.path()), [2, 4]);
    }

    #[tokio::test]
    async fn a_full_disk_fails_all_that_were_to_be_made_together() {
        let folder = tempfile::tempdir().unwrap();
        let changes = changes(folder.path());
        let full = |_: &Connection| {
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL);
            Err(rusqlite::Error::SqliteFailure(code, None))
        };
        let asked = async { tokio::join!(changes.make(put(2)), changes.make::<i64>(full)) };
        let (two, full) = together(&changes, asked).await;
        assert!(matches!(two, Err(Refusal::Fault(Fault::NoSpace(_)))), "{two:?}");
        assert!(matches!(full, Err(Refusal::Fault(Fault::NoSpace(_)))), "{full:?}");
        assert_eq!(there(folder.path()), Vec::<i64>::new());
        // What comes next is served as ever.
        assert_eq!(changes.make(put(6)).await.unwrap(), 6);
        changes.close().await.unwrap();
        let closed = changes.make(put(8)).await;
        assert!(matches!(closed, Err(Refusal::Fault(Fault::Closed))), "{closed:?}");
    }
}
