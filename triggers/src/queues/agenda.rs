//! When batches of queues are due, and how many of each are handled: in memory, made anew at each start.
//!
//! Must never hold more than one entry for a queue.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use wasmyard_namespaces::{QueueId, ScriptKey};
use wasmyard_queues::Due;

/// What is known of the queues that scripts consume.
#[derive(Default)]
pub(super) struct Agenda {
    times: BTreeSet<(u64, QueueId)>,
    queues: HashMap<QueueId, Entry>,
}

struct Entry {
    at: Option<u64>,
    /// None: it could not be looked at.
    known: Option<Known>,
    running: Arc<Running>,
}

/// What is known of one queue.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) script: ScriptKey,
    pub(super) due: Due,
    pub(super) running: Arc<Running>,
}

/// What is under way for one queue.
#[derive(Default)]
pub(super) struct Running {
    batches: AtomicUsize,
    /// Whether somebody is about to take messages: until then the same ones seem due.
    leasing: AtomicBool,
}

impl Running {
    pub(super) fn count(&self) -> usize {
        self.batches.load(Ordering::Acquire)
    }

    pub(super) fn is_leasing(&self) -> bool {
        self.leasing.load(Ordering::Acquire)
    }

    pub(super) fn begun(&self) {
        self.batches.fetch_add(1, Ordering::AcqRel);
        self.leasing.store(true, Ordering::Release);
    }

    pub(super) fn leased(&self) {
        self.leasing.store(false, Ordering::Release);
    }

    pub(super) fn ended(&self) {
        self.batches.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Agenda {
    /// Notes what a look at a queue said.
    pub(super) fn note(&mut self, id: &QueueId, script: ScriptKey, due: Due) {
        let at = due.at;
        let entry = self.set(id, at);
        entry.known = Some(Known { script, due, running: Arc::clone(&entry.running) });
    }

    /// Notes that a queue could not be looked at, and is to be at some time.
    pub(super) fn look_again(&mut self, id: &QueueId, at: u64) {
        self.set(id, Some(at)).known = None;
    }

    /// Nothing of the queue is due until it is looked at again.
    pub(super) fn put_off(&mut self, id: &QueueId) {
        self.set(id, None);
    }

    /// No script consumes the queue.
    pub(super) fn forget(&mut self, id: &QueueId) {
        if let Some(Entry { at: Some(at), .. }) = self.queues.remove(id) {
            self.times.remove(&(at, id.clone()));
        }
    }

    /// Queues of which a batch is due, the longest due first.
    pub(super) fn due(&self, now: u64) -> Vec<QueueId> {
        self.times.iter().take_while(|(at, _)| *at <= now).map(|(_, id)| id.clone()).collect()
    }

    /// When the next one is due after `now`.
    pub(super) fn next_after(&self, now: u64) -> Option<u64> {
        self.times.iter().map(|(at, _)| *at).find(|at| *at > now)
    }

    pub(super) fn known(&self, id: &QueueId) -> Option<&Known> {
        self.queues.get(id)?.known.as_ref()
    }

    fn set(&mut self, id: &QueueId, at: Option<u64>) -> &mut Entry {
        let entry = self.queues.entry(id.clone()).or_insert_with(|| Entry {
            at: None,
            known: None,
            running: Arc::default(),
        });
        if let Some(before) = entry.at {
            self.times.remove(&(before, id.clone()));
        }
        if let Some(at) = at {
            self.times.insert((at, id.clone()));
        }
        entry.at = at;
        entry
    }
}
