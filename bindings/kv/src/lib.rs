//! Keys and values: what stands behind a KV binding.
//!
//! Owns the rules of keys, values, metadata and expiry, their limits, and the embedded store. Whoever acts for a
//! script or for the API does it through [`Kv`], so that a rule stands once; a [`Store`] only keeps what it is given.
//! Must never know a guest, a request or who asks: a namespace is named by its identifier, and nothing leads from one to
//! another.
//!
//! # Layout
//! - [`limits`]: what one namespace may hold, and how large its parts may be
//! - [`entry`]: keys, puts, what is found, pages
//! - [`service`]: the rules, and how much may be under way
//! - [`store`], [`sqlite`]: where it is kept

pub mod entry;
pub mod error;
pub mod limits;
pub mod service;
pub mod sqlite;
pub mod store;

mod turns;

pub use entry::{Expiry, Found, Key, ListOptions, Listed, Page, PutOptions};
pub use error::KvError;
pub use limits::KvLimits;
pub use service::{Kv, KvHandle, NewValue};
pub use sqlite::SqliteKv;
pub use store::{KvNamespace, KvUsage, Put, Store, Write};
