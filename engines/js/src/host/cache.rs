//! The script's caches. Each call opens the cache that it is for: caches are at hand before anything is handled.

use rquickjs_core::{ArrayBuffer, Ctx, Function, Object, Result, Value};

use super::{bytes, failure, fields, in_handler, number};
use crate::bindings::wasmyard::platform::cache::{Cache, CacheError, Head, Request, Started, Writer};
use crate::table::{self, Resource};

pub(super) fn add<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    host.set("cacheMatch", Function::new(ctx.clone(), find)?)?;
    host.set("cachePut", Function::new(ctx.clone(), put)?)?;
    host.set("cacheStartPut", Function::new(ctx.clone(), start_put)?)?;
    host.set("cacheFinish", Function::new(ctx.clone(), finish)?)?;
    host.set("cacheDelete", Function::new(ctx.clone(), delete)?)?;
    Ok(())
}

type Called<T> = std::result::Result<T, CacheError>;

/// Method, URL, then fields.
fn request(list: Vec<String>) -> Request {
    let mut parts = list.into_iter();
    let (method, url) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    Request { method, url, headers: fields(&parts.collect::<Vec<_>>()) }
}

fn refused<'js>(ctx: &Ctx<'js>, error: CacheError) -> Result<Value<'js>> {
    let (word, text) = match error {
        CacheError::InvalidArgument(text) => ("invalid-argument", text),
        CacheError::NotAllowed(text) => ("not-allowed", text),
        CacheError::ExceededSubrequests(text) => ("exceeded-subrequests", text),
    };
    failure(ctx, word, &text)
}

/// Null where there is none; otherwise the handle of a response.
fn find<'js>(
    ctx: Ctx<'js>,
    name: Option<String>,
    asked: Vec<String>,
    ignore_method: bool,
) -> Result<Value<'js>> {
    in_handler(&ctx)?;
    let found = Cache::open(name.as_deref()).and_then(|cache| cache.match_(&request(asked), ignore_method));
    match found {
        Ok(None) => Ok(Value::new_null(ctx)),
        Ok(Some(response)) => Ok(number(&ctx, table::put(Resource::Response(response)))),
        Err(error) => refused(&ctx, error),
    }
}

/// Null, whether it was kept or not.
fn put<'js>(
    ctx: Ctx<'js>,
    name: Option<String>,
    asked: Vec<String>,
    status: u16,
    flat: Vec<String>,
    body: ArrayBuffer<'js>,
) -> Result<Value<'js>> {
    in_handler(&ctx)?;
    let (head, body) = (Head { status, headers: fields(&flat) }, bytes(&ctx, &body)?);
    let put = Cache::open(name.as_deref()).and_then(|cache| cache.put(&request(asked), &head, &body));
    answered(&ctx, put.map(drop))
}

/// The handle of a body to be written; null where none is needed.
fn start_put<'js>(
    ctx: Ctx<'js>,
    name: Option<String>,
    asked: Vec<String>,
    status: u16,
    flat: Vec<String>,
) -> Result<Value<'js>> {
    in_handler(&ctx)?;
    let head = Head { status, headers: fields(&flat) };
    let started = Cache::open(name.as_deref()).and_then(|cache| cache.start_put(&request(asked), &head));
    match started {
        Ok(Started::Left(_)) => Ok(Value::new_null(ctx)),
        Ok(Started::Writing(writer)) => match writer.body() {
            Ok(stream) => {
                let writer = table::Writer::Response(writer);
                Ok(number(&ctx, table::put(Resource::Writer { stream, writer })))
            }
            Err(()) => failure(&ctx, "internal", "the body cannot be written"),
        },
        Err(error) => refused(&ctx, error),
    }
}

fn finish(id: u32) {
    crate::turns::forget(id);
    if let Some(Resource::Writer { stream, writer: table::Writer::Response(writer) }) = table::take(id) {
        drop(stream);
        drop(Writer::finish(writer));
    }
}

fn delete<'js>(
    ctx: Ctx<'js>,
    name: Option<String>,
    asked: Vec<String>,
    ignore_method: bool,
) -> Result<Value<'js>> {
    in_handler(&ctx)?;
    let deleted = Cache::open(name.as_deref()).and_then(|cache| cache.delete(&request(asked), ignore_method));
    match deleted {
        Ok(was_there) => Ok(Value::new_bool(ctx, was_there)),
        Err(error) => refused(&ctx, error),
    }
}

fn answered<'js>(ctx: &Ctx<'js>, called: Called<()>) -> Result<Value<'js>> {
    match called {
        Ok(()) => Ok(Value::new_null(ctx.clone())),
        Err(error) => refused(ctx, error),
    }
}
