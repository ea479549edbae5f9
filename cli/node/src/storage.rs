//! What a node keeps in its data directory: the registry, keys and values, SQL databases, queues, objects, caches, and the token of whoever administers it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use wasmyard_cache::Caches;
use wasmyard_d1::{D1, D1Limits, SqliteCatalog};
use wasmyard_hostnames::certificates::CertificateStore;
use wasmyard_hostnames::{InstallationKey, KeyError};
use wasmyard_kv::{Kv, KvLimits, SqliteKv};
use wasmyard_namespaces::store::{MemoryStore, Seal};
use wasmyard_namespaces::{Blobs, Clock, Registry, RegistryError, RegistryOptions};
use wasmyard_queues::{QueueLimits, Queues, SqliteQueues};
use wasmyard_r2::{Index, LocalContents, R2, R2Limits};

use crate::config::ResolvedConfig;
use crate::error::StartError;
use crate::token;

/// What a node keeps, opened.
pub struct Storage {
    pub(crate) registry: Registry,
    pub(crate) kept: Kept,
    /// What secrets are sealed with; none in development, which keeps none.
    pub(crate) key: Option<Arc<InstallationKey>>,
    made_token: Option<PathBuf>,
}

/// What stands behind bindings, and is kept beside the registry.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) kv: Kv,
    pub(crate) d1: D1,
    pub(crate) queues: Queues,
    pub(crate) r2: R2,
    pub(crate) caches: Caches,
}

impl Kept {
    fn open(data: &Path, config: &ResolvedConfig) -> Result<Self, StartError> {
        Ok(Self {
            kv: keys_and_values(data)?,
            d1: databases(data)?,
            queues: queues(data)?,
            r2: objects(data)?,
            caches: caches(data, config)?,
        })
    }

    /// Brings everything to its place, before the process ends.
    pub(crate) async fn close(&self) {
        self.kv.close().await;
        self.d1.close().await;
        self.queues.close().await;
        self.r2.close().await;
    }
}

impl Storage {
    /// All that there is in the data directory. The admin token is `token` where one is given.
    ///
    /// # Errors
    /// Why it cannot be opened.
    pub async fn open(config: &ResolvedConfig, token: Option<&str>) -> Result<Self, StartError> {
        let data = &config.server.data;
        make_data_directory(data)?;
        let master = match &config.server.master_key {
            Some(source) => Some(source.key().await?),
            None => None,
        };
        let mut kept = None;
        // Asked for when it is known whether anything is sealed: a key that is gone is not made anew.
        let key = |is_sealed| {
            let is_sealed = is_sealed || CertificateStore::exists(data);
            let key = Arc::new(InstallationKey::of_directory(data, master.as_ref(), is_sealed)?);
            kept = Some(Arc::clone(&key));
            Ok::<Arc<dyn Seal>, KeyError>(key)
        };
        let registry = Registry::open_sealed(data, registry_options(config), key)
            .await
            .map_err(|error| unopened(data, &error))?;
        Self::around(registry, config, kept, token).await
    }

    /// The same for development. What `dev` serves is made from the folder at each start: no registry has to outlive
    /// the process. What scripts keep under a title is there again at the next start.
    ///
    /// # Errors
    /// Why it cannot be opened.
    pub async fn for_development(config: &ResolvedConfig, token: Option<&str>) -> Result<Self, StartError> {
        let data = &config.server.data;
        make_data_directory(data)?;
        // What scripts keep lies in the folder, and is found again by the next start.
        let options = RegistryOptions { storage_named_by_key: true, ..registry_options(config) };
        let registry = Registry::open_with(Arc::new(MemoryStore::new()), Blobs::memory(), options)
            .await
            .map_err(|error| StartError::failed(format!("the registry cannot be made: {error}")))?;
        Self::around(registry, config, None, token).await
    }

    async fn around(
        registry: Registry,
        config: &ResolvedConfig,
        key: Option<Arc<InstallationKey>>,
        token: Option<&str>,
    ) -> Result<Self, StartError> {
        let data = &config.server.data;
        let kept = Kept::open(data, config)?;
        let made_token = token::admin(&registry, data, token).await?;
        Ok(Self { registry, kept, key, made_token })
    }

