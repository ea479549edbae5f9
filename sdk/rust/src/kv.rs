//! Owns the KV binding: the keys and values of a namespace that this worker is bound to.

use std::error::Error;
use std::fmt;
use std::rc::Rc;

use wasip2::io::streams::OutputStream;

use crate::bindings::kv as platform;
use crate::dispatch::BindingError;
use crate::pieces::{self, IN_ONE_CALL, Source};

/// Keys and values: see [`Env::kv`](crate::Env::kv).
///
/// What was put is durable when [`put`](Kv::put) returns, and whoever reads after that finds it. Each call counts as a
/// subrequest.
#[derive(Debug, Clone)]
pub struct Kv {
    handle: Rc<platform::Namespace>,
}

/// A value with what came with it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KvEntry {
    /// The value.
    pub value: Vec<u8>,
    /// Its metadata, as JSON text.
    pub metadata: Option<String>,
    /// When it goes, in seconds since 1970.
    pub expiration: Option<u64>,
}

/// A value to be read in pieces, with what came with it. Until it is dropped, the platform holds the whole value, as memory
/// of this worker.
#[derive(Debug)]
#[non_exhaustive]
pub struct KvStreamed {
    /// The value.
    pub body: KvBody,
    /// How many bytes it has.
    pub size: u64,
    /// Its metadata, as JSON text.
    pub metadata: Option<String>,
    /// When it goes, in seconds since 1970.
    pub expiration: Option<u64>,
}

/// A value, in pieces.
#[derive(Debug)]
pub struct KvBody(Source);

/// A value that is being put, in pieces. Dropping it puts nothing. Until it is put, the platform holds what came, as memory
/// of this worker.
#[derive(Debug)]
pub struct KvWriter {
    // Before the writer: it belongs to that.
    stream: OutputStream,
    writer: platform::Writer,
}

/// A key of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KvKey {
    /// The key.
    pub name: String,
    /// The value's metadata, as JSON text.
    pub metadata: Option<String>,
    /// When the value goes, in seconds since 1970.
    pub expiration: Option<u64>,
}

/// Keys in the order of their bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KvPage {
    /// The keys.
    pub keys: Vec<KvKey>,
    /// Where the next page begins; none on the last.
    pub cursor: Option<String>,
}

/// What is put beside a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KvPut {
    expiration: Option<u64>,
    expiration_ttl: Option<u64>,
    metadata: Option<String>,
}

/// Which keys are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KvList {
    prefix: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

impl Kv {
    pub(crate) fn open(binding: &str) -> Result<Kv, BindingError> {
        let handle = platform::Namespace::open(binding).map_err(BindingError::from)?;
        Ok(Kv { handle: Rc::new(handle) })
    }

    /// The value of a key, if there is one.
    ///
    /// # Errors
    /// See [`KvError`].
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, KvError> {
        Ok(self.get_entry(key).await?.map(|entry| entry.value))
    }

