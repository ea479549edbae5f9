//! The registry: the authority on what is deployed, and the only meeting place of control and data plane.
//!
//! Owns the records of namespaces, scripts, routes and tokens, what is held of them in memory, and the rule
//! that a change is durable *and* visible to every later lookup before the call that made it returns.
//! In memory are all namespaces, all routes and all token hashes; of scripts, a bounded cache. Never
//! compiles or runs what is deployed.
//!
//! How the memory keeps up with the store:
//! - Namespaces, routes and tokens change under one lock (`admin`), held from the append until the memory
//!   shows it.
//! - Scripts change under one of many locks, chosen by the script's name (`cache`). A lookup that misses
//!   takes the same lock while it reads the store, so that it can never put an old state over a new one.
//! - The feed of changes repeats all of that for appends that this registry did not see to the end: those of
//!   other nodes, and those whose caller went away in the middle.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use tokio::sync::{Mutex, RwLock, broadcast, watch};

use crate::blob::Blobs;
use crate::digest::Digest;
use crate::error::RegistryError;
use crate::limits::Limits;
use crate::name::NamespaceName;
use crate::route::RouteTable;
use crate::script::ScriptKey;
use crate::store::{Revision, SqliteStore, Store};

pub use assets::AssetSession;
pub use configured::Applied;
pub use gc::Swept;
pub use tokens::{MOST_TOKENS, TokenInfo};

mod assets;
mod cache;
mod configured;
mod feed;
mod gc;
mod index;
mod namespaces;
mod record;
mod routes;
mod scripts;
mod tokens;

/// What [`Registry`] functions return.
pub type Result<T> = std::result::Result<T, RegistryError>;

/// A handle on the registry. Cheap to clone; the last one to go ends the feed of changes.
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Inner>,
    /// Whether changes through this handle may touch what the configuration names.
    over_configuration: bool,
}

struct Inner {
    store: Arc<dyn Store>,
    blobs: Blobs,
    options: RegistryOptions,
    namespaces: ArcSwap<index::NamespaceIndex>,
    routes: RouteTable,
    tokens: ArcSwap<Vec<tokens::TokenRecord>>,
    scripts: cache::ScriptCache,
    assets: assets::AssetCache,
    /// Held from the append to the change in memory by whoever writes namespaces, routes or tokens.
    admin: Mutex<()>,
    /// Held shared while a deploy goes from "the blob is there" to "the blob is referred to", and alone by
    /// the sweep for each blob that it removes.
    blob_gate: RwLock<()>,
    events: broadcast::Sender<RegistryEvent>,
}

/// How a registry behaves.
#[derive(Clone, Debug)]
pub struct RegistryOptions {
    /// The most that namespaces and versions may ask for.
    pub ceiling: Limits,
    /// Bound on the cache of scripts, in bytes, about.
    pub script_cache_bytes: u64,
    /// Bound on the manifests held in memory, in bytes, about.
    pub manifest_cache_bytes: u64,
    /// How many revisions the log of changes keeps.
    pub keep_changes: u64,
    /// How long a blob that nobody refers to is kept.
    pub blob_grace: Duration,
}

impl Default for RegistryOptions {
    fn default() -> RegistryOptions {
        RegistryOptions {
            ceiling: Limits::CEILING,
            script_cache_bytes: 64 << 20,
            manifest_cache_bytes: 64 << 20,
            keep_changes: 10_000,
            blob_grace: Duration::from_secs(24 * 3_600),
        }
    }
}

/// A change, for whoever keeps things that were made from records. Comes after the change is visible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistryEvent {
    /// A script was deployed, changed or deleted.
    Script(ScriptKey),
    /// A namespace was made, changed or deleted. `name` is its present name; none when it is gone.
    Namespace {
        /// The namespace's id.
        id: String,
        /// Its name.
        name: Option<NamespaceName>,
    },
    /// A route was made, changed or removed.
    Route {
        /// The route's id.
        id: String,
    },
    /// Tokens were made or removed.
    Tokens,
    /// Anything may have changed: forget all that was kept.
    Everything,
}

impl Registry {
    /// Opens a registry over a store and a place for blobs: loads namespaces, routes and tokens, and starts
    /// the feed of changes. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`RegistryError::Store`] or [`RegistryError::Record`] when the store cannot be read.
    pub async fn open(store: Arc<dyn Store>, blobs: Blobs) -> Result<Registry> {
        Registry::open_with(store, blobs, RegistryOptions::default()).await
    }

