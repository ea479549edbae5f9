//! May it run now? Counts what is under way, exactly, and keeps one tenant's flood from the others' places.
//!
//! Every invocation takes a place, wherever in a chain of scripts it is: a flood that comes through a
//! dispatcher is the user script's own. Who finds no place waits for a moment in a short queue and is
//! refused after that. Nothing waits for ever, so chains that hold places cannot block each other.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use wasmyard_namespaces::name::NamespaceName;
use wasmyard_namespaces::script::ScriptKey;
use wasmyard_runtime::Failure;

use crate::config::AdmissionConfig;

/// What a refused visitor is told to wait.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);
/// The last places, as a part of all, are only for scripts that have less than their fair share.
const RESERVE_DIVISOR: usize = 10;
/// The most that wait at once, and the most of them for one script. Whoever comes then is refused at once.
const MAX_WAITING: usize = 128;
const MAX_WAITING_PER_SCRIPT: usize = 16;

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
        Arc::new(Self { config, state: Mutex::default() })
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
        match tokio::time::timeout(self.config.wait, &mut queued.granted).await {
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
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn admission(
        invocations: usize,
        per_namespace: usize,
        per_script: usize,
        wait: Duration,
    ) -> Arc<Admission> {
        let requests = invocations;
        Admission::new(AdmissionConfig { invocations, requests, per_namespace, per_script, wait })
    }

    fn user(namespace: &str, script: &str) -> ScriptKey {
        ScriptKey::user(namespace.parse().unwrap(), script.parse().unwrap())
    }

    fn platform(name: &str) -> ScriptKey {
        ScriptKey::Platform(name.parse().unwrap())
    }

    async fn take(admission: &Arc<Admission>, script: &ScriptKey, number: usize) -> Vec<Permit> {
        let mut places = Vec::new();
        for _ in 0..number {
            places.push(admission.admit(script, true).await.unwrap());
        }
        places
    }

    async fn limit_of(admission: &Arc<Admission>, script: &ScriptKey) -> usize {
        match admission.admit(script, true).await.map(|_place| ()) {
            Err(Failure::TooManyInvocations { limit, .. }) => limit,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn assert_empty(admission: &Admission) {
        let state = admission.lock();
        assert!(state.scripts.is_empty() && state.namespaces.is_empty() && state.waiting.is_empty());
        let used = [&state.all, &state.first].map(|used| (used.places, used.scripts));
        assert_eq!(used, [(0, 0), (0, 0)]);
    }

    #[tokio::test]
    async fn a_script_and_a_namespace_have_as_many_places_as_they_may_and_no_more() {
        let admission = admission(100, 5, 3, Duration::ZERO);
        let (a, b, elsewhere) = (user("n", "a"), user("n", "b"), user("other", "a"));
        let of_a = take(&admission, &a, 3).await;
        assert_eq!(limit_of(&admission, &a).await, 3);
        let _of_b = take(&admission, &b, 2).await;
        assert_eq!(limit_of(&admission, &b).await, 5, "the namespace has all of its own");
        let _of_another = take(&admission, &elsewhere, 3).await;
        drop(of_a);
        let _more = take(&admission, &b, 1).await;
        assert_eq!(limit_of(&admission, &b).await, 3);
    }

    #[tokio::test]
    async fn the_last_places_are_for_those_who_have_less_than_their_share() {
        let admission = admission(100, 1_000, 1_000, Duration::ZERO);
        let flood = user("n", "flood");
        let _flood = take(&admission, &flood, 90).await;
        assert_eq!(limit_of(&admission, &flood).await, 50);
        // Others come one after the other, to the very last place.
        let mut others = Vec::new();
        for n in 0..10 {
            others.extend(take(&admission, &user("n", &format!("other-{n}")), 1).await);
            assert!(admission.admit(&flood, true).await.is_err());
        }
        let late = admission.admit(&user("n", "late"), true).await.map(|_place| ());
        assert!(matches!(late, Err(Failure::Overloaded { .. })), "{late:?}");
    }

    #[tokio::test]
    async fn chains_leave_places_for_the_scripts_that_they_call() {
        let config = AdmissionConfig {
            invocations: 20,
            requests: 10,
            per_namespace: 20,
            per_script: 20,
            wait: Duration::ZERO,
        };
        let admission = Admission::new(config);
        let dispatcher = platform("dispatcher");
        let first = take(&admission, &dispatcher, 9).await;
        // The tenth is kept for another first script; to a visitor that is the platform's capacity.
        let tenth = admission.admit(&dispatcher, true).await.map(|_place| ());
        assert!(matches!(tenth, Err(Failure::Overloaded { .. })), "{tenth:?}");
        let mut called = Vec::new();
        for n in 0..9 {
            let script = user("n", &format!("customer-{n}"));
            called.push(admission.admit(&script, false).await.unwrap());
        }
        drop((first, called));
        assert_empty(&admission);
    }

    #[tokio::test]
    async fn who_waits_gets_the_place_that_comes_free_first_come_first_served() {
        let admission = admission(10, 10, 1, PATIENCE);
        let script = user("n", "a");
        let held = take(&admission, &script, 1).await;
        let wait = || {
            let (admission, script) = (Arc::clone(&admission), script.clone());
            tokio::spawn(async move { admission.admit(&script, true).await.unwrap() })
        };
        let first = wait();
        queue_of(&admission, 1).await;
        let second = wait();
        queue_of(&admission, 2).await;
        drop(held);
        let place = first.await.unwrap();
        assert!(!second.is_finished());
        drop(place);
        drop(second.await.unwrap());
        assert_empty(&admission);
    }

    #[tokio::test]
    async fn one_scripts_queue_is_short_and_does_not_hold_up_the_others() {
        let admission = admission(100, 100, 1, PATIENCE);
        let flood = user("n", "flood");
        let held = take(&admission, &flood, 1).await;
        let waiting: Vec<_> = (0..MAX_WAITING_PER_SCRIPT)
            .map(|_| {
                let (admission, flood) = (Arc::clone(&admission), flood.clone());
                tokio::spawn(async move { admission.admit(&flood, true).await })
            })
            .collect();
        queue_of(&admission, MAX_WAITING_PER_SCRIPT).await;
        assert_eq!(limit_of(&admission, &flood).await, 1, "refused at once, though patience is long");
        take(&admission, &user("n", "other"), 1).await;
        // Going away while waiting leaves nothing behind.
        for waiting in waiting {
            waiting.abort();
            assert!(waiting.await.is_err());
        }
        queue_of(&admission, 0).await;
        drop(held);
        assert_empty(&admission);
    }

    #[tokio::test]
    async fn nobody_waits_longer_than_the_configuration_says() {
        let wait = Duration::from_millis(20);
        let admission = admission(1, 1, 1, wait);
        let held = take(&admission, &user("n", "a"), 1).await;
        let begun = std::time::Instant::now();
        let refused = admission.admit(&user("n", "b"), true).await.map(|_place| ());
        assert!(matches!(refused, Err(Failure::TooManyInvocations { limit: 1, .. })), "{refused:?}");
        assert!(begun.elapsed() >= wait);
        drop(held);
        assert_empty(&admission);
    }

    #[tokio::test]
    async fn a_place_that_is_granted_to_somebody_who_has_gone_goes_to_the_next() {
        let admission = admission(10, 10, 1, PATIENCE);
        let script = user("n", "a");
        let held = take(&admission, &script, 1).await;
        let wanted = Wanted { script: script.clone(), first: true };
        let Entered::Queue(gone) = admission.enter(wanted.clone()) else { panic!("there is a place") };
        let Entered::Queue(mut next) = admission.enter(wanted) else { panic!("there is a place") };
        drop(held);
        // It has been granted the place and does not take it.
        drop(gone);
        (&mut next.granted).await.unwrap();
        drop(next.permit());
        assert_empty(&admission);
    }

    async fn queue_of(admission: &Admission, length: usize) {
        let reached = async {
            while admission.lock().waiting.len() != length {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, reached).await.unwrap();
    }
}
