//! Owns the R2 binding: the objects of a bucket that this worker is bound to.

use std::error::Error;
use std::fmt;
use std::rc::Rc;

use wasip2::io::streams::OutputStream;

use crate::bindings::r2 as platform;
use crate::dispatch::BindingError;
use crate::pieces::{self, IN_ONE_CALL, Source};

/// Objects in a bucket: see [`Env::r2`](crate::Env::r2).
///
/// What was put is durable when [`put`](R2::put) returns, and whoever reads after that finds it. Each call counts as a
/// subrequest.
#[derive(Debug, Clone)]
pub struct R2 {
    handle: Rc<platform::Bucket>,
}

/// What clients that ask over HTTP are told with a content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct R2HttpMetadata {
    /// `content-type`.
    pub content_type: Option<String>,
    /// `content-language`.
    pub content_language: Option<String>,
    /// `content-disposition`.
    pub content_disposition: Option<String>,
    /// `content-encoding`.
    pub content_encoding: Option<String>,
    /// `cache-control`.
    pub cache_control: Option<String>,
    /// `expires`, in milliseconds since 1970.
    pub cache_expiry: Option<u64>,
}

/// An object, without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct R2Object {
    /// Its name.
    pub key: String,
    /// Names this content under this key, and no other one ever.
    pub version: String,
    /// Bytes of its content.
    pub size: u64,
    /// Its etag, without quotes.
    pub etag: String,
    /// When it was put, in milliseconds since 1970.
    pub uploaded: u64,
    /// For clients over HTTP.
    pub http_metadata: R2HttpMetadata,
    /// The uploader's own: names and values.
    pub custom_metadata: Vec<(String, String)>,
}

/// The content of an object, in pieces.
#[derive(Debug)]
pub struct R2Body(Source);

/// An object that was found.
#[derive(Debug)]
#[non_exhaustive]
pub struct R2Found {
    /// The object.
    pub object: R2Object,
    /// First byte and number of bytes of what was asked for.
    pub range: (u64, u64),
    /// The content; `None` where the condition did not hold.
    pub body: Option<R2Body>,
}

/// What must hold of an object. Nothing, for the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct R2Condition {
    /// Its etag is one of these; `*` is any.
    pub etag_matches: Vec<String>,
    /// Its etag is none of these.
    pub etag_does_not_match: Vec<String>,
    /// It was put before this moment, in milliseconds since 1970.
    pub uploaded_before: Option<u64>,
    /// It was put after this moment.
    pub uploaded_after: Option<u64>,
}

/// Which bytes of an object are wanted, and on what condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct R2Get {
    /// The object comes without its content where this does not hold.
    pub only_if: R2Condition,
    /// The first byte.
    pub offset: Option<u64>,
    /// How many bytes at most.
    pub length: Option<u64>,
    /// So many bytes at the end, instead of the two.
    pub suffix: Option<u64>,
}

/// What is put beside a content, and on what condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct R2Put {
    /// Nothing is put where this does not hold of what is there.
    pub only_if: R2Condition,
    /// For clients over HTTP.
    pub http_metadata: R2HttpMetadata,
    /// Names and values: with the HTTP metadata up to 8192 bytes.
    pub custom_metadata: Vec<(String, String)>,
    /// The SHA-256 that the content must have.
    pub sha256: Option<Vec<u8>>,
}

/// Which objects are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct R2List {
    /// Those whose keys begin with this.
    pub prefix: Option<String>,
    /// Keys that have this behind the prefix are listed once, up to it.
    pub delimiter: Option<String>,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// How many at most, from 1 to 1000.
    pub limit: Option<u32>,
}

/// Objects in the order of their keys' bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct R2Page {
    /// The objects.
    pub objects: Vec<R2Object>,
    /// What keys begin with that have the delimiter.
    pub delimited_prefixes: Vec<String>,
    /// Where the next page begins; `None` on the last.
    pub cursor: Option<String>,
}

/// A content that is being put, in pieces. Dropping it puts nothing.
#[derive(Debug)]
pub struct R2Writer {
    // Before the writer: it belongs to that.
    stream: OutputStream,
    writer: platform::Writer,
}

impl R2 {
    pub(crate) fn open(binding: &str) -> Result<R2, BindingError> {
        let handle = platform::Bucket::open(binding).map_err(BindingError::from)?;
        Ok(R2 { handle: Rc::new(handle) })
    }

