//! What became of invocations of other scripts: what a script is told that watches them.
//!
//! It is what the records of `events` say, but for what is the operator's alone: no query of a URL, and no cause of a failure
//! beyond the text that callers see. A [`Tail`] is proof that it is within its bounds.

use std::sync::Arc;

use http::Uri;
use wasmtime::component::{ComponentType, Lower};
use wasmyard_events::{InvocationRecord, Level, LogRecord, Trigger};
use wasmyard_namespaces::code::EventKind;
use wasmyard_namespaces::limits::events::{TAIL_BATCH, TAIL_BYTES};

use super::{Exported, milliseconds};
use crate::outcome::Failure;

/// One invocation, and the lines that it logged.
#[derive(Debug, Clone)]
pub struct Invoked {
    /// What is on record of it.
    pub record: Arc<InvocationRecord>,
    /// Its lines, in the order in which they were written.
    pub lines: Vec<Arc<LogRecord>>,
}

/// Invocations that ended: at least one.
#[derive(Debug, Clone)]
pub struct Tail {
    invocations: Vec<Invoked>,
}

impl Tail {
    /// What is told of these invocations.
    ///
    /// # Errors
    ///
    /// [`Failure::InvalidArgument`] with the bound that is passed.
    pub fn new(invocations: Vec<Invoked>) -> Result<Self, Failure> {
        let (found, tail) = (invocations.len(), Self { invocations });
        if found == 0 || found > TAIL_BATCH {
            return Err(Failure::InvalidArgument(format!(
                "a tail event has 1 to {TAIL_BATCH} invocations, and this one has {found}; split it"
            )));
        }
        let bytes = tail.weight();
        if bytes > TAIL_BYTES {
            return Err(Failure::InvalidArgument(format!(
                "a tail event has {TAIL_BYTES} bytes at most, and this one has {bytes}; split it, or leave lines out"
            )));
        }
        Ok(tail)
    }

    /// The invocations.
    pub fn invocations(&self) -> &[Invoked] {
        &self.invocations
    }
}

/// See `tail.trace` in `sdk/wit/platform.wit`.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct Told {
    script: String,
    namespace: Option<String>,
    version: String,
    #[component(name = "ray-id")]
    ray_id: Arc<str>,
    number: u32,
    depth: u32,
    ended: u64,
    event: Cause,
    outcome: String,
    exceptions: Vec<Exception>,
    status: Option<u16>,
    #[component(name = "cpu-us")]
    cpu_us: u64,
    #[component(name = "wall-us")]
    wall_us: u64,
    logs: Vec<Line>,
    #[component(name = "logs-dropped")]
    logs_dropped: u32,
}

/// See `tail.cause`.
#[derive(ComponentType, Lower)]
#[component(variant)]
pub(crate) enum Cause {
    #[component(name = "fetch")]
    Fetch(Fetch),
    #[component(name = "scheduled")]
    Scheduled(Time),
    #[component(name = "queue")]
    Queue(Messages),
    #[component(name = "tail")]
    Tail(u32),
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct Fetch {
    method: String,
    url: String,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct Time {
    cron: Arc<str>,
    due: u64,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct Messages {
    queue: Arc<str>,
    messages: u32,
}

/// See `tail.exception`.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct Exception {
    message: String,
    limit: Option<String>,
}

/// See `tail.line`.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct Line {
    time: u64,
    level: Importance,
    text: String,
}

/// See `tail.level`.
#[derive(Clone, Copy, ComponentType, Lower)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum Importance {
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "log")]
    Log,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}

impl From<Level> for Importance {
    fn from(level: Level) -> Self {
        match level {
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Log => Self::Log,
            Level::Warn => Self::Warn,
            Level::Error => Self::Error,
        }
    }
}

impl Invoked {
    fn weight(&self) -> usize {
        let record = &self.record;
        let usage = &record.usage;
        let texts = usage.version.len() + record.ray_id.len() + record.outcome.len();
        let names = usage.script.script().as_str().len()
            + usage.script.namespace().map_or(0, |namespace| namespace.as_str().len());
        let fault = record.fault.as_ref().map_or(0, |fault| {
            fault.message.len() + fault.limit.as_ref().map_or(0, String::len) + size_of::<Exception>()
        });
        let cause = match &record.trigger {
            Trigger::Fetch { method, url, .. } => {
                method.as_str().len() + url.path().len() + url.host().map_or(0, str::len)
            }
            Trigger::Scheduled { cron, .. } => cron.len(),
            Trigger::Queue { queue, .. } => queue.len(),
            Trigger::Tail { .. } => 0,
        };
        let lines = self.lines.iter().map(|line| size_of::<Line>() + line.text.len()).sum::<usize>();
        size_of::<Told>() + texts + names + fault + cause + lines
    }

    fn told(&self) -> Told {
        let record = &*self.record;
        let usage = &record.usage;
        let microseconds = |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let exception = |fault: &wasmyard_events::Fault| Exception {
            message: fault.message.clone(),
            limit: fault.limit.clone(),
        };
        let line = |line: &Arc<LogRecord>| Line {
            time: milliseconds(line.time),
            level: line.level.into(),
            text: line.text.clone(),
        };
        Told {
            script: usage.script.script().to_string(),
            namespace: usage.script.namespace().map(ToString::to_string),
            version: usage.version.clone(),
            ray_id: Arc::clone(&record.ray_id),
            number: record.number,
            depth: usage.depth,
            ended: milliseconds(record.time),
            event: Cause::of(&record.trigger),
            outcome: record.outcome.to_owned(),
            exceptions: record.fault.iter().map(exception).collect(),
            status: usage.status,
            cpu_us: microseconds(usage.cpu),
            wall_us: microseconds(usage.wall),
            logs: self.lines.iter().map(line).collect(),
            logs_dropped: usage.log_dropped,
        }
    }
}

impl Cause {
    fn of(trigger: &Trigger) -> Self {
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        match trigger {
            Trigger::Fetch { method, url, .. } => {
                Self::Fetch(Fetch { method: method.to_string(), url: without_query(url) })
            }
            Trigger::Scheduled { cron, due } => {
                Self::Scheduled(Time { cron: Arc::clone(cron), due: milliseconds(*due) })
            }
            Trigger::Queue { queue, messages } => {
                Self::Queue(Messages { queue: Arc::clone(queue), messages: count(*messages) })
            }
            Trigger::Tail { invocations } => Self::Tail(count(*invocations)),
        }
    }
}

/// Scheme, host, port and path: a query and a user may be secrets.
fn without_query(url: &Uri) -> String {
    let scheme = url.scheme_str().map(|scheme| format!("{scheme}://")).unwrap_or_default();
    let port = url.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{scheme}{}{port}{}", url.host().unwrap_or_default(), url.path())
}

impl Exported for Tail {
    const KIND: EventKind = EventKind::Tail;
    type Parameters = (Vec<Told>,);
    type Returned = ();
    type Asked = ();
    type Answer = ();

    fn weight(&self) -> u64 {
        self.invocations.iter().map(Invoked::weight).sum::<usize>() as u64
    }

    fn into_parameters(self) -> (Self::Parameters, ()) {
        ((self.invocations.iter().map(Invoked::told).collect(),), ())
    }

    fn judge((): (), (): ()) -> Result<(), String> {
        Ok(())
    }
}
