//! One bucket, as whoever is bound to it uses it: read, put, delete, list. It leads to no other.

use std::future::Future;
use std::sync::{Arc, PoisonError};

use wasmyard_model::BucketName;
use wasmyard_model::limits::StorageQuota;

use crate::body::Body;
use crate::checksum::{Algorithm, Checksums, Expected, Hashing};
use crate::condition::Condition;
use crate::error::R2Error;
use crate::incoming::Incoming;
use crate::limits::{MAX_DELETE, R2Limits};
use crate::list::{ListOptions, Page};
use crate::object::{Key, Metadata, Object};
use crate::range::Range;
use crate::shared::Shared;
use crate::sqlite::{Change, Put};
use crate::turns::Own;

/// How often a reader looks again, when what it found was replaced before it could be opened.
const LOOKS: usize = 8;

/// One bucket. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Bucket {
    name: BucketName,
    quota: StorageQuota,
    own: Arc<Own>,
    shared: Arc<Shared>,
}

/// What of an object is wanted, and on what condition.
#[derive(Clone, Debug, Default)]
pub struct GetOptions {
    /// The object comes without its content where this does not hold.
    pub condition: Condition,
    /// All of it where none is given.
    pub range: Option<Range>,
}

/// What is put beside a content, and on what condition.
#[derive(Clone, Debug, Default)]
pub struct PutOptions {
    /// Nothing is put where this does not hold of what is there.
    pub condition: Condition,
    /// What is kept beside the content.
    pub metadata: Metadata,
    /// Checksums that the content must have.
    pub checksums: Vec<(Algorithm, Vec<u8>)>,
}

/// An object that was found.
#[derive(Debug)]
pub struct Found {
    /// The object.
    pub object: Object,
    /// First byte and number of bytes of what was asked for.
    pub range: (u64, u64),
    /// The bytes; none where the condition did not hold.
    pub body: Option<Body>,
}

impl Bucket {
    pub(crate) fn new(name: &BucketName, own: Arc<Own>, shared: Arc<Shared>) -> Bucket {
        Bucket { name: name.clone(), quota: StorageQuota::default(), own, shared }
    }

    /// The same for somebody who may fill it only so far.
    #[must_use]
    pub fn within(self, quota: StorageQuota) -> Bucket {
        Bucket { quota, ..self }
    }

