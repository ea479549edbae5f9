//! Code: from a component's bytes to something that can be instantiated. Owns the engines, what they accept, who
//! compiles, and what is kept of it on disk and in memory. Must never run a guest.

mod artifacts;
mod bounds;
mod bulk;
pub(crate) mod compile;
pub(crate) mod config;
mod core;
pub(crate) mod deltas;
pub(crate) mod engine;
pub(crate) mod javascript;
pub(crate) mod loaded;
mod loader;
pub(crate) mod mapping;
pub(crate) mod module;
mod places;
pub(crate) mod preparing;
pub(crate) mod runtime;
mod stripped;
pub(crate) mod ticker;
pub(crate) mod traces;
