//! The API as its clients see it, in-process: one binary, because each would link the same crates again.
//!
//! - `common`: a router over a memory registry and a checker that only looks at the first bytes
//! - `access`: tokens, accounts, paths and methods that are not there
//! - `document`: the OpenAPI golden file and `docs/api.md` agree with the router
//! - `uploads`: the shapes that clients send, and what is refused
//! - `bounds`: sizes, times, halves
//! - the rest: one file per resource

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers as well"
)]

mod access;
mod assets;
mod audit_logs;
mod bounds;
mod capabilities;
mod common;
mod compatibility;
mod content;
mod document;
mod lists;
mod multipart;
mod namespaces;
mod operation;
mod r2;
mod rates;
mod referred;
mod routes;
mod scripts;
mod secrets;
mod services;
mod settings;
mod shapes;
mod tags;
mod tokens;
mod unknown;
mod uploads;
mod zones;
