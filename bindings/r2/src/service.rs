//! Buckets as scripts, the API and the configuration use them: the rules, and then the index.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::Semaphore;
use wasmyard_model::{BucketName, Clock};

use crate::bucket::Bucket;
use crate::contents::Contents;
use crate::error::R2Error;
use crate::limits::R2Limits;
use crate::object::StorageClass;
use crate::pins::Pins;
use crate::sqlite::{Change, Freed, Index};
use crate::turns::Turns;

/// Where everything is kept.
pub(crate) type Opened = (Index, Arc<dyn Contents>);
/// What opens it.
type Open = dyn Fn() -> Result<Opened, R2Error> + Send + Sync;

/// The service. Cheap to clone.
#[derive(Clone, Debug)]
pub struct R2 {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    /// None as long as the disk has no room for it to be opened.
    store: OnceLock<Opened>,
    open: Box<Open>,
    /// Held while it is opened: no two are.
    opening: Mutex<()>,
    pub(crate) clock: Clock,
    pub(crate) limits: R2Limits,
    pub(crate) turns: Turns,
    pub(crate) pins: Pins,
    /// Contents that are written, and that nothing names yet.
    pub(crate) loose: Mutex<HashSet<String>>,
    /// For work that is no bucket's own, one at a time; whether contents that nothing names were looked for.
    pub(crate) housework: Semaphore,
    pub(crate) looked_for_orphans: OnceLock<()>,
}

/// What is known of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketInfo {
    /// Its name.
    pub name: BucketName,
    /// When it was made, in milliseconds since 1970.
    pub created: u64,
    /// Where its maker wanted it. There is one place, so that it is kept and means nothing.
    pub location: Option<String>,
    /// Of what is put without one.
    pub storage_class: StorageClass,
    /// How many objects it holds.
    pub objects: u64,
    /// Bytes of keys, metadata, contents and parts.
    pub bytes: u64,
    /// Uploads that are not complete.
    pub uploads: u64,
}

impl R2 {
    /// The service over an index and contents that are opened now or, where the disk is full, when there is room. Until then
    /// every operation says so.
    ///
    /// # Errors
    /// Why they cannot be opened, if that is not for lack of room.
    pub fn open(
        open: impl Fn() -> Result<(Index, Arc<dyn Contents>), R2Error> + Send + Sync + 'static,
        clock: Clock,
        limits: R2Limits,
    ) -> Result<R2, R2Error> {
        let r2 = R2 {
            shared: Arc::new(Shared {
                store: OnceLock::new(),
                open: Box::new(open),
                opening: Mutex::default(),
                clock,
                limits,
                turns: Turns::new(limits),
                pins: Pins::default(),
                loose: Mutex::default(),
                housework: Semaphore::new(1),
                looked_for_orphans: OnceLock::new(),
            }),
        };
        match r2.shared.store() {
            Err(R2Error::Full) => {
                tracing::error!("the disk is full: objects are out of reach until there is room");
            }
            opened => drop(opened?),
        }
        Ok(r2)
    }

    /// A bucket to work with. It need not exist: then every operation says so.
    #[must_use]
    pub fn bucket(&self, name: &BucketName) -> Bucket {
        Bucket::new(name, self.shared.turns.of(name), Arc::clone(&self.shared))
    }

    /// Makes a bucket.
    ///
    /// # Errors
    /// [`R2Error::BucketTaken`], [`R2Error::Quota`], or the store's failure.
    pub async fn create(
        &self,
        name: &BucketName,
        location: Option<String>,
        storage_class: StorageClass,
    ) -> Result<BucketInfo, R2Error> {
        let bucket = BucketInfo {
            name: name.clone(),
            created: self.shared.now(),
            location,
            storage_class,
            objects: 0,
            bytes: 0,
            uploads: 0,
        };
        let change = Change::Create { bucket: bucket.clone(), most: self.shared.limits.buckets };
        self.shared.index()?.change(change).await?;
        Ok(bucket)
    }

