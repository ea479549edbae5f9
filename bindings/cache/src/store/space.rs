//! The entries of one owner, as whoever acts for it has them.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::reading::{Found, Stored};
use super::writing::Writing;
use super::{EntryKey, Inner, NAME_FILE, OwnerId, blocking, lock};
use crate::limits::CacheLimits;

/// What is there once for each owner.
#[derive(Debug)]
pub(crate) struct Own {
    pub(super) id: OwnerId,
    pub(super) name: Arc<str>,
    is_gone: AtomicBool,
    calls: Arc<Semaphore>,
    streams: Arc<Semaphore>,
}

impl Own {
    pub(super) fn new(id: OwnerId, name: &str, limits: &CacheLimits) -> Own {
        Own {
            id,
            name: Arc::from(name),
            is_gone: AtomicBool::new(false),
            calls: Arc::new(Semaphore::new(limits.calls)),
            streams: Arc::new(Semaphore::new(limits.streams)),
        }
    }

    /// Nothing more is kept.
    pub(super) fn close(&self) {
        self.is_gone.store(true, Ordering::Release);
    }

    pub(super) fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Acquire)
    }
}

/// The entries of one owner. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Space {
    pub(super) inner: Arc<Inner>,
    pub(super) own: Arc<Own>,
}

/// A place: of a call, or of a file that is open for as long as somebody takes.
#[derive(Debug)]
pub(crate) struct Place {
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Space {
    /// The largest body that may be kept.
    #[must_use]
    pub fn most(&self) -> u64 {
        self.inner.limits.entry_bytes
    }

    /// Waits until as few calls are under way that one more may begin. One owner never has all the places.
    pub(super) async fn call(&self) -> Option<Place> {
        let own = Arc::clone(&self.own.calls).acquire_owned().await.ok()?;
        let all = Arc::clone(&self.inner.calls).acquire_owned().await.ok()?;
        Some(Place { _own: own, _all: all })
    }

    /// The place of an open file, if there is one: nobody waits for it, since who holds one may wait for another.
    pub(super) fn stream(&self) -> Option<Place> {
        let own = Arc::clone(&self.own.streams).try_acquire_owned().ok()?;
        let all = Arc::clone(&self.inner.streams).try_acquire_owned().ok()?;
        Some(Place { _own: own, _all: all })
    }

    /// An entry; none where there is none that can be read now. `key` is what it was put under.
    ///
    /// # Cancel safety
    /// Nothing is changed that matters.
    pub async fn get(&self, at: EntryKey, key: Bytes) -> Option<Found> {
        let owner = self.own.id;
        let small = lock(&self.inner.memory).get(owner, at).map(|small| Arc::clone(small));
        if let Some(small) = small {
            // The disk's entry is used as well.
            lock(&self.inner.index).get(owner, at);
            return (small.key == key)
                .then(|| Found { meta: small.meta.clone(), body: Stored::Whole(small.body.clone()) });
        }
        if self.inner.is_loaded() && lock(&self.inner.index).keys(owner, at..=at).is_empty() {
            return None;
        }
        let place = self.call().await?;
        let space = self.clone();
        blocking(move || {
            let found = space.read(at, &key);
            drop(place);
            found
        })
        .await?
    }

    /// Begins an entry. None where there is no place for one more that is being written.
    pub async fn begin(&self) -> Option<Writing> {
        let (stream, place) = (self.stream()?, self.call().await?);
        let space = self.clone();
        blocking(move || {
            let writing = Writing::begin(&space, stream);
            drop(place);
            writing
        })
        .await?
    }

    /// Puts an entry that is there as a whole: whether it was kept. Where it was not, none is there in its place.
    pub async fn put(&self, at: EntryKey, key: Bytes, meta: Bytes, body: Bytes) -> bool {
        let Some(place) = self.call().await else { return false };
        let space = self.clone();
        let put = blocking(move || {
            let put = Writing::put(&space, at, &key, &meta, body);
            drop(place);
            put
        });
        put.await.unwrap_or(false)
    }

    /// Removes the entries of a resource: whether there were others beside the first. None is found any more when this returns.
    pub async fn remove(&self, primary: [u8; 16]) -> bool {
        let Some(place) = self.call().await else { return false };
        let space = self.clone();
        let removed = blocking(move || {
            let removed = space.remove_now(EntryKey::first(primary));
            drop(place);
            removed
        });
        removed.await.unwrap_or(false)
    }

    /// Removes one entry.
    pub async fn remove_one(&self, at: EntryKey) {
        let Some(place) = self.call().await else { return };
        let space = self.clone();
        blocking(move || {
            space.inner.discard(space.own.id, at);
            drop(place);
        })
        .await;
    }

    fn remove_now(&self, first: EntryKey) -> bool {
        let (inner, owner) = (&self.inner, self.own.id);
        let _files = lock(&inner.files);
        let others = self.forget_names(first);
        for key in others.iter().chain([&first]) {
            super::remove(&inner.path(owner, *key));
        }
        !others.is_empty()
    }

    /// Takes a resource's entries out of the index and the memory: the keys of those beside the first. The lock of the files is
    /// held.
    pub(super) fn forget_names(&self, first: EntryKey) -> Vec<EntryKey> {
        let mut index = lock(&self.inner.index);
        let mut memory = lock(&self.inner.memory);
        let others = index.keys(self.own.id, first.others());
        for key in others.iter().chain([&first]) {
            index.remove(self.own.id, *key);
            memory.remove(self.own.id, *key);
        }
        others
    }

    /// Makes the owner's folder. The lock of the files is held.
    pub(super) fn make_folder(&self) -> io::Result<()> {
        let folder = self.inner.owner_folder(self.own.id);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        fs::write(folder.join(NAME_FILE), self.own.name.as_bytes())?;
        lock(&self.inner.owners).named.insert((Arc::clone(&self.own.name), self.own.id));
        Ok(())
    }
}
