//! A store whose secrets are of no use to whoever copies it: values of some keys are sealed on their way in, and opened on
//! their way out.
//!
//! Owns the form of a sealed value. The key is the caller's, and lies elsewhere. A value is sealed for the key that it is
//! under, so that one which was moved to another place does not open. What does not open is handed out as it lies there: to
//! whoever reads it, it is a damaged record, and harms no other. Must never write such a value in clear.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;

use crate::{Change, Entry, Health, Precondition, Revision, Store, StoreError, Write};

/// Seals and opens bytes, for something that they belong to.
pub trait Seal: fmt::Debug + Send + Sync + 'static {
    /// Tells the key from others, and says nothing of it.
    fn id(&self) -> [u8; 8];

    /// Seals bytes for what they belong to; none where the provider fails.
    fn seal(&self, belongs_to: &[u8], plain: &[u8]) -> Option<Vec<u8>>;

    /// Opens what was sealed with the same key for the same thing.
    fn open(&self, belongs_to: &[u8], sealed: &[u8]) -> Option<Vec<u8>>;
}

/// What a sealed value begins with: no text in JSON does.
const SEALED: u8 = 1;
/// The key under which it is written with which key values are sealed. It is not sealed itself.
const SEALED_WITH: &str = "sealed-with";

/// A store over another one.
pub struct SealingStore {
    inner: Arc<dyn Store>,
    seal: Arc<dyn Seal>,
    /// What the keys of sealed values begin with.
    prefixes: &'static [&'static str],
}

impl SealingStore {
    /// Seals what is written under keys with these beginnings from now on. What lies there in clear is read as it is.
    ///
    /// # Errors
    /// [`StoreError::OtherKey`] where values are sealed with another key; otherwise as the store below.
    pub async fn open(
        inner: Arc<dyn Store>,
        seal: Arc<dyn Seal>,
        prefixes: &'static [&'static str],
    ) -> Result<SealingStore, StoreError> {
        let id = Bytes::copy_from_slice(&seal.id());
        loop {
            match inner.get(SEALED_WITH).await? {
                Some(entry) if entry.value == id => return Ok(SealingStore { inner, seal, prefixes }),
                Some(_) => return Err(StoreError::OtherKey),
                None => {
                    let absent = Precondition::absent(SEALED_WITH);
                    match inner.append(&[absent], &[Write::put(SEALED_WITH, id.clone())]).await {
                        // Another node was first: it is read whose key that was.
                        Ok(_) | Err(StoreError::Conflict { .. }) => {}
                        Err(error) => return Err(error),
                    }
                }
            }
        }
    }

    /// Whether values of a store are sealed.
    ///
    /// # Errors
    /// As the store's.
    pub async fn has_sealed(store: &dyn Store) -> Result<bool, StoreError> {
        Ok(store.get(SEALED_WITH).await?.is_some())
    }

    fn is_sealed(&self, key: &str) -> bool {
        self.prefixes.iter().any(|prefix| key.starts_with(prefix))
    }

    fn sealed(&self, writes: &[Write]) -> Result<Vec<Write>, StoreError> {
        let failed = || StoreError::Misuse { rule: "a value could not be sealed" };
        let each = writes.iter().map(|write| match write {
            Write::Put { key, value } if self.is_sealed(key) => {
                let sealed = self.seal.seal(key.as_bytes(), value).ok_or_else(failed)?;
                Ok(Write::put(key.clone(), [&[SEALED], sealed.as_slice()].concat()))
            }
            other => Ok(other.clone()),
        });
        each.collect()
    }

    fn opened(&self, entry: Entry) -> Entry {
        let Some((&SEALED, sealed)) = entry.value.split_first() else { return entry };
        if !self.is_sealed(&entry.key) {
            return entry;
        }
        match self.seal.open(entry.key.as_bytes(), sealed) {
            Some(plain) => Entry { value: plain.into(), ..entry },
            None => {
                tracing::error!(
                    key = entry.key,
                    "a sealed record does not open: it was changed, or moved to another place"
                );
                entry
            }
        }
    }
}

#[async_trait]
impl Store for SealingStore {
    async fn revision(&self) -> Result<Revision, StoreError> {
        self.inner.revision().await
    }

    async fn append(&self, preconditions: &[Precondition], writes: &[Write]) -> Result<Revision, StoreError> {
        self.inner.append(preconditions, &self.sealed(writes)?).await
    }

    async fn append_to_free(
        &self,
        preconditions: &[Precondition],
        writes: &[Write],
    ) -> Result<Revision, StoreError> {
        self.inner.append_to_free(preconditions, &self.sealed(writes)?).await
    }

    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        Ok(self.inner.get(key).await?.map(|entry| self.opened(entry)))
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Entry>, StoreError> {
        Ok(self.inner.get_many(keys).await?.into_iter().map(|entry| self.opened(entry)).collect())
    }

