//! What is held in memory of a collection, and how it keeps up with the store.
//!
//! Owns the one rule of that: whoever has changed or seen a change of a record has it *read again*, in the turn
//! of its collection, and never puts in what it wrote itself. What is read in a later turn is never older, so an
//! old state cannot come over a new one, whoever was faster: this node, another one, or the feed. The turn is of
//! this process alone; between nodes only what was read and expected counts.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use tokio::sync::{Mutex, MutexGuard};

/// A value that is replaced as a whole and read without a lock.
#[derive(Debug, Default)]
pub(super) struct Held<I> {
    value: ArcSwap<I>,
    turn: Turn,
}

/// The right to read a collection and to show what was read.
#[derive(Debug, Default)]
pub(super) struct Turn(Mutex<()>);

impl Turn {
    pub(super) async fn take(&self) -> MutexGuard<'_, ()> {
        self.0.lock().await
    }
}

impl<I: Clone + Default> Held<I> {
    pub(super) fn load(&self) -> Guard<Arc<I>> {
        self.value.load()
    }

    /// Waits for the turn of this collection.
    pub(super) async fn turn(&self) -> Writing<'_, I> {
        Writing { value: &self.value, _turn: self.turn.take().await }
    }
}

/// A turn in which the value may be replaced.
pub(super) struct Writing<'h, I> {
    value: &'h ArcSwap<I>,
    _turn: MutexGuard<'h, ()>,
}

impl<I: Clone> Writing<'_, I> {
    /// The value as it is, to make the next one from.
    pub(super) fn copy(&self) -> I {
        I::clone(&self.value.load())
    }

    /// Shows a value to all who look from now on.
    pub(super) fn show(&self, value: I) {
        self.value.store(Arc::new(value));
    }
}
