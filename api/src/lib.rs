//! The control plane: a REST API, wire-compatible with Cloudflare's v4 API, that writes the registry.
//!
//! Owns how what is deployed changes. Must never serve a visitor's request, run guest code or know of wasmtime:
//! components are judged by a [`ComponentChecker`] that the assembler supplies.
//!
//! # Layout
//! A call passes, in this order:
//! 1. [`router()`]: every route on one page; `table` turns it into the router and, with `openapi`, into the document
//! 2. `guard`: token, account, time limit, log line
//! 3. `target` and `body`: what the path, the query and the body say, parsed and bounded
//! 4. one file per resource: `namespaces`, `scripts`, `content`, `settings`, `bindings`, `secrets`, `tags`, `routes`,
//!    `services`, `versions`, `assets`, `tokens`, `clients`, `health`
//! 5. for uploads: [`multipart`] (grammar), `metadata` (what the uploader declares), `upload` (parts to a version)
//! 6. `envelope` and [`error`]: the answer

pub mod error;
pub mod multipart;

mod assets;
mod bindings;
mod body;
mod clients;
mod configured;
mod content;
mod envelope;
mod guard;
mod health;
mod metadata;
mod namespaces;
mod openapi;
mod references;
mod referrers;
mod router;
mod routes;
mod scripts;
mod secrets;
mod services;
mod settings;
mod state;
mod table;
mod tags;
mod target;
mod tokens;
mod upload;
mod versions;

pub use error::{ApiError, Code};
pub use router::{openapi_document, router};
pub use state::{ApiState, Checked, ComponentChecker, Refusal, RefusalCode, UploadLimits};
pub use tokens::ADMIN_TOKEN;