    /// An object without its content, if there is one.
    ///
    /// # Errors
    /// See [`R2Error`].
    pub async fn head(&self, key: &str) -> Result<Option<R2Object>, R2Error> {
        Ok(self.handle.head(key)?.map(object))
    }

    /// An object with its content, if there is one.
    ///
    /// # Errors
    /// See [`R2Error`].
    pub async fn get(&self, key: &str) -> Result<Option<R2Found>, R2Error> {
        self.get_with(key, R2Get::default()).await
    }

    /// A range of an object, or an object on a condition.
    ///
    /// # Errors
    /// See [`R2Error`].
    pub async fn get_with(&self, key: &str, options: R2Get) -> Result<Option<R2Found>, R2Error> {
        let R2Get { only_if, offset, length, suffix } = options;
        let range = platform::ByteRange { offset, length, suffix };
        let found = self.handle.get(key, &platform::GetOptions { only_if: condition(only_if), range })?;
        Ok(found.map(|found| R2Found {
            object: object(found.object),
            range: found.range,
            body: found.body.map(|stream| R2Body(Source::new(stream))),
        }))
    }

    /// Puts an object, in place of any that was there.
    ///
    /// # Errors
    /// See [`R2Error`].
    pub async fn put(&self, key: &str, content: impl AsRef<[u8]>) -> Result<R2Object, R2Error> {
        let made = self.put_with(key, content, R2Put::default()).await?;
        made.ok_or_else(|| R2Error {
            kind: R2ErrorKind::Internal,
            code: 10_001,
            text: "nothing was put".to_owned(),
        })
    }

    /// Puts an object with metadata, or on a condition: `None` where that did not hold.
    ///
    /// # Errors
    /// See [`R2Error`].
    pub async fn put_with(
        &self,
        key: &str,
        content: impl AsRef<[u8]>,
        options: R2Put,
    ) -> Result<Option<R2Object>, R2Error> {
        let content = content.as_ref();
        if content.len() <= IN_ONE_CALL {
            return Ok(self.handle.put(key, content, &put(options))?.map(object));
        }
        let mut writer = self.start_put(key, options).await?;
        // Where no more is taken, finishing says why.
        let _taken = writer.write(content).await;
        writer.finish().await
    }

    /// Begins to put an object whose content comes in pieces.
    ///
    /// # Errors
    /// See [`R2Error`].
    pub async fn start_put(&self, key: &str, options: R2Put) -> Result<R2Writer, R2Error> {
        let writer = self.handle.start_put(key, &put(options))?;
        match writer.body() {
            Ok(stream) => Ok(R2Writer { stream, writer }),
            Err(()) => Err(R2Error {
                kind: R2ErrorKind::Internal,
                code: 10_001,
                text: "it has no stream".to_owned(),
            }),
        }
    }

    /// Deletes objects, up to 1000, those of them that are there.
    ///
    /// # Errors
    /// See [`R2Error`].
    pub async fn delete(&self, keys: &[&str]) -> Result<(), R2Error> {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        Ok(self.handle.delete(&keys)?)
    }

    /// A page of objects.
    ///
    /// # Errors
    /// See [`R2Error`].
    pub async fn list(&self, options: R2List) -> Result<R2Page, R2Error> {
        let R2List { prefix, delimiter, cursor, limit } = options;
        let options = platform::ListOptions { prefix, delimiter, cursor, start_after: None, limit };
        let page = self.handle.list(&options)?;
        let objects = page.objects.into_iter().map(object).collect();
        Ok(R2Page { objects, delimited_prefixes: page.delimited_prefixes, cursor: page.cursor })
    }
}

impl R2Body {
    /// The next piece, never empty; `None` after the last.
    ///
    /// # Errors
    /// That the content could not be read to its end.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, R2Error> {
        self.0.next().await.map_err(|text| failed(&text))
    }

    /// All that is left.
    ///
    /// # Errors
    /// As [`R2Body::next`].
    pub async fn bytes(mut self) -> Result<Vec<u8>, R2Error> {
        self.0.rest().await.map_err(|text| failed(&text))
    }
}

