//! Which queues have something new for a script: what whoever delivers waits for.
//!
//! Must never grow beyond the number of queues that scripts consume.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;
use wasmyard_model::QueueId;

/// Queues by their ids, each once.
#[derive(Debug, Default)]
pub(crate) struct Stirred {
    queues: Mutex<HashSet<QueueId>>,
    told: Notify,
}

impl Stirred {
    pub(crate) fn add(&self, queues: impl IntoIterator<Item = QueueId>) {
        let mut held = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let before = held.len();
        held.extend(queues);
        let is_more = held.len() > before;
        drop(held);
        if is_more {
            self.told.notify_one();
        }
    }

    /// Takes what there is, as soon as there is something.
    pub(crate) async fn next(&self) -> Vec<QueueId> {
        loop {
            let taken: Vec<QueueId> = {
                let mut held = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
                held.drain().collect()
            };
            if !taken.is_empty() {
                return taken;
            }
            self.told.notified().await;
        }
    }
}
