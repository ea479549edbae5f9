//! One invocation of one script in a sandbox.
//!
//! The life of an invocation: a [`Runtime`] loads the script's component ([`Module`]), [`Worker`] joins it
//! with what its version was given ([`Grants`]), and [`Worker::fetch`] runs it for one request in a store
//! of its own. What leaves the store goes through [`Host`], which whoever embeds this crate supplies; how
//! it ended is an [`Outcome`].
//!
//! This crate opens no socket, reads no registry, and knows no server.
//!
//! Modules, low to high: `body`, `codes`, `outcome`, `seams` < `account`, `answer`, `meter`, `fairness`, `commons` <
//! `memory`, `held`, `pace`, `logs`, `grants` < `state`, `clock`, `http`, `bindings` < `link` < `ticker`, `bulk`,
//! `engine`, `bounds`, `module`, `artifacts`, `compile` < `runtime`, `guest`, `afterwards` < `worker`.

mod account;
mod afterwards;
mod answer;
mod artifacts;
mod bindings;
pub mod body;
mod bounds;
mod bulk;
mod clock;
mod codes;
mod commons;
mod compile;
mod engine;
mod fairness;
mod grants;
mod guest;
mod held;
mod http;
mod link;
mod logs;
mod memory;
mod meter;
mod module;
mod outcome;
mod pace;
mod pollables;
mod reuse;
mod runtime;
mod seams;
mod state;
mod ticker;
mod worker;

pub use body::{Body, BodyError};
pub use codes::GuestCode;
pub use commons::GuestMemoryFigures;
pub use compile::{CompileJob, Compiler, InProcess, compile};
pub use engine::{EngineConfig, EngineKind};
pub use grants::Grants;
pub use guest::start_up;
pub use module::{Module, ModuleError};
pub use outcome::{End, Failure, Outcome};
pub use pace::Pause;
pub use reuse::Reuse;
pub use runtime::{CacheFigures, Runtime, RuntimeConfig, StartError};
pub use seams::{
    Call, DenyAll, Door, Entry, Host, LogLine, LogStream, OutboundRequest, RequestInfo, Service, Target,
};
pub use worker::{Invocation, Worker};
