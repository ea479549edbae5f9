//! `wasmyard:platform/r2`: a script reads and writes the objects of a bucket that it is bound to.
//!
//! Each call counts as a subrequest before anything is awaited. The rules are those of [`wasmyard_r2`]; what is here counts,
//! and keeps what passes through the host within the guest's memory ceiling: of a content that is read or written in pieces
//! as much as the host holds of it at a time.

mod convert;
mod reader;
pub(crate) mod writer;

use bytes::Bytes;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::DynInputStream;
use wasmyard_r2::{Bucket, R2Error as Refused};

use super::dispatch::not_there;
use super::dispatch_wit::BindingError;
use super::granted::Grant;
use super::r2_wit::{
    Found, GetOptions, Host, HostBucket, ListOptions, Object, Page, Part, PutOptions, R2Error, Reason,
};
use crate::guest::state::State;
use convert::{object, part};
use reader::Reading;
use writer::OpenWriter;

/// A bucket that the guest opened.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct OpenBucket(Bucket);

type Answer<T> = wasmtime::Result<Result<T, R2Error>>;

impl Host for State {}

impl HostBucket for State {
    fn open(&mut self, binding: String) -> wasmtime::Result<Result<Resource<OpenBucket>, BindingError>> {
        let pick = |grant: &Grant| if let Grant::R2(bucket) = grant { Some(bucket.clone()) } else { None };
        match self.version.bindings.find(&binding, pick) {
            Ok(bucket) => Ok(Ok(self.table.push(OpenBucket(bucket))?)),
            Err(other) => Ok(Err(not_there(&binding, other))),
        }
    }

    async fn head(&mut self, this: Resource<OpenBucket>, key: String) -> Answer<Option<Object>> {
        let bucket = match self.r2_call(&this)? {
            Ok(bucket) => bucket,
            Err(refused) => return Ok(Err(refused)),
        };
        Ok(bucket.head(&key).await.map(|found| found.map(object)).map_err(|error| told(&bucket, error)))
    }

    async fn get(
        &mut self,
        this: Resource<OpenBucket>,
        key: String,
        options: GetOptions,
    ) -> Answer<Option<Found>> {
        let bucket = match self.r2_call(&this)? {
            Ok(bucket) => bucket,
            Err(refused) => return Ok(Err(refused)),
        };
        let options = match convert::get_options(options) {
            Ok(options) => options,
            Err(error) => return Ok(Err(told(&bucket, error))),
        };
        let found = match bucket.get(&key, &options).await {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(Ok(None)),
            Err(error) => return Ok(Err(told(&bucket, error))),
        };
        let body = match found.body {
            Some(body) => {
                let reading = Reading::new(body, &bucket, &self.arriving);
                self.weigh()?;
                let stream: DynInputStream = Box::new(reading);
                Some(self.table.push(stream)?)
            }
            None => None,
        };
        Ok(Ok(Some(Found { object: object(found.object), range: found.range, body })))
    }

    async fn put(
        &mut self,
        this: Resource<OpenBucket>,
        key: String,
        content: Vec<u8>,
        options: PutOptions,
    ) -> Answer<Option<Object>> {
        let bucket = match self.r2_call(&this)? {
            Ok(bucket) => bucket,
            Err(refused) => return Ok(Err(refused)),
        };
        let options = match convert::put_options(options) {
            Ok(options) => options,
            Err(error) => return Ok(Err(told(&bucket, error))),
        };
        self.passing = content.len() as u64;
        self.weigh()?;
        let put = bucket.put(&key, Bytes::from(content), options).await;
        self.passing = 0;
        Ok(put.map(|made| made.map(object)).map_err(|error| told(&bucket, error)))
    }

    async fn start_put(
        &mut self,
        this: Resource<OpenBucket>,
        key: String,
        options: PutOptions,
    ) -> Answer<Resource<OpenWriter>> {
        let bucket = match self.r2_call(&this)? {
            Ok(bucket) => bucket,
            Err(refused) => return Ok(Err(refused)),
        };
        let options = match convert::put_options(options) {
            Ok(options) => options,
            Err(error) => return Ok(Err(told(&bucket, error))),
        };
        let writer = OpenWriter::put(bucket, key, options, &self.arriving);
        self.weigh()?;
        Ok(Ok(self.table.push(writer)?))
    }

    async fn delete(&mut self, this: Resource<OpenBucket>, keys: Vec<String>) -> Answer<()> {
        let bucket = match self.r2_call(&this)? {
            Ok(bucket) => bucket,
            Err(refused) => return Ok(Err(refused)),
        };
        Ok(bucket.delete(&keys).await.map_err(|error| told(&bucket, error)))
    }

    async fn list(&mut self, this: Resource<OpenBucket>, options: ListOptions) -> Answer<Page> {
        let bucket = match self.r2_call(&this)? {
            Ok(bucket) => bucket,
            Err(refused) => return Ok(Err(refused)),
        };
        let page = bucket.list(convert::list_options(options)).await;
        Ok(page.map(convert::page).map_err(|error| told(&bucket, error)))
    }

