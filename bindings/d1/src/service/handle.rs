//! One database, as whoever is bound to it uses it: it leads to no other.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use wasmyard_model::DatabaseId;

use super::Shared;
use crate::bookmark::Bookmark;
use crate::budget::{Allowed, thread_cpu};
use crate::dump::{self, DumpOptions};
use crate::error::D1Error;
use crate::load::{self, Loaded};
use crate::open::{OpenDatabase, millis, too_old};
use crate::pool::{Slot, Turn};
use crate::run::Later;
use crate::value::{Answers, ResultSet, Statement};

/// How often a call that is made at once is looked at until it goes elsewhere: some ten thousand steps of SQLite's machine,
/// which take less than a change of threads.
const GLANCES: u64 = 10;
/// A statement that is longer is prepared elsewhere.
const SHORT: usize = 4_096;
/// How long a file of statements may take to be loaded or written, in place of what a call may.
const TRANSFER: Duration = Duration::from_secs(15 * 60);

/// One database, as whoever is bound to it uses it.
#[derive(Clone, Debug)]
pub struct D1Handle {
    slot: Arc<Slot>,
    shared: Arc<Shared>,
}

/// What whoever asks has room and time for.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Bytes of rows.
    pub room: u64,
    /// CPU time, if that is bounded.
    pub cpu: Option<Duration>,
    /// Bytes that the database may have to grow; none where that is up to the platform.
    pub size: Option<u64>,
}

/// What a restoration did.
#[derive(Clone, Debug)]
pub struct Restored {
    /// The database as it is now.
    pub bookmark: Bookmark,
    /// The database as it was before.
    pub previous: Bookmark,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { room: u64::MAX, cpu: None, size: None }
    }
}

