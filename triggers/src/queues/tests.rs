//! Deliveries over the embedded store, a clock moved by hand, and a data plane that notes what it is given.

use std::collections::HashMap;
use std::sync::Mutex;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use prometheus::Registry as Shown;
use tokio::sync::{Semaphore, mpsc};
use wasmyard_namespaces::{ClockHand, QueueName};
use wasmyard_queues::{
    ConsumerKind, ConsumerSettings, ConsumerWanted, ContentType, NewMessage, Queue, QueueChange, QueueLimits,
    SqliteQueues,
};
use wasmyard_runtime::{Event, Failure, Handled, Verdict};

use super::*;

/// Notes what it is given; lets it go on when it is told to, and answers by the script's name.
struct Plane {
    noted: mpsc::UnboundedSender<String>,
    go: Arc<Semaphore>,
    busy: Mutex<HashMap<ScriptKey, usize>>,
}

impl Raise for Plane {
    fn raise(&self, script: ScriptKey, event: Event) -> BoxFuture<'static, Result<Handled, Failure>> {
        let Event::Queue(batch) = event else { panic!("no batch") };
        let texts: Vec<String> = batch
            .messages()
            .iter()
            .map(|message| format!("{}:{}", String::from_utf8_lossy(&message.body), message.attempts))
            .collect();
        self.noted.send(format!("{script} {} {}", batch.queue(), texts.join(" "))).unwrap();
        let times = *self.busy.lock().unwrap().entry(script.clone()).and_modify(|n| *n += 1).or_insert(1);
        let go = Arc::clone(&self.go);
        async move {
            go.acquire().await.unwrap().forget();
            let every = |verdict| Ok(Handled::Judged(vec![verdict; batch.messages().len()]));
            match script.script().as_str() {
                "fails" => Err(Failure::NoHandler { event: "queue" }),
                "gone" => Err(Failure::WorkerNotFound),
                "busy" if times == 1 => Err(Failure::Overloaded { retry_after: Duration::from_secs(1) }),
                "retries" => every(Verdict::Retry { delay: Some(Duration::from_secs(7)) }),
                _ => every(Verdict::Ack),
            }
        }
        .boxed()
    }
}

struct Stage {
    queues: Queues,
    _folder: tempfile::TempDir,
    hand: ClockHand,
    go: Arc<Semaphore>,
    noted: mpsc::UnboundedReceiver<String>,
    figures: Shown,
    running: tokio::task::JoinHandle<()>,
    stop: tokio::sync::oneshot::Sender<()>,
}

const MANY: DeliveryConfig =
    DeliveryConfig { at_once: 100, per_namespace: 100, longest: Duration::from_secs(900) };

/// Settings of a consumer that waits for nobody.
fn at_once() -> ConsumerSettings {
    ConsumerSettings { max_wait_time_ms: Some(0), batch_size: Some(2), ..ConsumerSettings::default() }
}

async fn stage(config: DeliveryConfig) -> Stage {
    let folder = tempfile::tempdir().unwrap();
    let (clock, hand) = Clock::by_hand("2026-01-02T03:04:05Z".parse().unwrap());
    let store = Arc::new(SqliteQueues::open(folder.path()).unwrap());
    let queues = Queues::new(store, clock, QueueLimits::default());
    let (noted, notes) = mpsc::unbounded_channel();
    let go = Arc::new(Semaphore::new(0));
    let plane = Plane { noted, go: Arc::clone(&go), busy: Mutex::default() };
    let shown = Shown::new();
    let figures = DeliveryFigures::new(&shown).unwrap();
    let deliveries = Deliveries::new(queues.clone(), Arc::new(plane), config, figures);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(deliveries.run(async { drop(stopped.await) }));
    Stage { queues, _folder: folder, hand, go, noted: notes, figures: shown, running, stop }
}

fn name(text: &str) -> QueueName {
    QueueName::parse(text).unwrap()
}