    /// What it may hold.
    pub(crate) fn limits(&self) -> R2Limits {
        let limits = self.shared.limits;
        let (objects, bytes) = (self.quota.entries_of(limits.objects), self.quota.bytes_of(limits.bytes));
        R2Limits { objects, bytes, ..limits }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &BucketName {
        &self.name
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// An object without its content.
    ///
    /// # Errors
    /// [`R2Error`] for a key that breaks a rule; [`R2Error::BucketNotFound`]; [`R2Error::Busy`]; the store's failure.
    pub async fn head(&self, key: &str) -> Result<Option<Object>, R2Error> {
        let key = Key::parse(key)?;
        let _turn = self.own.turn().await?;
        let found = self.shared.index()?.object(&self.name, &key).await?;
        Ok(found.map(|(object, _)| object))
    }

    /// An object with its content, or with a range of it.
    ///
    /// # Errors
    /// As [`Bucket::head`], and [`R2Error::InvalidRange`].
    pub async fn get(&self, key: &str, options: &GetOptions) -> Result<Option<Found>, R2Error> {
        let key = Key::parse(key)?;
        let (contents, index) = (self.shared.contents()?, self.shared.index()?);
        for _ in 0..LOOKS {
            let turn = self.own.turn().await?;
            let Some((mut object, mut pieces)) = index.object(&self.name, &key).await? else {
                return Ok(None);
            };
            if !options.condition.holds(Some(&object)) {
                let range = (0, object.size);
                return Ok(Some(Found { object, range, body: None }));
            }
            let held = (self.own.stream()?, self.shared.pins.pin(&object.version));
            if pieces.len() > 1 {
                // One content is there once it is open. Several stay from the pin on, if the object was there then.
                match index.object(&self.name, &key).await? {
                    Some((again, its_pieces)) if again.version == object.version => {
                        (object, pieces) = (again, its_pieces);
                    }
                    _ => continue,
                }
            }
            drop(turn);
            let range = match options.range {
                Some(range) => range.within(object.size)?,
                None => (0, object.size),
            };
            if let Some(body) = Body::open(contents, pieces, range, &object.version, held).await? {
                return Ok(Some(Found { object, range, body: Some(body) }));
            }
        }
        // It is named, and was not replaced so often in a few milliseconds: its content is gone.
        let version = self.head(key.as_str()).await?.map_or_else(String::new, |object| object.version);
        Err(R2Error::Damaged { version, found: "it is not there".to_owned() })
    }

    /// Puts an object, in place of any that was there. It is durable when this returns. None where the condition did not
    /// hold.
    ///
    /// # Errors
    /// [`R2Error`] for what breaks a rule; [`R2Error::BadDigest`], [`R2Error::Interrupted`], [`R2Error::TooLarge`] for the
    /// content; [`R2Error::Quota`], [`R2Error::Busy`], [`R2Error::Full`]; the store's failure.
    ///
    /// # Cancel safety
    /// Dropping the future does not take back what was begun: a content that has come whole is put.
    pub async fn put(
        &self,
        key: &str,
        content: impl Into<Incoming>,
        options: PutOptions,
    ) -> Result<Option<Object>, R2Error> {
        let (key, content) = (Key::parse(key)?, content.into());
        options.metadata.check()?;
        let expected = Expected::of(&options.checksums)?;
        let bucket = self.clone();
        self.finished(async move {
            let shared = &bucket.shared;
            if !options.condition.is_none() {
                // What cannot be put need not come. Whether it can is asked again when it is.
                let there = shared.index()?.object(&bucket.name, &key).await?;
                if !options.condition.holds(there.as_ref().map(|(object, _)| object)) {
                    return Ok(None);
                }
            }
            let written = bucket.write(content, expected).await?;
            let (version, (size, checksums)) = (written.name(), written.what());
            let object = Object {
                key: key.to_string(),
                version,
                size,
                etag: checksums.md5.clone().unwrap_or_default(),
                uploaded: shared.now(),
                metadata: options.metadata,
                checksums,
            };
            let (name, condition, limits) = (bucket.name.clone(), options.condition, bucket.limits());
            let change = Change::Put(Box::new(Put { bucket: name, object, condition, limits }));
            let outcome = written.named_by(change).await?;
            Ok(outcome.object)
        })
        .await
    }

    /// Deletes objects, those of them that are there; all or none.
    ///
    /// # Errors
    /// As [`Bucket::head`], and [`R2Error::Invalid`] for too many keys.
    pub async fn delete(&self, keys: &[String]) -> Result<(), R2Error> {
        if keys.len() > MAX_DELETE {
            return Err(R2Error::Invalid(format!(
                "{} keys were given, and one call deletes at most {MAX_DELETE}; make several calls",
                keys.len()
            )));
        }
        let keys = keys.iter().map(|key| Key::parse(key)).collect::<Result<Vec<_>, _>>()?;
        self.changed(Change::Remove { bucket: self.name.clone(), keys }).await
    }

    /// Objects in the order of their keys' bytes.
    ///
    /// # Errors
    /// [`R2Error`] for options that break a rule, and as [`Bucket::head`].
    pub async fn list(&self, options: ListOptions) -> Result<Page, R2Error> {
        let wanted = options.resolve()?;
        let _turn = self.own.turn().await?;
        self.shared.index()?.page(&self.name, wanted).await
    }

    /// Makes a short change when it is its turn, and to its end.
    pub(crate) async fn changed(&self, change: Change) -> Result<(), R2Error> {
        let bucket = self.clone();
        self.finished(async move {
            let _turn = bucket.own.turn().await?;
            let outcome = bucket.shared.index()?.change(change).await?;
            bucket.shared.remove(outcome.freed).await;
            Ok(())
        })
        .await
    }

    /// Does something to its end even if nobody waits for that any more, so that nothing is left half-done.
    pub(crate) async fn finished<T: Send + 'static>(
        &self,
        operation: impl Future<Output = Result<T, R2Error>> + Send + 'static,
    ) -> Result<T, R2Error> {
        tokio::spawn(operation).await.map_err(|error| R2Error::store("finish an operation", error))?
    }

    /// Writes a content that nothing names yet.
    pub(crate) async fn write(&self, content: Incoming, expected: Expected) -> Result<Written, R2Error> {
        let _streaming = self.own.stream()?;
        let name = uuid::Uuid::new_v4().simple().to_string();
        let loose = Loose::new(&self.shared, name);
        let contents = Arc::clone(self.shared.contents()?);
        let most = self.shared.limits.put_bytes;
        match content.write(&*contents, &loose.name, Hashing::new(expected), most).await {
            Ok((size, checksums)) => Ok(Written { loose, size, checksums }),
            Err(error) => {
                loose.remove().await;
                Err(error)
            }
        }
    }
}

/// The name of a content that nothing names yet: the sweep leaves it alone.
struct Loose {
    shared: Arc<Shared>,
    name: String,
}

impl Loose {
    fn new(shared: &Arc<Shared>, name: String) -> Loose {
        shared.loose.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone());
        Loose { shared: Arc::clone(shared), name }
    }

    async fn remove(&self) {
        let removed = match self.shared.contents() {
            Ok(contents) => contents.remove(&self.name).await,
            Err(error) => Err(error),
        };
        if let Err(error) = removed {
            tracing::warn!(%error, content = self.name, "a content that was not put stays until the next start");
        }
    }
}

impl Drop for Loose {
    fn drop(&mut self) {
        self.shared.loose.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}

/// A content that is there, and that nothing names yet.
pub(crate) struct Written {
    loose: Loose,
    size: u64,
    checksums: Checksums,
}

impl Written {
    pub(crate) fn name(&self) -> String {
        self.loose.name.clone()
    }

    pub(crate) fn what(&self) -> (u64, Checksums) {
        (self.size, self.checksums.clone())
    }

    /// Makes a change by which it is named. Where that is refused, or not done, it is removed again.
    pub(crate) async fn named_by(self, change: Change) -> Result<crate::sqlite::Outcome, R2Error> {
        let shared = &self.loose.shared;
        let outcome = match shared.index() {
            Ok(index) => index.change(change).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(mut outcome) if outcome.done => {
                shared.remove(std::mem::take(&mut outcome.freed)).await;
                Ok(outcome)
            }
            // The store's own failure says nothing of what is on the disk: the next start looks.
            Err(error) if error.is_internal() => Err(error),
            refused => {
                self.loose.remove().await;
                refused
            }
        }
    }
}
