//! Who may run now, and who waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::Semaphore;
use wasmyard_namespaces::script::ScriptKey;

use crate::{abandoned, any_below, run_all, step_aside};
use admission::{Admission, AdmissionConfig};

#[expect(dead_code, unreachable_pub, reason = "it is public in its own crate, for more than is of use here")]
#[rustfmt::skip]
#[path = "../../../dispatcher/src/admission.rs"]
mod admission;

const ALL: usize = 4;
const FIRST: usize = 3;
const PER_NAMESPACE: usize = 3;
const PER_SCRIPT: usize = 2;

/// Counts what runs, beside the one that is checked.
struct Watched {
    admission: Arc<Admission>,
    all: Counter,
    first: Counter,
    namespace: Counter,
    scripts: [Counter; 3],
}

/// How many there are, and how many there may be.
struct Counter(AtomicUsize, usize);

impl Counter {
    fn up(&self, what: &str) {
        let now = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        assert!(now <= self.1, "{now} of {what} run at once, and {} may", self.1);
    }

    fn down(&self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn counter(most: usize) -> Counter {
    Counter(AtomicUsize::new(0), most)
}

fn user(script: usize) -> ScriptKey {
    let (namespace, name) = ("n".parse(), format!("s{script}").parse());
    match (namespace, name) {
        (Ok(namespace), Ok(name)) => ScriptKey::user(namespace, name),
        _ => panic!("these are names"),
    }
}

impl Watched {
    fn new() -> Arc<Watched> {
        let config = AdmissionConfig {
            invocations: ALL,
            requests: FIRST,
            per_namespace: PER_NAMESPACE,
            per_script: PER_SCRIPT,
            wait: Duration::from_secs(1),
        };
        Arc::new(Watched {
            admission: Admission::new(config),
            all: counter(ALL),
            first: counter(FIRST),
            namespace: counter(PER_NAMESPACE),
            scripts: [counter(PER_SCRIPT), counter(PER_SCRIPT), counter(PER_SCRIPT)],
        })
    }

    /// Asks for leave, and runs for a moment if it is given. Says whether it was.
    async fn run(self: Arc<Self>, script: usize, first: bool) -> bool {
        let Ok(permit) = self.admission.admit(&user(script), first).await else { return false };
        self.all.up("all");
        self.namespace.up("a namespace");
        self.scripts[script].up("a script");
        if first {
            self.first.up("those that begin a chain");
        }
        step_aside().await;
        if first {
            self.first.down();
        }
        self.scripts[script].down();
        self.namespace.down();
        self.all.down();
        drop(permit);
        true
    }

    /// Nothing runs and nobody waits: as much can be had as at the beginning, at once.
    fn assert_idle(&self) {
        let mut permits = Vec::new();
        for script in [0, 1, 2] {
            let admitted = self.admission.admit(&user(script), true).now_or_never();
            permits.extend(admitted.and_then(Result::ok));
        }
        assert_eq!(permits.len(), FIRST.min(PER_NAMESPACE), "a permit was lost");
        let more = self.admission.admit(&user(0), false).now_or_never();
        assert!(more.and_then(Result::ok).is_none(), "a permit too many");
    }
}

/// Whoever waits is let in as soon as somebody ends, and no bound is ever passed.
pub fn whoever_waits_is_let_in() {
    let watched = Watched::new();
    run_all((0..6).map(|number| {
        let running = Arc::clone(&watched).run(number % 3, number % 2 == 0);
        Box::pin(async move { assert!(running.await, "nobody is refused who waits") }) as _
    }));
    watched.assert_idle();
}

/// Whoever goes away while waiting holds nothing, and is in nobody's way; one who was let in at that moment neither.
pub fn who_goes_away_while_waiting_is_gone() {
    let watched = Watched::new();
    let stays = (0..3).map(|number| {
        let running = Arc::clone(&watched).run(number, number == 0);
        Box::pin(async move { assert!(running.await, "nobody is refused who waits") }) as _
    });
    let goes = (0..4).map(|number| {
        let admission = Arc::clone(&watched.admission);
        let polls = 1 + any_below(3);
        Box::pin(async move {
            let script = user(number % 2);
            // Whatever came of it goes at once.
            drop(abandoned(Box::pin(admission.admit(&script, number == 1)), polls).await);
        }) as _
    });
    run_all(goes.chain(stays));
    watched.assert_idle();
}

/// Whoever waited too long is refused, and leaves as much as there was.
pub fn who_waits_too_long_leaves_nothing_behind() {
    let watched = Watched::new();
    run_all((0..6).map(|number| {
        let running = Arc::clone(&watched).run(number % 2, number % 2 == 0);
        Box::pin(running.map(|_| ())) as _
    }));
    watched.assert_idle();
}

/// However a script floods, the last places are others': one that has nothing is let in at once.
pub fn a_flood_leaves_a_place_for_others() {
    const PLACES: usize = 10;
    let config = AdmissionConfig {
        invocations: PLACES,
        requests: PLACES,
        per_namespace: PLACES,
        per_script: PLACES,
        wait: Duration::from_secs(1),
    };
    let admission = Admission::new(config);
    let (held, seen) = (Arc::new(counter(PLACES - 1)), Arc::new(Semaphore::new(0)));
    let flood = (0..PLACES + 2).map(|_| {
        let (admission, held, seen) = (Arc::clone(&admission), Arc::clone(&held), Arc::clone(&seen));
        Box::pin(async move {
            let Ok(permit) = admission.admit(&user(0), false).await else {
                panic!("nobody is refused who waits");
            };
            held.up("a flood");
            // Until it has been seen what that leaves for others.
            drop(seen.acquire().await);
            held.down();
            drop(permit);
        }) as _
    });
    let (other, sees) = (Arc::clone(&admission), Arc::clone(&seen));
    let other = Box::pin(async move {
        for _ in 0..30 {
            step_aside().await;
            let admitted = other.admit(&user(1), true).now_or_never();
            assert!(admitted.is_some_and(|admitted| admitted.is_ok()), "it has nothing, and has to wait");
        }
        sees.add_permits(PLACES + 2);
    }) as _;
    run_all(flood.chain([other]));
}
