//! How much may be under way: of all namespaces together, of each, and how many wait.
//!
//! One namespace never takes all of the places, and what waits for it is bounded: a script that asks faster than the
//! store answers is refused, and others are served.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmyard_model::KvNamespaceId;

use crate::error::KvError;
use crate::limits::KvLimits;

/// The places of all namespaces.
#[derive(Debug)]
pub(crate) struct Turns {
    all: Arc<Semaphore>,
    each: Mutex<HashMap<KvNamespaceId, Weak<Own>>>,
    limits: KvLimits,
}

/// The places of one namespace.
#[derive(Debug)]
pub(crate) struct Own {
    all: Arc<Semaphore>,
    own: Arc<Semaphore>,
    /// Those that run and those that wait.
    begun: Arc<Semaphore>,
    waiting: usize,
}

/// A place; free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _all: OwnedSemaphorePermit,
    _own: OwnedSemaphorePermit,
    _begun: OwnedSemaphorePermit,
}

impl Turns {
    pub(crate) fn new(limits: KvLimits) -> Turns {
        Turns { all: Arc::new(Semaphore::new(limits.at_once.max(1))), each: Mutex::default(), limits }
    }

    /// The places of a namespace, which all who use it share.
    pub(crate) fn of(&self, id: &KvNamespaceId) -> Arc<Own> {
        let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = each.get(id).and_then(Weak::upgrade) {
            return own;
        }
        // What nobody uses any more is cleared away before the map would grow.
        if each.len() == each.capacity() {
            each.retain(|_, own| own.strong_count() > 0);
        }
        let running = self.limits.at_once_per_namespace.max(1);
        let own = Arc::new(Own {
            all: Arc::clone(&self.all),
            own: Arc::new(Semaphore::new(running)),
            begun: Arc::new(Semaphore::new(running + self.limits.waiting_per_namespace)),
            waiting: self.limits.waiting_per_namespace,
        });
        each.insert(id.clone(), Arc::downgrade(&own));
        own
    }
}

impl Own {
    /// Waits for a place.
    pub(crate) async fn turn(&self) -> Result<Turn, KvError> {
        let busy = |_| KvError::Busy { most: self.waiting };
        let begun = Arc::clone(&self.begun).try_acquire_owned().map_err(busy)?;
        let closed = |error: tokio::sync::AcquireError| KvError::store("give a place", error);
        // Its own first: whoever waits for that holds no place that others need.
        let own = Arc::clone(&self.own).acquire_owned().await.map_err(closed)?;
        let all = Arc::clone(&self.all).acquire_owned().await.map_err(closed)?;
        Ok(Turn { _all: all, _own: own, _begun: begun })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> KvNamespaceId {
        KvNamespaceId::parse(text).unwrap()
    }

    #[tokio::test]
    async fn one_namespace_leaves_places_to_others_and_its_queue_ends() {
        let limits = KvLimits {
            at_once: 3,
            at_once_per_namespace: 2,
            waiting_per_namespace: 1,
            ..KvLimits::default()
        };
        let turns = Turns::new(limits);
        let (one, other) = (turns.of(&id("one")), turns.of(&id("other")));
        let held = [one.turn().await.unwrap(), one.turn().await.unwrap()];
        let waiting = tokio::spawn({
            let one = turns.of(&id("one"));
            async move { one.turn().await.map(drop) }
        });
        while one.begun.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(one.turn().await, Err(KvError::Busy { most: 1 })));
        drop(other.turn().await.unwrap());
        drop(held);
        waiting.await.unwrap().unwrap();
    }
}