    /// Deletes a bucket that holds no objects. Its uploads that are not complete go with it.
    ///
    /// # Errors
    /// [`R2Error::BucketNotFound`], [`R2Error::BucketNotEmpty`], or the store's failure.
    pub async fn delete(&self, name: &BucketName) -> Result<(), R2Error> {
        let outcome = self.shared.index()?.change(Change::Delete(name.clone())).await?;
        self.shared.remove(outcome.freed).await;
        Ok(())
    }

    /// Gives a bucket another storage class for what is put without one.
    ///
    /// # Errors
    /// [`R2Error::BucketNotFound`], or the store's failure.
    pub async fn reclass(&self, name: &BucketName, class: StorageClass) -> Result<BucketInfo, R2Error> {
        self.shared.index()?.change(Change::Reclass(name.clone(), class.as_str())).await?;
        self.info(name).await
    }

    /// What is known of a bucket.
    ///
    /// # Errors
    /// [`R2Error::BucketNotFound`], or the store's failure.
    pub async fn info(&self, name: &BucketName) -> Result<BucketInfo, R2Error> {
        let found = self.shared.index()?.bucket(name).await?;
        found.ok_or_else(|| R2Error::BucketNotFound(name.clone()))
    }

    /// Buckets after a name, by their names, or the other way round; those with `contains` in their names.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn buckets(
        &self,
        after: Option<&str>,
        contains: Option<&str>,
        limit: usize,
        backwards: bool,
    ) -> Result<Vec<BucketInfo>, R2Error> {
        let (after, contains) = (after.unwrap_or_default(), contains.unwrap_or_default());
        self.shared.index()?.buckets(after, contains, limit, backwards).await
    }

    /// Notes that a script is about to be bound to a bucket, so that it can be told who is, without a search.
    ///
    /// # Errors
    /// [`R2Error::BucketNotFound`], or the store's failure.
    pub async fn bind(&self, name: &BucketName, script: &str) -> Result<(), R2Error> {
        let change = Change::Bind(name.clone(), script.to_owned());
        self.shared.index()?.change(change).await.map(drop)
    }

    /// Scripts that were noted, after `after`. Some may have changed their bindings since.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn bound(
        &self,
        name: &BucketName,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, R2Error> {
        self.shared.index()?.bound(name, after.unwrap_or_default(), limit).await
    }

    /// Forgets a script that turned out not to be bound any more.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn unbind(&self, name: &BucketName, script: &str) -> Result<(), R2Error> {
        let change = Change::Unbind(name.clone(), script.to_owned());
        self.shared.index()?.change(change).await.map(drop)
    }

    /// Scripts whose names begin with `from` are about to have names that begin with `to`.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn rebind(&self, from: &str, to: &str) -> Result<(), R2Error> {
        let change = Change::Rebind { from: from.to_owned(), to: to.to_owned() };
        self.shared.index()?.change(change).await.map(drop)
    }

    /// Brings everything to its place, before the process ends.
    pub async fn close(&self) {
        if let Some((index, _)) = self.shared.store.get() {
            index.close().await;
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("store", &self.store.get()).finish_non_exhaustive()
    }
}

impl Shared {
    fn store(&self) -> Result<&Opened, R2Error> {
        if let Some(store) = self.store.get() {
            return Ok(store);
        }
        let _alone = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = self.store.get() {
            return Ok(store);
        }
        let opened = (self.open)()?;
        Ok(self.store.get_or_init(|| opened))
    }

    pub(crate) fn index(&self) -> Result<&Index, R2Error> {
        self.store().map(|(index, _)| index)
    }

    pub(crate) fn contents(&self) -> Result<&Arc<dyn Contents>, R2Error> {
        self.store().map(|(_, contents)| contents)
    }

    /// In milliseconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        self.clock.now().unix_micros() / 1_000
    }

    /// Removes contents that the index names no more, but for those that somebody reads: the sweep removes them later.
    pub(crate) async fn remove(&self, freed: Vec<Freed>) {
        let Ok(contents) = self.contents() else { return };
        for Freed { content, version } in freed {
            if self.pins.holds(&version) {
                continue;
            }
            if let Err(error) = contents.remove(&content).await {
                tracing::warn!(%error, content, "a content could not be removed; the sweep tries again");
            }
        }
    }
}
