//! Buckets of objects: make, delete, and who is bound to them.
//!
//! Owns the order in which a binding comes about: the bucket notes the script before the script's version is stored, so that
//! what is noted may be stale and is never missing. Nothing is deployed that is bound to a bucket which is not there.

use wasmyard_namespaces::{BindingInput, BucketName, Namespace, NamespaceName, Reference, ScriptKey};
use wasmyard_r2::{BucketInfo, R2, R2Error, StorageClass};

use crate::error::ControlError;
use crate::kv::key_of;
use crate::referrers::{Referrer, Referrers};
use crate::{Control, Done, Force, Result};

/// How many notes are looked at at a time.
const PAGE: usize = 256;

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
        let remarks = self.referrers_of_bucket(name).await?.stand_against("deleted", force)?;
        self.r2()?.delete(name).await?;
        tracing::info!(bucket = %name, "bucket deleted");
        Ok(Done::new((), remarks))
    }

    /// Who is bound to a bucket, user scripts too: they are noted when they are bound. Enough of them to name.
    async fn referrers_of_bucket(&self, name: &BucketName) -> Result<Referrers> {
        let mut found = Referrers::default();
        let mut after: Option<String> = None;
        loop {
            let page = self.r2()?.bound(name, after.as_deref(), PAGE).await?;
            for text in &page {
                let Some(script) = key_of(text) else { continue };
                let bindings = self.registry.script(&script).await?;
                let bindings = bindings.iter().flat_map(|script| script.version.bindings.iter());
                let bound: Vec<Referrer> = bindings
                    .filter(|decl| decl.kind.refers_to().contains(&Reference::R2Bucket(name)))
                    .map(|decl| Referrer { name: decl.name.to_string(), owner: text.clone() })
                    .collect();
                if bound.is_empty() {
                    self.r2()?.unbind(name, text).await?;
                }
                found.bindings.extend(bound);
            }
            match page.last() {
                Some(last) if !found.are_enough() => after = Some(last.clone()),
                _ => return Ok(found),
            }
        }
    }

    /// Notes the buckets that a version is about to be bound to.
    pub(crate) async fn bind_buckets(&self, key: &ScriptKey, inputs: &[BindingInput]) -> Result<()> {
        for input in inputs {
            // What is inherited was noted when it was declared.
            let BindingInput::Declare(decl) = input else { continue };
            for reference in decl.kind.refers_to() {
                let Reference::R2Bucket(name) = reference else { continue };
                match self.r2()?.bind(name, &key.to_string()).await {
                    Err(R2Error::BucketNotFound(name)) => {
                        return Err(ControlError::Invalid(format!(
                            "binding \"{}\": there is no bucket \"{name}\"; make it first, or name another",
                            decl.name
                        )));
                    }
                    noted => noted?,
                }
            }
        }
        Ok(())
    }

    /// A namespace of scripts is about to have another name: what is noted of its scripts is noted under that, too.
    pub(crate) async fn rebind_buckets(&self, before: &Namespace, after: &NamespaceName) -> Result<()> {
        let Some(r2) = &self.r2 else { return Ok(()) };
        Ok(r2.rebind(&format!("{}/", before.name), &format!("{after}/")).await?)
    }
}
