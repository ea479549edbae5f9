//! May it run now? Counts what is under way, exactly, and keeps one tenant's flood from the others' places.
//!
//! Every invocation takes a place, wherever in a chain of scripts it is: a flood that comes through a
//! dispatcher is the user script's own. Who finds no place waits for a moment in a short queue and is
//! refused after that. Nothing waits for ever, so chains that hold places cannot block each other.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use wasmyard_namespaces::name::NamespaceName;
use wasmyard_namespaces::script::ScriptKey;
use wasmyard_runtime::Failure;

use crate::sync::{Mutex, MutexGuard, oneshot, timeout};

/// What a refused visitor is told to wait.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);
/// The last places, as a part of all, are only for scripts that have less than their fair share.
const RESERVE_DIVISOR: usize = 10;
/// The most that wait at once, and the most of them for one script. Whoever comes then is refused at once.
const MAX_WAITING: usize = 128;
const MAX_WAITING_PER_SCRIPT: usize = 16;

/// How many invocations may be under way at once. What is beyond waits for a moment and is refused then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdmissionConfig {
    /// Over all scripts.
    pub invocations: usize,
    /// Of these, those that begin a chain of scripts: visitors' requests. The rest is for scripts that they call.
    pub requests: usize,
    /// Of the user scripts of one namespace together.
    pub per_namespace: usize,
    /// Of one user script.
    pub per_script: usize,
    /// How long one may wait for a place.
    pub wait: Duration,
}

impl AdmissionConfig {
    /// The usual shares of so many places.
    pub fn for_invocations(invocations: usize) -> Self {
        Self {
            invocations,
            requests: (invocations / 2).max(1),
            per_namespace: (invocations / 2).max(1),
            per_script: (invocations / 4).max(1),
            wait: Duration::from_millis(50),
        }
    }
}

/// Counts what runs.
pub(crate) struct Admission {
    config: AdmissionConfig,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Scripts with something under way or waiting; gone when there is nothing left.
    scripts: HashMap<ScriptKey, Script>,
    namespaces: HashMap<NamespaceName, usize>,
    all: Used,
    first: Used,
    waiting: VecDeque<Waiting>,
    last_ticket: u64,
}

/// What one script has.
#[derive(Default)]
struct Script {
    running: usize,
    /// Those of them that begin a chain.
    first: usize,
    waiting: usize,
}

/// How much of a number of places is taken.
#[derive(Default)]
struct Used {
    places: usize,
    /// By how many scripts.
    scripts: usize,
}

impl Used {
    fn add(&mut self, before: usize) {
        self.places += 1;
        self.scripts += usize::from(before == 0);
    }

    fn remove(&mut self, after: usize) {
        self.places = self.places.saturating_sub(1);
        self.scripts = self.scripts.saturating_sub(usize::from(after == 0));
    }

    /// Whether a script that has `own` of these `places` may take one more.
    fn check(&self, own: usize, places: usize) -> Result<(), Refused> {
        if self.places >= places {
            return Err(Refused::Full);
        }
        // As if one more script were there already: there is room for the next one to come, always.
        let share = places / (self.scripts + 1);
        if self.places >= places - places / RESERVE_DIVISOR && own > 0 && own >= share {
            return Err(Refused::Share(share.max(1)));
        }
        Ok(())
    }
}

/// One who waits for a place.
struct Waiting {
    ticket: u64,
    wanted: Wanted,
    granted: oneshot::Sender<()>,
}

#[derive(Clone, PartialEq, Eq)]
struct Wanted {
    script: ScriptKey,
    /// Whether it begins a chain.
    first: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    /// There is no place left for anybody.
    Full,
    /// The script or its namespace has as many as it may have.
    Share(usize),
}

impl Refused {
    fn failure(self, script: &ScriptKey) -> Failure {
        match (self, script) {
            (Self::Share(limit), ScriptKey::User { .. }) => {
                Failure::TooManyInvocations { limit, retry_after: RETRY_AFTER }
            }
            // A platform script is the operator's own: to a visitor it is the platform.
            (Self::Share(_), ScriptKey::Platform(_)) | (Self::Full, _) => {
                Failure::Overloaded { retry_after: RETRY_AFTER }
            }
        }
    }
}

/// Permission to run, given back when it is dropped.
pub(crate) struct Permit {
    admission: Arc<Admission>,
    wanted: Wanted,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.admission.release(&self.wanted);
    }
}

impl Admission {
    pub(crate) fn new(config: AdmissionConfig) -> Arc<Self> {
        Arc::new(Self { config, state: Mutex::new(State::default()) })
    }

    /// Takes a place for an invocation; `first` where it begins a chain. Waits for one at most as long as
    /// the configuration says.
    ///
    /// # Errors
    ///
    /// [`Failure::TooManyInvocations`] where others still have places, [`Failure::Overloaded`] where nobody has.
    ///
    /// # Cancel safety
    ///
    /// Safe: whoever goes away while waiting holds no place.
    pub(crate) async fn admit(self: &Arc<Self>, script: &ScriptKey, first: bool) -> Result<Permit, Failure> {
        let wanted = Wanted { script: script.clone(), first };
        let mut queued = match self.enter(wanted) {
            Entered::Permit(permit) => return Ok(permit),
            Entered::Queue(queued) => queued,
            Entered::Nothing(refused) => return Err(refused.failure(script)),
        };
        match timeout(self.config.wait, &mut queued.granted).await {
            Ok(Ok(())) => Ok(queued.permit()),
            Ok(Err(_)) | Err(_) => {
                let refused = self.check(&self.lock(), &queued.wanted).err().unwrap_or(Refused::Full);
                Err(refused.failure(script))
            }
        }
    }

