//! Buckets of objects: make and delete. `bound` says who is bound to them.

use wasmyard_namespaces::BucketName;
use wasmyard_r2::{BucketInfo, R2, R2Error, StorageClass};

use crate::bound::Resource;
use crate::error::ControlError;
use crate::{Control, Done, Force, Result};

impl Control {
    /// The same, with the objects that scripts may be bound to.
    #[must_use]
    pub fn with_objects(mut self, r2: R2) -> Control {
        self.r2 = Some(r2);
        self
    }

    /// Objects, for what changes nothing that others refer to.
    ///
    /// # Errors
    /// That none are kept.
    pub fn r2(&self) -> Result<&R2> {
        let none = || ControlError::Invalid("this server keeps no objects".to_owned());
        self.r2.as_ref().ok_or_else(none)
    }

    /// Makes a bucket.
    ///
    /// # Errors
    /// That there is one of that name, that there are as many as there may be, or the store's failure.
    pub async fn create_bucket(
        &self,
        name: &BucketName,
        location: Option<String>,
        class: StorageClass,
    ) -> Result<BucketInfo> {
        let made = self.r2()?.create(name, location, class).await?;
        tracing::info!(bucket = %name, "bucket made");
        Ok(made)
    }

    /// Makes a bucket, unless it is there.
    ///
    /// # Errors
    /// As [`Control::create_bucket`].
    pub async fn ensure_bucket(&self, name: &BucketName) -> Result<()> {
        match self.create_bucket(name, None, StorageClass::default()).await {
            Err(ControlError::R2(R2Error::BucketTaken(_))) => Ok(()),
            made => made.map(drop),
        }
    }

    /// Deletes a bucket that holds no objects, unless scripts are bound to it.
    ///
    /// # Errors
    /// That it is not there, holds objects, or has scripts bound to it; or a store's failure.
    pub async fn delete_bucket(&self, name: &BucketName, force: Force) -> Result<Done<()>> {
        let info = self.r2()?.info(name).await?;
        if info.objects > 0 {
            return Err(R2Error::BucketNotEmpty { bucket: name.clone(), objects: info.objects }.into());
        }
        let remarks = self.referrers_noted(Resource::Bucket(name)).await?.stand_against("deleted", force)?;
        self.r2()?.delete(name).await?;
        tracing::info!(bucket = %name, "bucket deleted");
        Ok(Done::new((), remarks))
    }
}
