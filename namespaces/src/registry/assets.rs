//! Assets: what serving reads.
//!
//! Owns the cache of manifests and the opening of contents and their variants. Never decides what a request
//! is answered with.

use std::sync::Arc;

use bytes::Bytes;
use moka::future::Cache;
use serde::{Deserialize, Serialize};

use super::record::{self, decode, encode, variant_key};
use super::{Registry, Result};
use crate::assets::{AssetContent, AssetScope, Encoding, Manifest, content_blob, variant_blob};
use crate::blob::BlobError;
use crate::digest::Digest;
use crate::error::RegistryError;
use crate::script::ScriptKey;
use crate::store::Write;

/// What is held in memory of assets.
pub(super) struct AssetCache {
    manifests: Cache<Digest, Arc<Manifest>>,
}

impl AssetCache {
    pub(super) fn new(bytes: u64) -> AssetCache {
        let weight =
            |_: &Digest, manifest: &Arc<Manifest>| u32::try_from(manifest.memory()).unwrap_or(u32::MAX);
        AssetCache { manifests: Cache::builder().max_capacity(bytes).weigher(weight).build() }
    }
}

/// A variant in the store.
#[derive(Serialize, Deserialize)]
struct VariantRecord {
    digest: Digest,
    size: u64,
}

impl Registry {
    /// Where the assets of a script are kept; none when its namespace is not there.
    #[must_use]
    pub fn asset_scope(&self, key: &ScriptKey) -> Option<AssetScope> {
        match key.namespace() {
            None => Some(AssetScope::platform()),
            Some(namespace) => {
                self.namespace_cached(namespace).map(|namespace| AssetScope::namespace(&namespace.id))
            }
        }
    }

    /// A manifest, from memory where it is there. Read once however many ask.
    ///
    /// # Errors
    /// [`RegistryError::Blob`] when it is not there, or corrupt, or the blob store fails.
    pub async fn manifest(&self, digest: &Digest) -> Result<Arc<Manifest>> {
        let read = async {
            let bytes = self.inner.blobs.get(digest).await?;
            let manifest = Manifest::decode(&bytes)
                .map_err(|error| RegistryError::Manifest { digest: *digest, source: error })?;
            Ok(Arc::new(manifest))
        };
        self.inner
            .assets
            .manifests
            .try_get_with(*digest, read)
            .await
            .map_err(|error: Arc<RegistryError>| Arc::try_unwrap(error).unwrap_or_else(RegistryError::Shared))
    }

    /// A manifest, if it is in memory: for the path of a request.
    #[must_use]
    pub fn manifest_cached(&self, digest: &Digest) -> Option<Arc<Manifest>> {
        // A lookup waits for nothing unless the cache is being tidied at this moment; then it is a miss.
        futures::FutureExt::now_or_never(self.inner.assets.manifests.get(digest)).flatten()
    }

    /// Opens the content of an asset of a manifest.
    ///
    /// # Errors
    /// [`RegistryError::Blob`] when it is not there, or known to be corrupt, or the blob store fails.
    pub async fn asset(&self, scope: &AssetScope, digest: &Digest) -> Result<AssetContent> {
        Ok(self.inner.blobs.open_as(&content_blob(scope, digest), digest).await?)
    }

    /// Opens a variant of a content; none when nobody put one.
    ///
    /// # Errors
    /// [`RegistryError::Blob`] or [`RegistryError::Store`] when it cannot be read.
    pub async fn variant(
        &self,
        scope: &AssetScope,
        digest: &Digest,
        encoding: Encoding,
    ) -> Result<Option<AssetContent>> {
        let name = variant_blob(scope, digest, encoding);
        let Some(entry) = self.inner.store.get(&variant_key(&name)).await? else { return Ok(None) };
        let record: VariantRecord = decode(&entry)?;
        match self.inner.blobs.open_as(&name, &record.digest).await {
            // A file of another length is not what was put; it is made anew.
            Ok(content) if content.len() == record.size => Ok(Some(content)),
            Ok(_) | Err(BlobError::NotFound { .. } | BlobError::Corrupt { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Keeps a variant of a content, durably when it returns. It goes when the content goes.
    ///
    /// # Errors
    /// [`RegistryError::Blob`] or [`RegistryError::Store`] when it cannot be kept.
    pub async fn put_variant(
        &self,
        scope: &AssetScope,
        digest: &Digest,
        encoding: Encoding,
        bytes: Bytes,
    ) -> Result<()> {
        let inner = &self.inner;
        let name = variant_blob(scope, digest, encoding);
        let record = VariantRecord { digest: Digest::of(&bytes), size: bytes.len() as u64 };
        let key = variant_key(&name);
        let _no_sweep = inner.blob_gate.read().await;
        inner.blobs.put_as(&name, bytes).await?;
        let writes = [
            Write::put(key.clone(), encode(&key, &record)?),
            record::referred_while(&name, &key, &content_blob(scope, digest))?,
        ];
        inner.store.append(&[], &writes).await?;
        Ok(())
    }
}
