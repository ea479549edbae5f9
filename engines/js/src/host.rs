//! What the prelude may call: the platform's interfaces as plain functions of JavaScript, and what is better done natively.
//!
//! Nothing of this is reachable by scripts: the prelude keeps the object to itself. Header fields travel as one flat list
//! of names and values, each a string of characters up to U+00FF that stand for bytes. Failures of the host are lists of
//! two strings: a word and a text.

mod async_context;
mod cache;
mod compression;
mod crypto;
mod d1;
mod html;
pub(crate) mod http;
mod kv;
mod platform;
mod queues;
mod r2;
mod rate_limit;
pub(crate) mod rejections;
mod running;
mod secrets;
mod text;
mod url;
mod wasm;

use rquickjs_core::{Array, ArrayBuffer, Ctx, Exception, Function, Object, Result, Value};

use crate::bindings::wasi::random::random;
use crate::bindings::wasmyard::platform::log;
use crate::{clock, script, table, turns};

/// The error for what only a handler may do; the text is the product's.
const AT_THE_TOP: &str = "Disallowed operation called within global scope. Asynchronous I/O (ex: fetch() or connect()), \
    setting a timeout, and generating random values are not allowed within global scope. To fix this error, perform this \
    operation within a handler. https://developers.cloudflare.com/workers/runtime-apis/handlers/";

/// How many random bytes are asked of the host at once.
const RANDOM_BYTES: usize = 64 << 10;

/// Refuses what only a handler may do.
pub(crate) fn in_handler(ctx: &Ctx<'_>) -> Result<()> {
    if clock::is_sealed() { Ok(()) } else { Err(Exception::throw_message(ctx, AT_THE_TOP)) }
}

/// The object with all functions.
pub(crate) fn object<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>> {
    let host = Object::new(ctx.clone())?;
    host.set("log", Function::new(ctx.clone(), write_log)?)?;
    host.set("now", Function::new(ctx.clone(), clock::now_ms)?)?;
    host.set("monotonic", Function::new(ctx.clone(), clock::monotonic_ms)?)?;
    host.set("isSealed", Function::new(ctx.clone(), clock::is_sealed)?)?;
    host.set("inHandler", Function::new(ctx.clone(), |ctx: Ctx<'js>| in_handler(&ctx))?)?;
    host.set("random", Function::new(ctx.clone(), random_bytes)?)?;
    host.set("wait", Function::new(ctx.clone(), turns::wait)?)?;
    host.set("drop", Function::new(ctx.clone(), let_go)?)?;
    host.set("part", Function::new(ctx.clone(), script::part)?)?;
    text::add(ctx, &host)?;
    http::add(ctx, &host)?;
    platform::add(ctx, &host)?;
    kv::add(ctx, &host)?;
    queues::add(ctx, &host)?;
    d1::add(ctx, &host)?;
    r2::add(ctx, &host)?;
    cache::add(ctx, &host)?;
    rate_limit::add(ctx, &host)?;
    secrets::add(ctx, &host)?;
    async_context::add(ctx, &host)?;
    compression::add(ctx, &host)?;
    crypto::add(ctx, &host)?;
    html::add(ctx, &host)?;
    rejections::add(ctx, &host)?;
    url::add(ctx, &host)?;
    wasm::add(ctx, &host)?;
    Ok(host)
}

fn write_log(level: String, text: String) {
    if clock::is_sealed() {
        let level = match level.as_str() {
            "debug" => log::Level::Debug,
            "info" => log::Level::Info,
            "warn" => log::Level::Warn,
            "error" => log::Level::Error,
            _ => log::Level::Log,
        };
        log::entry(level, &text);
    }
}

/// What `Math.random` begins with in an event.
#[unsafe(no_mangle)]
extern "C" fn wasmyard_random_seed() -> u64 {
    random::get_random_u64() | 1
}

fn random_bytes<'js>(ctx: Ctx<'js>, count: u32) -> Result<ArrayBuffer<'js>> {
    in_handler(&ctx)?;
    let mut bytes = Vec::new();
    if bytes.try_reserve_exact(count as usize).is_err() {
        return Err(Exception::throw_range(&ctx, "there is no memory for so many random bytes"));
    }
    // In pieces: the host makes each of them in memory of its own.
    while bytes.len() < count as usize {
        let piece = (count as usize - bytes.len()).min(RANDOM_BYTES);
        bytes.extend_from_slice(&random::get_random_bytes(piece as u64));
    }
    ArrayBuffer::new_copy(ctx, bytes)
}

fn let_go(id: u32) {
    turns::forget(id);
    drop(table::take(id));
}

/// A copy of bytes that JavaScript has.
pub(crate) fn bytes(ctx: &Ctx<'_>, buffer: &ArrayBuffer<'_>) -> Result<Vec<u8>> {
    // SAFETY: the bytes are copied before any JavaScript runs again.
    match unsafe { buffer.as_bytes() } {
        Some(bytes) => Ok(bytes.to_vec()),
        None => Err(Exception::throw_type(ctx, "the buffer was detached")),
    }
}

/// Looks at a part of a buffer.
///
/// # Errors
///
/// When there is no such part.
pub(crate) fn borrowed<T>(
    ctx: &Ctx<'_>,
    buffer: &ArrayBuffer<'_>,
    offset: usize,
    length: usize,
    look: impl FnOnce(&[u8]) -> T,
) -> Result<T> {
    // SAFETY: the function has no way to run JavaScript: it is given bytes, and nothing of a context.
    let part = unsafe { buffer.as_bytes() }.and_then(|all| all.get(offset..offset.checked_add(length)?));
    part.map(look).ok_or_else(|| Exception::throw_range(ctx, "outside of the buffer"))
}

/// Characters up to U+00FF as bytes; others become question marks.
pub(crate) fn to_bytes(text: &str) -> Vec<u8> {
    text.chars().map(|character| u8::try_from(u32::from(character)).unwrap_or(b'?')).collect()
}

/// Bytes as characters up to U+00FF.
pub(crate) fn from_bytes(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// Header fields of a flat list.
pub(crate) fn fields(flat: &[String]) -> Vec<(String, Vec<u8>)> {
    flat.chunks_exact(2).map(|field| (field[0].clone(), to_bytes(&field[1]))).collect()
}

/// A flat list of header fields.
pub(crate) fn flat<'js>(ctx: &Ctx<'js>, fields: &[(String, Vec<u8>)]) -> Result<Array<'js>> {
    let list = Array::new(ctx.clone())?;
    for (index, (name, value)) in fields.iter().enumerate() {
        list.set(index * 2, name.as_str())?;
        list.set(index * 2 + 1, from_bytes(value))?;
    }
    Ok(list)
}

/// A failure as JavaScript gets it.
pub(crate) fn failure<'js>(ctx: &Ctx<'js>, word: &str, text: &str) -> Result<Value<'js>> {
    let list = Array::new(ctx.clone())?;
    list.set(0, word)?;
    list.set(1, text)?;
    Ok(list.into_value())
}

/// A number as JavaScript gets it.
pub(crate) fn number<'js>(ctx: &Ctx<'js>, number: u32) -> Value<'js> {
    Value::new_number(ctx.clone(), f64::from(number))
}