impl Stage {
    async fn consumed(&self, called: &str, script: &str, settings: ConsumerSettings) -> Queue {
        let queue = self.queues.create(&name(called), &QueueChange::default()).await.unwrap();
        let kind = ConsumerKind::Worker(script.to_owned());
        let wanted = ConsumerWanted { kind, settings, dead_letters: Some(name("dead")) };
        self.queues.set_consumer(&queue.id, None, wanted).await.unwrap();
        queue
    }

    async fn send(&self, queue: &Queue, texts: &[&str]) {
        let message = |text: &&str| {
            let body = text.as_bytes().to_vec().into();
            NewMessage { content_type: ContentType::Text, body, delay: None }
        };
        self.queues.handle(&queue.name, None).send(texts.iter().map(message).collect()).await.unwrap();
    }

    async fn next(&mut self) -> String {
        tokio::time::timeout(Duration::from_secs(60), self.noted.recv()).await.expect("a batch").unwrap()
    }

    /// Waits until a queue holds so many messages.
    async fn until(&self, queue: &QueueName, messages: u64) {
        let settled = async {
            while self.queues.named(queue).await.unwrap().messages != messages {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), settled).await.expect("as many messages");
    }

    /// Waits until as much is counted as is expected.
    async fn counted(&self, figure: &str, label: &str, expected: f64) {
        let is_there = || {
            let families = self.figures.gather();
            let family = families.iter().find(|family| family.name() == figure)?;
            let found = family.get_metric().iter().find(|metric| metric.get_label()[0].value() == label)?;
            ((found.get_counter().get_value() - expected).abs() < f64::EPSILON).then_some(())
        };
        let counted = async {
            while is_there().is_none() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), counted).await.expect("the figure");
    }

    async fn end(self) {
        self.stop.send(()).unwrap();
        self.running.await.unwrap();
    }
}

#[tokio::test]
async fn messages_go_to_the_script_in_batches_and_go_when_it_has_handled_them() {
    let mut stage = stage(MANY).await;
    stage.go.add_permits(100);
    let queue = stage.consumed("q", "production/shop", at_once()).await;
    stage.send(&queue, &["a", "b", "c"]).await;
    let (one, other) = (stage.next().await, stage.next().await);
    let mut came = [one.as_str(), other.as_str()];
    came.sort_unstable();
    assert_eq!(came, ["production/shop q a:1 b:1", "production/shop q c:1"]);
    stage.until(&queue.name, 0).await;
    stage.counted("wasmyard_queue_messages_total", "acked", 3.0).await;
    stage.counted("wasmyard_queue_batches_total", "handled", 2.0).await;
    stage.end().await;
}

#[tokio::test]
async fn a_batch_waits_until_it_is_full_or_as_long_as_it_is_to() {
    let mut stage = stage(MANY).await;
    stage.go.add_permits(100);
    let settings = ConsumerSettings { max_wait_time_ms: Some(5_000), batch_size: Some(2), ..at_once() };
    let queue = stage.consumed("q", "shop", settings).await;
    stage.send(&queue, &["a"]).await;
    stage.send(&queue, &["b"]).await;
    assert_eq!(stage.next().await, "shop q a:1 b:1", "it is full");
    stage.until(&queue.name, 0).await;
    stage.send(&queue, &["c"]).await;
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    assert!(stage.noted.try_recv().is_err(), "it waits for another one");
    stage.hand.advance(Duration::from_secs(5));
    assert_eq!(stage.next().await, "shop q c:1");
    stage.end().await;
}

