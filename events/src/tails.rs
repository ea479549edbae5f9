//! Live tails: what becomes of invocations, for whoever watches at the moment.
//!
//! Owns the putting together of an invocation's lines with its end. Must never wait: a reader that is too slow loses
//! invocations, and is told how many. What nobody watches costs one look at a number.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;
use wasmyard_model::name::NamespaceName;
use wasmyard_model::script::ScriptKey;

use crate::event::{Event, InvocationRecord, LogRecord};
use crate::sink::Sink;

pub use filter::{Filter, FilterError};

mod filter;
mod item;
mod redacted;

/// Tails at the same time.
pub const MOST_TAILS: usize = 1_000;
/// Invocations that wait for one reader.
const WAITING: usize = 64;
/// Bytes of lines that wait for the ends of their invocations, in all. More are left out of what is told.
const LINES_BYTES: usize = 16 << 20;
/// Invocations whose lines wait.
const UNDERWAY: usize = 16 << 10;

/// Whose invocations are watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Watched {
    /// One script's.
    Script(ScriptKey),
    /// Those of all scripts of a namespace.
    Namespace(NamespaceName),
}

impl Watched {
    fn takes(&self, script: &ScriptKey) -> bool {
        match self {
            Self::Script(watched) => watched == script,
            Self::Namespace(watched) => script.namespace() == Some(watched),
        }
    }
}

/// There are as many tails as there can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{MOST_TAILS} tails are open, the most that there can be; close some")]
pub struct TooManyTails;

/// An invocation that ended, with the lines that it wrote.
#[derive(Debug, Clone)]
pub struct Traced {
    /// The invocation.
    pub record: Arc<InvocationRecord>,
    /// Its lines, in their order.
    pub lines: Vec<Arc<LogRecord>>,
    /// Whether it wrote more than is here.
    pub truncated: bool,
}

/// All tails that are open. Cheap to clone.
#[derive(Clone, Default)]
pub struct Tails(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// How many there are: looked at first, without a lock.
    open: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next: u64,
    tails: HashMap<u64, Watcher>,
    underway: Underway,
}

struct Watcher {
    watched: Watched,
    sender: mpsc::Sender<Traced>,
    lost: Arc<AtomicU64>,
}

/// Lines of invocations that did not end yet, the oldest first.
#[derive(Default)]
struct Underway {
    lines: HashMap<(Arc<str>, u32), Pending>,
    order: VecDeque<(Arc<str>, u32)>,
    bytes: usize,
}

#[derive(Default)]
struct Pending {
    lines: Vec<Arc<LogRecord>>,
    bytes: usize,
    truncated: bool,
}

impl Underway {
    fn note(&mut self, line: &Arc<LogRecord>) {
        let key = (Arc::clone(&line.ray_id), line.number);
        if !self.lines.contains_key(&key) {
            while self.lines.len() >= UNDERWAY {
                let Some(oldest) = self.order.pop_front() else { break };
                self.forget(&oldest);
            }
            self.order.push_back(key.clone());
        }
        let pending = self.lines.entry(key).or_default();
        let weight = size_of::<LogRecord>() + line.text.len();
        if self.bytes + weight > LINES_BYTES {
            pending.truncated = true;
            return;
        }
        self.bytes += weight;
        pending.bytes += weight;
        pending.lines.push(Arc::clone(line));
    }

    fn forget(&mut self, key: &(Arc<str>, u32)) -> Option<Pending> {
        let pending = self.lines.remove(key)?;
        self.bytes -= pending.bytes;
        Some(pending)
    }

    fn take(&mut self, record: &InvocationRecord) -> Pending {
        let key = (Arc::clone(&record.ray_id), record.number);
        let Some(pending) = self.forget(&key) else { return Pending::default() };
        // Most end soon after they began: the search is short from the end.
        if let Some(at) = self.order.iter().rposition(|one| *one == key) {
            self.order.remove(at);
        }
        pending
    }
}

impl Tails {
    /// Watches from now on.
    ///
    /// # Errors
    /// [`TooManyTails`].
    pub fn open(&self, watched: Watched) -> Result<Tail, TooManyTails> {
        let mut state = self.0.lock();
        if state.tails.len() >= MOST_TAILS {
            return Err(TooManyTails);
        }
        let (sender, receiver) = mpsc::channel(WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        let number = state.next;
        state.next += 1;
        state.tails.insert(number, Watcher { watched, sender, lost: Arc::clone(&lost) });
        self.0.open.store(state.tails.len(), Ordering::Release);
        Ok(Tail { number, receiver, lost, tails: self.clone() })
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Tails {
    fn event(&self, event: &Event) {
        if self.0.open.load(Ordering::Acquire) == 0 {
            return;
        }
        match event {
            Event::Log(line) => {
                let mut state = self.0.lock();
                if state.tails.values().any(|tail| tail.watched.takes(&line.script)) {
                    state.underway.note(line);
                }
            }
            Event::Invocation(record) => {
                let mut state = self.0.lock();
                let Pending { lines, truncated, .. } = state.underway.take(record);
                let truncated = truncated || record.usage.log_dropped > 0;
                let traced = Traced { record: Arc::clone(record), lines, truncated };
                for tail in state.tails.values().filter(|tail| tail.watched.takes(&record.usage.script)) {
                    if tail.sender.try_send(traced.clone()).is_err() {
                        tail.lost.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
            Event::Visit(_) | Event::Egress(_) | Event::Api(_) => {}
        }
    }

    fn wants_heads(&self, script: &ScriptKey) -> bool {
        self.0.open.load(Ordering::Acquire) > 0
            && self.0.lock().tails.values().any(|tail| tail.watched.takes(script))
    }
}

/// One tail, from where it was opened to where it is dropped.
pub struct Tail {
    number: u64,
    receiver: mpsc::Receiver<Traced>,
    lost: Arc<AtomicU64>,
    tails: Tails,
}

impl Tail {
    /// The next invocation, and how many were lost before it because the reader was too slow. Nothing is lost when the call
    /// is cancelled.
    pub async fn next(&mut self) -> Option<(Traced, u64)> {
        let traced = self.receiver.recv().await?;
        Some((traced, self.lost.swap(0, Ordering::Relaxed)))
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let mut state = self.tails.0.lock();
        state.tails.remove(&self.number);
        if state.tails.is_empty() {
            state.underway = Underway::default();
        }
        self.tails.0.open.store(state.tails.len(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests;
