//! Stack traces of scripts in JavaScript, told by the files that they were written in, where an upload brought source maps.
//!
//! Maps are read and searched in one task, so that no request waits for it, and one at a time, so that it takes one processor at
//! most. What comes faster than that is told as it is. What follows a trace in the same invocation is told behind it.

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use tokio::sync::mpsc;
use wasmyard_events::{Event, InvocationRecord, LogRecord};
use wasmyard_namespaces::digest::Digest;
use wasmyard_namespaces::registry::Registry;
use wasmyard_runtime::{SourceMaps, is_frame};

use super::chain::Chain;
use crate::trace::Trace;
use crate::visit::VisitLog;

/// The most events that wait; a line has 16 KiB at most.
const MOST_WAITING: usize = 256;
/// What maps may take of memory together.
const MOST_BYTES: u64 = 64 << 20;
/// For how long nobody has to ask for a map until it goes.
const IDLE: Duration = Duration::from_secs(600);

type Maps = Cache<Digest, Option<Arc<SourceMaps>>>;

/// Whoever tells of traces.
pub(super) struct Traces {
    waiting: mpsc::Sender<Waiting>,
    /// Of a script without any that is known, too.
    maps: Maps,
}

/// An event that is told when those before it are.
struct Waiting {
    event: Event,
    /// The files of the script.
    code: Digest,
    trace: Arc<Trace>,
    /// Held, so that the record of the visit comes behind it, where there is one.
    log: Option<Arc<VisitLog>>,
}

impl Traces {
    /// Begins. It ends when this is dropped, and everything is told.
    pub(super) fn begin(registry: Registry) -> Self {
        let (waiting, told) = mpsc::channel(MOST_WAITING);
        let weight = |_: &Digest, maps: &Option<Arc<SourceMaps>>| {
            let bytes = maps.as_ref().map_or(64, |maps| maps.weight());
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        let maps = Maps::builder().max_capacity(MOST_BYTES).weigher(weight).time_to_idle(IDLE).build();
        tokio::spawn(follow(told, registry, maps.clone()));
        Self { waiting, maps }
    }

    /// Whether a script is known to have no maps.
    pub(super) fn has_none(&self, code: &Digest) -> bool {
        matches!(self.maps.get(code), Some(None))
    }

    /// Has an event told in its turn. It comes back where too many wait.
    pub(super) fn tell(&self, event: Event, code: Digest, chain: &Chain) -> Option<Event> {
        let waiting = Waiting { event, code, trace: Arc::clone(&chain.trace), log: chain.visit() };
        self.waiting.try_send(waiting).err().map(|refused| refused.into_inner().event)
    }
}

/// Whether an event shows a stack trace.
pub(super) fn is_trace(event: &Event) -> bool {
    match event {
        Event::Log(line) => is_frame(&line.text),
        Event::Invocation(ended) => ended.fault.as_ref().is_some_and(|fault| {
            [Some(&fault.message), fault.detail.as_ref()]
                .into_iter()
                .flatten()
                .any(|text| text.lines().any(is_frame))
        }),
        _ => false,
    }
}

async fn follow(mut told: mpsc::Receiver<Waiting>, registry: Registry, maps: Maps) {
    while let Some(Waiting { event, code, trace, log }) = told.recv().await {
        let mapped = match is_trace(&event) {
            true => of(&maps, &registry, code).await.and_then(|maps| mapped(&event, &maps)),
            false => None,
        };
        trace.sink.event(mapped.as_ref().unwrap_or(&event));
        drop(log);
    }
}

/// The maps of a script's files.
async fn of(maps: &Maps, registry: &Registry, code: Digest) -> Option<Arc<SourceMaps>> {
    if let Some(known) = maps.get(&code) {
        return known;
    }
    // What cannot be read now may be there the next time.
    let bundle = registry.component(&code).await.ok()?;
    let read = tokio::task::spawn_blocking(move || SourceMaps::of_bundle(&bundle)).await.ok().flatten();
    let read = read.map(Arc::new);
    maps.insert(code, read.clone());
    read
}

fn mapped(event: &Event, maps: &SourceMaps) -> Option<Event> {
    match event {
        Event::Log(line) => {
            let text = maps.mapped(&line.text)?;
            Some(Event::Log(Arc::new(LogRecord { text, ..LogRecord::clone(line) })))
        }
        Event::Invocation(ended) => {
            let mut ended = InvocationRecord::clone(ended);
            let fault = ended.fault.as_mut()?;
            let shown = |text: &mut String| maps.mapped(text).map(|mapped| *text = mapped);
            shown(&mut fault.message);
            fault.detail.as_mut().and_then(shown);
            Some(Event::Invocation(Arc::new(ended)))
        }
        _ => None,
    }
}
