//! Who has entries, as whatever is done for it sees it: its places, its folder, its names.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{EntryKey, Inner, NAME_FILE, OwnerId, lock};
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

/// An owner, and the store that it is one of. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    pub(super) inner: Arc<Inner>,
    pub(super) own: Arc<Own>,
}

/// A place: of a call, or of a file that is open for as long as somebody takes.
#[derive(Debug)]
pub(crate) struct Place {
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Owner {
    /// The largest body that may be kept.
    pub(super) fn most(&self) -> u64 {
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

    /// What was to be put in place of an entry cannot be kept: the older one is not what its owner means any more.
    pub(super) fn discard(&self, at: EntryKey) {
        self.inner.discard(self.own.id, at);
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
