//! `wasmyard:platform/cache`: a script keeps responses, and finds them again.
//!
//! Every script has caches of its own, without a declaration; what there is to be granted is whether it has any, and the default
//! one. Each call counts as a subrequest before anything is awaited. The rules are those of [`wasmyard_cache`]; what is here
//! counts, and keeps what passes through the host within the guest's memory ceiling. A response that is found goes to the guest
//! as one of the host's, so that one that is only handed on never enters its memory.

mod answer;
pub(crate) mod writer;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use wasmtime::component::Resource;
use wasmtime_wasi_http::p2::types::HostIncomingResponse;
use wasmyard_cache::{Cache, CacheError as Refused, Left};

use super::cache_wit::{CacheError, Head, Host, HostCache, Request, Started};
use crate::guest::state::State;
use writer::OpenBody;

/// A cache that the guest opened.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct OpenCache(Cache);

type Answer<T> = wasmtime::Result<Result<T, CacheError>>;

impl Host for State {}

impl HostCache for State {
    fn open(&mut self, name: Option<String>) -> Answer<Resource<OpenCache>> {
        let Some(caches) = self.version.bindings.caches() else {
            let text = "this script has no caches: its namespace's capabilities do not allow it wasmyard:platform/cache";
            return Ok(Err(CacheError::NotAllowed(text.to_owned())));
        };
        if name.is_none() && !self.trusted {
            let text = "caches.default is not there for the scripts of a namespace that is not trusted; use \
                        caches.open(name), which is this script's own";
            return Ok(Err(CacheError::NotAllowed(text.to_owned())));
        }
        match caches.open(name.as_deref()) {
            Ok(cache) => Ok(Ok(self.table.push(OpenCache(cache))?)),
            Err(error) => Ok(Err(refused(&error))),
        }
    }

    async fn match_(
        &mut self,
        this: Resource<OpenCache>,
        request: Request,
        ignore_method: bool,
    ) -> Answer<Option<Resource<HostIncomingResponse>>> {
        let cache = self.table.get(&this)?.0.clone();
        let resource = match asked(request).and_then(|request| cache.resource(request, ignore_method)) {
            Ok(Some(resource)) => resource,
            Ok(None) => return Ok(Ok(None)),
            Err(error) => return Ok(Err(refused(&error))),
        };
        if let Err(refused) = self.cache_call() {
            return Ok(Err(refused));
        }
        let Some(found) = resource.find().await else { return Ok(Ok(None)) };
        let response = self.push_response(answer::response(found))?;
        self.weigh()?;
        Ok(Ok(Some(response)))
    }

    async fn put(
        &mut self,
        this: Resource<OpenCache>,
        request: Request,
        head: Head,
        body: Vec<u8>,
    ) -> Answer<Option<String>> {
        let storing = match self.cache_put(&this, request, head)? {
            Ok(Ok(storing)) => storing,
            Ok(Err(left)) => return Ok(Ok(Some(left.to_string()))),
            Err(refused) => return Ok(Err(refused)),
        };
        self.passing = body.len() as u64;
        self.weigh()?;
        let put = storing.put(Bytes::from(body)).await;
        self.passing = 0;
        Ok(Ok(put.err().map(|left| left.to_string())))
    }

    async fn start_put(
        &mut self,
        this: Resource<OpenCache>,
        request: Request,
        head: Head,
    ) -> Answer<Started> {
        let storing = match self.cache_put(&this, request, head)? {
            Ok(Ok(storing)) => storing,
            Ok(Err(left)) => return Ok(Ok(Started::Left(left.to_string()))),
            Err(refused) => return Ok(Err(refused)),
        };
        let Some(incoming) = storing.begin().await else {
            return Ok(Ok(Started::Left(Left::NoRoom.to_string())));
        };
        let writer = OpenBody::new(incoming, &self.arriving);
        self.weigh()?;
        Ok(Ok(Started::Writing(self.table.push(writer)?)))
    }

    async fn delete(
        &mut self,
        this: Resource<OpenCache>,
        request: Request,
        ignore_method: bool,
    ) -> Answer<bool> {
        let cache = self.table.get(&this)?.0.clone();
        let resource = match asked(request).and_then(|request| cache.resource(request, ignore_method)) {
            Ok(Some(resource)) => resource,
            Ok(None) => return Ok(Ok(false)),
            Err(error) => return Ok(Err(refused(&error))),
        };
        if let Err(refused) = self.cache_call() {
            return Ok(Err(refused));
        }
        Ok(Ok(resource.delete().await))
    }

    fn drop(&mut self, this: Resource<OpenCache>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

type Storing = Result<wasmyard_cache::Storing, Left>;

impl State {
    fn cache_call(&mut self) -> Result<(), CacheError> {
        let counted = self.hooks.count_subrequest();
        counted.map_err(|failure| CacheError::ExceededSubrequests(failure.to_string()))
    }

    /// What becomes of a response, once the call is counted.
    fn cache_put(&mut self, this: &Resource<OpenCache>, request: Request, head: Head) -> Answer<Storing> {
        let cache = &self.table.get(this)?.0;
        let storing = asked(request).and_then(|request| {
            let status = StatusCode::from_u16(head.status).map_err(|_| Refused::Status(head.status))?;
            cache.storing(request, status, &fields(head.headers)?)
        });
        let storing = match storing {
            Ok(storing) => storing,
            Err(error) => return Ok(Err(refused(&error))),
        };
        Ok(self.cache_call().map(|()| storing))
    }
}

fn asked(request: Request) -> Result<wasmyard_cache::Request, Refused> {
    let method = Method::from_bytes(request.method.as_bytes()).map_err(|_| Refused::Method)?;
    Ok(wasmyard_cache::Request { method, url: request.url, headers: fields(request.headers)? })
}

fn fields(list: Vec<(String, Vec<u8>)>) -> Result<HeaderMap, Refused> {
    let mut headers = HeaderMap::new();
    for (name, value) in list {
        let parsed =
            HeaderName::try_from(&name).ok().zip(HeaderValue::from_maybe_shared(Bytes::from(value)).ok());
        let (name, value) = parsed.ok_or(Refused::Field(name))?;
        // More of them than a map takes would be a panic.
        headers.try_append(name, value).map_err(|_| Refused::Fields)?;
    }
    Ok(headers)
}

fn refused(error: &Refused) -> CacheError {
    CacheError::InvalidArgument(error.to_string())
}
