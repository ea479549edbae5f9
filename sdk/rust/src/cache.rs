//! Owns the caches of this worker: responses that are kept for a time.

use std::error::Error;
use std::fmt;
use std::rc::Rc;

use wasip2::io::streams::OutputStream;

use crate::bindings::cache as platform;
use crate::body::Body;
use crate::pieces;
use crate::request::Request;
use crate::response::Response;

/// A cache of this worker's own: responses under requests, kept as their header fields say.
///
/// No other worker sees what is in it. It may lose anything at any time, and what cannot be kept is no error. Each call counts as a
/// subrequest.
///
/// ```no_run
/// use wasmyard::{Cache, Env, Request, Response, Result};
///
/// # async fn expensive() -> String { String::new() }
/// #[wasmyard::main]
/// async fn fetch(req: Request, _env: Env) -> Result<Response> {
///     let cache = Cache::open("pages")?;
///     if let Some(kept) = cache.find(&req).await? {
///         return Ok(kept);
///     }
///     let page = expensive().await;
///     let kept = Response::text(page.clone()).with_header("cache-control", "max-age=60")?;
///     cache.put(&req, kept).await?;
///     Ok(Response::text(page))
/// }
/// # fn main() {}
/// ```
#[derive(Debug, Clone)]
pub struct Cache {
    handle: Rc<platform::Cache>,
}

/// What became of a response that was put.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum CachePut {
    /// It is kept.
    Kept,
    /// It is not, and why: its own header fields say so, or there was no room.
    Left(String),
}

impl Cache {
    /// The cache of that name, of up to 1023 bytes.
    ///
    /// # Errors
    /// See [`CacheError`].
    pub fn open(name: &str) -> Result<Cache, CacheError> {
        Cache::of(Some(name))
    }

    /// The cache without a name. A script of a namespace has it only where the namespace is trusted.
    ///
    /// # Errors
    /// See [`CacheError`].
    pub fn default_cache() -> Result<Cache, CacheError> {
        Cache::of(None)
    }

    fn of(name: Option<&str>) -> Result<Cache, CacheError> {
        Ok(Cache { handle: Rc::new(platform::Cache::open(name)?) })
    }

    /// The response that fits a request and is fresh, if there is one. Where the request has conditions or a range, it is answered
    /// with status 304, 206 or 416. A request of another method than GET finds nothing.
    ///
    /// # Errors
    /// See [`CacheError`].
    pub async fn find(&self, request: &Request) -> Result<Option<Response>, CacheError> {
        Ok(self.handle.match_(&asked(request), false)?.map(Response::from_incoming))
    }

    /// The same, as if the request's method were GET.
    ///
    /// # Errors
    /// See [`CacheError`].
    pub async fn find_any_method(&self, request: &Request) -> Result<Option<Response>, CacheError> {
        Ok(self.handle.match_(&asked(request), true)?.map(Response::from_incoming))
    }

    /// Keeps a response for a request, whose method must be GET. Its body is read to its end, also where it is long.
    ///
    /// # Errors
    /// See [`CacheError`], and [`CacheErrorKind::Body`].
    pub async fn put(&self, request: &Request, response: Response) -> Result<CachePut, CacheError> {
        let status = response.status();
        let head = platform::Head { status, headers: response.headers().entries() };
        let request = asked(request);
        let mut body = match response.into_body().into_whole() {
            Ok(bytes) => return Ok(became(self.handle.put(&request, &head, &bytes)?)),
            Err(body) => body,
        };
        let writer = match self.handle.start_put(&request, &head)? {
            platform::Started::Writing(writer) => writer,
            platform::Started::Left(why) => return Ok(CachePut::Left(why)),
        };
        if let Ok(stream) = writer.body() {
            write(&stream, &mut body).await?;
        }
        Ok(became(platform::Writer::finish(writer)))
    }

    /// Removes all that is kept for the request's URL: whether there was anything. A request of another method than GET removes
    /// nothing.
    ///
    /// # Errors
    /// See [`CacheError`].
    pub async fn delete(&self, request: &Request) -> Result<bool, CacheError> {
        Ok(self.handle.delete(&asked(request), false)?)
    }
}

fn asked(request: &Request) -> platform::Request {
    platform::Request {
        method: request.method().as_str().to_owned(),
        url: request.url(),
        headers: request.headers().entries(),
    }
}

fn became(left: Option<String>) -> CachePut {
    left.map_or(CachePut::Kept, CachePut::Left)
}

/// Writes a body, as fast as it is taken; no further than it is.
async fn write(stream: &OutputStream, body: &mut Body) -> Result<(), CacheError> {
    let failed = |text: String| CacheError { kind: CacheErrorKind::Body, text };
    while let Some(chunk) = body.chunk().await.map_err(|error| failed(error.to_string()))? {
        if pieces::write(stream, &chunk).await.is_none() {
            return Ok(());
        }
    }
    Ok(())
}

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheErrorKind {
    /// The name, the URL, the method or the response breaks a rule.
    InvalidArgument,
    /// This worker does not have the cache.
    NotAllowed,
    /// This worker has no subrequests left.
    ExceededSubrequests,
    /// The body of the response broke off: nothing is kept.
    Body,
}

/// Why a call on a cache was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheError {
    kind: CacheErrorKind,
    text: String,
}

impl CacheError {
    /// What kind of thing went wrong.
    pub fn kind(&self) -> CacheErrorKind {
        self.kind
    }
}

impl From<platform::CacheError> for CacheError {
    fn from(error: platform::CacheError) -> CacheError {
        let (kind, text) = match error {
            platform::CacheError::InvalidArgument(text) => (CacheErrorKind::InvalidArgument, text),
            platform::CacheError::NotAllowed(text) => (CacheErrorKind::NotAllowed, text),
            platform::CacheError::ExceededSubrequests(text) => (CacheErrorKind::ExceededSubrequests, text),
        };
        CacheError { kind, text }
    }
}

impl fmt::Display for CacheError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for CacheError {}