    /// Where the admin token is, if there was none and one was made now. It is never printed.
    pub fn made_token(&self) -> Option<&Path> {
        self.made_token.as_deref()
    }
}

/// Why a data directory cannot be used, and what helps against that very cause.
fn unopened(data: &Path, error: &RegistryError) -> StartError {
    let message = format!("the data directory {} cannot be opened: {error}", data.display());
    match error.cause().remedy() {
        Some(remedy) => StartError::with_remedy(message, remedy),
        None => StartError::failed(message),
    }
}

/// The keys and values of a data directory.
fn keys_and_values(data: &Path) -> Result<Kv, StartError> {
    let folder = data.to_owned();
    let open = move || SqliteKv::open(&folder).map(|store| Arc::new(store) as _);
    Kv::open(open, Clock::system(), KvLimits::default()).map_err(|error| {
        let message = format!("the keys and values in {} cannot be opened: {error}", data.display());
        StartError::with_remedy(
            message,
            "restore kv.sqlite from a backup, or move it away to begin without any",
        )
    })
}

/// The queues of a data directory.
fn queues(data: &Path) -> Result<Queues, StartError> {
    let folder = data.to_owned();
    let open = move || SqliteQueues::open(&folder).map(|store| Arc::new(store) as _);
    Queues::open(open, Clock::system(), QueueLimits::default()).map_err(|error| {
        let message = format!("the queues in {} cannot be opened: {error}", data.display());
        StartError::with_remedy(
            message,
            "restore queues.sqlite from a backup, or move it away to begin without any",
        )
    })
}

/// The SQL databases of a data directory.
fn databases(data: &Path) -> Result<D1, StartError> {
    let folder = data.to_owned();
    let open = move || SqliteCatalog::open(&folder).map(|catalog| Arc::new(catalog) as _);
    D1::open(open, &data.join("d1"), Clock::system(), D1Limits::default()).map_err(|error| {
        let message = format!("the list of SQL databases in {} cannot be opened: {error}", data.display());
        StartError::with_remedy(
            message,
            "restore d1.sqlite from a backup, or move it away to begin without any",
        )
    })
}

/// The objects of a data directory.
fn objects(data: &Path) -> Result<R2, StartError> {
    let folder = data.to_owned();
    let open = move || {
        let contents = LocalContents::open(&folder.join("objects"))?;
        Ok((Index::open(&folder)?, Arc::new(contents) as _))
    };
    R2::open(open, Clock::system(), R2Limits::default()).map_err(|error| {
        let message = format!("the objects in {} cannot be opened: {error}", data.display());
        StartError::with_remedy(
            message,
            "restore r2.sqlite and objects/ from a backup, or move both away to begin without any",
        )
    })
}

/// The caches of a data directory.
fn caches(data: &Path, config: &ResolvedConfig) -> Result<Caches, StartError> {
    Caches::open(&data.join("cache"), Clock::system(), config.cache).map_err(|error| {
        let message = format!("the caches in {} cannot be opened: {error}", data.display());
        StartError::with_remedy(message, "remove the folder `cache`: scripts go on without what was in it")
    })
}

fn registry_options(config: &ResolvedConfig) -> RegistryOptions {
    let kept_versions = usize::try_from(config.server.kept_versions).unwrap_or(usize::MAX);
    let (audit_kept, storage_grace) = (config.server.audit_kept, config.server.storage_grace);
    RegistryOptions {
        ceiling: config.ceiling,
        kept_versions,
        audit_kept,
        storage_grace,
        ..RegistryOptions::default()
    }
}

/// Only its owner may look into the data directory: it holds tenants' code and secrets.
fn make_data_directory(data: &Path) -> Result<(), StartError> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(|error| {
        StartError::with_remedy(
            format!("the data directory {} cannot be made: {error}", data.display()),
            "choose another with --data, or with `data` under [server]",
        )
    })
}
