//! Write workers for the Wasmyard platform.
//!
//! A worker answers HTTP requests; a *dispatcher* is a worker that passes them on to others.
//!
//! ```
//! use wasmyard::{DispatchError, Env, Limits, Request, Response, Result};
//!
//! #[wasmyard::main]
//! async fn fetch(req: Request, env: Env) -> Result<Response> {
//!     let host = env.hostname();
//!     let customer = host.split('.').next().unwrap_or_default();
//!     let worker = env.namespace("DISPATCHER")?.get(customer).limits(Limits::new().cpu_ms(10));
//!     match worker.fetch(req).await {
//!         Err(DispatchError::WorkerNotFound(_)) => {
//!             Ok(Response::text(format!("no such customer: {customer}\n")).with_status(404))
//!         }
//!         other => Ok(other?),
//!     }
//! }
//! # fn main() {}
//! ```
//!
//! # Building
//! The crate that holds the worker is a `cdylib`, built for `wasm32-wasip2`. The output is a component, ready to
//! be uploaded:
//!
//! ```toml
//! [lib]
//! crate-type = ["cdylib"]
//!
//! [profile.release]
//! opt-level = "s"
//! lto = true
//! codegen-units = 1
//! panic = "abort"
//! strip = true
//! ```
//!
//! Memory starts at little more than the stack's 1 MiB, and a small request is answered without growing it. A worker
//! that keeps more than some 30 kB can have room from the start, in `.cargo/config.toml`:
//!
//! ```toml
//! [target.wasm32-wasip2]
//! rustflags = ["-Clink-arg=--initial-memory=2097152"]
//! ```
//!
//! # Layout
//! - [`main`], [`Env`]: the entry point, and what the platform gives to it
//! - [`Request`], [`Response`], [`Headers`], [`Body`]: HTTP. What came in is read from the host only as far as it
//!   is asked for, and what is passed on unread is moved by the host
//! - [`Namespace`], [`Worker`], [`Limits`], [`Service`], [`DispatchError`]: calling other scripts
//! - [`Assets`]: the static files that this worker was uploaded with
//! - [`Kv`]: keys and values
//! - [`Queue`], [`queue`], [`MessageBatch`]: messages, sent and consumed
//! - [`D1`]: SQL databases
//! - [`R2`], [`R2Object`]: objects
//! - [`Cache`]: responses that are kept for a time
//! - [`fetch`]: HTTP to anywhere else, and what an outbound worker lets pass
//! - [`Env::wait_until`]: work after the response
//! - [`join`], [`join_all`], [`spawn`], [`sleep`]: doing several things at a time, on one thread
//!
//! Standard output and standard error are the worker's log. There is no file system and no environment; on
//! `wasm32-wasip2` this crate puts `write`, `writev`, `getenv` and `abort` in place of the C library's, so that a
//! worker that prints or panics does not import those.

mod assets;
mod bindings;
mod body;
mod cache;
mod d1;
mod dispatch;
mod entry;
mod env;
mod error;
mod executor;
mod fetch;
mod future;
mod headers;
mod kv;
mod method;
mod mtls;
mod pieces;
mod queue;
mod r2;
mod rate_limit;
mod request;
mod response;
mod secrets;
#[cfg(target_arch = "wasm32")]
mod system;
mod url;

pub use assets::Assets;
pub use body::{Body, Writer};
pub use cache::{Cache, CacheError, CacheErrorKind, CachePut};
pub use d1::{D1, D1Error, D1Meta, D1Result, D1Statement, D1Value};
pub use dispatch::{BindingError, DispatchError, Limits, Namespace, Service, Worker};
pub use env::{Caller, ClientCertificate, Env, Tls, VarError};
pub use error::{BodyError, Error, Result};
pub use executor::spawn;
pub use fetch::{FetchError, FetchErrorKind, fetch, fetch_last};
pub use future::{join, join_all, sleep};
pub use headers::{HeaderError, Headers};
pub use kv::{Kv, KvBody, KvEntry, KvError, KvKey, KvList, KvPage, KvPut, KvStreamed, KvWriter};
pub use method::{Method, Scheme};
pub use mtls::MtlsCertificate;
pub use queue::{ContentType, MessageBatch, NewMessage, Queue, QueueError, QueueMessage};
pub use r2::{
    R2, R2Body, R2Condition, R2Error, R2ErrorKind, R2Found, R2Get, R2HttpMetadata, R2List, R2Object, R2Page,
    R2Put, R2Writer,
};
pub use rate_limit::RateLimit;
pub use request::Request;
pub use response::Response;
pub use secrets::{SecretError, StoredSecret};
pub use url::UrlError;
pub use wasmyard_macros::{main, queue};

/// For the code that [`main`] makes. Not part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::bindings::queue_consumer;
    pub use crate::entry::{check, serve};
    pub use crate::queue::{check_consumer, consume};
    pub use wasip2::exports;
    pub use wasip2::exports::wasi::http::incoming_handler::Guest;
    pub use wasip2::http::proxy::export;
    pub use wasip2::http::types::{IncomingRequest, ResponseOutparam};
}