#[tokio::test]
async fn what_a_script_fails_at_comes_again_and_goes_to_the_dead_letters_in_the_end() {
    let mut stage = stage(MANY).await;
    stage.go.add_permits(100);
    let settings = ConsumerSettings { max_retries: Some(1), retry_delay: Some(3), ..at_once() };
    let failing = stage.consumed("failing", "fails", settings).await;
    stage.send(&failing, &["a"]).await;
    assert_eq!(stage.next().await, "fails failing a:1");
    stage.counted("wasmyard_queue_messages_total", "retried", 1.0).await;
    stage.hand.advance(Duration::from_secs(3));
    assert_eq!(stage.next().await, "fails failing a:2");
    stage.until(&name("dead"), 1).await;
    stage.counted("wasmyard_queue_messages_total", "dead_lettered", 1.0).await;
    // The script's own word on when it comes again stands before the consumer's.
    let retrying = stage.consumed("retrying", "retries", settings).await;
    stage.send(&retrying, &["b"]).await;
    assert_eq!(stage.next().await, "retries retrying b:1");
    stage.counted("wasmyard_queue_messages_total", "retried", 2.0).await;
    stage.hand.advance(Duration::from_secs(6));
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    assert!(stage.noted.try_recv().is_err());
    stage.hand.advance(Duration::from_secs(1));
    assert_eq!(stage.next().await, "retries retrying b:2");
    stage.until(&name("dead"), 2).await;
    stage.end().await;
}

#[tokio::test]
async fn what_was_not_begun_comes_again_uncounted() {
    let mut stage = stage(MANY).await;
    stage.go.add_permits(100);
    let settings = ConsumerSettings { max_retries: Some(0), ..at_once() };
    let busy = stage.consumed("busy", "busy", settings).await;
    stage.send(&busy, &["a"]).await;
    assert_eq!(stage.next().await, "busy busy a:1");
    stage.counted("wasmyard_queue_batches_total", "released", 1.0).await;
    stage.hand.advance(Duration::from_secs(1));
    assert_eq!(stage.next().await, "busy busy a:1");
    stage.until(&busy.name, 0).await;
    // A script that is not there may come back: its messages wait.
    let gone = stage.consumed("gone", "gone", settings).await;
    stage.send(&gone, &["b"]).await;
    assert_eq!(stage.next().await, "gone gone b:1");
    stage.counted("wasmyard_queue_batches_total", "released", 2.0).await;
    stage.hand.advance(Duration::from_secs(60));
    assert_eq!(stage.next().await, "gone gone b:1");
    stage.until(&gone.name, 1).await;
    stage.end().await;
}

#[tokio::test]
async fn no_namespace_has_all_places_and_no_queue_more_than_it_asks_for() {
    let config = DeliveryConfig { at_once: 4, per_namespace: 2, ..MANY };
    let mut stage = stage(config).await;
    let settings = ConsumerSettings { batch_size: Some(1), ..at_once() };
    let busy = stage.consumed("loud", "production/loud", settings).await;
    stage.send(&busy, &["a", "b", "c", "d"]).await;
    stage.next().await;
    stage.next().await;
    let quiet = stage.consumed("quiet", "other/quiet", settings).await;
    stage.send(&quiet, &["x"]).await;
    assert_eq!(stage.next().await, "other/quiet quiet x:1", "it has a place, though others wait");
    assert!(stage.noted.try_recv().is_err());
    stage.go.add_permits(100);
    stage.until(&busy.name, 0).await;
    let few = ConsumerSettings { max_concurrency: Some(1), ..settings };
    let single = stage.consumed("single", "single", few).await;
    // Those of before are spent on nothing else.
    stage.go.forget_permits(100);
    while stage.noted.try_recv().is_ok() {}
    stage.send(&single, &["1", "2"]).await;
    assert_eq!(stage.next().await, "single single 1:1");
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    assert!(stage.noted.try_recv().is_err(), "one at a time");
    stage.go.add_permits(1);
    assert_eq!(stage.next().await, "single single 2:1");
    stage.go.add_permits(1);
    stage.end().await;
}

#[tokio::test]
async fn a_paused_queue_waits() {
    let mut stage = stage(MANY).await;
    stage.go.add_permits(100);
    let queue = stage.consumed("q", "shop", at_once()).await;
    let paused = |paused| QueueChange { delivery_paused: Some(paused), ..QueueChange::default() };
    stage.queues.change(&queue.id, paused(true)).await.unwrap();
    stage.send(&queue, &["a"]).await;
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    assert!(stage.noted.try_recv().is_err());
    stage.queues.change(&queue.id, paused(false)).await.unwrap();
    assert_eq!(stage.next().await, "shop q a:1");
    stage.until(&queue.name, 0).await;
    stage.end().await;
}