    /// The value of a key as text, if there is one. What is not UTF-8 is replaced.
    ///
    /// # Errors
    /// See [`KvError`].
    pub async fn get_text(&self, key: &str) -> Result<Option<String>, KvError> {
        Ok(self.get(key).await?.map(|value| match String::from_utf8(value) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        }))
    }

    /// The value of a key with its metadata and expiry, if there is one.
    ///
    /// # Errors
    /// See [`KvError`].
    pub async fn get_entry(&self, key: &str) -> Result<Option<KvEntry>, KvError> {
        let found = self.handle.get(key)?;
        Ok(found.map(|found| KvEntry {
            value: found.value,
            metadata: found.metadata,
            expiration: found.expiration,
        }))
    }

    /// The value of a key to be read in pieces, if there is one.
    ///
    /// # Errors
    /// See [`KvError`].
    pub async fn get_stream(&self, key: &str) -> Result<Option<KvStreamed>, KvError> {
        let found = self.handle.get_stream(key)?;
        Ok(found.map(|found| KvStreamed {
            body: KvBody(Source::new(found.body)),
            size: found.size,
            metadata: found.metadata,
            expiration: found.expiration,
        }))
    }

    /// Puts a value under a key, in place of any that was there.
    ///
    /// # Errors
    /// See [`KvError`].
    pub async fn put(&self, key: &str, value: impl AsRef<[u8]>) -> Result<(), KvError> {
        self.put_with(key, value, KvPut::new()).await
    }

    /// Puts a value with an expiry, or metadata.
    ///
    /// ```no_run
    /// # use wasmyard::{Env, KvPut, Request, Response, Result};
    /// # async fn fetch(_req: Request, env: Env) -> Result<Response> {
    /// let options = KvPut::new().expiration_ttl(3_600).metadata(r#"{"by":"login"}"#);
    /// env.kv("SESSIONS")?.put_with("s/7f3a", "customer-a", options).await?;
    /// # Ok(Response::empty()) }
    /// ```
    ///
    /// # Errors
    /// See [`KvError`].
    pub async fn put_with(&self, key: &str, value: impl AsRef<[u8]>, options: KvPut) -> Result<(), KvError> {
        let value = value.as_ref();
        if value.len() <= IN_ONE_CALL {
            return Ok(self.handle.put(key, value, &options.wire())?);
        }
        let mut writer = self.start_put(key, options).await?;
        // Where no more is taken, finishing says why.
        let _taken = writer.write(value).await;
        writer.finish().await
    }

    /// Begins to put a value that comes in pieces.
    ///
    /// # Errors
    /// See [`KvError`].
    pub async fn start_put(&self, key: &str, options: KvPut) -> Result<KvWriter, KvError> {
        let writer = self.handle.start_put(key, &options.wire())?;
        let stream = writer.body().map_err(|()| KvError::Internal("it has no stream".to_owned()))?;
        Ok(KvWriter { stream, writer })
    }

    /// Deletes a value, if it is there.
    ///
    /// # Errors
    /// See [`KvError`].
    pub async fn delete(&self, key: &str) -> Result<(), KvError> {
        Ok(self.handle.delete(key)?)
    }

    /// A page of keys.
    ///
    /// ```no_run
    /// # use wasmyard::{Env, KvList, Request, Response, Result};
    /// # async fn fetch(_req: Request, env: Env) -> Result<Response> {
    /// let mut options = KvList::new().prefix("s/");
    /// loop {
    ///     let page = env.kv("SESSIONS")?.list(options).await?;
    ///     for key in &page.keys {
    ///         println!("{}", key.name);
    ///     }
    ///     let Some(cursor) = page.cursor else { break };
    ///     options = KvList::new().prefix("s/").cursor(cursor);
    /// }
    /// # Ok(Response::empty()) }
    /// ```
    ///
    /// # Errors
    /// See [`KvError`].
    pub async fn list(&self, options: KvList) -> Result<KvPage, KvError> {
        let KvList { prefix, cursor, limit } = options;
        let page = self.handle.list(&platform::ListOptions { prefix, cursor, limit })?;
        let keys = page.keys.into_iter().map(|key| KvKey {
            name: key.name,
            metadata: key.metadata,
            expiration: key.expiration,
        });
        Ok(KvPage { keys: keys.collect(), cursor: page.cursor })
    }
}

impl KvBody {
    /// The next piece, never empty; `None` after the last.
    ///
    /// # Errors
    /// That the value could not be read to its end.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, KvError> {
        self.0.next().await.map_err(KvError::Internal)
    }

    /// All that is left.
    ///
    /// # Errors
    /// As [`KvBody::next`].
    pub async fn bytes(mut self) -> Result<Vec<u8>, KvError> {
        self.0.rest().await.map_err(KvError::Internal)
    }
}

