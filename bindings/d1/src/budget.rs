//! For how long a call may work: until a moment, a sum of CPU time, or somebody's going away.
//!
//! Looked at between the steps of SQLite's machine, by its progress handler: an interrupted statement leaves nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rustix::time::{ClockId, clock_gettime};

use crate::error::D1Error;

/// Steps of the machine between two looks.
const STEPS: i32 = 1_000;

/// What the call under way may take. Shared with the progress handler.
#[derive(Clone, Debug, Default)]
pub(crate) struct Budget(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// None between calls, when everything is ours.
    allowed: Option<Allowed>,
    why: Option<Why>,
}

/// What one call may take.
#[derive(Clone, Debug)]
pub(crate) struct Allowed {
    /// How long.
    pub(crate) time: Duration,
    /// CPU time, if that is bounded apart.
    pub(crate) cpu: Option<Duration>,
    /// Looks; one more ends it.
    pub(crate) looks: u64,
    /// Set when nobody waits any more.
    pub(crate) abandoned: Arc<AtomicBool>,
    began: Instant,
    began_cpu: Duration,
}

#[derive(Clone, Copy, Debug)]
enum Why {
    Time(Duration),
    Cpu,
    Looks,
    Abandoned,
}

impl Allowed {
    pub(crate) fn new(
        time: Duration,
        cpu: Option<Duration>,
        looks: u64,
        abandoned: Arc<AtomicBool>,
    ) -> Allowed {
        let began_cpu = if cpu.is_some() { thread_cpu() } else { Duration::ZERO };
        Allowed { time, cpu, looks, abandoned, began: Instant::now(), began_cpu }
    }

    /// Why there is no more of it.
    fn spent(&mut self) -> Option<Why> {
        if self.abandoned.load(Ordering::Relaxed) {
            return Some(Why::Abandoned);
        }
        let passed = self.began.elapsed();
        if passed > self.time {
            return Some(Why::Time(self.time));
        }
        // The other clock shows no more than this one, and is dear to read.
        if self.cpu.is_some_and(|most| passed > most && thread_cpu().saturating_sub(self.began_cpu) > most) {
            return Some(Why::Cpu);
        }
        let Some(left) = self.looks.checked_sub(1) else { return Some(Why::Looks) };
        self.looks = left;
        None
    }
}

impl Budget {
    /// Has a connection ask it.
    pub(crate) fn over(connection: &mut Connection) -> rusqlite::Result<Budget> {
        let budget = Budget::default();
        let asked = budget.clone();
        connection.progress_handler(STEPS, Some(move || asked.is_spent()))?;
        Ok(budget)
    }

    /// A call begins.
    pub(crate) fn begin(&self, allowed: Allowed) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = State { allowed: Some(allowed), why: None };
    }

    /// The call is over: what follows is ours.
    pub(crate) fn end(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).allowed = None;
    }

    /// What an interruption means. None: the call may be made again, elsewhere.
    pub(crate) fn interrupted(&self) -> Option<D1Error> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).why? {
            Why::Time(most) => Some(D1Error::TooSlow { most }),
            Why::Cpu => Some(D1Error::CpuSpent),
            Why::Abandoned => Some(D1Error::Abandoned),
            Why::Looks => None,
        }
    }

    fn is_spent(&self) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let why = state.allowed.as_mut().and_then(Allowed::spent);
        state.why = state.why.or(why);
        why.is_some()
    }
}

/// CPU time that this thread has used so far.
pub(crate) fn thread_cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or_default())
}
