//! One invocation of one script in a sandbox.
//!
//! The life of an invocation: a [`Runtime`] loads the script's component ([`Module`]), [`Worker`] joins it
//! with what its version was given ([`Grants`]), and [`Worker::fetch`] runs it for one request in a store
//! of its own. What leaves the store goes through [`Host`], which whoever embeds this crate supplies; how
//! it ended is an [`Outcome`].
//!
//! This crate opens no socket, reads no registry, and knows no server.
//!
//! Modules, low to high: `body`, `codes`, `outcome`, `seams` < `account`, `answer`, `meter`, `memory`, `logs`,
//! `grants` < `state`, `http`, `bindings` < `link` < `ticker`, `engine`, `module`, `artifacts` < `runtime`, `guest`,
//! `afterwards` < `worker`.

mod account;
mod afterwards;
mod answer;
mod artifacts;
mod bindings;
pub mod body;
mod codes;
mod engine;
mod grants;
mod guest;
mod http;
mod link;
mod logs;
mod memory;
mod meter;
mod module;
mod outcome;
mod runtime;
mod seams;
mod state;
mod ticker;
mod worker;

pub use body::{Body, BodyError};
pub use codes::GuestCode;
pub use engine::EngineConfig;
pub use grants::Grants;
pub use guest::start_up;
pub use module::{Module, ModuleError};
pub use outcome::{End, Failure, Outcome};
pub use runtime::{CacheFigures, Runtime, RuntimeConfig, StartError};
pub use seams::{
    Call, DenyAll, Door, Entry, Host, LogLine, LogStream, OutboundRequest, RequestInfo, Service, Target,
};
pub use worker::{Invocation, Worker};
