//! Guests: the life of one store, from its making to its end, and what it holds meanwhile. Must never load code.

pub(crate) mod afterwards;
pub(crate) mod answer;
pub(crate) mod armed;
pub(crate) mod clock;
pub(crate) mod http;
pub(crate) mod logs;
pub(crate) mod parts;
pub(crate) mod pool;
pub(crate) mod state;
pub(crate) mod store;
