//! One invocation of one script in a sandbox.
//!
//! The life of an invocation: a [`Runtime`] loads the script's component ([`Module`]), [`Worker`] joins it
//! with what its version was given ([`Granted`]), and [`Worker::run`] runs it for one [`Event`] in a store
//! of its own. What leaves the store goes through [`Host`], which whoever embeds this crate supplies; how
//! it ended is an [`Outcome`].
//!
//! This crate opens no socket, reads no registry, and knows no server.
//!
//! Rooms: `code` makes components ready to run, `limits` says how much of the machine an invocation may use, `guest`
//! is one store and what lives in it, `bindings` is what guests may import. `worker` joins them. Beside the rooms stand
//! the types that all of them speak: `body`, `codes`, `event`, `outcome`, `seams`.

mod bindings;
pub mod body;
mod code;
mod codes;
mod event;
mod guest;
mod limits;
mod outcome;
mod seams;
mod sync;
mod worker;

pub use bindings::granted::{Files, Granted, Services};
pub use body::{Body, BodyError};
pub use code::compile::{CompileJob, Compiler, Evaluation, InProcess, compile, compile_worker, prepare};
pub use code::config::{RuntimeConfig, StartError};
#[doc(hidden)]
pub use code::deltas::delta_bytes;
pub use code::engine::{EngineConfig, Metering, address_space, mappings};
pub use code::javascript::ScriptEngine;
pub use code::loaded::modules_by_mappings;
pub use code::module::{Module, ModuleError};
pub use code::preparing::{Preparation, Wanted};
pub use code::runtime::{CacheFigures, Runtime};
pub use code::traces::{SourceMaps, is_frame};
pub use codes::GuestCode;
pub use event::{Batch, Event, Handled, Invoked, Message, Scheduled, Tail, Verdict};
pub use guest::pool::Reuse;
pub use guest::store::start_up;
pub use limits::guest_memory::{GuestMemoryFigures, GuestMemoryLimits};
pub use limits::idle::Pause;
pub use outcome::{End, Failure, Outcome};
pub use seams::{
    Call, ClientCertificateInfo, DenyAll, Door, Entrance, Entry, Host, LogLine, LogStream, OutboundRequest,
    Parameter, RequestInfo, Service, ShownCertificate, Target, TlsInfo,
};
pub use worker::{Invocation, Ready, Worker};
