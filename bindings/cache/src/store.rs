//! Where entries are kept: in memory and on the disk, by owner, within bounds, and over the end of the process.
//!
//! Knows nothing of HTTP: an entry is a key, what its user says of it, and a body. The key that a user gives is kept with the
//! entry and compared, so that no two keys ever share one. What cannot be kept or read is not there: the log says why, and no
//! caller has to deal with it. The memory holds small entries that the disk has as well.
//!
//! Names of files change under one lock, together with the index and the memory, so that what is read is what was put last.
//! That lock is only ever taken where blocking is allowed; the others are held for moments, and never while a file is touched.

mod file;
mod loading;
mod owner;
mod reading;
mod shares;
mod space;
mod writing;

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use tokio::sync::{Semaphore, watch};
use uuid::Uuid;
use wasmyard_model::Clock;

pub use reading::{Found, Reader, Stored};
pub use space::Space;
pub use writing::Writing;

use crate::limits::{CacheLimits, MEMORY_OVERHEAD_BYTES};
use file::Stamp;
use owner::{Own, Owner};
use shares::{Bounds, Gone, Shares};

/// Whose entries: a script, by the identifier that it has until it is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnerId(pub Uuid);

/// Names an entry of an owner's. The entries of one `primary` go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntryKey {
    /// Of a resource.
    pub primary: [u8; 16],
    /// Of one of its entries; the first one has zeros.
    pub variant: [u8; 8],
}

impl EntryKey {
    /// The first entry of a resource.
    #[must_use]
    pub fn first(primary: [u8; 16]) -> EntryKey {
        EntryKey { primary, variant: [0; 8] }
    }

    /// Whether it is the first.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.variant == [0; 8]
    }

    fn others(&self) -> std::ops::RangeInclusive<EntryKey> {
        let end = |variant| EntryKey { primary: self.primary, variant };
        end([0, 0, 0, 0, 0, 0, 0, 1])..=end([u8::MAX; 8])
    }

    fn file_name(&self) -> String {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        format!("{}-{}", hex(&self.primary), hex(&self.variant))
    }

    fn parse(name: &str) -> Option<EntryKey> {
        let (primary, variant) = name.split_once('-')?;
        let key = EntryKey { primary: unhex(primary)?, variant: unhex(variant)? };
        (key.file_name() == name).then_some(key)
    }
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != N * 2 || !text.is_ascii() {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// An entry of the memory.
#[derive(Debug)]
struct Small {
    key: Bytes,
    meta: Bytes,
    body: Bytes,
}

impl Small {
    fn weight(&self) -> u64 {
        (self.key.len() + self.meta.len() + self.body.len()) as u64 + MEMORY_OVERHEAD_BYTES
    }
}

/// The entries of a node. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    folder: PathBuf,
    /// For files that have no name yet, and those that are to go.
    drafts: PathBuf,
    limits: CacheLimits,
    clock: Clock,
    /// When it was opened, in nanoseconds since 1970: nothing that was there before was used later.
    began: u64,
    /// Held while names of files change.
    files: Mutex<()>,
    /// What the disk has. An entry without a stamp was there before this process, and has not been looked at.
    index: Mutex<Shares<Option<Stamp>>>,
    memory: Mutex<Shares<Arc<Small>>>,
    owners: Mutex<Owners>,
    calls: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    /// Whether the index has all that the disk has.
    loaded: watch::Sender<bool>,
    /// When a full disk was last told of, in seconds since 1970.
    told: AtomicU64,
}

/// Who has entries, and under which name.
#[derive(Debug, Default)]
struct Owners {
    open: HashMap<OwnerId, Weak<Own>>,
    named: BTreeSet<(Arc<str>, OwnerId)>,
}

/// What an owner's folder says whose it is.
const NAME_FILE: &str = "name";