    /// Like [`Registry::open`], with options.
    ///
    /// # Errors
    /// As [`Registry::open`].
    pub async fn open_with(
        store: Arc<dyn Store>,
        blobs: Blobs,
        options: RegistryOptions,
    ) -> Result<Registry> {
        let inner = Arc::new(Inner {
            scripts: cache::ScriptCache::new(options.script_cache_bytes),
            assets: assets::AssetCache::new(options.manifest_cache_bytes),
            store,
            blobs,
            options,
            namespaces: ArcSwap::default(),
            routes: RouteTable::new(),
            tokens: ArcSwap::default(),
            admin: Mutex::new(()),
            blob_gate: RwLock::new(()),
            events: broadcast::channel(1_024).0,
        });
        let newest = inner.store.watch();
        let loaded = inner.load().await?;
        tokio::spawn(feed::run(Arc::downgrade(&inner), newest, loaded));
        Ok(Registry { inner, over_configuration: false })
    }

    /// Opens the registry of a data directory: takes the directory's lock, opens `registry.sqlite` and
    /// `blobs/` in it, and makes them if need be.
    ///
    /// # Errors
    /// As [`Registry::open`]; [`crate::store::StoreError::Locked`] when another process has the directory.
    pub async fn open_directory(directory: &Path, options: RegistryOptions) -> Result<Registry> {
        let folder = directory.to_owned();
        let opened = tokio::task::spawn_blocking(move || {
            // The store first: it takes the lock that makes the folder of blobs ours as well.
            let store = SqliteStore::open(&folder)?;
            let blobs = Blobs::open_local(&folder.join("blobs"))?;
            Ok::<_, RegistryError>((store, blobs))
        });
        let (store, blobs) = opened.await.map_err(|_| RegistryError::Closed)??;
        Registry::open_with(Arc::new(store), blobs, options).await
    }

    /// A registry that lives as long as the process: for tests, and for `wasmyard dev`.
    ///
    /// # Errors
    /// As [`Registry::open`].
    pub async fn in_memory() -> Result<Registry> {
        Registry::open(Arc::new(crate::store::MemoryStore::new()), Blobs::memory()).await
    }

    /// Keeps a component, durably when it returns. A deploy may refer to it afterwards; one that no deploy
    /// refers to is swept after the grace time.
    ///
    /// # Errors
    /// [`RegistryError::Blob`] when the blob store fails.
    pub async fn put_component(&self, bytes: Bytes) -> Result<Digest> {
        let _no_sweep = self.inner.blob_gate.read().await;
        Ok(self.inner.blobs.put(bytes).await?)
    }

    /// Reads a component; its content is checked against its digest.
    ///
    /// # Errors
    /// [`RegistryError::Blob`] when it is not there, or corrupt, or the blob store fails.
    pub async fn component(&self, digest: &Digest) -> Result<Bytes> {
        Ok(self.inner.blobs.get(digest).await?)
    }

    /// The table that requests are matched with.
    #[must_use]
    pub fn routes(&self) -> &RouteTable {
        &self.inner.routes
    }

    /// A handle whose changes may touch what the configuration names. Such a change holds until the
    /// configuration is applied the next time: whoever made it has to be told.
    #[must_use]
    pub fn over_configuration(&self) -> Registry {
        Registry { inner: Arc::clone(&self.inner), over_configuration: true }
    }

    /// The options it was opened with.
    #[must_use]
    pub fn options(&self) -> &RegistryOptions {
        &self.inner.options
    }

    /// Follows the newest revision of the store.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Revision> {
        self.inner.store.watch()
    }

    /// The changes from now on. A receiver that falls far behind gets `RecvError::Lagged`, which means the
    /// same as [`RegistryEvent::Everything`].
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<RegistryEvent> {
        self.inner.events.subscribe()
    }

    /// Whether the store answers.
    ///
    /// # Errors
    /// [`RegistryError::Store`] when it does not.
    pub async fn ping(&self) -> Result<Revision> {
        Ok(self.inner.store.revision().await?)
    }
}

impl Inner {
    /// Reads into memory what is kept there, and returns the revision it is true at, or a later one was seen.
    async fn load(&self) -> Result<Revision> {
        let _turn = self.admin.lock().await;
        // Before the reads: what changes during them comes once more through the feed.
        let revision = self.store.revision().await?;
        self.load_namespaces().await?;
        self.load_routes().await?;
        self.load_tokens().await?;
        Ok(revision)
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("routes", &self.inner.routes.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
