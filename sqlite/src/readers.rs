//! Connections that only read. Made when first needed, kept afterwards, and no more than may read at once.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::fault::Fault;
use crate::file::open_reader;

/// The readers of one file. Clones share them.
#[derive(Clone, Debug)]
pub struct Readers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    turns: Arc<Semaphore>,
    /// None once the file is closed.
    idle: Mutex<Option<Vec<Connection>>>,
}

impl Readers {
    /// So many of them at most, for a file that has a writer.
    #[must_use]
    pub fn new(path: &Path, most: usize) -> Readers {
        Readers(Arc::new(Shared {
            path: path.to_owned(),
            turns: Arc::new(Semaphore::new(most.max(1))),
            idle: Mutex::new(Some(Vec::new())),
        }))
    }

    /// Runs a read on a thread that may block.
    ///
    /// # Errors
    /// [`Fault::Closed`], and whatever keeps the file from being read.
    ///
    /// # Cancel safety
    /// Dropping the future does not stop a read that was begun. It holds its turn until its end.
    pub async fn read<T: Send + 'static>(
        &self,
        action: &'static str,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Fault> {
        let shared = Arc::clone(&self.0);
        let turn = Arc::clone(&shared.turns).acquire_owned().await.map_err(|_| Fault::Closed)?;
        let done = tokio::task::spawn_blocking(move || {
            // Held by the work, not by who waits for it.
            let _turn = turn;
            let connection = shared.take()?;
            let result = read(&connection);
            shared.put_back(connection);
            result.map_err(Fault::of(&shared.path, action))
        });
        done.await.map_err(|source| Fault::system(action, source))?
    }

    /// Closes all that rest, and each of the others when its read is over.
    pub fn close(&self) {
        self.0.turns.close();
        *self.0.idle.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Shared {
    fn take(&self) -> Result<Connection, Fault> {
        let idle = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.as_mut().ok_or(Fault::Closed)?.pop()
        };
        idle.map_or_else(|| open_reader(&self.path), Ok)
    }

    fn put_back(&self, connection: Connection) {
        if let Some(idle) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            idle.push(connection);
        }
    }
}
