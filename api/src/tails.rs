//! Owns the live tails that were made by a call and are read over a WebSocket: each by one reader, who knows its address.
//! Must never hold a tail that nobody came for, nor let a reader wait for another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wasmyard_events::{Filter, Tail, Tails, TooManyTails, Watched};
use wasmyard_namespaces::{Clock, Timestamp};

pub(crate) mod socket;

/// How long a tail waits for its reader.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a tail is at most.
const LIFETIME: Duration = Duration::from_secs(6 * 3_600);

/// A tail that a call made.
pub(crate) struct Made {
    pub(crate) id: String,
    pub(crate) watched: Watched,
    pub(crate) expires: Timestamp,
    state: State,
}

enum State {
    /// Nobody has come for it.
    Waiting(Box<(Tail, Vec<Filter>)>),
    /// Somebody reads it, who is told to stop by this.
    Read(Arc<tokio::sync::Notify>),
}

/// What a reader of a tail works with.
pub(crate) struct Taken {
    pub(crate) tail: Tail,
    pub(crate) filters: Vec<Filter>,
    pub(crate) stop: Arc<tokio::sync::Notify>,
    pub(crate) expires: Timestamp,
}

/// All tails that calls made.
pub(crate) struct Book {
    tails: Tails,
    made: Mutex<HashMap<String, Made>>,
}

impl Book {
    pub(crate) fn new(tails: Tails) -> Self {
        Self { tails, made: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Made>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tails that there are, after those are gone that nobody came for.
    fn current(&self, now: Timestamp) -> MutexGuard<'_, HashMap<String, Made>> {
        let mut made = self.lock();
        made.retain(|_, one| matches!(one.state, State::Read(_)) || one.expires > now);
        made
    }

    /// Begins to watch. Whoever comes to [`Book::take`] within a minute reads from here on.
    pub(crate) fn make(
        &self,
        watched: Watched,
        filters: Vec<Filter>,
        clock: &Clock,
    ) -> Result<(String, Timestamp), TooManyTails> {
        let now = clock.now();
        let mut made = self.current(now);
        let tail = self.tails.open(watched.clone())?;
        let id = uuid::Uuid::new_v4().simple().to_string();
        let expires = now.later(PATIENCE);
        let state = State::Waiting(Box::new((tail, filters)));
        made.insert(id.clone(), Made { id: id.clone(), watched, expires, state });
        Ok((id, expires))
    }

    /// Reads a tail: the first who comes does.
    pub(crate) fn take(&self, id: &str, clock: &Clock) -> Option<Taken> {
        let now = clock.now();
        let mut made = self.current(now);
        let one = made.get_mut(id)?;
        if matches!(one.state, State::Read(_)) {
            return None;
        }
        let stop = Arc::new(tokio::sync::Notify::new());
        let State::Waiting(held) = std::mem::replace(&mut one.state, State::Read(Arc::clone(&stop))) else {
            return None;
        };
        one.expires = now.later(LIFETIME);
        let (tail, filters) = *held;
        Some(Taken { tail, filters, stop, expires: one.expires })
    }

    /// Ends a tail. Says whether there was one of that id that is watched so.
    pub(crate) fn end(&self, id: &str, watched: &Watched) -> bool {
        let mut made = self.lock();
        if made.get(id).is_none_or(|one| one.watched != *watched) {
            return false;
        }
        if let Some(Made { state: State::Read(stop), .. }) = made.remove(id) {
            stop.notify_one();
        }
        true
    }

    /// A reader has gone.
    pub(crate) fn left(&self, id: &str) {
        self.lock().remove(id);
    }

    /// The tails of something, by their ids.
    pub(crate) fn of(&self, watched: &Watched, clock: &Clock) -> Vec<(String, Timestamp)> {
        let made = self.current(clock.now());
        let mut found: Vec<(String, Timestamp)> = made
            .values()
            .filter(|one| one.watched == *watched)
            .map(|one| (one.id.clone(), one.expires))
            .collect();
        found.sort();
        found
    }
}
