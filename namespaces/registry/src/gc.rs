//! The sweep of blobs that nobody refers to.
//!
//! Owns the decision that a blob may go: nobody refers to it, nobody did within the grace time, and it was
//! not put within the grace time. A sweep may run on one node while another deploys: they meet in the blob's record.
//! The sweep first marks it as going, for the time of a lease, and only then looks for references once more. Whoever
//! refers to a blob or puts it expects its record to be as it was seen, so that a reference is either there before
//! the mark, where the sweep finds it, or is refused. Never holds more than one page of references.

use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use tokio::time::Instant;

use super::assets::VARIANTS;
use super::collection::{ATTEMPTS, PAGE, Seen, Transaction, step_aside};
use super::record::{BLOBS, BlobRecord, REFERENCES, references_within};
use super::{Inner, Registry, Result};
use crate::error::RegistryError;
use wasmyard_model::digest::Digest;
use wasmyard_stores::Health;
use wasmyard_stores::blob::BlobInfo;

/// How long the mark of a sweep holds. A sweep that was killed keeps nobody waiting for longer.
const LEASE: Duration = Duration::from_secs(20);
/// A content is removed within this part of the lease, or not at all: what comes after the lease may be another
/// content of that name. Only a removal that hangs for the rest of it could still take that away, and then reading
/// says so and the next upload heals it.
const IN_TIME: Duration = Duration::from_secs(5);
/// How long whoever needs a blob that is going waits between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// How long a blob is kept where there is no room.
const SHORT_GRACE: Duration = Duration::from_secs(15 * 60);

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
    /// run beside uploads, deploys and other sweeps, on this node and on others.
    ///
    /// # Errors
    /// [`crate::RegistryError::Blob`] or [`crate::RegistryError::Store`]; what was removed until then stays
    /// removed.
    pub async fn collect_garbage(&self) -> Result<Swept> {
        let inner = &self.inner;
        // First: what these let go of is removed as a blob below, in time.
        inner.sweep_histories().await?;
        inner.collect_contents().await?;
        let mut swept = Swept::default();
        let mut blobs = inner.blobs.list();
        while let Some(blob) = blobs.try_next().await? {
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

/// Putting and referring, as the sweep must not cross it.
impl Inner {
    /// Keeps bytes under their hash, durably when it returns.
    pub(super) async fn put_blob(&self, bytes: Bytes) -> Result<Digest> {
        // Before the content takes what room there is.
        self.log.has_room()?;
        let (digest, bytes) = wasmyard_stores::blob::hashed(bytes).await?;
        for attempt in 0..ATTEMPTS {
            let place = self.blob_place(&digest).await?;
            // Written even if it is there: that heals it if it was corrupt.
            self.blobs.put_as(&digest, bytes.clone()).await?;
            if self.is_fresh(&place)? {
                return Ok(digest);
            }
            let mut transaction = Transaction::default();
            transaction.put(&place, &self.kept_now())?;
            match self.log.commit(&transaction).await {
                Ok(_) => return Ok(digest),
                Err(RegistryError::Conflict(_)) => step_aside(attempt).await,
                Err(error) => return Err(error),
            }
        }
        Err(RegistryError::Conflict(format!("blob {digest}")))
    }

    /// Where a blob is going to be put: its record as it is, once no sweep is removing it. The content is written
    /// after this and before the record.
    pub(super) async fn blob_place(&self, name: &Digest) -> Result<Seen<BlobRecord>> {
        loop {
            let seen = self.log.read(&BLOBS, &name.to_string()).await?;
            match seen.record()? {
                Some(BlobRecord::Going { until }) if until > self.clock().now() => {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                // A sweep that did not come to its end removes nothing any more.
                Some(_) | None => return Ok(seen),
            }
        }
    }

    /// The record of a blob that is there, to be expected by whoever refers to it.
    pub(super) async fn kept_blob(&self, name: &Digest) -> Result<Option<Seen<BlobRecord>>> {
        let seen = self.blob_place(name).await?;
        let kept = matches!(seen.record()?, Some(BlobRecord::Kept { .. }));
        Ok(if kept && self.blobs.exists(name).await? { Some(seen) } else { None })
    }

    /// What is written of a blob whose content was put.
    pub(super) fn kept_now(&self) -> BlobRecord {
        BlobRecord::Kept { put_on: self.clock().now() }
    }

    /// Whether a blob's record protects it for so long that writing it again would only be in the way of those
    /// who refer to it at this moment.
    fn is_fresh(&self, place: &Seen<BlobRecord>) -> Result<bool> {
        Ok(match place.record()? {
            Some(BlobRecord::Kept { put_on }) => self.clock().age(put_on) < self.blob_grace() / 2,
            Some(BlobRecord::Going { .. }) | None => false,
        })
    }
}

/// The sweep.
impl Inner {
    /// How long a blob that nobody refers to is kept. Where there is no room, for as long as uploads take, which are
    /// refused then anyway, and requests that began before.
    pub(super) fn blob_grace(&self) -> Duration {
        match self.log.health() {
            Health::Good => self.options.blob_grace,
            Health::NoSpace => self.options.blob_grace.min(SHORT_GRACE),
        }
    }

    async fn sweep(&self, blob: &BlobInfo) -> Result<bool> {
        let seen = self.log.read(&BLOBS, &blob.digest.to_string()).await?;
        let (put_on, is_going) = match seen.record()? {
            Some(BlobRecord::Going { until }) if until > self.clock().now() => return Ok(false),
            // A sweep that was killed. It was let alone since its lease began at the latest.
            Some(BlobRecord::Going { until }) => (until, true),
            Some(BlobRecord::Kept { put_on }) => (put_on, false),
            // Its upload did not come to its end.
            None => (blob.put_on, false),
        };
        if !is_going && self.clock().age(put_on) < self.blob_grace() {
            return Ok(false);
        }
        // Looked at twice: most blobs are in use, and need no mark.
        if !is_going && self.dead_references(blob).await?.is_none() {
            return Ok(false);
        }
        let begun = Instant::now();
        let Some(mark) = self.mark_going(&seen).await? else { return Ok(false) };
        let swept = match self.dead_references(blob).await? {
            Some(dead) => self.remove(blob, dead, &mark, begun).await?,
            None => false,
        };
        let mut transaction = Transaction::default();
        if swept {
            transaction.delete(&mark);
        } else {
            transaction.make_room();
            transaction.put(&mark, &BlobRecord::Kept { put_on })?;
        }
        match self.log.commit(&transaction).await {
            // The lease was over, and another sweep or an upload has the blob.
            Ok(_) | Err(RegistryError::Conflict(_)) => Ok(swept),
            Err(error) => Err(error),
        }
    }

    /// Marks a blob as going. None when somebody was faster.
    async fn mark_going(&self, seen: &Seen<BlobRecord>) -> Result<Option<Seen<BlobRecord>>> {
        let mut transaction = Transaction::default();
        transaction.make_room();
        transaction.put(seen, &BlobRecord::Going { until: self.clock().now().later(LEASE) })?;
        match self.log.commit(&transaction).await {
            Ok(revision) => Ok(Some(seen.written(revision))),
            Err(RegistryError::Conflict(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes a blob that was marked, and its dead references before: a crash in between leaves a blob without
    /// any, which a later sweep takes.
    async fn remove(
        &self,
        blob: &BlobInfo,
        dead: Vec<Transaction>,
        mark: &Seen<BlobRecord>,
        begun: Instant,
    ) -> Result<bool> {
        for page in dead.chunks(PAGE) {
            let mut transaction = Transaction::default();
            transaction.expect(mark);
            page.iter().for_each(|dead| transaction.join(dead));
            match self.log.commit(&transaction).await {
                Ok(_) => {}
                Err(RegistryError::Conflict(_)) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(begun.elapsed() < IN_TIME && self.blobs.delete(&blob.digest).await?)
    }

    /// The removal of all references to a blob, if all are past their grace time; none otherwise.
    async fn dead_references(&self, blob: &BlobInfo) -> Result<Option<Vec<Transaction>>> {
        let within = references_within(&blob.digest);
        let mut dead = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.log.page(&REFERENCES, &within, after.as_deref(), PAGE).await?;
            for seen in &page {
                let reference = seen.record()?.unwrap_or_default();
                let mut transaction = Transaction::default();
                transaction.delete(seen);
                match (reference.retired_on, reference.made_from) {
                    (Some(retired), _) if self.clock().age(retired) >= self.blob_grace() => {}
                    (None, Some(source)) if !self.blobs.exists(&source).await? => {
                        let variant = self.log.read(&VARIANTS, &blob.digest.to_string()).await?;
                        transaction.delete(&variant);
                    }
                    (Some(_) | None, _) => return Ok(None),
                }
                dead.push(transaction);
            }
            match page.last() {
                Some(last) => after = Some(last.id().to_owned()),
                None => return Ok(Some(dead)),
            }
        }
    }
}
