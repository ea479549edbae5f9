//! The entries of one owner, as whoever acts for it has them.

use std::sync::Arc;

use bytes::Bytes;

use super::owner::Owner;
use super::reading::{Found, Stored};
use super::writing::Writing;
use super::{EntryKey, blocking, lock};

/// The entries of one owner. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Space(pub(super) Owner);

impl Space {
    /// The largest body that may be kept.
    #[must_use]
    pub fn most(&self) -> u64 {
        self.0.most()
    }

    /// An entry; none where there is none that can be read now. `key` is what it was put under.
    ///
    /// # Cancel safety
    /// Nothing is changed that matters.
    pub async fn get(&self, at: EntryKey, key: Bytes) -> Option<Found> {
        let (inner, owner) = (&self.0.inner, self.0.own.id);
        let small = lock(&inner.memory).get(owner, at).map(|small| Arc::clone(small));
        if let Some(small) = small {
            // The disk's entry is used as well.
            lock(&inner.index).get(owner, at);
            return (small.key == key)
                .then(|| Found { meta: small.meta.clone(), body: Stored::Whole(small.body.clone()) });
        }
        if inner.is_loaded() && lock(&inner.index).keys(owner, at..=at).is_empty() {
            return None;
        }
        let place = self.0.call().await?;
        let owner = self.0.clone();
        blocking(move || {
            let found = owner.read(at, &key);
            drop(place);
            found
        })
        .await?
    }

    /// Begins an entry. None where there is no place for one more that is being written.
    pub async fn begin(&self) -> Option<Writing> {
        let (stream, place) = (self.0.stream()?, self.0.call().await?);
        let owner = self.0.clone();
        blocking(move || {
            let writing = Writing::begin(&owner, stream);
            drop(place);
            writing
        })
        .await?
    }

    /// Puts an entry that is there as a whole: whether it was kept. Where it was not, none is there in its place.
    pub async fn put(&self, at: EntryKey, key: Bytes, meta: Bytes, body: Bytes) -> bool {
        let Some(place) = self.0.call().await else { return false };
        let owner = self.0.clone();
        let put = blocking(move || {
            let put = Writing::put(&owner, at, &key, &meta, body);
            drop(place);
            put
        });
        put.await.unwrap_or(false)
    }

    /// Removes the entries of a resource: whether there were others beside the first. None is found any more when this returns.
    pub async fn remove(&self, primary: [u8; 16]) -> bool {
        let Some(place) = self.0.call().await else { return false };
        let owner = self.0.clone();
        let removed = blocking(move || {
            let removed = remove_now(&owner, EntryKey::first(primary));
            drop(place);
            removed
        });
        removed.await.unwrap_or(false)
    }

    /// Removes one entry.
    pub async fn remove_one(&self, at: EntryKey) {
        let Some(place) = self.0.call().await else { return };
        let owner = self.0.clone();
        blocking(move || {
            owner.discard(at);
            drop(place);
        })
        .await;
    }
}

fn remove_now(of: &Owner, first: EntryKey) -> bool {
    let (inner, owner) = (&of.inner, of.own.id);
    let _files = lock(&inner.files);
    let others = of.forget_names(first);
    for key in others.iter().chain([&first]) {
        super::remove(&inner.path(owner, *key));
    }
    !others.is_empty()
}
