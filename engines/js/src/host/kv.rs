//! Keys and values.

use rquickjs_core::{Array, ArrayBuffer, Ctx, Function, Object, Result, Value};

use super::{bytes, failure, number};
use crate::bindings::wasmyard::platform::kv::{self, KvError, ListOptions, PutOptions, Writer};
use crate::table::{self, Resource};

pub(super) fn add<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    host.set("kvGet", Function::new(ctx.clone(), get)?)?;
    host.set("kvGetStream", Function::new(ctx.clone(), get_stream)?)?;
    host.set("kvPut", Function::new(ctx.clone(), put)?)?;
    host.set("kvStartPut", Function::new(ctx.clone(), start_put)?)?;
    host.set("kvFinish", Function::new(ctx.clone(), finish)?)?;
    host.set("kvDelete", Function::new(ctx.clone(), delete)?)?;
    host.set("kvList", Function::new(ctx.clone(), list)?)?;
    Ok(())
}

fn with<T>(
    id: u32,
    call: impl FnOnce(&kv::Namespace) -> std::result::Result<T, KvError>,
) -> std::result::Result<T, KvError> {
    let called = table::with(id, |resource| match resource {
        Resource::Kv(namespace) => Some(call(namespace)),
        _ => None,
    });
    called.flatten().unwrap_or_else(|| Err(KvError::Internal("no such namespace".to_owned())))
}

/// Null where there is none; otherwise a list: bytes, metadata, expiry. A failure has strings at its start.
fn get<'js>(ctx: Ctx<'js>, id: u32, key: String) -> Result<Value<'js>> {
    match with(id, |namespace| namespace.get(&key)) {
        Ok(None) => Ok(Value::new_null(ctx)),
        Ok(Some(entry)) => {
            let list = Array::new(ctx.clone())?;
            list.set(0, ArrayBuffer::new_copy(ctx, entry.value)?)?;
            list.set(1, entry.metadata)?;
            list.set(2, entry.expiration.map(|expiration| expiration as f64))?;
            Ok(list.into_value())
        }
        Err(error) => refused(&ctx, error),
    }
}

/// As [`get`], with a content in place of the bytes.
fn get_stream<'js>(ctx: Ctx<'js>, id: u32, key: String) -> Result<Value<'js>> {
    match with(id, |namespace| namespace.get_stream(&key)) {
        Ok(None) => Ok(Value::new_null(ctx)),
        Ok(Some(found)) => {
            let list = Array::new(ctx)?;
            list.set(0, table::put(Resource::Content(found.body)))?;
            list.set(1, found.metadata)?;
            list.set(2, found.expiration.map(|expiration| expiration as f64))?;
            Ok(list.into_value())
        }
        Err(error) => refused(&ctx, error),
    }
}

/// Numbers below zero and an absent text are left out.
fn options(expiration: f64, expiration_ttl: f64, metadata: Option<String>) -> PutOptions {
    let given = |value: f64| (value >= 0.0).then_some(value as u64);
    PutOptions { expiration: given(expiration), expiration_ttl: given(expiration_ttl), metadata }
}

fn put<'js>(
    ctx: Ctx<'js>,
    id: u32,
    key: String,
    value: ArrayBuffer<'js>,
    expiration: f64,
    expiration_ttl: f64,
    metadata: Option<String>,
) -> Result<Value<'js>> {
    let options = options(expiration, expiration_ttl, metadata);
    let value = bytes(&ctx, &value)?;
    match with(id, |namespace| namespace.put(&key, &value, &options)) {
        Ok(()) => Ok(Value::new_null(ctx)),
        Err(error) => refused(&ctx, error),
    }
}

/// The number of a content to be written.
fn start_put<'js>(
    ctx: Ctx<'js>,
    id: u32,
    key: String,
    expiration: f64,
    expiration_ttl: f64,
    metadata: Option<String>,
) -> Result<Value<'js>> {
    let options = options(expiration, expiration_ttl, metadata);
    match with(id, |namespace| namespace.start_put(&key, &options)) {
        Ok(writer) => match writer.body() {
            Ok(stream) => {
                let writer = table::Writer::Value(writer);
                Ok(number(&ctx, table::put(Resource::Writer { stream, writer })))
            }
            Err(()) => failure(&ctx, "internal", "the value cannot be written"),
        },
        Err(error) => refused(&ctx, error),
    }
}

fn finish<'js>(ctx: Ctx<'js>, id: u32) -> Result<Value<'js>> {
    crate::turns::forget(id);
    let Some(Resource::Writer { stream, writer: table::Writer::Value(writer) }) = table::take(id) else {
        return failure(&ctx, "internal", "no such value is being written");
    };
    drop(stream);
    match Writer::finish(writer) {
        Ok(()) => Ok(Value::new_null(ctx)),
        Err(error) => refused(&ctx, error),
    }
}

fn delete<'js>(ctx: Ctx<'js>, id: u32, key: String) -> Result<Value<'js>> {
    match with(id, |namespace| namespace.delete(&key)) {
        Ok(()) => Ok(Value::new_null(ctx)),
        Err(error) => refused(&ctx, error),
    }
}

/// A list: the cursor or null, then names, metadata and expiries in turn.
fn list<'js>(
    ctx: Ctx<'js>,
    id: u32,
    prefix: Option<String>,
    cursor: Option<String>,
    limit: f64,
) -> Result<Value<'js>> {
    let limit = (limit >= 0.0).then_some(limit as u32);
    match with(id, |namespace| namespace.list(&ListOptions { prefix, cursor, limit })) {
        Ok(page) => {
            let list = Array::new(ctx.clone())?;
            let keys = Array::new(ctx)?;
            for (index, key) in page.keys.into_iter().enumerate() {
                keys.set(index * 3, key.name)?;
                keys.set(index * 3 + 1, key.metadata)?;
                keys.set(index * 3 + 2, key.expiration.map(|expiration| expiration as f64))?;
            }
            list.set(0, keys)?;
            list.set(1, page.cursor)?;
            Ok(list.into_value())
        }
        Err(error) => refused(&ctx, error),
    }
}

fn refused<'js>(ctx: &Ctx<'js>, error: KvError) -> Result<Value<'js>> {
    let (word, text) = match error {
        KvError::InvalidArgument(text) => ("invalid-argument", text),
        KvError::NamespaceNotFound(text) => ("namespace-not-found", text),
        KvError::ExceededQuota(text) => ("exceeded-quota", text),
        KvError::ExceededSubrequests(text) => ("exceeded-subrequests", text),
        KvError::ExceededMemory(text) => ("exceeded-memory", text),
        KvError::Overloaded(text) => ("overloaded", text),
        KvError::Internal(text) => ("internal", text),
    };
    failure(ctx, word, &text)
}
