//! How much may be under way: calls that are short, and contents that are read or written for as long as somebody takes.
//!
//! One bucket never takes all of the places. Calls wait, in bounded numbers; streams never do: a script that holds one and
//! waits for another could wait for a script that does the same the other way round.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmyard_model::BucketName;

use crate::error::R2Error;
use crate::limits::R2Limits;

/// The places of all buckets.
#[derive(Debug)]
pub(crate) struct Turns {
    streams: Arc<Semaphore>,
    each: Mutex<HashMap<BucketName, Weak<Own>>>,
    limits: R2Limits,
}

/// The places of one bucket.
#[derive(Debug)]
pub(crate) struct Own {
    calls: Arc<Semaphore>,
    /// Calls that run and calls that wait.
    begun: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    all_streams: Arc<Semaphore>,
    limits: R2Limits,
}

/// A place; free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _own: OwnedSemaphorePermit,
    _begun: OwnedSemaphorePermit,
}

/// The place of a stream.
#[derive(Debug)]
pub(crate) struct Streaming {
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Turns {
    pub(crate) fn new(limits: R2Limits) -> Turns {
        Turns { streams: Arc::new(Semaphore::new(limits.all_streams)), each: Mutex::default(), limits }
    }

    /// The places of a bucket, which all who use it share.
    pub(crate) fn of(&self, name: &BucketName) -> Arc<Own> {
        let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = each.get(name).and_then(Weak::upgrade) {
            return own;
        }
        // What nobody uses any more is cleared away before the map would grow.
        if each.len() == each.capacity() {
            each.retain(|_, own| own.strong_count() > 0);
        }
        let limits = self.limits;
        let own = Arc::new(Own {
            calls: Arc::new(Semaphore::new(limits.at_once.max(1))),
            begun: Arc::new(Semaphore::new(limits.at_once.max(1) + limits.waiting)),
            streams: Arc::new(Semaphore::new(limits.streams)),
            all_streams: Arc::clone(&self.streams),
            limits,
        });
        each.insert(name.clone(), Arc::downgrade(&own));
        own
    }
}

impl Own {
    /// Waits for a place of a call.
    pub(crate) async fn turn(&self) -> Result<Turn, R2Error> {
        let busy = |_| R2Error::Busy { limit: "r2_waiting", most: self.limits.waiting };
        let begun = Arc::clone(&self.begun).try_acquire_owned().map_err(busy)?;
        let own = Arc::clone(&self.calls).acquire_owned().await;
        let own = own.map_err(|closed| R2Error::store("give a place", closed))?;
        Ok(Turn { _own: own, _begun: begun })
    }

    /// The place of a stream, if there is one.
    pub(crate) fn stream(&self) -> Result<Streaming, R2Error> {
        let busy = |limit, most| move |_| R2Error::Busy { limit, most };
        let own = Arc::clone(&self.streams).try_acquire_owned();
        let own = own.map_err(busy("r2_streams", self.limits.streams))?;
        let all = Arc::clone(&self.all_streams).try_acquire_owned();
        let all =
            all.map_err(busy("the number of contents that are read and written", self.limits.all_streams))?;
        Ok(Streaming { _own: own, _all: all })
    }
}
