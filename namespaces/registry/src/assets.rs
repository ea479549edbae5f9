//! Assets: what serving reads.
//!
//! Owns the cache of manifests and the opening of contents and their variants. How contents come is in
//! `upload`, how they go in `collect`. Never decides what a request is answered with.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use dashmap::DashSet;
use moka::future::Cache;
use tokio::sync::{OnceCell, Semaphore};

use super::collection::{ATTEMPTS, Transaction, step_aside};
use super::{Registry, Result};
use crate::error::RegistryError;
use wasmyard_model::assets::{AssetContent, AssetScope, Encoding, Manifest, content_blob, variant_blob};
use wasmyard_model::digest::Digest;
use wasmyard_model::script::ScriptKey;
use wasmyard_model::secret::Secret;
use wasmyard_stores::blob::BlobError;

use record::VariantRecord;
pub(crate) use record::{MANIFESTS, VARIANTS, manifest_id};
pub use upload::AssetSession;

mod collect;
mod record;
mod upload;

/// Bound on the sessions held in memory, in bytes, about.
const SESSION_BYTES: u64 = 32 << 20;
/// Every so many openings of a file, its content is checked.
const CHECK_EVERY: u64 = 64;
/// Most blobs that are remembered as damaged.
const MOST_DAMAGED: usize = 10_000;

/// What is held in memory of assets.
pub(super) struct AssetCache {
    manifests: Cache<Digest, Arc<Manifest>>,
    sessions: Cache<String, Arc<AssetSession>>,
    token_key: OnceCell<Secret>,
    /// Blobs whose content is not what it was, or that are not there: asked for again in uploads.
    damaged: Arc<DashSet<Digest>>,
    openings: AtomicU64,
    checks: Arc<Semaphore>,
}

impl AssetCache {
    pub(super) fn new(bytes: u64) -> AssetCache {
        let weight =
            |_: &Digest, manifest: &Arc<Manifest>| u32::try_from(manifest.memory()).unwrap_or(u32::MAX);
        let session_weight = |_: &String, session: &Arc<AssetSession>| {
            u32::try_from(session.draft.memory()).unwrap_or(u32::MAX)
        };
        AssetCache {
            manifests: Cache::builder().max_capacity(bytes).weigher(weight).build(),
            sessions: Cache::builder().max_capacity(SESSION_BYTES).weigher(session_weight).build(),
            token_key: OnceCell::new(),
            damaged: Arc::default(),
            openings: AtomicU64::new(0),
            // One check at a time: it reads whole files, and nobody waits for it.
            checks: Arc::new(Semaphore::new(1)),
        }
    }

    async fn remember(&self, session: &Arc<AssetSession>) {
        let key = format!("{}/{}", session.scope, session.id);
        self.sessions.insert(key, Arc::clone(session)).await;
    }

    async fn remembered(&self, scope: &AssetScope, id: &str) -> Option<Arc<AssetSession>> {
        self.sessions.get(&format!("{scope}/{id}")).await
    }

    fn is_damaged(&self, blob: &Digest) -> bool {
        self.damaged.contains(blob)
    }

    fn heal(&self, blob: &Digest) {
        self.damaged.remove(blob);
    }

    /// Checks the content of a file now and then, in the background. One that is not what it was is refused
    /// from then on, until it is uploaded again.
    fn sample(&self, blob: Digest, digest: Digest, content: &AssetContent) {
        let AssetContent::File { file, len } = content else { return };
        if !self.openings.fetch_add(1, Ordering::Relaxed).is_multiple_of(CHECK_EVERY) {
            return;
        }
        let (Ok(turn), Ok(file)) = (Arc::clone(&self.checks).try_acquire_owned(), file.try_clone()) else {
            return;
        };
        let (damaged, len) = (Arc::clone(&self.damaged), *len);
        tokio::task::spawn_blocking(move || {
            let _turn = turn;
            if !wasmyard_stores::blob::is_content(&file, len, &digest) {
                note_damage(&damaged, &blob);
            }
        });
    }
}

fn note_damage(damaged: &DashSet<Digest>, blob: &Digest) {
    tracing::error!(%blob, "the content of an asset is not what was uploaded; deploying its files again heals it");
    if damaged.len() < MOST_DAMAGED {
        damaged.insert(*blob);
    }
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

    /// Takes note that a content was read and is not what was uploaded: it is refused from now on, and the next
    /// upload session that declares it asks for it.
    pub fn asset_is_damaged(&self, scope: &AssetScope, digest: &Digest) {
        note_damage(&self.inner.assets.damaged, &content_blob(scope, digest));
    }

    /// Opens the content of an asset of a manifest.
    ///
    /// # Errors
    /// [`RegistryError::Blob`] when it is not there, or known to be corrupt, or the blob store fails.
    pub async fn asset(&self, scope: &AssetScope, digest: &Digest) -> Result<AssetContent> {
        let (assets, blob) = (&self.inner.assets, content_blob(scope, digest));
        if assets.is_damaged(&blob) {
            return Err(BlobError::Damaged { digest: blob }.into());
        }
        let opened = self.inner.blobs.open_as(&blob, digest).await;
        match &opened {
            Ok(content) => assets.sample(blob, *digest, content),
            Err(BlobError::Corrupt { .. } | BlobError::NotFound { .. }) => {
                note_damage(&assets.damaged, &blob)
            }
            Err(_) => {}
        }
        Ok(opened?)
    }

    /// Opens a variant of a content, and says what its bytes must hash to; none when nobody put one.
    ///
    /// # Errors
    /// [`RegistryError::Blob`] or [`RegistryError::Store`] when it cannot be read.
    pub async fn variant(
        &self,
        scope: &AssetScope,
        digest: &Digest,
        encoding: Encoding,
    ) -> Result<Option<(AssetContent, Digest)>> {
        let name = variant_blob(scope, digest, encoding);
        let seen = self.inner.log.read(&VARIANTS, &name.to_string()).await?;
        let Some(record) = seen.record()? else { return Ok(None) };
        match self.inner.blobs.open_as(&name, &record.digest).await {
            // A file of another length is not what was put; it is made anew.
            Ok(content) if content.len() == record.size => Ok(Some((content, record.digest))),
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
        for attempt in 0..ATTEMPTS {
            let seen = inner.log.read(&VARIANTS, &name.to_string()).await?;
            let place = inner.blob_place(&name).await?;
            inner.blobs.put_as(&name, bytes.clone()).await?;
            let mut transaction = Transaction::default();
            transaction.put(&place, &inner.kept_now())?;
            transaction.put(&seen, &record)?;
            transaction.refer_while(&seen, &name, content_blob(scope, digest))?;
            match inner.log.commit(&transaction).await {
                Ok(_) => return Ok(()),
                Err(RegistryError::Conflict(_)) => step_aside(attempt).await,
                Err(error) => return Err(error),
            }
        }
        Err(RegistryError::Conflict(format!("a variant of asset {digest}")))
    }
}
