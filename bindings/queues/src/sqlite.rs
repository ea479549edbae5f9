//! The embedded store: one SQLite file in the data directory.
//!
//! Owns `queues.sqlite`. One thread writes, and makes the changes that wait for it durable with one fsync; a few connections
//! read beside it, on threads that may block. Must never answer before what it answers for is on the disk.

use std::path::Path;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, params};
use wasmyard_model::{QueueConsumerId, QueueId, QueueName};
use wasmyard_sqlite::{Changes, Fault, Opening, Readers, Together};

use crate::error::QueueError;
use crate::limits::QueueLimits;
use crate::message::{LeaseId, Leased, Settled, Settlement};
use crate::queue::{Backlog, Consumer, Queue, QueueChange};
use crate::store::{Due, Handed, Lease, Sent, Store};

mod changes;
mod consumers;
mod delivery;
mod file;
mod rows;

/// Connections that read at the same time.
const READERS: usize = 4;
/// How changes are made: under load one fsync serves many senders.
const TOGETHER: Together =
    Together { thread: "queue-writer", what: "the store of queues", waiting: 256, most: 256 };

/// What a change comes to.
type Outcome<T> = wasmyard_sqlite::Outcome<T, QueueError>;

/// A store on disk. Dropping it waits for what the writer has begun.
#[derive(Debug)]
pub struct SqliteQueues {
    readers: Readers,
    changes: Changes<QueueError>,
}

impl SqliteQueues {
    /// Opens the store of a data directory, and makes it if need be. The caller has the directory to itself: what a process that
    /// is gone had handed over to scripts is there again.
    ///
    /// # Errors
    /// [`QueueError::Store`] when the file cannot be opened, or is of another program or version; [`QueueError::Full`].
    pub fn open(directory: &Path) -> Result<SqliteQueues, QueueError> {
        let path = directory.join("queues.sqlite");
        let connection = Opening::open(&path, &file::FORMAT)?.prepare(|_| Ok(()))?;
        delivery::take_back(&connection).map_err(Fault::of(&path, "take back what was handed over"))?;
        let changes = Changes::start(connection, path.clone(), TOGETHER)?;
        Ok(SqliteQueues { readers: Readers::new(&path, READERS), changes })
    }

    async fn write<T: Send + 'static>(
        &self,
        make: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    ) -> Result<T, QueueError> {
        self.changes.make(make).await
    }

    async fn read<T: Send + 'static>(
        &self,
        action: &'static str,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, QueueError> {
        Ok(self.readers.read(action, read).await?)
    }
}

impl Drop for SqliteQueues {
    fn drop(&mut self) {
        self.readers.close();
    }
}

impl From<Fault> for QueueError {
    fn from(fault: Fault) -> QueueError {
        match fault {
            Fault::NoSpace(_) => QueueError::Full,
            Fault::Engine { action, source, .. } => QueueError::store(action, source),
            Fault::System { action, source } => QueueError::Store { action, source },
            fault @ (Fault::Format { .. } | Fault::Damaged { .. }) => {
                QueueError::store("use its file", fault)
            }
            fault @ Fault::Closed => QueueError::store("answer", fault),
        }
    }
}

#[async_trait]
impl Store for SqliteQueues {
    async fn create(&self, queue: &Queue, most: u64) -> Result<(), QueueError> {
        let queue = queue.clone();
        self.write(move |connection| changes::create(connection, &queue, most)).await
    }

    async fn change(&self, id: &QueueId, change: QueueChange, now: u64) -> Result<Queue, QueueError> {
        let id = id.clone();
        self.write(move |connection| changes::change(connection, &id, &change, now)).await
    }

    async fn delete(&self, id: &QueueId) -> Result<(), QueueError> {
        let id = id.clone();
        self.write(move |connection| changes::delete(connection, &id)).await
    }

    async fn queue(&self, id: &QueueId) -> Result<Option<Queue>, QueueError> {
        let id = id.clone();
        self.read("read a queue", move |connection| rows::by_id(connection, &id)).await
    }

    async fn named(&self, name: &QueueName) -> Result<Option<Queue>, QueueError> {
        let name = name.clone();
        self.read("read a queue", move |connection| rows::by_name(connection, &name)).await
    }

    async fn queues(&self, after: Option<&str>, limit: usize) -> Result<Vec<Queue>, QueueError> {
        let after = after.unwrap_or_default().to_owned();
        self.read("list queues", move |connection| rows::all(connection, &after, limit)).await
    }

    async fn count(&self) -> Result<u64, QueueError> {
        self.read("count queues", changes::count).await
    }

    async fn set_consumer(
        &self,
        id: &QueueId,
        of: Option<&QueueConsumerId>,
        consumer: Consumer,
        dead: Option<Queue>,
        most: u64,
    ) -> Result<Consumer, QueueError> {
        let (id, of) = (id.clone(), of.cloned());
        self.write(move |connection| {
            consumers::set(connection, &id, of.as_ref(), consumer, dead.as_ref(), most)
        })
        .await
    }