impl R2Writer {
    /// Writes a piece, as fast as it is taken.
    ///
    /// # Errors
    /// That no more is taken: [`finish`](R2Writer::finish) says why.
    pub async fn write(&mut self, piece: impl AsRef<[u8]>) -> Result<(), R2Error> {
        let taken = pieces::write(&self.stream, piece.as_ref()).await;
        taken.ok_or_else(|| failed("no more of the content is taken"))
    }

    /// The content is whole: the object, or `None` where the condition did not hold.
    ///
    /// # Errors
    /// See [`R2Error`].
    pub async fn finish(self) -> Result<Option<R2Object>, R2Error> {
        let R2Writer { stream, writer } = self;
        drop(stream);
        Ok(platform::Writer::finish(writer)?.map(object))
    }
}

fn failed(text: &str) -> R2Error {
    R2Error { kind: R2ErrorKind::Internal, code: 10_001, text: text.to_owned() }
}

fn condition(condition: R2Condition) -> platform::Condition {
    let R2Condition { etag_matches, etag_does_not_match, uploaded_before, uploaded_after } = condition;
    let seconds_granularity = false;
    platform::Condition {
        etag_matches,
        etag_does_not_match,
        uploaded_before,
        uploaded_after,
        seconds_granularity,
    }
}

fn put(options: R2Put) -> platform::PutOptions {
    let http = options.http_metadata;
    platform::PutOptions {
        only_if: condition(options.only_if),
        http_metadata: platform::HttpMetadata {
            content_type: http.content_type,
            content_language: http.content_language,
            content_disposition: http.content_disposition,
            content_encoding: http.content_encoding,
            cache_control: http.cache_control,
            cache_expiry: http.cache_expiry,
        },
        custom_metadata: options.custom_metadata,
        checksums: platform::Checksums {
            md5: None,
            sha1: None,
            sha256: options.sha256,
            sha384: None,
            sha512: None,
        },
        storage_class: None,
    }
}

fn object(object: platform::Object) -> R2Object {
    let http = object.http_metadata;
    R2Object {
        key: object.key,
        version: object.version,
        size: object.size,
        etag: object.etag,
        uploaded: object.uploaded,
        http_metadata: R2HttpMetadata {
            content_type: http.content_type,
            content_language: http.content_language,
            content_disposition: http.content_disposition,
            content_encoding: http.content_encoding,
            cache_control: http.cache_control,
            cache_expiry: http.cache_expiry,
        },
        custom_metadata: object.custom_metadata,
    }
}

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum R2ErrorKind {
    /// A key, metadata, a range, a checksum, a limit or a cursor breaks a rule.
    InvalidArgument,
    /// The bucket was deleted.
    BucketNotFound,
    /// The content has another checksum than it was to have.
    BadDigest,
    /// The content, the key or the metadata is larger than it may be.
    TooLarge,
    /// The bucket holds as much as it may.
    ExceededQuota,
    /// This worker has no subrequests left.
    ExceededSubrequests,
    /// Too much is under way in this bucket, or the disk is full.
    Overloaded,
    /// The platform failed; the operator's log says why.
    Internal,
}

/// Why a call on a bucket was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct R2Error {
    kind: R2ErrorKind,
    code: u32,
    text: String,
}

impl R2Error {
    /// What kind of thing went wrong.
    pub fn kind(&self) -> R2ErrorKind {
        self.kind
    }

    /// The number that the product gives such an error.
    pub fn code(&self) -> u32 {
        self.code
    }
}

impl From<platform::R2Error> for R2Error {
    fn from(error: platform::R2Error) -> R2Error {
        let kind = match error.reason {
            platform::Reason::InvalidArgument
            | platform::Reason::InvalidRange
            | platform::Reason::InvalidPart
            | platform::Reason::UploadNotFound => R2ErrorKind::InvalidArgument,
            platform::Reason::BucketNotFound => R2ErrorKind::BucketNotFound,
            platform::Reason::BadDigest => R2ErrorKind::BadDigest,
            platform::Reason::TooLarge => R2ErrorKind::TooLarge,
            platform::Reason::ExceededQuota => R2ErrorKind::ExceededQuota,
            platform::Reason::ExceededSubrequests => R2ErrorKind::ExceededSubrequests,
            platform::Reason::Overloaded => R2ErrorKind::Overloaded,
            platform::Reason::Internal => R2ErrorKind::Internal,
        };
        R2Error { kind, code: error.code, text: error.text }
    }
}

impl fmt::Display for R2Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text, self.code)
    }
}

impl Error for R2Error {}
