//! A store that answers late: what it read may be old by the time the caller has it, as over a network.
//! Opens the windows that a store in memory keeps nearly shut.

use async_trait::async_trait;
use tokio::sync::watch;

use super::*;
use wasmyard_stores::{Change, Entry, Precondition, StoreError, Write};

#[derive(Default)]
pub(super) struct DawdlingStore(MemoryStore);

async fn dawdle(turns: usize) {
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
}

/// Reads come back later than writes do: only then can a read be overtaken by a write that began after it.
async fn late<T>(answer: impl Future<Output = T>) -> T {
    dawdle(4).await;
    let answer = answer.await;
    dawdle(60).await;
    answer
}

#[async_trait]
impl Store for DawdlingStore {
    async fn revision(&self) -> std::result::Result<Revision, StoreError> {
        late(self.0.revision()).await
    }
    async fn append(
        &self,
        preconditions: &[Precondition],
        writes: &[Write],
    ) -> std::result::Result<Revision, StoreError> {
        dawdle(4).await;
        let revision = self.0.append(preconditions, writes).await;
        dawdle(4).await;
        revision
    }
    async fn get(&self, key: &str) -> std::result::Result<Option<Entry>, StoreError> {
        late(self.0.get(key)).await
    }
    async fn scan(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> std::result::Result<Vec<Entry>, StoreError> {
        late(self.0.scan(prefix, after, limit)).await
    }

    async fn scan_back(
        &self,
        prefix: &str,
        before: Option<&str>,
        limit: usize,
    ) -> std::result::Result<Vec<Entry>, StoreError> {
        late(self.0.scan_back(prefix, before, limit)).await
    }
    async fn count(&self, prefix: &str) -> std::result::Result<u64, StoreError> {
        late(self.0.count(prefix)).await
    }
    async fn changes_since(
        &self,
        revision: Revision,
        limit: usize,
    ) -> std::result::Result<Vec<Change>, StoreError> {
        late(self.0.changes_since(revision, limit)).await
    }
    fn watch(&self) -> watch::Receiver<Revision> {
        self.0.watch()
    }
    async fn compact(&self, keep_from: Revision) -> std::result::Result<(), StoreError> {
        late(self.0.compact(keep_from)).await
    }
}