impl Store {
    /// Opens a folder, which is made if need be. What is in it is looked through in the background.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn open(folder: &Path, clock: Clock, limits: CacheLimits) -> io::Result<Store> {
        let drafts = folder.join("drafts");
        // Of a process that was killed.
        match fs::remove_dir_all(&drafts) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&drafts)?;
        let began = clock.now().unix_micros().saturating_mul(1_000);
        let disk = Bounds { all: limits.disk_bytes, own: limits.script_bytes.min(limits.disk_bytes) };
        let memory = Bounds { all: limits.memory_bytes, own: limits.memory_bytes };
        let inner = Arc::new(Inner {
            folder: folder.to_owned(),
            drafts,
            limits,
            clock,
            began,
            files: Mutex::default(),
            index: Mutex::new(Shares::new(disk, began)),
            memory: Mutex::new(Shares::new(memory, began)),
            owners: Mutex::default(),
            calls: Arc::new(Semaphore::new(limits.all_calls)),
            streams: Arc::new(Semaphore::new(limits.all_streams)),
            loaded: watch::Sender::new(false),
            told: AtomicU64::new(0),
        });
        let loading = Arc::downgrade(&inner);
        std::thread::Builder::new().name("cache-index".to_owned()).spawn(move || loading::run(&loading))?;
        Ok(Store(inner))
    }

    /// The entries of one owner. The name is for whoever asks who has entries.
    #[must_use]
    pub fn space(&self, owner: OwnerId, name: &str) -> Space {
        let mut owners = lock(&self.0.owners);
        if let Some(own) = owners.open.get(&owner).and_then(Weak::upgrade) {
            return Space(Owner { inner: Arc::clone(&self.0), own });
        }
        if owners.open.len() == owners.open.capacity() {
            owners.open.retain(|_, own| own.strong_count() > 0);
        }
        let own = Arc::new(Own::new(owner, name, &self.0.limits));
        owners.open.insert(owner, Arc::downgrade(&own));
        Space(Owner { inner: Arc::clone(&self.0), own })
    }

    /// Waits until all that the folder had at the start is known.
    pub async fn loaded(&self) {
        // An error says that nobody looks any more.
        self.0.loaded.subscribe().wait_for(|loaded| *loaded).await.ok();
    }

    /// Who has entries on the disk under this name; under any, where none is given.
    #[must_use]
    pub fn owners(&self, name: Option<&str>) -> Vec<(String, OwnerId)> {
        let owners = lock(&self.0.owners);
        let all = |(name, owner): &(Arc<str>, OwnerId)| (name.to_string(), *owner);
        match name {
            None => owners.named.iter().map(all).collect(),
            Some(name) => {
                let from: (Arc<str>, OwnerId) = (Arc::from(name), OwnerId(Uuid::nil()));
                owners.named.range(from..).take_while(|(known, _)| &**known == name).map(all).collect()
            }
        }
    }

    /// Forgets all that an owner has: nobody reads it any more when this returns, and it is gone from the disk. What the owner
    /// still writes is not kept.
    pub async fn forget(&self, owner: OwnerId) {
        let inner = Arc::clone(&self.0);
        blocking(move || inner.forget(owner)).await;
    }

    /// Bytes on the disk and in memory, and how many entries the disk has.
    #[must_use]
    pub fn held(&self) -> (u64, u64, usize) {
        let (disk, entries) = {
            let index = lock(&self.0.index);
            (index.total(), index.entries())
        };
        (disk, lock(&self.0.memory).total(), entries)
    }
}

impl Inner {
    fn owner_folder(&self, owner: OwnerId) -> PathBuf {
        self.folder.join(owner.0.simple().to_string())
    }

    fn path(&self, owner: OwnerId, key: EntryKey) -> PathBuf {
        self.owner_folder(owner).join(key.file_name())
    }

    fn draft_path(&self) -> PathBuf {
        self.drafts.join(Uuid::new_v4().simple().to_string())
    }

    fn is_loaded(&self) -> bool {
        *self.loaded.borrow()
    }

    fn forget(&self, owner: OwnerId) {
        let away = self.draft_path();
        {
            let _files = lock(&self.files);
            {
                let mut owners = lock(&self.owners);
                if let Some(own) = owners.open.remove(&owner).and_then(|own| own.upgrade()) {
                    own.close();
                }
                owners.named.retain(|(_, known)| *known != owner);
            }
            if let Err(error) = fs::rename(self.owner_folder(owner), &away)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::error!(owner = %owner.0, %error, "the cache of a script that is gone could not be removed");
            }
            let mut index = lock(&self.index);
            index.remove_owner(owner);
            lock(&self.memory).remove_owner(owner);
        }
        match fs::remove_dir_all(&away) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, "what a cache had could not be removed; the next start removes it");
            }
            Ok(()) | Err(_) => {}
        }
    }

    /// Removes the files of entries that had to go. The lock of the files is held.
    fn bury(&self, gone: Vec<Gone<Option<Stamp>>>) {
        let mut memory = lock(&self.memory);
        gone.iter().for_each(|one| drop(memory.remove(one.owner, one.key)));
        drop(memory);
        for Gone { owner, key, .. } in gone {
            remove(&self.path(owner, key));
        }
    }

    /// Forgets an entry that is damaged, or whose file is not there.
    fn discard(&self, owner: OwnerId, key: EntryKey) {
        let _files = lock(&self.files);
        let mut index = lock(&self.index);
        index.remove(owner, key);
        lock(&self.memory).remove(owner, key);
        drop(index);
        remove(&self.path(owner, key));
    }

    /// The disk did not take something. Where it is full the cache makes itself smaller: others need the room more.
    fn failed(&self, action: &str, error: &io::Error) {
        let is_full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        let now = self.clock.now().unix_seconds();
        let told = self.told.swap(now, Ordering::Relaxed);
        // Once a minute: what is not kept can be much.
        if now.saturating_sub(told) >= 60 {
            tracing::error!(%error, is_full, "{action}: it is not kept, and scripts go on without it");
        } else {
            self.told.store(told, Ordering::Relaxed);
        }
        if is_full {
            let _files = lock(&self.files);
            let gone = {
                let mut index = lock(&self.index);
                let smaller = index.total() / 8 * 7;
                index.shrink(smaller)
            };
            self.bury(gone);
        }
    }
}

fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%error, "a file of the cache could not be removed");
        }
        Ok(()) | Err(_) => {}
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does what may block. None: it panicked, or the process ends.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Some(done),
        Err(error) => {
            tracing::error!(%error, "work of the cache broke off");
            None
        }
    }
}