impl KvWriter {
    /// Writes a piece.
    ///
    /// # Errors
    /// That no more is taken: [`finish`](KvWriter::finish) says why.
    pub async fn write(&mut self, piece: impl AsRef<[u8]>) -> Result<(), KvError> {
        let taken = pieces::write(&self.stream, piece.as_ref()).await;
        taken.ok_or_else(|| KvError::InvalidArgument("no more of the value is taken".to_owned()))
    }

    /// The value is whole, and is put.
    ///
    /// # Errors
    /// See [`KvError`].
    pub async fn finish(self) -> Result<(), KvError> {
        let KvWriter { stream, writer } = self;
        drop(stream);
        Ok(platform::Writer::finish(writer)?)
    }
}

impl KvPut {
    fn wire(self) -> platform::PutOptions {
        let KvPut { expiration, expiration_ttl, metadata } = self;
        platform::PutOptions { expiration, expiration_ttl, metadata }
    }

    /// Nothing beside the value.
    pub fn new() -> KvPut {
        KvPut::default()
    }

    /// The value goes at this moment, in seconds since 1970: a minute from now at least.
    pub fn expiration(mut self, at: u64) -> KvPut {
        self.expiration = Some(at);
        self
    }

    /// The value goes after so many seconds: 60 at least.
    pub fn expiration_ttl(mut self, seconds: u64) -> KvPut {
        self.expiration_ttl = Some(seconds);
        self
    }

    /// JSON text of up to 1024 bytes that comes with the value, and in lists.
    pub fn metadata(mut self, json: impl Into<String>) -> KvPut {
        self.metadata = Some(json.into());
        self
    }
}

impl KvList {
    /// All keys, 1000 a page.
    pub fn new() -> KvList {
        KvList::default()
    }

    /// Those that begin with this.
    pub fn prefix(mut self, prefix: impl Into<String>) -> KvList {
        self.prefix = Some(prefix.into());
        self
    }

    /// Those after the page that gave this cursor.
    pub fn cursor(mut self, cursor: impl Into<String>) -> KvList {
        self.cursor = Some(cursor.into());
        self
    }

    /// So many at most, from 1 to 1000.
    pub fn limit(mut self, limit: u32) -> KvList {
        self.limit = Some(limit);
        self
    }
}

/// Why a call of a KV binding was not carried out. The texts are the platform's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KvError {
    /// A key, a value, metadata, an expiry, a limit or a cursor breaks a rule.
    InvalidArgument(String),
    /// The namespace was deleted.
    NamespaceNotFound(String),
    /// The namespace holds as much as it may.
    ExceededQuota(String),
    /// This worker has no subrequests left.
    ExceededSubrequests(String),
    /// The value is larger than the memory that this worker may still take.
    ExceededMemory(String),
    /// Too much is under way in this namespace for the moment, or the disk is full.
    Overloaded(String),
    /// The platform failed.
    Internal(String),
}

impl KvError {
    /// What went wrong, as the platform puts it.
    pub fn message(&self) -> &str {
        match self {
            KvError::InvalidArgument(text)
            | KvError::NamespaceNotFound(text)
            | KvError::ExceededQuota(text)
            | KvError::ExceededSubrequests(text)
            | KvError::ExceededMemory(text)
            | KvError::Overloaded(text)
            | KvError::Internal(text) => text,
        }
    }
}

impl fmt::Display for KvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl Error for KvError {}

impl From<platform::KvError> for KvError {
    fn from(error: platform::KvError) -> KvError {
        use platform::KvError as Told;
        match error {
            Told::InvalidArgument(text) => KvError::InvalidArgument(text),
            Told::NamespaceNotFound(text) => KvError::NamespaceNotFound(text),
            Told::ExceededQuota(text) => KvError::ExceededQuota(text),
            Told::ExceededSubrequests(text) => KvError::ExceededSubrequests(text),
            Told::ExceededMemory(text) => KvError::ExceededMemory(text),
            Told::Overloaded(text) => KvError::Overloaded(text),
            Told::Internal(text) => KvError::Internal(text),
        }
    }
}