    async fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let entries = self.inner.scan(prefix, after, limit).await?;
        Ok(entries.into_iter().map(|entry| self.opened(entry)).collect())
    }

    async fn scan_back(
        &self,
        prefix: &str,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let entries = self.inner.scan_back(prefix, before, limit).await?;
        Ok(entries.into_iter().map(|entry| self.opened(entry)).collect())
    }

    async fn keys(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, StoreError> {
        self.inner.keys(prefix, after, limit).await
    }

    async fn count(&self, prefix: &str) -> Result<u64, StoreError> {
        self.inner.count(prefix).await
    }

    async fn changes_since(&self, revision: Revision, limit: usize) -> Result<Vec<Change>, StoreError> {
        self.inner.changes_since(revision, limit).await
    }

    fn watch(&self) -> watch::Receiver<Revision> {
        self.inner.watch()
    }

    async fn compact(&self, keep_from: Revision) -> Result<(), StoreError> {
        self.inner.compact(keep_from).await
    }

    fn health(&self) -> Health {
        self.inner.health()
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryStore;

    /// Turns bytes by a number, and checks for what: no cipher, but one that tells what is asked of it.
    #[derive(Debug)]
    struct Turn(u8);

    impl Seal for Turn {
        fn id(&self) -> [u8; 8] {
            [self.0; 8]
        }

        fn seal(&self, belongs_to: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
            let turned = plain.iter().map(|byte| byte.wrapping_add(self.0));
            Some([&[belongs_to.len() as u8], belongs_to].concat().into_iter().chain(turned).collect())
        }

        fn open(&self, belongs_to: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
            let (length, rest) = sealed.split_first()?;
            let (whose, turned) = rest.split_at_checked(usize::from(*length))?;
            (whose == belongs_to).then(|| turned.iter().map(|byte| byte.wrapping_sub(self.0)).collect())
        }
    }

    async fn store(below: &Arc<MemoryStore>, key: u8) -> Result<SealingStore, StoreError> {
        SealingStore::open(Arc::clone(below) as _, Arc::new(Turn(key)), &["secret/"]).await
    }

    #[tokio::test]
    async fn what_is_written_under_some_keys_lies_sealed_below_and_is_read_in_clear() {
        let below = Arc::new(MemoryStore::new());
        let above = store(&below, 3).await.unwrap();
        let writes = [Write::put("secret/a", "hunter2"), Write::put("open/a", "hello")];
        above.append(&[], &writes).await.unwrap();
        above.append_to_free(&[], &[Write::put("secret/b", "hunter3")]).await.unwrap();
        for (key, value) in [("secret/a", "hunter2"), ("secret/b", "hunter3"), ("open/a", "hello")] {
            assert_eq!(above.get(key).await.unwrap().unwrap().value, value);
            let lies = below.get(key).await.unwrap().unwrap().value;
            let shows = lies.windows(5).any(|part| value.as_bytes().starts_with(part));
            assert_eq!(shows, key.starts_with("open/"), "{key}");
        }
        let page = above.scan("secret/", None, 10).await.unwrap();
        assert_eq!(page.iter().map(|entry| &entry.value[..]).collect::<Vec<_>>(), [b"hunter2", b"hunter3"]);
        let many = above.get_many(&["secret/b".to_owned()]).await.unwrap();
        assert_eq!(many[0].value, "hunter3");
    }

    #[tokio::test]
    async fn a_value_that_was_moved_is_damaged_and_one_in_clear_is_read() {
        let below = Arc::new(MemoryStore::new());
        below.append(&[], &[Write::put("secret/old", "{}")]).await.unwrap();
        let above = store(&below, 3).await.unwrap();
        assert_eq!(above.get("secret/old").await.unwrap().unwrap().value, "{}");
        above.append(&[], &[Write::put("secret/a", "hunter2")]).await.unwrap();
        let lies = below.get("secret/a").await.unwrap().unwrap().value;
        below.append(&[], &[Write::put("secret/b", lies.clone())]).await.unwrap();
        assert_eq!(above.get("secret/b").await.unwrap().unwrap().value, lies, "as it lies there");
    }

    #[tokio::test]
    async fn another_key_is_refused_before_anything_is_read() {
        let below = Arc::new(MemoryStore::new());
        store(&below, 3).await.unwrap();
        store(&below, 3).await.unwrap();
        assert!(matches!(store(&below, 4).await, Err(StoreError::OtherKey)));
    }
}
