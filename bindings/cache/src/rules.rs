//! The rules of caches: RFC 9111, and what of RFC 9110 a cache answers by itself.
//!
//! Pure functions of heads and moments, for caches that many clients share. A moment is a number of milliseconds since 1970.
//! Nothing here knows where anything is kept, for whom, or what a script is; whatever a product does otherwise than the RFC is a
//! [`Policy`], which the caller brings.

mod answering;
mod directives;
mod freshness;
mod storing;
mod vary;

pub use answering::{Part, choose, head};
pub use directives::{Directives, Scope, Seconds};
pub use freshness::{Unsaid, age, lifetime};
pub use storing::{Kept, Left, Policy, store};
pub use vary::{Vary, selected, vary};

/// The field by which whoever asked learns that a cache answered.
pub const CACHE_STATUS: &str = "cf-cache-status";
