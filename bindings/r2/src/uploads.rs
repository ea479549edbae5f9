//! Uploads in parts: an object whose content comes piece by piece, in any order, from several senders.
//!
//! Each part is a content of its own, and the object consists of them: to complete an upload copies nothing.

use crate::bucket::Bucket;
use crate::checksum::{Algorithm, Expected};
use crate::condition::Condition;
use crate::error::R2Error;
use crate::incoming::Incoming;
use crate::info::{Part, PartInfo, UploadInfo};
use crate::limits::MAX_PARTS;
use crate::object::{Key, Metadata, Object};
use crate::sqlite::{AddPart, Begin, Change, Complete};

/// What must hold when an upload becomes an object.
#[derive(Clone, Debug, Default)]
pub struct CompleteOptions {
    /// Nothing is made where this does not hold of what is there.
    pub condition: Condition,
    /// The checksum that the object must have: of its content, or of the checksums of its parts.
    pub checksums: Vec<(Algorithm, Vec<u8>)>,
}

impl Bucket {
    /// Begins an upload: its identifier. It is aborted by itself after a week.
    ///
    /// # Errors
    /// [`R2Error`] for what breaks a rule; [`R2Error::Quota`]; as [`Bucket::head`].
    pub async fn create_upload(&self, key: &str, metadata: Metadata) -> Result<String, R2Error> {
        let key = Key::parse(key)?;
        metadata.check()?;
        let (bucket, shared) = (self.name().clone(), self.shared());
        let id = uuid::Uuid::new_v4().simple().to_string();
        let (started, limits) = (shared.now(), self.limits());
        let begin = Begin { bucket, key, id: id.clone(), started, metadata, limits };
        self.changed(Change::Begin(Box::new(begin))).await?;
        Ok(id)
    }

    /// Uploads a part, in place of any with this number. It is durable when this returns.
    ///
    /// # Errors
    /// [`R2Error::UploadNotFound`], and as [`Bucket::put`].
    pub async fn upload_part(
        &self,
        key: &str,
        upload: &str,
        number: u64,
        content: impl Into<Incoming>,
        checksums: Vec<(Algorithm, Vec<u8>)>,
    ) -> Result<Part, R2Error> {
        let (key, upload, content) = (Key::parse(key)?, upload.to_owned(), content.into());
        let expected = Expected::of(&checksums)?;
        if !(1..=MAX_PARTS).contains(&number) {
            return Err(R2Error::Invalid(format!(
                "the part's number is {number}, and must be from 1 to {MAX_PARTS}; give another"
            )));
        }
        let bucket = self.clone();
        self.finished(async move {
            let (name, shared) = (bucket.name().clone(), bucket.shared());
            if shared.index()?.parts(&name, &key, &upload, 0, 1).await?.is_none() {
                return Err(R2Error::UploadNotFound(upload));
            }
            let written = bucket.write(content, expected).await?;
            let (size, checksums) = written.what();
            let md5 = checksums.md5.clone().unwrap_or_default();
            let part = AddPart {
                bucket: name,
                key,
                upload,
                number,
                content: written.name(),
                size,
                md5: md5.clone(),
                checksums: checksums.clone(),
                uploaded: shared.now(),
                limits: bucket.limits(),
            };
            written.named_by(Change::AddPart(Box::new(part))).await?;
            Ok(Part { number, etag: md5, checksums })
        })
        .await
    }

    /// Makes an upload an object, of these parts in the order of their numbers. Other parts of it go.
    ///
    /// # Errors
    /// [`R2Error::UploadNotFound`], [`R2Error::InvalidPart`], [`R2Error::PartTooSmall`], and as [`Bucket::put`].
    pub async fn complete_upload(
        &self,
        key: &str,
        upload: &str,
        parts: Vec<Part>,
    ) -> Result<Object, R2Error> {
        let made = self.complete_upload_with(key, upload, parts, CompleteOptions::default()).await?;
        made.ok_or_else(|| R2Error::store("complete an upload", "nothing came of it"))
    }

    /// The same, if this holds; none where the condition did not, and then the upload stays.
    ///
    /// # Errors
    /// As [`Bucket::complete_upload`], and [`R2Error::BadDigest`].
    pub async fn complete_upload_with(
        &self,
        key: &str,
        upload: &str,
        parts: Vec<Part>,
        options: CompleteOptions,
    ) -> Result<Option<Object>, R2Error> {
        if parts.len() as u64 > MAX_PARTS {
            return Err(R2Error::InvalidPart(format!(
                "{} parts were named, and an object has at most {MAX_PARTS}; upload larger parts",
                parts.len()
            )));
        }
        let shared = self.shared();
        let complete = Complete {
            bucket: self.name().clone(),
            key: Key::parse(key)?,
            upload: upload.to_owned(),
            parts,
            condition: options.condition,
            checksums: options.checksums,
            version: uuid::Uuid::new_v4().simple().to_string(),
            uploaded: shared.now(),
            limits: self.limits(),
        };
        let bucket = self.clone();
        self.finished(async move {
            let shared = bucket.shared();
            let outcome = shared.index()?.change(Change::Complete(Box::new(complete))).await?;
            shared.remove(outcome.freed).await;
            Ok(outcome.object)
        })
        .await
    }

    /// Aborts an upload, with all its parts.
    ///
    /// # Errors
    /// [`R2Error::UploadNotFound`], and as [`Bucket::head`].
    pub async fn abort_upload(&self, key: &str, upload: &str) -> Result<(), R2Error> {
        let (bucket, key, upload) = (self.name().clone(), Key::parse(key)?, upload.to_owned());
        self.changed(Change::Abort { bucket, key, upload }).await
    }

    /// Uploads that are not complete, whose keys begin with `prefix`, after a key and an identifier.
    ///
    /// # Errors
    /// [`R2Error::BucketNotFound`], or the store's failure.
    pub async fn uploads(
        &self,
        prefix: &str,
        after: (String, String),
        limit: usize,
    ) -> Result<Vec<UploadInfo>, R2Error> {
        self.shared().index()?.uploads(self.name(), prefix, after, limit).await
    }

    /// Parts of an upload after a number.
    ///
    /// # Errors
    /// [`R2Error::UploadNotFound`], and as [`Bucket::head`].
    pub async fn parts(
        &self,
        key: &str,
        upload: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<PartInfo>, R2Error> {
        let found =
            self.shared().index()?.parts(self.name(), &Key::parse(key)?, upload, after, limit).await?;
        found.ok_or_else(|| R2Error::UploadNotFound(upload.to_owned()))
    }
}
