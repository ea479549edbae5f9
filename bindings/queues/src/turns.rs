//! How many sends to one queue may be under way, and how many wait: a script that sends faster than the store writes is refused,
//! and others are served.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmyard_model::QueueName;

use crate::error::QueueError;
use crate::limits::QueueLimits;

/// The places of all queues.
#[derive(Debug)]
pub(crate) struct Turns {
    each: Mutex<HashMap<QueueName, Weak<Own>>>,
    limits: QueueLimits,
}

/// The places of one queue.
#[derive(Debug)]
pub(crate) struct Own {
    running: Arc<Semaphore>,
    /// Those that run and those that wait.
    begun: Arc<Semaphore>,
    waiting: usize,
}

/// A place; free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _running: OwnedSemaphorePermit,
    _begun: OwnedSemaphorePermit,
}

impl Turns {
    pub(crate) fn new(limits: QueueLimits) -> Turns {
        Turns { each: Mutex::default(), limits }
    }

    /// The places of a queue, which all who send to it share.
    pub(crate) fn of(&self, name: &QueueName) -> Arc<Own> {
        let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = each.get(name).and_then(Weak::upgrade) {
            return own;
        }
        // What nobody uses any more is cleared away before the map would grow.
        if each.len() == each.capacity() {
            each.retain(|_, own| own.strong_count() > 0);
        }
        let running = self.limits.at_once_per_queue.max(1);
        let own = Arc::new(Own {
            running: Arc::new(Semaphore::new(running)),
            begun: Arc::new(Semaphore::new(running + self.limits.waiting_per_queue)),
            waiting: self.limits.waiting_per_queue,
        });
        each.insert(name.clone(), Arc::downgrade(&own));
        own
    }
}

impl Own {
    /// Waits for a place.
    pub(crate) async fn turn(&self) -> Result<Turn, QueueError> {
        let busy = |_| QueueError::Busy { most: self.waiting };
        let begun = Arc::clone(&self.begun).try_acquire_owned().map_err(busy)?;
        let running = Arc::clone(&self.running).acquire_owned().await;
        let running = running.map_err(|error| QueueError::store("give a place", error))?;
        Ok(Turn { _running: running, _begun: begun })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_queue_leaves_places_to_others_and_what_waits_for_it_ends() {
        let limits = QueueLimits { at_once_per_queue: 1, waiting_per_queue: 1, ..QueueLimits::default() };
        let turns = Turns::new(limits);
        let name = |text| QueueName::parse(text).unwrap();
        let (one, other) = (turns.of(&name("one")), turns.of(&name("other")));
        let held = one.turn().await.unwrap();
        let waiting = tokio::spawn({
            let one = turns.of(&name("one"));
            async move { one.turn().await.map(drop) }
        });
        while one.begun.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(one.turn().await, Err(QueueError::Busy { most: 1 })));
        drop(other.turn().await.unwrap());
        drop(held);
        waiting.await.unwrap().unwrap();
    }
}
