//! Responses that are kept for a time, to be used again.
//!
//! Three parts, each of which knows only those before it: [`rules`], the rules of RFC 9111 as pure functions; [`store`], entries in
//! memory and on the disk, by owner and within bounds, whatever they are; and the caches of scripts ([`Caches`]), which put the two
//! together under the names of the Cache API. Whoever caches for others, origins say, takes the first two. Knows no guest, no
//! connection and no registry.

mod error;
pub mod limits;
mod meta;
pub mod rules;
mod service;
pub mod store;

pub use error::CacheError;
pub use limits::CacheLimits;
pub use rules::Left;
pub use service::{Answer, CACHE_API, Cache, Caches, Incoming, Request, Resource, ScriptCaches, Storing};
pub use store::{Reader, Stored};
