//! The registry: the authority on what is deployed, and the only meeting place of control and data plane.
//!
//! Owns the records of namespaces, scripts, routes, tokens, zones and custom hostnames, what is held of them in memory, and the rule
//! that a change is durable *and* visible to every later lookup before the call that made it returns.
//! In memory are all namespaces, all routes, all zones and all token hashes, and of each custom hostname a
//! hash; of scripts, hostnames and origins, bounded caches. Never
//! compiles or runs what is deployed.
//!
//! How nodes that share a store stay out of each other's way: nothing is appended without what was read before
//! (`collection`), so that whoever was slower reads again and decides anew.
//!
//! How the memory keeps up with the store:
//! - Namespaces, routes and tokens are read again after each change of a record, in the turn of their collection
//!   (`held`), before the call that made the change returns.
//! - Scripts change under one of many locks, chosen by the script's name (`cache`). A lookup that misses
//!   takes the same lock while it reads the store, so that it can never put an old state over a new one.
//! - The feed of changes repeats all of that for appends that this registry did not see to the end: those of
//!   other nodes, and those whose caller went away in the middle.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{broadcast, watch};

use wasmyard_model::clock::Clock;
use wasmyard_model::digest::Digest;
use wasmyard_model::ids::{CustomHostnameId, ZoneId};
use wasmyard_model::limits::Limits;
use wasmyard_model::name::NamespaceName;
use wasmyard_model::route::RouteTable;
use wasmyard_model::script::ScriptKey;
use wasmyard_stores::blob::Blobs;
use wasmyard_stores::{Health, Revision, Store};

pub use alert_error::AlertError;
pub use alerting::{DueDelivery, WEBHOOK_DELIVERY};
pub use assets::AssetSession;
pub use audit::AuditRange;
pub use client_identity::ClientIdentity;
pub use configured::{Applied, DeclaredNames};
pub use error::{ErrorKind, RegistryError};
pub use gc::Swept;
pub use jobs::{Done, Job, Jobs};
pub use own::OwnStorage;
pub use scripts::{DeletedScripts, Kept, MOST_DELETED_AT_ONCE, PINNED, Rollout, only_over};
pub use secret_store_error::SecretStoreError;
pub use secret_stores::{NewStoredSecret, StoredSecretEdit};
pub use ticks::{DuePage, DueTick, Taken, Tick};
pub use tokens::{MOST_TOKENS, TokenInfo};
pub use zone_error::ZoneError;
pub use zones::{
    CERTIFICATE_AGE, CERTIFICATE_DELETE, CERTIFICATE_DEPLOY, CERTIFICATE_FORGET, CERTIFICATE_ORDER,
    CSR_FORGET, DnsChange, HOSTNAME_CHECK, HostMatch, HostnameNames, HostnamePage, HostnameQuota, IssueQuota,
    OrderPace, ZONE_DEPLOY, hostname_of_check,
};

pub mod error;

mod alert_error;
mod alerting;
mod assets;
mod audit;
mod cache;
mod client_identity;
mod collection;
mod configured;
#[cfg(any(test, feature = "contract"))]
pub mod contract;
mod feed;
mod follow;
mod gc;
mod held;
mod index;
mod jobs;
mod namespaces;
mod open;
mod own;
mod ownership;
mod record;
mod routes;
mod scripts;
mod secret_store_error;
mod secret_stores;
mod ticks;
mod tokens;
mod zone_error;
mod zones;

/// What [`Registry`] functions return.
pub type Result<T> = std::result::Result<T, RegistryError>;

/// A handle on the registry. Cheap to clone; the last one to go ends the feed of changes.
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Inner>,
    /// Whether changes through this handle may touch what the configuration names.
    over_configuration: bool,
    drops_storage: bool,
    /// How many certificates a zone may ask for through this handle within a minute; none: any number.
    issues_a_minute: Option<u64>,
}

struct Inner {
    log: collection::Log,
    blobs: Blobs,
    options: RegistryOptions,
    namespaces: held::Held<index::NamespaceIndex>,
    routes: RouteTable,
    routes_turn: held::Turn,
    tokens: held::Held<Vec<tokens::TokenRecord>>,
    uses: tokens::NotedUses,
    scripts: cache::ScriptCache,
    /// How many scripts there are where they are many, and when they were counted.
    counts: moka::sync::Cache<String, (tokio::time::Instant, u64)>,
    assets: assets::AssetCache,
    zones: held::Held<zones::ZoneIndex>,
    claims: zones::claims::ClaimMemory,
    origins: zones::origins::OriginMemory,
    waiting: zones::waiting::WaitingMemory,
    challenges: zones::challenges::ChallengeMemory,
    associations: zones::client_ca::AssociationMemory,
    texts: zones::texts::TextMemory,
    /// Who is told of what.
    alerts: held::Held<Vec<Arc<wasmyard_model::alerting::AlertPolicy>>>,
    events: broadcast::Sender<RegistryEvent>,
    /// Wakes whoever works on jobs here when one was made here.
    jobs_made: tokio::sync::Notify,
    /// Wakes whoever runs scripts by their cron expressions here when those of one changed here.
    ticks_made: tokio::sync::Notify,
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
    /// Bound on the custom hostnames held in memory, in bytes, about.
    pub hostname_cache_bytes: u64,
    /// Bound on what is held in memory of where origins are, in bytes, about.
    pub origin_cache_bytes: u64,
    /// How many custom hostnames a zone may have.
    pub hostname_quota: u64,
    /// How many revisions the log of changes keeps.
    pub keep_changes: u64,
    /// How many versions of a script are kept, those that serve among them and pinned ones aside.
    pub kept_versions: usize,
    /// How long an entry of the audit log is kept.
    pub audit_kept: Duration,
    /// How many scripts are deleted together at most.
    pub deleted_at_once: usize,
    /// How long a blob that nobody refers to is kept.
    pub blob_grace: Duration,
    /// How long storage of a script's own is kept that nothing leads to.
    pub storage_grace: Duration,
    /// Whether storage of a script's own lies under a name that script, type and binding give. For a registry that forgets
    /// when its process ends: under a name by chance nobody would find it again.
    pub storage_named_by_key: bool,
    /// What time it is.
    pub clock: Clock,
}

