//! Where origins are: what was asked for recently is told from memory, and no change is missed.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use tokio::sync::watch;

use super::*;
use wasmyard_model::zone::OriginPlace;
use wasmyard_stores::{Change, Entry, Precondition, StoreError, Write};

/// A store that counts how often it is read.
#[derive(Default)]
struct CountingStore {
    store: MemoryStore,
    reads: AtomicUsize,
}

impl CountingStore {
    fn read(&self) -> &MemoryStore {
        self.reads.fetch_add(1, Ordering::SeqCst);
        &self.store
    }
}

#[async_trait]
impl Store for CountingStore {
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
        self.read().get(key).await
    }
    async fn scan(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> std::result::Result<Vec<Entry>, StoreError> {
        self.read().scan(prefix, after, limit).await
    }

    async fn scan_back(
        &self,
        prefix: &str,
        before: Option<&str>,
        limit: usize,
    ) -> std::result::Result<Vec<Entry>, StoreError> {
        self.read().scan_back(prefix, before, limit).await
    }
    async fn count(&self, prefix: &str) -> std::result::Result<u64, StoreError> {
        self.read().count(prefix).await
    }
    async fn changes_since(
        &self,
        revision: Revision,
        limit: usize,
    ) -> std::result::Result<Vec<Change>, StoreError> {
        self.store.changes_since(revision, limit).await
    }
    fn watch(&self) -> watch::Receiver<Revision> {
        self.store.watch()
    }
    async fn compact(&self, keep_from: Revision) -> std::result::Result<(), StoreError> {
        self.store.compact(keep_from).await
    }
}

fn at(name: &str, address: &str) -> DnsRecordEdit {
    DnsRecordEdit {
        kind: Some("A".to_owned()),
        name: Some(name.to_owned()),
        content: Some(address.to_owned()),
        proxied: Some(true),
        ..DnsRecordEdit::default()
    }
}

fn place(address: &str) -> Option<OriginPlace> {
    Some(OriginPlace::Addresses([address.parse().unwrap()].into()))
}

#[tokio::test]
async fn an_origin_that_is_in_use_is_told_without_the_store() {
    let store = Arc::new(CountingStore::default());
    let registry = Registry::open(Arc::clone(&store) as _, Blobs::memory()).await.unwrap();
    let saas = zone(&registry, "saas.test").await;
    registry.create_dns_record(&saas.id, &at("origin", "192.0.2.1")).await.unwrap();
    let find = async |name: &str| registry.origin_place(&saas.id, name, true).await.unwrap();
    // The feed of changes reads as well, for as long as it has something to catch up with.
    until(async || {
        find("origin.saas.test").await;
        let before = store.reads.load(Ordering::SeqCst);
        for _ in 0..1_000 {
            assert_eq!(find("origin.saas.test").await, place("192.0.2.1"));
            assert_eq!(find("nothing.saas.test").await, None);
        }
        store.reads.load(Ordering::SeqCst) == before
    })
    .await;
}

#[tokio::test]
async fn what_a_record_says_is_seen_at_the_next_look() {
    let registry = registry().await;
    let (saas, other) = (zone(&registry, "saas.test").await, zone(&registry, "other.test").await);
    let find = async || registry.origin_place(&saas.id, "origin.saas.test", false).await.unwrap();
    assert_eq!(find().await, None);
    let made = registry.create_dns_record(&saas.id, &at("origin", "192.0.2.1")).await.unwrap();
    assert_eq!(find().await, place("192.0.2.1"));
    registry.update_dns_record(&saas.id, &made.id, &at("origin", "192.0.2.2")).await.unwrap();
    assert_eq!(find().await, place("192.0.2.2"));
    let plain = DnsRecordEdit { proxied: Some(false), ..DnsRecordEdit::default() };
    registry.update_dns_record(&saas.id, &made.id, &plain).await.unwrap();
    assert_eq!(find().await, None);
    registry.update_dns_record(&saas.id, &made.id, &at("origin", "192.0.2.3")).await.unwrap();
    assert_eq!(find().await, place("192.0.2.3"));
    assert_eq!(registry.origin_place(&other.id, "origin.saas.test", false).await.unwrap(), None);
    registry.delete_dns_record(&saas.id, &made.id).await.unwrap();
    assert_eq!(find().await, None);
}

#[tokio::test]
async fn what_another_node_wrote_is_seen_soon() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let one = Registry::open(Arc::clone(&store), Blobs::memory()).await.unwrap();
    let two = Registry::open(store, Blobs::memory()).await.unwrap();
    let saas = zone(&one, "saas.test").await;
    let find = async || two.origin_place(&saas.id, "origin.saas.test", false).await.unwrap();
    assert_eq!(find().await, None);
    let made = one.create_dns_record(&saas.id, &at("origin", "192.0.2.1")).await.unwrap();
    until(async || find().await == place("192.0.2.1")).await;
    one.delete_dns_record(&saas.id, &made.id).await.unwrap();
    until(async || find().await.is_none()).await;
}