    async fn create_upload(
        &mut self,
        this: Resource<OpenBucket>,
        key: String,
        options: PutOptions,
    ) -> Answer<String> {
        let bucket = match self.r2_call(&this)? {
            Ok(bucket) => bucket,
            Err(refused) => return Ok(Err(refused)),
        };
        let made = match convert::put_options(options) {
            Ok(options) => bucket.create_upload(&key, options.metadata).await,
            Err(error) => Err(error),
        };
        Ok(made.map_err(|error| told(&bucket, error)))
    }

    async fn upload_part(
        &mut self,
        this: Resource<OpenBucket>,
        key: String,
        upload: String,
        number: u32,
        content: Vec<u8>,
    ) -> Answer<Part> {
        let bucket = match self.r2_call(&this)? {
            Ok(bucket) => bucket,
            Err(refused) => return Ok(Err(refused)),
        };
        self.passing = content.len() as u64;
        self.weigh()?;
        let content = Bytes::from(content);
        let uploaded = bucket.upload_part(&key, &upload, u64::from(number), content, Vec::new()).await;
        self.passing = 0;
        Ok(uploaded.map(part).map_err(|error| told(&bucket, error)))
    }

    async fn start_part(
        &mut self,
        this: Resource<OpenBucket>,
        key: String,
        upload: String,
        number: u32,
    ) -> Answer<Resource<OpenWriter>> {
        let bucket = match self.r2_call(&this)? {
            Ok(bucket) => bucket,
            Err(refused) => return Ok(Err(refused)),
        };
        let writer = OpenWriter::part(bucket, key, upload, u64::from(number), &self.arriving);
        self.weigh()?;
        Ok(Ok(self.table.push(writer)?))
    }

    async fn complete_upload(
        &mut self,
        this: Resource<OpenBucket>,
        key: String,
        upload: String,
        parts: Vec<Part>,
    ) -> Answer<Object> {
        let bucket = match self.r2_call(&this)? {
            Ok(bucket) => bucket,
            Err(refused) => return Ok(Err(refused)),
        };
        let parts = parts
            .into_iter()
            .map(|part| wasmyard_r2::Part {
                number: u64::from(part.number),
                etag: part.etag,
                ..wasmyard_r2::Part::default()
            })
            .collect();
        let made = bucket.complete_upload(&key, &upload, parts).await;
        Ok(made.map(object).map_err(|error| told(&bucket, error)))
    }

    async fn abort_upload(&mut self, this: Resource<OpenBucket>, key: String, upload: String) -> Answer<()> {
        let bucket = match self.r2_call(&this)? {
            Ok(bucket) => bucket,
            Err(refused) => return Ok(Err(refused)),
        };
        Ok(bucket.abort_upload(&key, &upload).await.map_err(|error| told(&bucket, error)))
    }

    fn drop(&mut self, this: Resource<OpenBucket>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl State {
    /// What a call works on, once it is counted.
    fn r2_call(&mut self, this: &Resource<OpenBucket>) -> Answer<Bucket> {
        let bucket = self.table.get(this)?.0.clone().within(self.storage);
        Ok(match self.hooks.count_subrequest() {
            Ok(()) => Ok(bucket),
            Err(failure) => {
                let (reason, text) = (Reason::ExceededSubrequests, failure.to_string());
                Err(R2Error { reason, code: 10058, text })
            }
        })
    }
}

/// What a guest is told of a failure. What is the platform's own goes to the log.
fn told(bucket: &Bucket, error: Refused) -> R2Error {
    let (code, mut text) = (error.code(), error.to_string());
    let reason = match error {
        Refused::Invalid(_) | Refused::Interrupted(_) => Reason::InvalidArgument,
        Refused::BucketNotFound(_) => Reason::BucketNotFound,
        Refused::UploadNotFound(_) => Reason::UploadNotFound,
        Refused::InvalidPart(_) | Refused::PartTooSmall { .. } => Reason::InvalidPart,
        Refused::InvalidRange { .. } => Reason::InvalidRange,
        Refused::BadDigest { .. } => Reason::BadDigest,
        Refused::TooLarge { .. } => Reason::TooLarge,
        Refused::Quota { .. } => Reason::ExceededQuota,
        Refused::Busy { .. } | Refused::Full => Reason::Overloaded,
        Refused::BucketTaken(_)
        | Refused::BucketNotEmpty { .. }
        | Refused::Damaged { .. }
        | Refused::Store { .. } => {
            tracing::error!(bucket = %bucket.name(), error = text, "a call of an R2 binding failed");
            "the platform failed to carry out the call; its log says why".clone_into(&mut text);
            Reason::Internal
        }
    };
    R2Error { reason, code, text }
}