    async fn remove_consumer(
        &self,
        id: &QueueId,
        consumer: &QueueConsumerId,
        now: u64,
    ) -> Result<(), QueueError> {
        let (id, consumer) = (id.clone(), consumer.clone());
        self.write(move |connection| consumers::remove(connection, &id, &consumer, now)).await
    }

    async fn consumed(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Queue>, QueueError> {
        let (prefix, after) = (prefix.to_owned(), after.unwrap_or_default().to_owned());
        self.read("read who consumes", move |connection| rows::consumed(connection, &prefix, &after, limit))
            .await
    }

    async fn dead_letters_of(&self, name: &QueueName, limit: usize) -> Result<Vec<QueueName>, QueueError> {
        let name = name.clone();
        self.read("read whose dead letters", move |connection| {
            rows::dead_letters_of(connection, &name, limit)
        })
        .await
    }

    async fn send(
        &self,
        name: &QueueName,
        messages: Vec<Sent>,
        now: u64,
        limits: &QueueLimits,
    ) -> Result<Option<QueueId>, QueueError> {
        let (name, limits) = (name.clone(), *limits);
        self.write(move |connection| changes::send(connection, &name, &messages, now, &limits)).await
    }

    async fn due(&self, id: &QueueId) -> Result<Option<Due>, QueueError> {
        let id = id.clone();
        self.read("look what is due", move |connection| delivery::due(connection, &id)).await
    }

    async fn lease(&self, id: &QueueId, lease: Lease) -> Result<Handed, QueueError> {
        let id = id.clone();
        self.write(move |connection| delivery::lease(connection, &id, lease)).await
    }

    async fn settle(
        &self,
        id: &QueueId,
        settlements: Vec<(LeaseId, Settlement)>,
        now: u64,
    ) -> Result<(Settled, Vec<QueueId>), QueueError> {
        let id = id.clone();
        self.write(move |connection| delivery::settle(connection, &id, &settlements, now)).await
    }

    async fn peek(&self, id: &QueueId, limit: usize) -> Result<Vec<Leased>, QueueError> {
        let of = id.clone();
        let found =
            self.read("look at messages", move |connection| delivery::peek(connection, &of, limit)).await?;
        found.ok_or_else(|| QueueError::NotFound(id.clone()))
    }

    async fn purge(&self, id: &QueueId) -> Result<u64, QueueError> {
        let id = id.clone();
        self.write(move |connection| changes::purge(connection, &id)).await
    }

    async fn backlog(&self, id: &QueueId) -> Result<Backlog, QueueError> {
        let of = id.clone();
        let found = self.read("count messages", move |connection| rows::backlog(connection, &of)).await?;
        found.ok_or_else(|| QueueError::NotFound(id.clone()))
    }

    async fn bind(&self, name: &QueueName, script: &str) -> Result<(), QueueError> {
        let (name, script) = (name.clone(), script.to_owned());
        self.write(move |connection| consumers::bind(connection, &name, &script)).await
    }

    async fn bound(
        &self,
        id: &QueueId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, QueueError> {
        let (id, after) = (id.clone(), after.unwrap_or_default().to_owned());
        self.read("read who is bound", move |connection| rows::bound(connection, &id, &after, limit)).await
    }

    async fn unbind(&self, id: &QueueId, script: &str) -> Result<(), QueueError> {
        let (id, script) = (id.clone(), script.to_owned());
        self.write(move |connection| {
            let sql =
                "DELETE FROM bound WHERE script = ?2 AND queue = (SELECT number FROM queues WHERE id = ?1)";
            connection.execute(sql, params![id.as_str(), script])?;
            Ok(Ok(()))
        })
        .await
    }

    async fn rebind(&self, from: &str, to: &str) -> Result<(), QueueError> {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.write(move |connection| consumers::rebind(connection, &from, &to)).await
    }

    async fn move_consumers(&self, from: &str, to: &str) -> Result<(), QueueError> {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.write(move |connection| consumers::hand_on(connection, &from, &to)).await
    }

    async fn forget(&self, prefix: &str) -> Result<u64, QueueError> {
        let prefix = prefix.to_owned();
        self.write(move |connection| consumers::forget(connection, &prefix)).await
    }

    async fn sweep(&self, now: u64) -> Result<u64, QueueError> {
        self.write(move |connection| changes::sweep(connection, now)).await
    }

    async fn close(&self) {
        self.readers.close();
        if let Err(error) = self.changes.close().await {
            tracing::warn!(%error, "the log of the store of queues could not be moved into its file; the next start does so");
        }
    }
}

/// The number that a queue has in this file.
fn number(connection: &Connection, id: &QueueId) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT number FROM queues WHERE id = ?1")?
        .query_row(params![id.as_str()], |row| row.get(0))
        .optional()
}

/// SQLite's numbers have a sign.
fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
