//! Opening a data directory: its store, its blobs, and what its secrets are sealed with.

use std::path::Path;
use std::sync::Arc;

use wasmyard_stores::blob::Blobs;
use wasmyard_stores::{Seal, SealingStore, SqliteStore, Store, StoreError};

use super::{Registry, RegistryOptions, Result, record};
use crate::error::RegistryError;

impl Registry {
    /// Opens the registry of a data directory: takes the directory's lock, opens `registry.sqlite` and
    /// `blobs/` in it, and makes them if need be.
    ///
    /// # Errors
    /// As [`Registry::open`]; [`wasmyard_stores::StoreError::Locked`] when another process has the directory.
    pub async fn open_directory(directory: &Path, options: RegistryOptions) -> Result<Registry> {
        let (store, blobs) = opened(directory).await?;
        Registry::open_alone(store, blobs, options).await
    }

    /// Over a store that no other process has.
    async fn open_alone(store: Arc<dyn Store>, blobs: Blobs, options: RegistryOptions) -> Result<Registry> {
        let registry = Registry::open_with(store, blobs, options).await?;
        registry.free_leases().await?;
        Ok(registry)
    }

    /// The same, with secrets that are sealed where they lie. `key` is asked for what seals them, and told whether some are
    /// sealed already: then only the key that they are sealed with will do.
    ///
    /// # Errors
    /// As [`Registry::open`]; [`RegistryError::Key`] where there is no such key.
    pub async fn open_sealed<E: std::error::Error + Send + Sync + 'static>(
        directory: &Path,
        options: RegistryOptions,
        key: impl FnOnce(bool) -> std::result::Result<Arc<dyn Seal>, E>,
    ) -> Result<Registry> {
        let (store, blobs) = opened(directory).await?;
        let is_sealed = SealingStore::has_sealed(&*store).await?;
        let key = key(is_sealed).map_err(|error| RegistryError::Key(Box::new(error)))?;
        let store = SealingStore::open(store, key, record::SEALED).await?;
        Registry::open_alone(Arc::new(store), blobs, options).await
    }
}

/// The store and the blobs of a data directory.
async fn opened(directory: &Path) -> Result<(Arc<dyn Store>, Blobs)> {
    let folder = directory.to_owned();
    let opened = tokio::task::spawn_blocking(move || {
        let blobs = folder.join("blobs");
        let file = folder.join("registry.sqlite");
        // Never an empty registry beside blobs: the sweep would remove what is left of a damaged directory.
        refuse_to_begin(!file.exists(), &file, &blobs)?;
        // The store first: it takes the lock that makes the folder of blobs ours as well.
        let store = SqliteStore::open(&folder)?;
        refuse_to_begin(*store.watch().borrow() == 0, &file, &blobs)?;
        Ok::<(Arc<dyn Store>, Blobs), RegistryError>((Arc::new(store), Blobs::open_local(&blobs)?))
    });
    opened.await.map_err(|_| RegistryError::Closed)?
}

/// Refuses to begin with an empty registry where there are blobs.
fn refuse_to_begin(is_new: bool, file: &Path, blobs: &Path) -> Result<()> {
    let any = || Blobs::any_in(blobs).map_err(|source| StoreError::engine("look for blobs", source));
    if is_new && any()? {
        let found = "it is missing or empty, and there are blobs beside it".to_owned();
        return Err(StoreError::Damaged { path: file.display().to_string(), found }.into());
    }
    Ok(())
}