/// Set when whoever waits goes away.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl D1Handle {
    pub(super) fn new(slot: Arc<Slot>, shared: Arc<Shared>) -> D1Handle {
        D1Handle { slot, shared }
    }

    /// Its identifier.
    #[must_use]
    pub fn id(&self) -> &DatabaseId {
        &self.slot.id
    }

    /// Carries out statements in one transaction: each of them, or none. What they changed is durable when this returns.
    ///
    /// # Errors
    /// [`D1Error`] for what breaks a rule or a bound, for what SQLite refuses, and for the store's failure.
    ///
    /// # Cancel safety
    /// Dropping the future interrupts the statements; either all of them were carried out by then, or none is.
    pub async fn run(&self, statements: Vec<Statement>, bounds: Bounds) -> Result<Answers, D1Error> {
        let room = bounds.room.min(self.shared.limits.result_bytes);
        let turn = self.slot.turn().await?;
        if let Some(done) = self.at_once(&statements, room) {
            return done;
        }
        let time = self.shared.limits.query;
        let work = move |open: &mut OpenDatabase, abandoned| {
            open.may_have(bounds.size)?;
            let results =
                open.call(&statements, room, Allowed::new(time, bounds.cpu, u64::MAX, abandoned))?;
            Ok((results, open.moment()))
        };
        let ((results, moment), cpu) = self.elsewhere(turn, work).await?;
        Ok(self.answers(results, moment, cpu))
    }

    /// The present, so that it can be come back to; or the name of an earlier moment, in milliseconds since 1970.
    ///
    /// # Errors
    /// [`D1Error::NoWayBack`] for a moment before the database's past, or to come; as [`D1Handle::run`].
    pub async fn bookmark(&self, at: Option<u64>) -> Result<Bookmark, D1Error> {
        let turn = self.slot.turn().await?;
        let work = move |open: &mut OpenDatabase, _| {
            let Some(at) = at else { return Ok(open.tell_moment()) };
            let (floor, _) = open.past()?;
            if at < floor { Err(too_old(floor)) } else { Ok(at) }
        };
        let (moment, _) = self.elsewhere(turn, work).await?;
        if moment > millis(&self.shared.clock).max(at.map_or(moment, |_| 0)) {
            return Err(D1Error::NoWayBack("that moment is to come; choose an earlier one".to_owned()));
        }
        Ok(Bookmark::new(self.id().clone(), moment))
    }

    /// Goes back to a moment. What was there before can be gone back to, too.
    ///
    /// # Errors
    /// [`D1Error::NoWayBack`] for a bookmark of another database, or before this one's past; as [`D1Handle::run`].
    pub async fn restore(&self, to: &Bookmark) -> Result<Restored, D1Error> {
        if to.database() != self.id() {
            return Err(D1Error::NoWayBack(format!(
                "the bookmark is of the database {}; take one of this database's",
                to.database()
            )));
        }
        let moment = to.moment();
        let turn = self.slot.turn().await?;
        self.exists().await?;
        let place = self.place().await?;
        let (slot, shared) = (Arc::clone(&self.slot), Arc::clone(&self.shared));
        let done = tokio::task::spawn_blocking(move || {
            let _held = (turn, place);
            // Opened where it is not: its log may hold what is to be kept.
            shared.pool.with(&slot, |_| Ok(()))?;
            let open = shared.pool.take(&slot);
            let open = open.ok_or_else(|| D1Error::store("restore a database", "it was closed"))?;
            open.back(moment)
        });
        let (before, now) = done.await.map_err(|error| D1Error::store("restore a database", error))??;
        let named = |moment| Bookmark::new(self.id().clone(), moment);
        Ok(Restored { bookmark: named(now), previous: named(before) })
    }

    /// How many tables it has, and how many bytes.
    ///
    /// # Errors
    /// As [`D1Handle::run`].
    pub async fn measure(&self) -> Result<(u64, u64), D1Error> {
        let turn = self.slot.turn().await?;
        let work = |open: &mut OpenDatabase, _| Ok((dump::tables(open)?, open.size));
        self.elsewhere(turn, work).await.map(|(measured, _)| measured)
    }

    /// Writes it into a file, as statements that make it. Says of which moment it is.
    ///
    /// # Errors
    /// As [`D1Handle::run`], and what keeps the file from being written.
    pub async fn dump(&self, options: DumpOptions, to: PathBuf) -> Result<Bookmark, D1Error> {
        let turn = self.slot.turn().await?;
        let work = move |open: &mut OpenDatabase, abandoned| {
            dump::dump(open, &options, &to, Allowed::new(TRANSFER, None, u64::MAX, abandoned))?;
            Ok(open.tell_moment())
        };
        let (moment, _) = self.elsewhere(turn, work).await?;
        Ok(Bookmark::new(self.id().clone(), moment))
    }

    /// Carries out all statements of a file in one transaction.
    ///
    /// # Errors
    /// As [`D1Handle::run`], and what keeps the file from being read.
    pub async fn load(&self, from: PathBuf) -> Result<Loaded, D1Error> {
        let turn = self.slot.turn().await?;
        let work = move |open: &mut OpenDatabase, abandoned| {
            load::load(open, &from, Allowed::new(TRANSFER, None, u64::MAX, abandoned))
        };
        self.elsewhere(turn, work).await.map(|(loaded, _)| loaded)
    }

    /// Makes a call on this very thread, if it is one that takes next to nothing. Whoever asks has the turn.
    fn at_once(&self, statements: &[Statement], room: u64) -> Option<Result<Answers, D1Error>> {
        let [statement] = statements else { return None };
        if statement.sql.len() > SHORT {
            return None;
        }
        let mut place = self.slot.lock();
        let open = place.as_mut()?;
        let allowed = Allowed::new(self.shared.limits.query, None, GLANCES, Arc::default());
        match open.glance(statement, room, allowed) {
            Ok(results) => Some(Ok(self.answers(results, open.moment(), Duration::ZERO))),
            Err(Later::Elsewhere) => None,
            Err(Later::Refused(error)) => Some(Err(error)),
        }
    }

    fn answers(&self, results: Vec<ResultSet>, moment: u64, cpu: Duration) -> Answers {
        Answers { results, bookmark: Bookmark::new(self.id().clone(), moment), cpu }
    }

    /// Works with the database on a thread that may block. Says what CPU time that took.
    async fn elsewhere<T: Send + 'static>(
        &self,
        turn: Turn,
        work: impl FnOnce(&mut OpenDatabase, Arc<AtomicBool>) -> Result<T, D1Error> + Send + 'static,
    ) -> Result<(T, Duration), D1Error> {
        self.exists().await?;
        let place = self.place().await?;
        let waiting = Waiting(Arc::default());
        let abandoned = Arc::clone(&waiting.0);
        let (slot, shared) = (Arc::clone(&self.slot), Arc::clone(&self.shared));
        let done = tokio::task::spawn_blocking(move || {
            // Held by the work, not by who waits for it.
            let _held = (turn, place);
            let began = thread_cpu();
            let done = shared.pool.with(&slot, |open| work(open, abandoned));
            done.map(|done| (done, thread_cpu().saturating_sub(began)))
        });
        let done = done.await.map_err(|error| D1Error::store("finish a call", error))?;
        drop(waiting);
        done
    }

    async fn place(&self) -> Result<tokio::sync::OwnedSemaphorePermit, D1Error> {
        let places = Arc::clone(&self.shared.pool.places);
        places.acquire_owned().await.map_err(|error| D1Error::store("give a place", error))
    }

    /// What is open exists; of what is not the catalog knows.
    async fn exists(&self) -> Result<(), D1Error> {
        if self.slot.lock().is_some() || self.shared.catalog()?.database(self.id()).await?.is_some() {
            return Ok(());
        }
        Err(D1Error::NotFound(self.id().to_string()))
    }
}
