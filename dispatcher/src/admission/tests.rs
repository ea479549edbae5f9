//! Who gets a place, who waits for one, and who is refused.

use super::*;

const PATIENCE: Duration = Duration::from_secs(60);

fn admission(invocations: usize, per_namespace: usize, per_script: usize, wait: Duration) -> Arc<Admission> {
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

#[tokio::test(start_paused = true)]
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

#[tokio::test(start_paused = true)]
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

#[tokio::test(start_paused = true)]
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

#[tokio::test(start_paused = true)]
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

#[tokio::test(start_paused = true)]
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

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_the_configuration_says() {
    let wait = Duration::from_millis(20);
    let admission = admission(1, 1, 1, wait);
    let held = take(&admission, &user("n", "a"), 1).await;
    let begun = tokio::time::Instant::now();
    let refused = admission.admit(&user("n", "b"), true).await.map(|_place| ());
    assert!(matches!(refused, Err(Failure::TooManyInvocations { limit: 1, .. })), "{refused:?}");
    assert!(begun.elapsed() >= wait);
    drop(held);
    assert_empty(&admission);
}

#[tokio::test(start_paused = true)]
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
