//! Why a script runs. One invocation handles one event in one store and has one outcome.
//!
//! A new kind of event is a variant here and of [`EventKind`], an interface in `sdk/wit/platform.wit` that components export, and a
//! file beside `event/queue.rs` that says what is handed to it and what comes back. Must never know who raises events.

mod queue;
mod tail;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use http::{Request, Response};
use wasmtime::component::{ComponentNamedList, Lift, Lower};
use wasmyard_events::{RequestHead, Trigger};
use wasmyard_namespaces::code::EventKind;

use crate::body::Body;
use crate::outcome::Failure;

pub use queue::{Batch, Message, Verdict};
pub use tail::{Invoked, Tail};

/// Something that happened, and that a script is to handle.
#[non_exhaustive]
pub enum Event {
    /// A request, which is answered.
    Fetch(Request<Body>),
    /// A time that came.
    Scheduled(Scheduled),
    /// Messages of a queue.
    Queue(Batch),
    /// What became of invocations of other scripts.
    Tail(Tail),
}

impl Event {
    /// The same, with the whole head of a request that a visitor from there made.
    pub fn trigger_with_head(&self, client: IpAddr) -> Trigger {
        match (self, self.trigger()) {
            (Self::Fetch(request), Trigger::Fetch { method, url, .. }) => {
                let head = RequestHead { headers: request.headers().clone(), client: Some(client) };
                Trigger::Fetch { method, url, head: Some(Arc::new(head)) }
            }
            (_, trigger) => trigger,
        }
    }

    /// What the records of its invocations say of it.
    pub fn trigger(&self) -> Trigger {
        match self {
            Self::Fetch(request) => {
                let (method, url) = (request.method().clone(), request.uri().clone());
                Trigger::Fetch { method, url, head: None }
            }
            Self::Scheduled(event) => Trigger::Scheduled { cron: Arc::clone(&event.cron), due: event.due },
            Self::Queue(batch) => {
                Trigger::Queue { queue: Arc::clone(batch.queue()), messages: batch.messages().len() }
            }
            Self::Tail(tail) => Trigger::Tail { invocations: tail.invocations().len() },
        }
    }
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
    /// What is to become of each message, in the order of the batch.
    Judged(Vec<Verdict>),
}

impl Handled {
    /// The answer, where the event was a request.
    ///
    /// # Errors
    ///
    /// [`Failure::Internal`] where it was not.
    pub fn answer(self) -> Result<Response<Body>, Failure> {
        match self {
            Self::Answered(response) => Ok(response),
            Self::Done | Self::Judged(_) => {
                Err(Failure::internal("an event that is no request has no answer"))
            }
        }
    }
}

/// An event that a component is given as one value, through an interface that it exports: one with a function `handle`,
/// which returns a `result<..., string>`.
pub(crate) trait Exported: Sized + Send + 'static {
    /// Which kind of event it is.
    const KIND: EventKind;
    /// What the guest is given.
    type Parameters: ComponentNamedList + Lower + Send + Sync + 'static;
    /// What the guest returns, where that is no error.
    type Returned: Lift + Send + Sync + 'static;
    /// What has to be known of the event to judge what it returned.
    type Asked: Send + 'static;
    /// What comes of it.
    type Answer: Send + 'static;

    /// About how much memory the host holds of it while it is handled, in bytes.
    fn weight(&self) -> u64;

    /// It as the guest sees it.
    fn into_parameters(self) -> (Self::Parameters, Self::Asked);

    /// What the guest returned, judged: the text of an error is for whoever wrote the guest.
    fn judge(asked: Self::Asked, returned: Self::Returned) -> Result<Self::Answer, String>;
}

/// The interface that an engine exports whose scripts have other ways in than plain requests.
pub(crate) const ENTRYPOINT: &str = "wasmyard:platform/entrypoint@0.1.0";

/// The interface that a component exports to handle events of a kind; none for requests, which have one of `wasi:http`.
pub(crate) fn interface(kind: EventKind) -> Option<&'static str> {
    match kind {
        EventKind::Fetch => None,
        EventKind::Scheduled => Some("wasmyard:platform/scheduled@0.1.0"),
        EventKind::Queue => Some("wasmyard:platform/queue@0.1.0"),
        EventKind::Tail => Some("wasmyard:platform/tail@0.1.0"),
    }
}

impl Exported for Scheduled {
    const KIND: EventKind = EventKind::Scheduled;
    type Parameters = (Arc<str>, u64);
    type Returned = ();
    type Asked = ();
    type Answer = ();

    fn weight(&self) -> u64 {
        self.cron.len() as u64
    }

    fn into_parameters(self) -> (Self::Parameters, ()) {
        let due = milliseconds(self.due);
        ((self.cron, due), ())
    }

    fn judge((): (), (): ()) -> Result<(), String> {
        Ok(())
    }
}

/// A time as guests are told: milliseconds since 1970.
fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
