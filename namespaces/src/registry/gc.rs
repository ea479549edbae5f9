//! The sweep of blobs that nobody refers to.
//!
//! Owns the decision that a blob may go: nobody refers to it, nobody did within the grace time, and it was
//! not put within the grace time. Decides with all deploys held off, for one blob at a time, so that a
//! deploy which found the blob has referred to it before the sweep looks. Never holds more than one page.

use futures::TryStreamExt as _;

use super::namespaces::PAGE;
use super::record::{Reference, decode, owner_of, references_prefix};
use super::{Inner, Registry, Result};
use crate::blob::BlobInfo;
use crate::digest::Digest;
use crate::store::Write;

/// What a sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// How many blobs.
    pub blobs: u64,
    /// Their size in bytes.
    pub bytes: u64,
}

impl Registry {
    /// Removes the blobs that nobody has referred to for the grace time of [`super::RegistryOptions`]. May
    /// run beside uploads and deploys.
    ///
    /// # Errors
    /// [`crate::RegistryError::Blob`] or [`crate::RegistryError::Store`]; what was removed until then stays
    /// removed.
    pub async fn collect_garbage(&self) -> Result<Swept> {
        let inner = &self.inner;
        // First: what this lets go of is removed as a blob below.
        inner.collect_contents().await?;
        let mut swept = Swept::default();
        let mut blobs = inner.blobs.list();
        while let Some(blob) = blobs.try_next().await? {
            if inner.is_fresh(&blob) {
                continue;
            }
            if inner.sweep(&blob).await? {
                swept.blobs += 1;
                swept.bytes += blob.size;
            }
        }
        Ok(swept)
    }

    /// Whether a component is still there: the sweep has not removed it, or it was put again.
    ///
    /// # Errors
    /// [`crate::RegistryError::Blob`].
    pub async fn has_component(&self, digest: &Digest) -> Result<bool> {
        Ok(self.inner.blobs.info(digest).await?.is_some())
    }
}

impl Inner {
    fn is_fresh(&self, blob: &BlobInfo) -> bool {
        blob.put_on.age() < self.options.blob_grace
    }

    async fn sweep(&self, blob: &BlobInfo) -> Result<bool> {
        // Looked at twice: most blobs are in use, and deploys need not wait while that is found out.
        if self.dead_references(blob).await?.is_none() {
            return Ok(false);
        }
        let _alone = self.blob_gate.write().await;
        match self.blobs.info(&blob.digest).await? {
            Some(now) if !self.is_fresh(&now) => {}
            Some(_) | None => return Ok(false),
        }
        let Some(dead) = self.dead_references(blob).await? else { return Ok(false) };
        // The references first: a crash in between leaves a blob without any, which the next sweep takes.
        for page in dead.chunks(PAGE) {
            self.store.append(&[], page).await?;
        }
        Ok(self.blobs.delete(&blob.digest).await?)
    }

    /// The removal of all references to a blob, if all are past their grace time; none otherwise.
    async fn dead_references(&self, blob: &BlobInfo) -> Result<Option<Vec<Write>>> {
        let prefix = references_prefix(&blob.digest);
        let mut dead = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.store.scan(&prefix, after.as_deref(), PAGE).await?;
            for entry in &page {
                let reference: Reference = decode(entry)?;
                match (reference.retired_on, reference.made_from) {
                    (Some(retired), _) if retired.age() >= self.options.blob_grace => {
                        dead.push(Write::delete(entry.key.clone()));
                    }
                    (None, Some(source)) if !self.blobs.exists(&source).await? => {
                        dead.push(Write::delete(owner_of(&entry.key, &blob.digest)));
                        dead.push(Write::delete(entry.key.clone()));
                    }
                    (Some(_) | None, _) => return Ok(None),
                }
            }
            match page.into_iter().last() {
                Some(last) => after = Some(last.key),
                None => return Ok(Some(dead)),
            }
        }
    }
}
