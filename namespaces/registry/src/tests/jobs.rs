//! Jobs are done when they are due, once, whichever node is there, and over a week in no time.

use std::sync::Mutex;

use super::*;
use crate::jobs::{Done, Job, Jobs};
use wasmyard_model::clock::{Clock, ClockHand};
use wasmyard_model::timestamp::Timestamp;

const HOUR: Duration = Duration::from_secs(3_600);

fn begin() -> (Clock, ClockHand) {
    Clock::by_hand("2026-01-02T03:04:05Z".parse().unwrap())
}

async fn node(store: &Arc<dyn Store>, clock: &Clock) -> Registry {
    let options = RegistryOptions { clock: clock.clone(), ..RegistryOptions::default() };
    Registry::open_with(Arc::clone(store), Blobs::memory(), options).await.unwrap()
}

type Noted = Arc<Mutex<Vec<(Timestamp, Job)>>>;

/// Notes each job, and does with it as it is told.
fn noting(jobs: Jobs, clock: &Clock, done: impl Fn(&Job) -> Done + Send + Sync + 'static) -> (Jobs, Noted) {
    let noted = Noted::default();
    let (notes, clock) = (Arc::clone(&noted), clock.clone());
    let jobs = jobs.on("check", move |job| {
        notes.lock().unwrap().push((clock.now(), job.clone()));
        std::future::ready(done(&job))
    });
    (jobs, noted)
}

fn keys(noted: &Noted) -> Vec<String> {
    noted.lock().unwrap().drain(..).map(|(_, job)| job.key).collect()
}

#[tokio::test]
async fn a_job_that_a_process_held_which_is_gone_is_due_at_the_next_start_of_the_same_directory() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, _hand) = begin();
    let options = || RegistryOptions { clock: clock.clone(), ..RegistryOptions::default() };
    let registry = Registry::open_directory(directory.path(), options()).await.unwrap();
    let now = clock.now();
    registry.schedule("check", "held", now).await.unwrap();
    registry.schedule("check", "later", now.later(HOUR)).await.unwrap();
    let (begun, mut told) = tokio::sync::mpsc::unbounded_channel();
    let jobs = registry.jobs().on("check", move |_| {
        begun.send(()).unwrap();
        std::future::pending()
    });
    // As at a kill: it was begun, and nothing is heard of it any more.
    tokio::select! {
        _ = jobs.run_due() => panic!("it does not end"),
        begun = told.recv() => begun.unwrap(),
    }
    drop(jobs);
    let registry = reopen_with(registry, directory.path(), options).await;
    let (jobs, noted) = noting(registry.jobs(), &clock, |_| Done::Finished);
    assert_eq!(jobs.run_due().await.unwrap(), Some(now.later(HOUR)));
    let noted = noted.lock().unwrap();
    let seen: Vec<(&str, u32)> = noted.iter().map(|(_, job)| (job.key.as_str(), job.attempt)).collect();
    assert_eq!(seen, [("held", 1)], "without waiting for its lease");
}

#[tokio::test]
async fn what_is_due_is_done_in_order_and_the_rest_waits() {
    let (clock, hand) = begin();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let registry = node(&store, &clock).await;
    let (jobs, noted) = noting(registry.jobs(), &clock, |_| Done::Finished);
    let now = clock.now();
    for (key, after) in [("late", 3 * HOUR), ("second", HOUR), ("first", Duration::ZERO)] {
        registry.schedule("check", key, now.later(after)).await.unwrap();
    }
    // What is there already is not made again, and a kind that nobody here knows is left alone.
    registry.schedule("check", "late", now).await.unwrap();
    registry.schedule("unknown", "x", now).await.unwrap();
    assert_eq!(jobs.run_due().await.unwrap(), Some(now.later(HOUR)));
    assert_eq!(keys(&noted), ["first"]);
    hand.advance(HOUR);
    assert_eq!(jobs.run_due().await.unwrap(), Some(now.later(3 * HOUR)));
    hand.advance(2 * HOUR);
    assert_eq!(jobs.run_due().await.unwrap(), None);
    assert_eq!(keys(&noted), ["second", "late"]);
    assert_eq!((store.count("job/").await.unwrap(), store.count("job-due/").await.unwrap()), (1, 1));
}

