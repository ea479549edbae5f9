//! The places of the background, and the queue for them.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::sync::{AtomicUsize, Instant, Mutex, MutexGuard, Notify, timeout};

/// For each thread, how many guests with credit may stand between two slices. What is more takes turns.
pub(super) const FOREGROUND: usize = 4;
/// A turn whose guest does not come for this long is over.
pub(super) const RETRY: Duration = Duration::from_millis(20);

/// The places of the background, shared by all guests of a process.
#[derive(Debug)]
pub(crate) struct Background {
    /// None: one less than there are threads.
    places: Option<usize>,
    /// Guests with credit that stand between two slices.
    pub(super) between: AtomicUsize,
    queue: Mutex<Queue>,
    passed_on: Notify,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Whose turn it is: at most as many as there are places.
    pub(super) holders: Vec<Holder>,
    pub(super) waiting: usize,
    last: u64,
}

/// A turn under way.
#[derive(Debug)]
pub(super) struct Holder {
    turn: u64,
    /// Whether it is being polled now.
    running: bool,
    /// When it last was.
    seen: Instant,
}

impl Holder {
    /// Whoever had this turn has not come for so long that others need not wait for it.
    fn is_forsaken(&self) -> bool {
        !self.running && self.seen.elapsed() >= RETRY
    }
}

impl Background {
    /// With so many places; without a number, with as many as leave one thread free, and at least one.
    pub(crate) fn new(places: Option<usize>) -> Self {
        let queue = Mutex::new(Queue::default());
        Self { places, between: AtomicUsize::new(0), queue, passed_on: Notify::new() }
    }

    fn places(&self) -> usize {
        self.places.unwrap_or_else(|| threads().saturating_sub(1).max(1))
    }

    /// Goes on with a turn, if it is still there.
    pub(super) fn resume(&self, turn: u64) -> bool {
        let mut queue = self.lock();
        let holder = queue.holders.iter_mut().find(|holder| holder.turn == turn);
        holder.map(|holder| holder.running = true).is_some()
    }

    /// Begins a turn. Who was not called and finds others waiting has to wait as well, and is counted.
    pub(super) fn begin(&self, called: bool) -> Option<u64> {
        let places = self.places();
        let mut queue = self.lock();
        if called {
            queue.holders.retain(|holder| !holder.is_forsaken());
        }
        if queue.holders.len() >= places || !(called || queue.waiting == 0) {
            queue.waiting += 1;
            return None;
        }
        queue.last += 1;
        let turn = queue.last;
        queue.holders.push(Holder { turn, running: true, seen: Instant::now() });
        Some(turn)
    }

    /// The end of a slice.
    fn pause(&self, turn: u64) {
        if let Some(holder) = self.lock().holders.iter_mut().find(|holder| holder.turn == turn) {
            holder.running = false;
            holder.seen = Instant::now();
        }
    }

    /// The end of a turn: calls the next one.
    pub(super) fn end(&self, turn: u64) {
        let mut queue = self.lock();
        queue.holders.retain(|holder| holder.turn != turn);
        if queue.waiting > 0 {
            self.passed_on.notify_one();
        }
    }

    /// Resolves when it is worth looking for a place.
    async fn called(&self) {
        let mut passed_on = std::pin::pin!(self.passed_on.notified());
        while timeout(RETRY, &mut passed_on).await.is_err() {
            let mut queue = self.lock();
            queue.holders.retain(|holder| !holder.is_forsaken());
            if queue.holders.len() < self.places() {
                return;
            }
        }
    }

    /// A guest with credit stands between two slices, until [`Background::crowds`] or its end.
    pub(super) fn stands_between(&self) {
        self.between.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether a guest that has just stood between two slices is one of too many. It stands there no more.
    pub(super) fn crowds(&self) -> bool {
        self.between.fetch_sub(1, Ordering::Relaxed) > FOREGROUND * threads()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn threads() -> usize {
    tokio::runtime::Handle::try_current().map_or(1, |runtime| runtime.metrics().num_workers())
}

/// A slice under way; it ends when this is dropped, also by a panic.
pub(super) struct Slice<'a> {
    pub(super) background: &'a Background,
    pub(super) turn: u64,
}

impl Drop for Slice<'_> {
    fn drop(&mut self) {
        self.background.pause(self.turn);
    }
}

/// One who waits, counted by [`Background::begin`].
struct Waits(Arc<Background>);

impl Drop for Waits {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        queue.waiting = queue.waiting.saturating_sub(1);
    }
}

/// Resolves when it is worth asking for a turn again. Ends the wait that [`Background::begin`] counted, also where
/// nobody ever polls it.
pub(super) fn wait(background: &Arc<Background>) -> impl Future<Output = ()> + Send + use<> {
    let waits = Waits(Arc::clone(background));
    async move { waits.0.called().await }
}
