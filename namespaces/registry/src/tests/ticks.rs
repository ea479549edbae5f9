//! Ticks of cron expressions: due when their minute has come, taken once, gone with their script.

use super::*;
use wasmyard_model::clock::{Clock, ClockHand};
use wasmyard_model::cron::Cron;
use wasmyard_model::timestamp::Timestamp;
use wasmyard_stores::Write;

const MINUTE: Duration = Duration::from_secs(60);
const LATE: Duration = Duration::from_secs(3_600);

fn begin() -> (Clock, ClockHand) {
    Clock::by_hand("2026-01-02T03:04:05Z".parse().unwrap())
}

async fn node(store: &Arc<dyn Store>, clock: &Clock) -> Registry {
    let options = RegistryOptions { clock: clock.clone(), ..RegistryOptions::default() };
    Registry::open_with(Arc::clone(store), Blobs::memory(), options).await.unwrap()
}

fn crons(texts: &[&str]) -> Vec<Cron> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// Platform scripts with these names and expressions.
async fn with_crons(registry: &Registry, scripts: &[(&str, &[&str])]) {
    for (name, texts) in scripts {
        let key = ScriptKey::Platform(name.parse().unwrap());
        let upload = Upload::parse(draft(registry, name).await).unwrap();
        registry.deploy(&key, upload).await.unwrap();
        registry.set_crons(&key, &crons(texts)).await.unwrap();
    }
}

/// Takes all that is due; what is to be run, as texts.
async fn take(registry: &Registry) -> Vec<String> {
    let mut run = Vec::new();
    for due in registry.due_ticks(None, 100).await.unwrap().due {
        for tick in registry.take_tick(&due, LATE).await.unwrap().ticks {
            run.push(format!("{} {} {}", due.script, tick.cron, tick.due));
        }
    }
    run
}

async fn rows(store: &Arc<dyn Store>) -> (u64, u64) {
    (store.count("next-tick/").await.unwrap(), store.count("tick/").await.unwrap())
}

#[tokio::test]
async fn a_script_is_due_at_each_minute_that_its_expressions_name_and_at_no_other() {
    let (clock, hand) = begin();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let registry = node(&store, &clock).await;
    with_crons(&registry, &[("a", &["*/2 * * * *", "5 3 * * *"])]).await;
    let page = registry.due_ticks(None, 100).await.unwrap();
    assert_eq!((page.due.len(), page.next), (0, Some("2026-01-02T03:05:00Z".parse().unwrap())));
    hand.advance(MINUTE);
    assert_eq!(take(&registry).await, ["a 5 3 * * * 2026-01-02T03:05:00.000000Z"]);
    assert_eq!(take(&registry).await, [""; 0], "once");
    hand.advance(MINUTE);
    assert_eq!(take(&registry).await, ["a */2 * * * * 2026-01-02T03:06:00.000000Z"]);
    assert_eq!(rows(&store).await, (1, 1));
}

#[tokio::test]
async fn of_what_was_missed_the_last_tick_is_run_unless_it_is_too_long_ago() {
    let (clock, hand) = begin();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let registry = node(&store, &clock).await;
    with_crons(&registry, &[("a", &["* * * * *"]), ("b", &["5 3 * * *"])]).await;
    drop(registry);
    // Two hours without a node.
    hand.advance(120 * MINUTE);
    let registry = node(&store, &clock).await;
    let due = registry.due_ticks(None, 100).await.unwrap().due;
    let names: Vec<String> = due.iter().map(|due| due.script.to_string()).collect();
    assert_eq!(names, ["a", "b"]);
    let [a, b] = [&due[0], &due[1]];
    let taken = registry.take_tick(a, LATE).await.unwrap();
    let last: Timestamp = "2026-01-02T05:04:00Z".parse().unwrap();
    assert_eq!(taken.ticks.iter().map(|tick| tick.due).collect::<Vec<_>>(), [last]);
    assert_eq!(taken.missed.len(), 1, "119 others of this expression");
    let taken = registry.take_tick(b, LATE).await.unwrap();
    assert_eq!((taken.ticks.len(), taken.missed.len()), (0, 1), "119 minutes are more than an hour");
    assert_eq!(registry.due_ticks(None, 100).await.unwrap().due, []);
}

