//! Blobs: components and manifests by the hash of their content, assets by a name that is theirs alone.
//!
//! Owns the layout (`ab/cdef...`), the durability of a put, and the check of content against its hash on
//! every read into memory. Never knows who refers to a blob: the registry does, and sweeps what nobody
//! refers to.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt as _, PutPayload};

use wasmyard_model::assets::AssetContent;
use wasmyard_model::digest::Digest;
use wasmyard_model::timestamp::Timestamp;

pub use local::is_content;

mod local;

/// A place for blobs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
    /// Where the blobs are files of this machine: the folder.
    folder: Option<Arc<Path>>,
}

/// What is known of a blob without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobInfo {
    /// Its name.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// When it was last put.
    pub put_on: Timestamp,
}

/// Why a blob could not be had or kept.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// There is none of that name.
    #[error("there is no blob {digest}")]
    NotFound {
        /// The name.
        digest: Digest,
    },
    /// The content is not what the name says. Putting the right content again heals it.
    #[error("blob {digest} is corrupt: its content hashes to {found}")]
    Corrupt {
        /// The name.
        digest: Digest,
        /// The hash of what is there.
        found: Digest,
    },
    /// The content was found not to be what was put. Putting the right content again heals it.
    #[error("blob {digest} is known to be damaged")]
    Damaged {
        /// The name.
        digest: Digest,
    },
    /// The engine below failed.
    #[error("the blob store failed to {action}: {source}")]
    Engine {
        /// What was tried.
        action: &'static str,
        /// The engine's own error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl BlobError {
    fn engine(
        action: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> BlobError {
        BlobError::Engine { action, source: source.into() }
    }
}

impl Blobs {
    /// Whether a folder of blobs has one. Says so of a folder that is not there, too.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn any_in(folder: &Path) -> std::io::Result<bool> {
        local::has_any(folder)
    }

    /// Opens a folder of the local disk, makes it if need be, and removes what a crash left half-written.
    /// The caller must own the folder: no other process may write to it.
    ///
    /// # Errors
    /// [`BlobError::Engine`] when the folder cannot be made or read.
    pub fn open_local(folder: &Path) -> Result<Blobs, BlobError> {
        local::prepare(folder).map_err(|source| BlobError::engine("prepare its folder", source))?;
        let store = LocalFileSystem::new_with_prefix(folder)
            .map_err(|source| BlobError::engine("open its folder", source))?
            // A put returns after the file and the folder's entry for it are on the disk.
            .with_fsync(true);
        Ok(Blobs { store: Arc::new(store), folder: Some(folder.into()) })
    }

    /// Blobs that live as long as the process.
    #[must_use]
    pub fn memory() -> Blobs {
        Blobs::from_object_store(Arc::new(InMemory::new()))
    }

    /// Blobs in any object store. Its puts must be atomic, and durable when they return.
    #[must_use]
    pub fn from_object_store(store: Arc<dyn ObjectStore>) -> Blobs {
        Blobs { store, folder: None }
    }

    /// Keeps bytes, durably when it returns. Putting what is there already writes it again: that renews its
    /// time, so that no sweep takes it before it is referred to, and heals it if it was corrupt.
    ///
    /// # Errors
    /// [`BlobError::Engine`] when the engine fails; then nothing is kept, or the blob whole.
    pub async fn put(&self, bytes: Bytes) -> Result<Digest, BlobError> {
        let (digest, bytes) = hashed(bytes).await?;
        self.put_as(&digest, bytes).await?;
        Ok(digest)
    }

    /// Keeps bytes under a name that is not their hash, durably when it returns. The caller makes sure that
    /// a name never means two contents, and knows the hash of what it put.
    ///
    /// # Errors
    /// [`BlobError::Engine`] when the engine fails; then nothing is kept, or the blob whole.
    pub async fn put_as(&self, name: &Digest, bytes: Bytes) -> Result<(), BlobError> {
        let put = self.store.put(&location(name), PutPayload::from_bytes(bytes)).await;
        put.map_err(|source| BlobError::engine("put a blob", source))?;
        Ok(())
    }

    /// Reads a blob and checks it.
    ///
    /// # Errors
    /// [`BlobError::NotFound`], [`BlobError::Corrupt`], or [`BlobError::Engine`].
    pub async fn get(&self, digest: &Digest) -> Result<Bytes, BlobError> {
        self.get_as(digest, digest).await
    }

    /// Reads the blob of a name and checks it against the hash of what was put there.
    ///
    /// # Errors
    /// As [`Blobs::get`].
    pub async fn get_as(&self, name: &Digest, content: &Digest) -> Result<Bytes, BlobError> {
        let read = async { self.store.get(&location(name)).await?.bytes().await };
        let bytes = read.await.map_err(|source| not_found(name, source, "read a blob"))?;
        let (found, bytes) = hashed(bytes).await?;
        if found != *content {
            return Err(BlobError::Corrupt { digest: *name, found });
        }
        Ok(bytes)
    }

    /// Opens the blob of a name: as a file where it is one, whose content is then not checked, else checked
    /// and in memory.
    ///
    /// # Errors
    /// As [`Blobs::get`].
    pub async fn open_as(&self, name: &Digest, content: &Digest) -> Result<AssetContent, BlobError> {
        let Some(folder) = &self.folder else {
            return self.get_as(name, content).await.map(AssetContent::Memory);
        };
        let (path, name) = (file(folder, name), *name);
        let opened = tokio::task::spawn_blocking(move || local::open(&path)).await;
        let opened = opened.map_err(|source| BlobError::engine("open a blob", source))?;
        let (file, len) = opened.map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => BlobError::NotFound { digest: name },
            _ => BlobError::engine("open a blob", source),
        })?;
        Ok(AssetContent::File { file, len })
    }

    /// Size and time of a blob; none when it is not there. Does not check the content.
    ///
    /// # Errors
    /// [`BlobError::Engine`] when the engine fails.
    pub async fn info(&self, digest: &Digest) -> Result<Option<BlobInfo>, BlobError> {
        match self.store.head(&location(digest)).await {
            Ok(meta) => Ok(Some(BlobInfo {
                digest: *digest,
                size: meta.size,
                put_on: std::time::SystemTime::from(meta.last_modified).into(),
            })),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(BlobError::engine("look for a blob", source)),
        }
    }

    /// Whether a blob is there. Does not check the content.
    ///
    /// # Errors
    /// [`BlobError::Engine`] when the engine fails.
    pub async fn exists(&self, digest: &Digest) -> Result<bool, BlobError> {
        Ok(self.info(digest).await?.is_some())
    }

    /// All blobs, one after the other, in no order. What is no blob is passed over.
    pub fn list(&self) -> BoxStream<'_, Result<BlobInfo, BlobError>> {
        let listed = self.store.list(None).filter_map(|meta| async move {
            match meta {
                Ok(meta) => digest_at(&meta.location).map(|digest| {
                    let put_on = std::time::SystemTime::from(meta.last_modified).into();
                    Ok(BlobInfo { digest, size: meta.size, put_on })
                }),
                Err(source) => Some(Err(BlobError::engine("list blobs", source))),
            }
        });
        listed.boxed()
    }

    /// Removes a blob. Returns whether it was there.
    ///
    /// # Errors
    /// [`BlobError::Engine`] when the engine fails.
    pub async fn delete(&self, digest: &Digest) -> Result<bool, BlobError> {
        match self.store.delete(&location(digest)).await {
            Ok(()) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(source) => Err(BlobError::engine("delete a blob", source)),
        }
    }
}

