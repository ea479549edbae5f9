//! Two registries over one store: what is promised of many nodes, and what the feed does when news run ahead.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use tokio::sync::watch;

use super::*;
use crate::contract;
use wasmyard_stores::{Change, Entry, Precondition, Write};

#[tokio::test]
async fn two_registries_over_one_store_keep_the_contract() {
    contract::run(|| {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        std::future::ready((Arc::clone(&store), store))
    })
    .await;
}

#[tokio::test]
async fn they_keep_it_where_answers_come_late() {
    contract::run(|| {
        let store: Arc<dyn Store> = Arc::new(DawdlingStore::default());
        std::future::ready((Arc::clone(&store), store))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn they_keep_it_on_several_threads() {
    contract::run(|| {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        std::future::ready((Arc::clone(&store), store))
    })
    .await;
}

/// Tells of an append before its changes can be read, as a copy of a store does.
#[derive(Default)]
struct AheadStore {
    store: MemoryStore,
    hidden: AtomicBool,
    asked: AtomicBool,
}

#[async_trait]
impl Store for AheadStore {
    async fn revision(&self) -> std::result::Result<Revision, StoreError> {
        self.store.revision().await
    }
    async fn append(
        &self,
        preconditions: &[Precondition],
        writes: &[Write],
    ) -> std::result::Result<Revision, StoreError> {
        self.store.append(preconditions, writes).await
    }
    async fn get(&self, key: &str) -> std::result::Result<Option<Entry>, StoreError> {
        self.store.get(key).await
    }
    async fn scan(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> std::result::Result<Vec<Entry>, StoreError> {
        self.store.scan(prefix, after, limit).await
    }

    async fn scan_back(
        &self,
        prefix: &str,
        before: Option<&str>,
        limit: usize,
    ) -> std::result::Result<Vec<Entry>, StoreError> {
        self.store.scan_back(prefix, before, limit).await
    }
    async fn count(&self, prefix: &str) -> std::result::Result<u64, StoreError> {
        self.store.count(prefix).await
    }
    async fn changes_since(
        &self,
        revision: Revision,
        limit: usize,
    ) -> std::result::Result<Vec<Change>, StoreError> {
        if self.hidden.load(Ordering::SeqCst) {
            self.asked.store(true, Ordering::SeqCst);
            return Ok(Vec::new());
        }
        self.store.changes_since(revision, limit).await
    }
    fn watch(&self) -> watch::Receiver<Revision> {
        self.store.watch()
    }
    async fn compact(&self, keep_from: Revision) -> std::result::Result<(), StoreError> {
        self.store.compact(keep_from).await
    }
}

#[tokio::test]
async fn news_that_run_ahead_of_the_log_are_not_passed_over() {
    let store = Arc::new(AheadStore::default());
    let registry = Registry::open(Arc::clone(&store) as Arc<dyn Store>, Blobs::memory()).await.unwrap();
    let mut events = registry.changes();
    store.hidden.store(true, Ordering::SeqCst);
    let other = Registry::open(Arc::clone(&store) as Arc<dyn Store>, Blobs::memory()).await.unwrap();
    let namespace = other.create_namespace(NewNamespace::named(ns("production"))).await.unwrap();
    until(async || store.asked.load(Ordering::SeqCst)).await;
    // The feed was told of the change and could not read it. Another one comes, and then both can be read.
    other.create_namespace(NewNamespace::named(ns("staging"))).await.unwrap();
    store.hidden.store(false, Ordering::SeqCst);
    let event = soon(events.recv()).await.unwrap();
    assert_eq!(event, RegistryEvent::Namespace { id: namespace.id.clone(), name: Some(ns("production")) });
    until(async || registry.namespace_cached(&ns("staging")).is_some()).await;
}