#[tokio::test]
async fn seventy_five_tries_in_a_week_take_no_time() {
    let (clock, hand) = begin();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let registry = node(&store, &clock).await;
    let week = Duration::from_secs(7 * 24 * 3_600);
    let end = clock.now().later(week);
    let (jobs, noted) = noting(registry.jobs(), &clock, {
        let clock = clock.clone();
        move |_| if clock.now() >= end { Done::Finished } else { Done::Again(week / 75) }
    });
    registry.schedule("check", "name", clock.now()).await.unwrap();
    while let Some(next) = jobs.run_due().await.unwrap() {
        hand.advance(clock.until(next));
    }
    assert_eq!(keys(&noted).len(), 76);
    assert_eq!(store.count("job").await.unwrap(), 0);
}

#[tokio::test]
async fn many_nodes_do_a_job_once() {
    let (clock, _hand) = begin();
    let store: Arc<dyn Store> = Arc::new(DawdlingStore::default());
    let mut nodes = Vec::new();
    for _ in 0..4 {
        let registry = node(&store, &clock).await;
        nodes.push(noting(registry.jobs(), &clock, |_| Done::Finished));
        for n in 0..10 {
            registry.schedule("check", &format!("{n}"), clock.now()).await.unwrap();
        }
    }
    futures::future::join_all(nodes.iter().map(|(jobs, _)| async { jobs.run_due().await.unwrap() })).await;
    let mut all: Vec<String> = nodes.iter().flat_map(|(_, noted)| keys(noted)).collect();
    all.sort();
    assert_eq!(all, (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_job_of_a_node_that_was_killed_is_done_by_another_when_its_lease_ends() {
    let (clock, hand) = begin();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let (one, two) = (node(&store, &clock).await, node(&store, &clock).await);
    one.schedule("check", "name", clock.now()).await.unwrap();
    // Begun, and never finished: what kill -9 leaves.
    let killed = one.jobs().on("check", |_| std::future::pending());
    let working = tokio::spawn(async move { killed.run_due().await });
    until(async || {
        let job = store.get("job/check/name").await.unwrap().unwrap();
        String::from_utf8_lossy(&job.value).contains("holder")
    })
    .await;
    working.abort();
    assert!(working.await.unwrap_err().is_cancelled());
    let (jobs, noted) = noting(two.jobs(), &clock, |_| Done::Finished);
    let next = jobs.run_due().await.unwrap().unwrap();
    assert_eq!(keys(&noted).len(), 0, "its lease is not over");
    hand.advance(clock.until(next));
    assert_eq!(jobs.run_due().await.unwrap(), None);
    let (_, job) = noted.lock().unwrap().pop().unwrap();
    assert_eq!((job.key.as_str(), job.attempt), ("name", 1));
}

#[tokio::test]
async fn a_worker_that_is_alive_keeps_its_job_however_long_it_takes() {
    let (clock, hand) = begin();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let (one, two) = (node(&store, &clock).await, node(&store, &clock).await);
    one.schedule("check", "name", clock.now()).await.unwrap();
    let (finish, finished) = tokio::sync::watch::channel(false);
    let slow = one.jobs().on("check", move |_| {
        let mut finished = finished.clone();
        async move {
            drop(finished.wait_for(|finished| *finished).await);
            Done::Finished
        }
    });
    let working = tokio::spawn(async move { slow.run_due().await });
    let due = async || {
        let job = store.get("job/check/name").await.unwrap().unwrap();
        let record: serde_json::Value = serde_json::from_slice(&job.value).unwrap();
        record["due"].as_str().unwrap().parse::<Timestamp>().unwrap()
    };
    until(async || due().await > clock.now()).await;
    let (jobs, noted) = noting(two.jobs(), &clock, |_| Done::Finished);
    for _ in 0..20 {
        let before = due().await;
        hand.advance(Duration::from_secs(21));
        until(async || due().await > before).await;
        jobs.run_due().await.unwrap();
    }
    assert_eq!(keys(&noted).len(), 0);
    finish.send(true).unwrap();
    assert_eq!(soon(working).await.unwrap().unwrap(), None);
    assert_eq!(store.count("job").await.unwrap(), 0);
}

#[tokio::test]
async fn what_fails_is_tried_again_after_pauses_that_grow() {
    let (clock, hand) = begin();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let registry = node(&store, &clock).await;
    let (jobs, noted) = noting(registry.jobs(), &clock, |job| match job.attempt {
        0..=8 => Done::Failed("not yet".to_owned()),
        _ => Done::Finished,
    });
    registry.schedule("check", "name", clock.now()).await.unwrap();
    while let Some(next) = jobs.run_due().await.unwrap() {
        hand.advance(clock.until(next));
    }
    let noted = noted.lock().unwrap();
    let pauses: Vec<u64> = noted.windows(2).map(|pair| pair[1].0.since(pair[0].0).as_secs()).collect();
    assert_eq!(pauses, [30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600]);
}

#[tokio::test]
async fn a_worker_that_runs_wakes_when_a_job_is_due() {
    let (clock, hand) = begin();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let registry = node(&store, &clock).await;
    let (jobs, noted) = noting(registry.jobs(), &clock, |_| Done::Again(HOUR));
    registry.schedule("check", "name", clock.now().later(HOUR)).await.unwrap();
    let running = tokio::spawn(async move { jobs.run().await });
    for _ in 0..3 {
        hand.advance(HOUR);
        until(async || noted.lock().unwrap().pop().is_some()).await;
    }
    running.abort();
}

#[tokio::test]
async fn what_is_asked_for_at_once_is_not_waited_for() {
    let (clock, hand) = begin();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let registry = node(&store, &clock).await;
    let (jobs, noted) = noting(registry.jobs(), &clock, |_| Done::Again(HOUR));
    registry.do_soon("check", "name").await.unwrap();
    assert_eq!(jobs.run_due().await.unwrap(), Some(clock.now().later(HOUR)));
    registry.do_soon("check", "name").await.unwrap();
    registry.do_soon("check", "name").await.unwrap();
    assert_eq!(jobs.run_due().await.unwrap(), Some(clock.now().later(HOUR)));
    assert_eq!(keys(&noted), ["name", "name"]);
    assert_eq!(store.count("job-due/").await.unwrap(), 1);
    // A worker that sleeps until the next one is woken by it, without the time going on.
    let running = tokio::spawn(async move { jobs.run().await });
    for round in 0..3 {
        registry.do_soon("check", "name").await.unwrap();
        until(async || noted.lock().unwrap().len() > round).await;
    }
    running.abort();
    drop(hand);
}

#[tokio::test]
async fn what_is_asked_for_while_it_is_worked_on_is_done_once_more() {
    let (clock, _hand) = begin();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let registry = node(&store, &clock).await;
    let (asking, own) = (registry.clone(), Noted::default());
    let (notes, now) = (Arc::clone(&own), clock.clone());
    let jobs = registry.jobs().on("check", move |job| {
        let (asking, notes, now) = (asking.clone(), Arc::clone(&notes), now.clone());
        async move {
            let first = notes.lock().unwrap().is_empty();
            notes.lock().unwrap().push((now.now(), job));
            if first {
                asking.do_soon("check", "name").await.unwrap();
            }
            Done::Again(HOUR)
        }
    });
    registry.schedule("check", "name", clock.now()).await.unwrap();
    assert_eq!(jobs.run_due().await.unwrap(), Some(clock.now().later(HOUR)));
    assert_eq!(keys(&own), ["name", "name"]);
}
