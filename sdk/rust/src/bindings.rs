//! Owns the bindings to `wasmyard:platform` (../../wit) and `wasi:config`, which are generated.
//!
//! The wasi:http and wasi:io types in them are those of `wasip2`, so that a handle that this crate gets from there
//! can be passed to the platform. Nothing outside this crate may see these modules.

#[allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    unsafe_code,
    unused_imports,
    clippy::all,
    clippy::restriction,
    reason = "generated: which of these it trips over is up to the generator"
)]
#[rustfmt::skip]
mod generated;

#[allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    unsafe_code,
    unused_imports,
    clippy::all,
    clippy::restriction,
    reason = "generated: which of these it trips over is up to the generator"
)]
#[rustfmt::skip]
pub mod queue_consumer;

pub(crate) use generated::wasi::config::store as config;
#[cfg(target_arch = "wasm32")]
pub(crate) use generated::wasmyard::platform::log;
pub(crate) use generated::wasmyard::platform::{
    assets, bindings as given, d1, dispatch, kv, message, mtls, outgoing, queues, r2, rate_limit,
    request_info, secrets,
};
