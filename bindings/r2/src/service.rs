//! Buckets as scripts, the API and the configuration use them: the rules, and then the index.

use std::sync::Arc;

use wasmyard_model::{BucketName, Clock};

use crate::bucket::Bucket;
use crate::contents::Contents;
use crate::error::R2Error;
use crate::info::BucketInfo;
use crate::limits::R2Limits;
use crate::object::StorageClass;
use crate::shared::Shared;
use crate::sqlite::{Change, Index};

/// The service. Cheap to clone.
#[derive(Clone, Debug)]
pub struct R2 {
    pub(crate) shared: Arc<Shared>,
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
        let r2 = R2 { shared: Arc::new(Shared::new(Box::new(open), clock, limits)) };
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
        if let Some((index, _)) = self.shared.opened() {
            index.close().await;
        }
    }
}
