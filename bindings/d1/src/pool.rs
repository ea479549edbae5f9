//! The databases that are open: no more than may be, the one that rests longest closed for another.
//!
//! Of each database there is one slot, which all who use it share. Whoever has its turn has the database to itself.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmyard_model::{Clock, DatabaseId};

use crate::error::D1Error;
use crate::history::Files;
use crate::limits::D1Limits;
use crate::open::{OpenDatabase, millis};

/// One database.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) id: DatabaseId,
    open: Mutex<Option<OpenDatabase>>,
    /// Whoever works with the database.
    turn: Arc<Semaphore>,
    /// Those who work or wait.
    begun: Arc<Semaphore>,
    waiting: usize,
    /// When it was used last.
    used: AtomicU64,
}

/// The right to work with one database; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _turn: OwnedSemaphorePermit,
    _begun: OwnedSemaphorePermit,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Pool {
    folder: PathBuf,
    clock: Clock,
    limits: D1Limits,
    known: Mutex<HashMap<DatabaseId, Weak<Slot>>>,
    opened: Mutex<HashMap<DatabaseId, Arc<Slot>>>,
    /// Places for work that may block.
    pub(crate) places: Arc<Semaphore>,
}

impl Slot {
    /// Waits for the database to be free.
    pub(crate) async fn turn(&self) -> Result<Turn, D1Error> {
        let busy = |_| D1Error::Busy { most: self.waiting };
        let begun = Arc::clone(&self.begun).try_acquire_owned().map_err(busy)?;
        let closed = |error: tokio::sync::AcquireError| D1Error::store("give a turn", error);
        let turn = Arc::clone(&self.turn).acquire_owned().await.map_err(closed)?;
        Ok(Turn { _turn: turn, _begun: begun })
    }

    /// What is open. Whoever has the turn never waits for it.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Option<OpenDatabase>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool {
    pub(crate) fn new(folder: &Path, clock: Clock, limits: D1Limits) -> Pool {
        Pool {
            folder: folder.to_owned(),
            clock,
            limits,
            known: Mutex::default(),
            opened: Mutex::default(),
            places: Arc::new(Semaphore::new(limits.at_once.max(1))),
        }
    }

    /// The slot of a database, which need not exist.
    pub(crate) fn slot(&self, id: &DatabaseId) -> Arc<Slot> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = known.get(id).and_then(Weak::upgrade) {
            return slot;
        }
        // What nobody uses any more is cleared away before the map would grow.
        if known.len() == known.capacity() {
            known.retain(|_, slot| slot.strong_count() > 0);
        }
        let waiting = self.limits.waiting;
        let slot = Arc::new(Slot {
            id: id.clone(),
            open: Mutex::default(),
            turn: Arc::new(Semaphore::new(1)),
            begun: Arc::new(Semaphore::new(waiting + 1)),
            waiting,
            used: AtomicU64::new(0),
        });
        known.insert(id.clone(), Arc::downgrade(&slot));
        slot
    }

    /// The files of a database.
    pub(crate) fn files(&self, id: &DatabaseId) -> Files {
        let name = id.as_str();
        Files::new(&self.folder.join(name.get(..2).unwrap_or_default()), name)
    }

    /// Works with a database, which is opened if it is not open. Blocks; the caller has its turn.
    pub(crate) fn with<T>(
        &self,
        slot: &Arc<Slot>,
        work: impl FnOnce(&mut OpenDatabase) -> Result<T, D1Error>,
    ) -> Result<T, D1Error> {
        let mut place = slot.lock();
        slot.used.store(millis(&self.clock), Ordering::Relaxed);
        if place.is_none() {
            self.make_room();
            *place =
                Some(OpenDatabase::open(&slot.id, self.files(&slot.id), self.clock.clone(), self.limits)?);
            self.opened().insert(slot.id.clone(), Arc::clone(slot));
        }
        let Some(open) = place.as_mut() else {
            return Err(D1Error::store("open a database", "it was closed"));
        };
        let done = work(open);
        if matches!(done, Err(D1Error::Store { .. } | D1Error::Damaged { .. })) {
            // Whatever it knows may be wrong: the next call looks anew.
            *place = None;
            self.opened().remove(&slot.id);
        }
        done
    }

    /// Takes a database out, open or not. Blocks; the caller has its turn.
    pub(crate) fn take(&self, slot: &Slot) -> Option<OpenDatabase> {
        self.opened().remove(&slot.id);
        slot.lock().take()
    }

    /// Closes what was not used since a moment.
    pub(crate) fn close_resting(&self, since: u64) {
        let resting: Vec<Arc<Slot>> = self
            .opened()
            .values()
            .filter(|slot| slot.used.load(Ordering::Relaxed) < since)
            .cloned()
            .collect();
        for slot in resting {
            self.close(&slot);
        }
    }

    /// How many are open.
    pub(crate) fn open_now(&self) -> usize {
        self.opened().len()
    }

    fn opened(&self) -> MutexGuard<'_, HashMap<DatabaseId, Arc<Slot>>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes those that rest longest, until one more may be open. More are open while all of them work.
    fn make_room(&self) {
        loop {
            let resting = {
                let opened = self.opened();
                if opened.len() < self.limits.open.max(1) {
                    return;
                }
                let free = opened.values().filter(|slot| slot.turn.available_permits() > 0);
                free.min_by_key(|slot| slot.used.load(Ordering::Relaxed)).cloned()
            };
            if !resting.is_some_and(|slot| self.close(&slot)) {
                return;
            }
        }
    }

    /// Closes a database, unless somebody works with it. Says whether that was done.
    fn close(&self, slot: &Arc<Slot>) -> bool {
        let Ok(_turn) = Arc::clone(&slot.turn).try_acquire_owned() else { return false };
        let mut place = slot.lock();
        let Some(open) = place.take() else {
            self.opened().remove(&slot.id);
            return true;
        };
        self.opened().remove(&slot.id);
        if let Err(error) = open.close() {
            // Its log stays beside it, and is read when it is opened.
            tracing::warn!(database = %slot.id, %error, "a database could not be brought to its place");
        }
        true
    }
}
