//! Events that are no requests: who handles them, and what comes of it.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use wasmyard_namespaces::code::EventKind;
use wasmyard_namespaces::limits::Limits;
use wasmyard_runtime::{Batch, End, Event, Failure, Handled, Message, Metering, Scheduled, Worker, start_up};

use crate::bench::{Bench, Kept, Wat, invocation, worker};

/// A worker that handles times: it fails by an error where the expression is five bytes long, traps where it is due at 7,
/// and computes without end where it was due at 8.
fn scheduled(parameters: &str, core: &str) -> Vec<u8> {
    let request = Wat::default().text();
    let worker = request.trim_end().strip_suffix(')').unwrap();
    let with_times = format!(
        r#"{worker}
        (core module $times
            (memory (export "memory") 1)
            (data (i32.const 64) "no such day")
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
            (func (export "handle") {core} (result i32)
                (if (i64.eq (local.get 2) (i64.const 7)) (then unreachable))
                (if (i64.eq (local.get 2) (i64.const 8)) (then (loop $again (br $again))))
                (i32.store (i32.const 16) (i32.eq (local.get 1) (i32.const 5)))
                (i32.store (i32.const 20) (i32.const 64))
                (i32.store (i32.const 24) (i32.const 11))
                (i32.const 16)))
        (core instance $times (instantiate $times))
        (alias core export $times "memory" (core memory $times-memory))
        (alias core export $times "realloc" (core func $times-realloc))
        (func $times-handle {parameters} (result (result (error string)))
            (canon lift (core func $times "handle") (memory $times-memory) (realloc $times-realloc)))
        (instance $times-handler (export "handle" (func $times-handle)))
        (export "wasmyard:platform/scheduled@0.1.0" (instance $times-handler)))"#
    );
    wat::parse_str(with_times).unwrap()
}

const RIGHT: (&str, &str) = (r#"(param "cron" string) (param "due" u64)"#, "(param i32 i32 i64)");

/// What came of it, and how it is on the account; none where nothing ran.
async fn raised(worker: &Arc<Worker>, cron: &str, due_ms: u64) -> (Result<(), Failure>, Option<End>) {
    let kept = Arc::new(Kept::default());
    let limits = Limits { cpu: Duration::from_millis(20), ..Limits::DEFAULT };
    let event = Scheduled { cron: cron.into(), due: UNIX_EPOCH + Duration::from_millis(due_ms) };
    let came = worker.run(invocation(limits, kept.clone()), Event::Scheduled(event)).await;
    let came = came.map(|handled| assert!(matches!(handled, Handled::Done)));
    (came, kept.outcomes().first().map(|outcome| outcome.end.clone()))
}

#[tokio::test]
async fn a_time_that_came_is_handled_and_on_the_account_however_it_ends() {
    let bench = Bench::new();
    let worker = worker(bench.module(Metering::Time, scheduled(RIGHT.0, RIGHT.1)).await);
    assert_eq!(raised(&worker, "* * * * *", 1).await, (Ok(()), Some(End::Ok)));
    let said = Failure::Trapped("it says: no such day".to_owned());
    assert_eq!(raised(&worker, "never", 1).await, (Err(said.clone()), Some(End::Failed(said))));
    let (trapped, end) = raised(&worker, "* * * * *", 7).await;
    assert!(matches!(&trapped, Err(Failure::Trapped(text)) if text.contains("unreachable")), "{trapped:?}");
    assert!(matches!(end, Some(End::Failed(Failure::Trapped(_)))), "{end:?}");
    let over = Failure::ExceededCpu { limit: Duration::from_millis(20) };
    assert_eq!(raised(&worker, "* * * * *", 8).await, (Err(over.clone()), Some(End::Failed(over))));
}

#[tokio::test]
async fn a_script_without_a_handler_of_such_events_is_not_started() {
    let bench = Bench::new();
    let worker = bench.worker(Wat::default()).await;
    let none = |event| Failure::NoHandler { event };
    assert_eq!(raised(&worker, "* * * * *", 1).await, (Err(none("scheduled")), None));
    let message =
        Message { id: "a".into(), sent_ms: 1, content_type: "json".into(), body: vec![], attempts: 1 };
    let batch = Event::Queue(Batch::new("q".into(), vec![message]).unwrap());
    let kept = Arc::new(Kept::default());
    let came = worker.run(invocation(Limits::DEFAULT, kept.clone()), batch).await;
    assert_eq!(came.err(), Some(none("queue")));
    assert!(kept.outcomes().is_empty());
}

#[tokio::test]
async fn a_handler_of_another_type_is_found_out_at_the_start() {
    let bench = Bench::new();
    let component = scheduled(r#"(param "cron" string) (param "due" s64)"#, RIGHT.1);
    let module = bench.module(Metering::Time, component).await;
    let refused = start_up(&module, &Limits::DEFAULT).await.unwrap_err();
    let said =
        matches!(&refused, Failure::Trapped(text) if text.contains("wasmyard:platform/scheduled@0.1.0"));
    assert!(said, "{refused:?}");
    let good = bench.module(Metering::Time, scheduled(RIGHT.0, RIGHT.1)).await;
    assert_eq!(good.handlers(), [EventKind::Fetch, EventKind::Scheduled]);
    assert!(start_up(&good, &Limits::DEFAULT).await.is_ok());
}