#[tokio::test]
async fn two_nodes_never_take_the_same_tick() {
    let (clock, hand) = begin();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let (one, other) = (node(&store, &clock).await, node(&store, &clock).await);
    let names: Vec<String> = (0..40).map(|number| format!("s{number:02}")).collect();
    for name in &names {
        with_crons(&one, &[(name, &["* * * * *"])]).await;
    }
    let mut all = Vec::new();
    for _ in 0..3 {
        hand.advance(MINUTE);
        let (a, b) = tokio::join!(take(&one), take(&other));
        all.extend(a.into_iter().chain(b));
    }
    let taken = all.len();
    all.sort();
    all.dedup();
    assert_eq!((taken, all.len()), (120, 120), "each script three times, each time once");
}

#[tokio::test]
async fn expressions_go_with_their_script_and_with_its_namespace() {
    let (clock, hand) = begin();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let registry = node(&store, &clock).await;
    with_crons(&registry, &[("a", &["* * * * *"]), ("b", &["* * * * *"])]).await;
    registry.create_namespace(NewNamespace::named(ns("production"))).await.unwrap();
    for script in ["one", "two"] {
        let key = user("production", script);
        let upload = Upload::parse(draft(&registry, script).await).unwrap();
        registry.deploy(&key, upload).await.unwrap();
        registry.set_crons(&key, &crons(&["* * * * *"])).await.unwrap();
    }
    assert_eq!(rows(&store).await, (4, 4));
    // A new upload leaves them, none takes them away.
    let key = user("production", "one");
    let upload = Upload::parse(draft(&registry, "three").await).unwrap();
    let script = registry.deploy(&key, upload).await.unwrap();
    assert_eq!(script.crons().map(Cron::as_str).collect::<Vec<_>>(), ["* * * * *"]);
    registry.set_crons(&key, &[]).await.unwrap();
    assert_eq!(rows(&store).await, (3, 3));
    registry.delete_script(&ScriptKey::Platform("a".parse().unwrap())).await.unwrap();
    assert_eq!(rows(&store).await, (2, 2));
    registry.delete_namespace(&"production".parse().unwrap()).await.unwrap();
    assert_eq!(rows(&store).await, (1, 1));
    hand.advance(MINUTE);
    assert_eq!(take(&registry).await, ["b * * * * * 2026-01-02T03:05:00.000000Z"]);
}

#[tokio::test]
async fn somebody_who_asks_has_it_run_at_once_and_the_schedule_stays() {
    let (clock, hand) = begin();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let registry = node(&store, &clock).await;
    with_crons(&registry, &[("a", &["5 3 * * *"])]).await;
    let key = ScriptKey::Platform("a".parse().unwrap());
    let [known, unknown] = ["5 3 * * *", "6 3 * * *"].map(|text| text.parse::<Cron>().unwrap());
    registry.run_cron_soon(&key, &known).await.unwrap();
    registry.run_cron_soon(&key, &known).await.unwrap();
    let refused = registry.run_cron_soon(&key, &unknown).await.unwrap_err().to_string();
    assert!(refused.contains("has no cron expression \"6 3 * * *\""), "{refused}");
    assert_eq!(take(&registry).await, ["a 5 3 * * * 2026-01-02T03:04:05.000000Z"]);
    hand.advance(MINUTE);
    assert_eq!(take(&registry).await, ["a 5 3 * * * 2026-01-02T03:05:00.000000Z"]);
    // Asked for when its own tick has come and was not taken: both.
    hand.advance(24 * 60 * MINUTE);
    registry.run_cron_soon(&key, &known).await.unwrap();
    assert_eq!(
        take(&registry).await,
        ["a 5 3 * * * 2026-01-03T03:05:05.000000Z", "a 5 3 * * * 2026-01-03T03:05:00.000000Z"]
    );
}

#[tokio::test]
async fn a_note_that_is_damaged_neither_blocks_the_others_nor_stays() {
    let (clock, hand) = begin();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let registry = node(&store, &clock).await;
    with_crons(&registry, &[("a", &["* * * * *"]), ("b", &["* * * * *"])]).await;
    let [bad, stale] = ["next-tick/platform/a", "tick/2026-01-01T00:00:00.000000Z/platform/b"];
    for key in [bad, stale] {
        store.append(&[], &[Write::put(key.to_owned(), "?")]).await.unwrap();
    }
    hand.advance(MINUTE);
    assert_eq!(take(&registry).await, ["b * * * * * 2026-01-02T03:05:00.000000Z"]);
    hand.advance(MINUTE);
    assert_eq!(take(&registry).await.len(), 2, "the damaged one was made anew");
    assert_eq!(rows(&store).await, (2, 2));
}
