//! Why a script runs. One invocation handles one event in one store and has one outcome.
//!
//! A new kind of event is a variant here, an interface that components export, and a method of
//! [`Guest`](crate::guest::store::Guest). Must never know who raises events.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use http::{Request, Response};

use crate::body::Body;

/// Something that happened, and that a script is to handle.
#[non_exhaustive]
#[expect(clippy::large_enum_variant, reason = "it is moved once, and a box would be made for each request")]
pub enum Event {
    /// A request, which is answered.
    Fetch(Request<Body>),
    /// A time that came.
    Scheduled(Scheduled),
}

/// A time that a script asked to be run at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheduled {
    /// The expression that it comes from, as it was written.
    pub cron: Arc<str>,
    /// When it was due, which may be before now.
    pub due: SystemTime,
}

/// What comes of an event.
#[non_exhaustive]
pub enum Handled {
    /// The answer to a request. Reading its body drives the guest on.
    Answered(Response<Body>),
    /// There is nothing to be told.
    Done,
}

impl Scheduled {
    /// The interface that a component exports to handle such events.
    pub(crate) const INTERFACE: &'static str = "wasmyard:platform/scheduled@0.1.0";

    /// When it was due, as guests are told.
    pub(crate) fn due_ms(&self) -> u64 {
        let since = self.due.duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}
