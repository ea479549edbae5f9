//! One namespace, as whoever is bound to it uses it: the rules of keys and values, and then the store.

use std::sync::Arc;

use bytes::Bytes;
use wasmyard_model::KvNamespaceId;
use wasmyard_model::limits::StorageQuota;

use super::Shared;
use crate::entry::{self, Expiry, Found, Key, ListOptions, Page, PutOptions, to_cursor};
use crate::error::KvError;
use crate::limits::{KvLimits, MAX_BULK, MAX_VALUE_BYTES};
use crate::store::{Put, Write};
use crate::turns::Own;

/// One namespace, as whoever is bound to it uses it: it leads to no other.
#[derive(Clone, Debug)]
pub struct KvHandle {
    id: KvNamespaceId,
    quota: StorageQuota,
    own: Arc<Own>,
    shared: Arc<Shared>,
}

/// A value to be put, as it was asked for.
#[derive(Clone, Debug, Default)]
pub struct NewValue {
    /// Under which key.
    pub key: String,
    /// The value.
    pub value: Bytes,
    /// Expiry and metadata.
    pub options: PutOptions,
}

impl KvHandle {
    pub(super) fn new(id: KvNamespaceId, own: Arc<Own>, shared: Arc<Shared>) -> KvHandle {
        KvHandle { id, quota: StorageQuota::default(), own, shared }
    }

    /// Its identifier.
    #[must_use]
    pub fn id(&self) -> &KvNamespaceId {
        &self.id
    }

    /// The same for somebody who may fill it only so far.
    #[must_use]
    pub fn within(self, quota: StorageQuota) -> KvHandle {
        KvHandle { quota, ..self }
    }

    /// What it may hold.
    fn limits(&self) -> KvLimits {
        let limits = self.shared.limits;
        let (keys, bytes) = (self.quota.entries_of(limits.keys), self.quota.bytes_of(limits.bytes));
        KvLimits { keys, bytes, ..limits }
    }

    /// A value, if it has `room` bytes at most.
    ///
    /// # Errors
    /// [`KvError`] for a key that breaks a rule, and as [`Store::get`](crate::Store::get); [`KvError::Busy`].
    pub async fn get(&self, key: &str, room: u64) -> Result<Option<Found>, KvError> {
        let (id, key) = (self.id.clone(), Key::parse(key)?);
        self.finished(move |shared| async move { shared.store()?.get(&id, &key, shared.now(), room).await })
            .await
    }

    /// Puts a value. It is durable when this returns.
    ///
    /// # Errors
    /// [`KvError`] for what breaks a rule, and as [`Store::write`](crate::Store::write); [`KvError::Busy`].
    pub async fn put(&self, key: &str, value: Bytes, options: PutOptions) -> Result<(), KvError> {
        let write = self.checked(NewValue { key: key.to_owned(), value, options })?;
        self.write(vec![write]).await
    }

    /// Puts several values, all or none.
    ///
    /// # Errors
    /// As [`KvHandle::put`].
    pub async fn put_all(&self, values: Vec<NewValue>) -> Result<(), KvError> {
        few_enough(values.len())?;
        let writes = values.into_iter().map(|value| self.checked(value)).collect::<Result<_, _>>()?;
        self.write(writes).await
    }

    /// Adds to the number that a value is, in decimal digits, and says what it is then; none is as if it were zero. Nobody
    /// writes in between. Expiry and metadata stay.
    ///
    /// # Errors
    /// As [`KvHandle::put`]; [`KvError::Invalid`] where the value is no such number, or the sum is beyond 64 bits.
    pub async fn increment(&self, key: &str, delta: u64) -> Result<u64, KvError> {
        let (id, key, limits) = (self.id.clone(), Key::parse(key)?, self.limits());
        let add = move |shared: Arc<Shared>| async move {
            shared.store()?.increment(&id, &key, delta, shared.now(), &limits).await
        };
        self.finished(add).await
    }

    /// Deletes a value, if it is there.
    ///
    /// # Errors
    /// As [`KvHandle::put`].
    pub async fn delete(&self, key: &str) -> Result<(), KvError> {
        self.write(vec![Write::Delete(Key::parse(key)?)]).await
    }

    /// Deletes several values, all or none.
    ///
    /// # Errors
    /// As [`KvHandle::put`].
    pub async fn delete_all(&self, keys: &[String]) -> Result<(), KvError> {
        few_enough(keys.len())?;
        let writes = keys.iter().map(|key| Key::parse(key).map(Write::Delete)).collect::<Result<_, _>>()?;
        self.write(writes).await
    }

    /// Keys by their bytes.
    ///
    /// # Errors
    /// [`KvError`] for options that break a rule, and as [`Store::list`](crate::Store::list); [`KvError::Busy`].
    pub async fn list(&self, options: ListOptions) -> Result<Page, KvError> {
        let (prefix, after, limit) = options.resolve()?;
        let id = self.id.clone();
        let listed = move |shared: Arc<Shared>| async move {
            // One more than asked for says whether there is another page.
            shared.store()?.list(&id, &prefix, after.as_deref(), shared.now(), limit + 1).await
        };
        let mut keys = self.finished(listed).await?;
        let more = keys.len() > limit;
        keys.truncate(limit);
        let cursor = keys.last().filter(|_| more).map(|last| to_cursor(&last.name));
        Ok(Page { keys, cursor })
    }

    async fn write(&self, writes: Vec<Write>) -> Result<(), KvError> {
        if writes.is_empty() {
            return Ok(());
        }
        let (id, limits) = (self.id.clone(), self.limits());
        self.finished(move |shared| async move { shared.store()?.write(&id, writes, &limits).await }).await
    }

    /// Does something when it is its turn, and to its end even if nobody waits for that any more: what an operation takes
    /// up is free when it is over, and whoever leaves early gains nothing.
    async fn finished<T, F>(&self, operation: impl FnOnce(Arc<Shared>) -> F) -> Result<T, KvError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, KvError>> + Send + 'static,
    {
        let turn = self.own.turn().await?;
        let operation = operation(Arc::clone(&self.shared));
        let under_way = tokio::spawn(async move {
            let done = operation.await;
            drop(turn);
            done
        });
        under_way.await.map_err(|error| KvError::store("finish an operation", error))?
    }

    fn checked(&self, new: NewValue) -> Result<Write, KvError> {
        let NewValue { key, value, options: PutOptions { expiry, metadata } } = new;
        entry::within("the value", value.len(), MAX_VALUE_BYTES)?;
        Ok(Write::Put(Put {
            key: Key::parse(&key)?,
            value,
            metadata: entry::metadata(metadata)?,
            expires: Expiry::resolve(expiry, self.shared.now())?,
        }))
    }
}

fn few_enough(found: usize) -> Result<(), KvError> {
    if found > MAX_BULK {
        return Err(KvError::Invalid(format!(
            "{found} keys were given, and one call takes at most {MAX_BULK}; make several calls"
        )));
    }
    Ok(())
}