impl Default for RegistryOptions {
    fn default() -> RegistryOptions {
        RegistryOptions {
            ceiling: Limits::CEILING,
            script_cache_bytes: 64 << 20,
            manifest_cache_bytes: 64 << 20,
            hostname_cache_bytes: 32 << 20,
            origin_cache_bytes: 16 << 20,
            hostname_quota: wasmyard_model::limits::hostnames::CUSTOM_HOSTNAMES,
            keep_changes: 10_000,
            deleted_at_once: MOST_DELETED_AT_ONCE,
            kept_versions: 10,
            audit_kept: Duration::from_secs(90 * 24 * 3_600),
            blob_grace: Duration::from_secs(24 * 3_600),
            storage_grace: Duration::from_secs(7 * 24 * 3_600),
            storage_named_by_key: false,
            clock: Clock::system(),
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
    /// A zone was made, changed or deleted.
    Zone {
        /// The zone's id.
        id: ZoneId,
    },
    /// A custom hostname was made, changed or deleted.
    CustomHostname {
        /// Its zone's id.
        zone: ZoneId,
        /// Its id.
        id: CustomHostnameId,
    },
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
            counts: moka::sync::Cache::new(scripts::MOST_COUNTS),
            assets: assets::AssetCache::new(options.manifest_cache_bytes),
            zones: held::Held::default(),
            claims: zones::claims::ClaimMemory::new(options.hostname_cache_bytes),
            waiting: zones::waiting::WaitingMemory::default(),
            origins: zones::origins::OriginMemory::new(options.origin_cache_bytes),
            challenges: zones::challenges::ChallengeMemory::default(),
            associations: zones::client_ca::AssociationMemory::default(),
            texts: zones::texts::TextMemory::default(),
            alerts: held::Held::default(),
            log: collection::Log::new(store),
            blobs,
            options,
            namespaces: held::Held::default(),
            routes: RouteTable::new(),
            routes_turn: held::Turn::default(),
            tokens: held::Held::default(),
            uses: tokens::NotedUses::default(),
            events: broadcast::channel(1_024).0,
            jobs_made: tokio::sync::Notify::new(),
            ticks_made: tokio::sync::Notify::new(),
        });
        let newest = inner.log.watch();
        let loaded = inner.load().await?;
        tokio::spawn(feed::run(Arc::downgrade(&inner), newest, loaded));
        Ok(Registry { inner, over_configuration: false, drops_storage: false, issues_a_minute: None })
    }

    /// A registry that lives as long as the process: for tests, and for `wasmyard dev`.
    ///
    /// # Errors
    /// As [`Registry::open`].
    pub async fn in_memory() -> Result<Registry> {
        Registry::open(Arc::new(wasmyard_stores::MemoryStore::new()), Blobs::memory()).await
    }

    /// What time it is for what is kept here: dates of records are compared with this clock and no other.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.inner.options.clock
    }

    /// Keeps a component, durably when it returns. A deploy may refer to it afterwards; one that no deploy
    /// refers to is swept after the grace time.
    ///
    /// # Errors
    /// [`RegistryError::Blob`] when the blob store fails.
    pub async fn put_component(&self, bytes: Bytes) -> Result<Digest> {
        self.inner.put_blob(bytes).await
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
        Registry { over_configuration: true, ..self.clone() }
    }

    /// A handle through which certificates are asked for of an authority: a zone may ask for so many within a minute, and
    /// what is asked for begins with its order.
    #[must_use]
    pub fn asking_for(&self, per_minute: u64) -> Registry {
        Registry { issues_a_minute: Some(per_minute), ..self.clone() }
    }

    /// The options it was opened with.
    #[must_use]
    pub fn options(&self) -> &RegistryOptions {
        &self.inner.options
    }

    /// Follows the newest revision of the store.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Revision> {
        self.inner.log.watch()
    }

    /// The changes from now on. A receiver that falls far behind gets `RecvError::Lagged`, which means the
    /// same as [`RegistryEvent::Everything`].
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<RegistryEvent> {
        self.inner.events.subscribe()
    }

    /// What the store can do at the moment.
    #[must_use]
    pub fn health(&self) -> Health {
        self.inner.log.health()
    }

    /// Whether there is room for something new: to be asked before work is done for it.
    ///
    /// # Errors
    /// [`RegistryError::Store`] with the cause that there is none.
    pub fn has_room(&self) -> Result<()> {
        self.inner.log.has_room()
    }

    /// Brings everything to its place before the process ends. Changes fail afterwards.
    pub async fn close(&self) {
        self.inner.log.close().await;
    }

    /// Whether the store answers.
    ///
    /// # Errors
    /// [`RegistryError::Store`] when it does not.
    pub async fn ping(&self) -> Result<Revision> {
        self.inner.log.revision().await
    }
}

impl Inner {
    fn clock(&self) -> &Clock {
        &self.options.clock
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("routes", &self.inner.routes.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
