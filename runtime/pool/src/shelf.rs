//! Where things wait that nobody has: those used last are the next, and threads do not stand in each other's way.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many of those that were put back last are looked at for one that fits.
const LOOKED_AT: usize = 32;
/// More threads than this share.
const MOST_SHARDS: usize = 16;

/// Things of one kind. They are warm if they were used, and bare if they were not, or have nothing left of it.
pub(crate) struct Shelf<T> {
    bare: Mutex<Vec<T>>,
    warm: Box<[Mutex<VecDeque<T>>]>,
}

impl<T> Shelf<T> {
    /// A shelf of bare things; the first is the first to be taken.
    pub(crate) fn new(mut bare: Vec<T>) -> Self {
        bare.reverse();
        let shards = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(MOST_SHARDS);
        Self { bare: Mutex::new(bare), warm: (0..shards).map(|_| Mutex::default()).collect() }
    }

    /// One that fits and was used lately, or a bare one, or any.
    pub(crate) fn take(&self, fits: impl Fn(&T) -> bool) -> Option<T> {
        let fitting = self.shards().find_map(|mut shard| {
            let found = shard.iter().rev().take(LOOKED_AT).position(&fits)?;
            let index = shard.len().checked_sub(found + 1)?;
            shard.remove(index)
        });
        // Each lock is let go before the next is taken.
        fitting
            .or_else(|| lock(&self.bare).pop())
            .or_else(|| self.shards().find_map(|mut shard| shard.pop_back()))
    }

    /// Puts one back that was used.
    pub(crate) fn put(&self, thing: T) {
        if let Some(mut home) = self.shards().next() {
            home.push_back(thing);
        }
    }

    /// Puts one back that has nothing left of its use.
    pub(crate) fn put_bare(&self, thing: T) {
        lock(&self.bare).push(thing);
    }

    /// The one that has waited longest where this thread puts its own.
    pub(crate) fn coldest(&self) -> Option<T> {
        self.shards().next()?.pop_front()
    }

    /// All shards, locked one after the other, beginning with this thread's own.
    fn shards(&self) -> impl Iterator<Item = MutexGuard<'_, VecDeque<T>>> {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static THREAD: usize = THREADS.fetch_add(1, Ordering::Relaxed);
        }
        let home = THREAD.with(|thread| *thread) % self.warm.len().max(1);
        self.warm.iter().cycle().skip(home).take(self.warm.len()).map(lock)
    }
}

/// A thread that panicked here left a list that is whole: each change is one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_taken_before_what_is_bare_and_that_before_what_does_not_fit() {
        let shelf = Shelf::new(vec![1, 2]);
        assert_eq!(shelf.take(|_| true), Some(1));
        shelf.put(10);
        shelf.put(11);
        assert_eq!(shelf.take(|thing| *thing == 10), Some(10));
        assert_eq!(shelf.take(|thing| *thing == 10), Some(2));
        assert_eq!(shelf.take(|thing| *thing == 10), Some(11));
        assert_eq!(shelf.take(|_| true), None);
        shelf.put_bare(3);
        assert_eq!(shelf.take(|_| false), Some(3));
    }

    #[test]
    fn the_last_used_is_the_next_and_the_first_is_the_coldest() {
        let shelf = Shelf::new(Vec::new());
        for thing in 0..3 {
            shelf.put(thing);
        }
        assert_eq!((shelf.take(|_| true), shelf.coldest()), (Some(2), Some(0)));
    }

    #[test]
    fn what_another_thread_put_back_is_found() {
        let shelf = Shelf::new(Vec::new());
        std::thread::scope(|scope| {
            for thing in 0..32 {
                let shelf = &shelf;
                scope.spawn(move || shelf.put(thing));
            }
        });
        let mut found: Vec<_> = std::iter::from_fn(|| shelf.take(|thing| thing % 2 == 0)).collect();
        found.sort_unstable();
        assert_eq!(found, (0..32).collect::<Vec<_>>());
    }
}
