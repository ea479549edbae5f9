//! A store that lives as long as the process: for tests, and for `wasmyard dev`.
//!
//! Owns the reference behaviour of [`Store`]. Never durable.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;

use super::{Change, Entry, Expected, Precondition, Revision, Store, StoreError, Write, check_append};

/// All state in memory, behind one lock.
#[derive(Debug)]
pub struct MemoryStore {
    state: Mutex<State>,
    newest: watch::Sender<Revision>,
}

#[derive(Debug, Default)]
struct State {
    revision: Revision,
    /// Changes up to and including this revision are forgotten.
    compacted: Revision,
    current: BTreeMap<String, (Revision, Bytes)>,
    log: VecDeque<Change>,
}

impl Default for MemoryStore {
    fn default() -> MemoryStore {
        MemoryStore { state: Mutex::default(), newest: watch::channel(0).0 }
    }
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn holds(&self, precondition: &Precondition) -> bool {
        let found = self.current.get(&precondition.key).map(|(revision, _)| *revision);
        match precondition.expected {
            Expected::Absent => found.is_none(),
            Expected::Revision(revision) => found == Some(revision),
        }
    }

    fn write(&mut self, write: &Write) {
        let revision = self.revision;
        let deleted = match write {
            Write::Put { key, value } => {
                self.current.insert(key.clone(), (revision, value.clone()));
                false
            }
            Write::Delete { key } => {
                self.current.remove(key);
                true
            }
        };
        self.log.push_back(Change { revision, key: write.key().to_owned(), deleted });
    }

    fn range<'s>(
        &'s self,
        prefix: &'s str,
        after: Option<&'s str>,
    ) -> impl Iterator<Item = (&'s String, &'s (Revision, Bytes))> {
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            Some(_) | None => Bound::Included(prefix),
        };
        self.current
            .range::<str, _>((start, Bound::Unbounded))
            .take_while(move |(key, _)| key.starts_with(prefix))
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn revision(&self) -> Result<Revision, StoreError> {
        Ok(self.lock().revision)
    }

    async fn append(&self, preconditions: &[Precondition], writes: &[Write]) -> Result<Revision, StoreError> {
        check_append(preconditions, writes)?;
        let mut state = self.lock();
        if let Some(broken) = preconditions.iter().find(|precondition| !state.holds(precondition)) {
            return Err(StoreError::Conflict { key: broken.key.clone() });
        }
        state.revision += 1;
        writes.iter().for_each(|write| state.write(write));
        // Told while the lock is held, so that watchers see revisions in order.
        self.newest.send_replace(state.revision);
        Ok(state.revision)
    }

    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        let found = self.lock().current.get(key).cloned();
        Ok(found.map(|(revision, value)| Entry { key: key.to_owned(), value, revision }))
    }

    async fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let state = self.lock();
        let page = state.range(prefix, after).take(limit).map(|(key, (revision, value))| Entry {
            key: key.clone(),
            value: value.clone(),
            revision: *revision,
        });
        Ok(page.collect())
    }

    async fn scan_back(
        &self,
        prefix: &str,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let state = self.lock();
        let found = state.range(prefix, None);
        let found = found.take_while(|(key, _)| before.is_none_or(|before| key.as_str() < before));
        let mut found: Vec<Entry> = found
            .map(|(key, (revision, value))| Entry {
                key: key.clone(),
                value: value.clone(),
                revision: *revision,
            })
            .collect();
        found.reverse();
        found.truncate(limit);
        Ok(found)
    }

    async fn count(&self, prefix: &str) -> Result<u64, StoreError> {
        Ok(self.lock().range(prefix, None).map(|_| 1).sum())
    }

    async fn changes_since(&self, revision: Revision, limit: usize) -> Result<Vec<Change>, StoreError> {
        let state = self.lock();
        if revision < state.compacted {
            return Err(StoreError::Compacted { asked: revision, oldest: state.compacted });
        }
        let start = state.log.partition_point(|change| change.revision <= revision);
        let mut page: Vec<Change> = Vec::new();
        for change in state.log.range(start..) {
            if page.len() >= limit.max(1) && page.last().is_some_and(|last| last.revision != change.revision)
            {
                break;
            }
            page.push(change.clone());
        }
        Ok(page)
    }

    fn watch(&self) -> watch::Receiver<Revision> {
        self.newest.subscribe()
    }

    async fn compact(&self, keep_from: Revision) -> Result<(), StoreError> {
        let mut state = self.lock();
        let last = keep_from.saturating_sub(1).min(state.revision);
        state.compacted = state.compacted.max(last);
        let cut = state.log.partition_point(|change| change.revision <= last);
        state.log.drain(..cut);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn keeps_the_contract_of_stores() {
        crate::contract::run(|| std::future::ready(Arc::new(MemoryStore::new()) as Arc<dyn Store>)).await;
    }
}
