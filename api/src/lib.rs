//! The control plane: a REST API, wire-compatible with Cloudflare's v4 API, that writes the registry.
//!
//! Owns the wire: paths, bodies, codes, pages. What a call does is a use case of [`wasmyard_control`]. Must never serve a
//! visitor's request, run guest code or know of wasmtime.
//!
//! # Layout
//! A call passes, in this order:
//! 1. [`router()`]: every route on one page; `table` turns it into the router and, with `openapi`, into the document
//! 2. `guard`: token, account, permission (`caller`), how often (`rates`), time limit, log line, entry in the audit log (`audit`)
//! 3. `target`, `query` and `body`: what the path, the query and the body say, parsed and bounded
//! 4. `resources`, a file for each: from a call to a use case, and back through `views`
//! 5. for uploads: [`multipart`] (grammar), `metadata` (what the uploader declares), `upload` (parts to an upload)
//! 6. `envelope`, `lists` and [`error`]: the answer

pub mod error;
pub mod multipart;
pub mod remote;

mod audit;
mod body;
mod caller;
mod envelope;
mod guard;
mod lists;
mod metadata;
mod openapi;
mod patterns;
mod query;
mod rates;
mod resources;
mod router;
mod shape;
mod spool;
mod state;
mod table;
mod tails;
mod target;
mod unknown;
mod upload;
mod views;

pub use error::{AnyCode, ApiError, Code, CsrCode};
pub use rates::Rates;
pub use router::{CallPermission, openapi_document, permissions, router};
pub use state::{ApiState, UploadLimits};