    fn enter(self: &Arc<Self>, wanted: Wanted) -> Entered {
        let mut state = self.lock();
        let Err(refused) = self.check(&state, &wanted) else {
            state.take(&wanted);
            drop(state);
            return Entered::Permit(Permit { admission: Arc::clone(self), wanted });
        };
        let of_script = state.scripts.get(&wanted.script).map_or(0, |script| script.waiting);
        if self.config.wait.is_zero()
            || state.waiting.len() >= MAX_WAITING
            || of_script >= MAX_WAITING_PER_SCRIPT
        {
            return Entered::Nothing(refused);
        }
        let (granted, waits) = oneshot::channel();
        state.last_ticket += 1;
        let ticket = state.last_ticket;
        state.scripts.entry(wanted.script.clone()).or_default().waiting += 1;
        state.waiting.push_back(Waiting { ticket, wanted: wanted.clone(), granted });
        drop(state);
        Entered::Queue(Queued { admission: Arc::clone(self), wanted, ticket, granted: waits })
    }

    fn check(&self, state: &State, wanted: &Wanted) -> Result<(), Refused> {
        let (running, first) =
            state.scripts.get(&wanted.script).map_or((0, 0), |script| (script.running, script.first));
        if let ScriptKey::User { namespace, .. } = &wanted.script {
            if running >= self.config.per_script {
                return Err(Refused::Share(self.config.per_script));
            }
            if state.namespaces.get(namespace).copied().unwrap_or(0) >= self.config.per_namespace {
                return Err(Refused::Share(self.config.per_namespace));
            }
        }
        if wanted.first {
            state.first.check(first, self.config.requests)?;
        }
        state.all.check(running, self.config.invocations)
    }

    fn release(&self, wanted: &Wanted) {
        let mut state = self.lock();
        state.give_back(wanted);
        self.grant(&mut state);
    }

    /// Gives what is free to those who wait, first come, first served among those who may have it.
    fn grant(&self, state: &mut State) {
        let mut at = 0;
        while let Some(waiting) = state.waiting.get(at)
            && state.all.places < self.config.invocations
        {
            if self.check(state, &waiting.wanted).is_err() {
                at += 1;
                continue;
            }
            let Some(waiting) = state.waiting.remove(at) else { break };
            state.take(&waiting.wanted);
            state.waits_no_more(&waiting.wanted);
            if waiting.granted.send(()).is_err() {
                // It has just gone away.
                state.give_back(&waiting.wanted);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, wanted: &Wanted) {
        let script = self.scripts.entry(wanted.script.clone()).or_default();
        self.all.add(script.running);
        script.running += 1;
        if wanted.first {
            self.first.add(script.first);
            script.first += 1;
        }
        if let ScriptKey::User { namespace, .. } = &wanted.script {
            *self.namespaces.entry(namespace.clone()).or_default() += 1;
        }
    }

    fn give_back(&mut self, wanted: &Wanted) {
        if let Some(script) = self.scripts.get_mut(&wanted.script) {
            script.running = script.running.saturating_sub(1);
            self.all.remove(script.running);
            if wanted.first {
                script.first = script.first.saturating_sub(1);
                self.first.remove(script.first);
            }
        }
        self.tidy(&wanted.script);
        if let ScriptKey::User { namespace, .. } = &wanted.script
            && let Entry::Occupied(mut running) = self.namespaces.entry(namespace.clone())
        {
            *running.get_mut() = running.get().saturating_sub(1);
            if *running.get() == 0 {
                running.remove();
            }
        }
    }

    fn waits_no_more(&mut self, wanted: &Wanted) {
        if let Some(script) = self.scripts.get_mut(&wanted.script) {
            script.waiting = script.waiting.saturating_sub(1);
        }
        self.tidy(&wanted.script);
    }

    fn tidy(&mut self, script: &ScriptKey) {
        if self.scripts.get(script).is_some_and(|script| script.running == 0 && script.waiting == 0) {
            self.scripts.remove(script);
        }
    }
}

/// What came of asking for a place.
enum Entered {
    Permit(Permit),
    Queue(Queued),
    Nothing(Refused),
}

/// A place in the queue, left when it is dropped.
struct Queued {
    admission: Arc<Admission>,
    wanted: Wanted,
    ticket: u64,
    granted: oneshot::Receiver<()>,
}

impl Queued {
    /// What was granted.
    fn permit(self) -> Permit {
        // Its receiver is done: dropping `self` finds nothing in the queue and nothing to take over.
        Permit { admission: Arc::clone(&self.admission), wanted: self.wanted.clone() }
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.granted.close();
        let mut state = self.admission.lock();
        if let Some(at) = state.waiting.iter().position(|waiting| waiting.ticket == self.ticket) {
            state.waiting.remove(at);
            state.waits_no_more(&self.wanted);
        } else if self.granted.try_recv().is_ok() {
            // Granted in the very moment in which it went away.
            state.give_back(&self.wanted);
            self.admission.grant(&mut state);
        }
    }
}

#[cfg(test)]
mod tests;