/// Hashing 64 MiB takes tens of milliseconds: too long for a thread that serves requests.
pub async fn hashed(bytes: Bytes) -> Result<(Digest, Bytes), BlobError> {
    const INLINE: usize = 64 * 1024;
    if bytes.len() <= INLINE {
        return Ok((Digest::of(&bytes), bytes));
    }
    tokio::task::spawn_blocking(move || (Digest::of(&bytes), bytes))
        .await
        .map_err(|source| BlobError::engine("hash a blob", source))
}

fn not_found(digest: &Digest, source: object_store::Error, action: &'static str) -> BlobError {
    match source {
        object_store::Error::NotFound { .. } => BlobError::NotFound { digest: *digest },
        source => BlobError::engine(action, source),
    }
}

fn location(digest: &Digest) -> ObjectPath {
    let hex = digest.to_string();
    let (shard, rest) = hex.split_at(2);
    ObjectPath::from_iter([shard, rest])
}

fn file(folder: &Path, name: &Digest) -> PathBuf {
    let hex = name.to_string();
    let (shard, rest) = hex.split_at(2);
    folder.join(shard).join(rest)
}

fn digest_at(location: &ObjectPath) -> Option<Digest> {
    let text = location.as_ref();
    let (shard, rest) = text.split_once('/')?;
    if shard.len() != 2 {
        return None;
    }
    format!("{shard}{rest}").parse().ok()
}

#[cfg(test)]
mod tests;
