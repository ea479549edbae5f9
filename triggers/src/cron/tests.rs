//! Cron triggers against a registry in memory, a clock moved by hand, and a data plane that notes what it is given.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::{Semaphore, mpsc};
use wasmyard_namespaces::cron::Cron;
use wasmyard_namespaces::registry::Registry;
use wasmyard_namespaces::store::MemoryStore;
use wasmyard_namespaces::{
    AssetsUpload, Blobs, ClockHand, CodeUpload, Digest, NewNamespace, RegistryOptions, Upload, UploadDraft,
};
use wasmyard_runtime::{Failure, Handled};

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

/// Notes what it is given; lets it go on when it is told to, and answers by the script's name.
struct Plane {
    noted: mpsc::UnboundedSender<String>,
    go: Arc<Semaphore>,
    busy: AtomicUsize,
}

impl Raise for Plane {
    fn raise(&self, script: ScriptKey, event: Event) -> BoxFuture<'static, Result<Handled, Failure>> {
        let Event::Scheduled(Scheduled { cron, due }) = event else { panic!("no tick") };
        let due = Timestamp::from(due).to_string();
        self.noted.send(format!("{script} {cron} {}", &due[11..16])).unwrap();
        let go = Arc::clone(&self.go);
        let is_busy = script.script().as_str() == "busy" && self.busy.fetch_add(1, Ordering::Relaxed) < 2;
        async move {
            go.acquire().await.unwrap().forget();
            match script.script().as_str() {
                "fails" => Err(Failure::NoHandler { event: "scheduled" }),
                "busy" if is_busy => Err(Failure::Overloaded { retry_after: Duration::from_secs(1) }),
                _ => Ok(Handled::Done),
            }
        }
        .boxed()
    }
}

struct Stage {
    registry: Registry,
    hand: ClockHand,
    go: Arc<Semaphore>,
    noted: mpsc::UnboundedReceiver<String>,
    figures: CronFigures,
    running: tokio::task::JoinHandle<()>,
    stop: tokio::sync::oneshot::Sender<()>,
}

/// Scripts with an expression each, the platform's or `production/`'s, and what runs them.
async fn stage(config: CronConfig, scripts: &[(&str, &str)]) -> Stage {
    let (clock, hand) = Clock::by_hand("2026-01-02T03:04:05Z".parse().unwrap());
    let options = RegistryOptions { clock, ..RegistryOptions::default() };
    let registry = Registry::open_with(Arc::new(MemoryStore::new()), Blobs::memory(), options).await.unwrap();
    for name in ["production", "other"] {
        registry.create_namespace(NewNamespace::named(name.parse().unwrap())).await.unwrap();
    }
    let digest: Digest = registry.put_component(bytes::Bytes::from_static(b"code")).await.unwrap();
    for (name, cron) in scripts {
        let key = match name.split_once('/') {
            Some((namespace, script)) => ScriptKey::user(namespace.parse().unwrap(), script.parse().unwrap()),
            None => ScriptKey::Platform(name.parse().unwrap()),
        };
        let code = CodeUpload::from(wasmyard_namespaces::code::Component::new(digest, 4));
        let crons = Some(vec![cron.parse::<Cron>().unwrap()]);
        let draft = UploadDraft { code, crons, assets: AssetsUpload::None, ..UploadDraft::default() };
        registry.deploy(&key, Upload::parse(draft).unwrap()).await.unwrap();
    }
    let (noted, notes) = mpsc::unbounded_channel();
    let go = Arc::new(Semaphore::new(0));
    let plane = Plane { noted, go: Arc::clone(&go), busy: AtomicUsize::new(0) };
    let figures = CronFigures::new(&Shown::new()).unwrap();
    let crons = Crons::new(registry.clone(), Arc::new(plane), config, figures.clone());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(crons.run(async { drop(stopped.await) }));
    Stage { registry, hand, go, noted: notes, figures, running, stop }
}

const MANY: CronConfig = CronConfig { at_once: 100, per_namespace: 100, late: Duration::from_secs(3_600) };

impl Stage {
    async fn next(&mut self) -> String {
        tokio::time::timeout(Duration::from_secs(60), self.noted.recv()).await.expect("a tick").unwrap()
    }

    async fn next_few(&mut self, count: usize) -> Vec<String> {
        let mut few = Vec::new();
        for _ in 0..count {
            few.push(self.next().await);
        }
        few.sort();
        few
    }

    /// Lets all that is spawned do what it can.
    async fn settle(&self) {
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
    }

    async fn end(self) {
        self.stop.send(()).unwrap();
        self.running.await.unwrap();
    }
}

#[tokio::test]
async fn scripts_run_when_their_minute_comes_and_are_counted_by_what_came_of_it() {
    let mut stage =
        stage(MANY, &[("a", "* * * * *"), ("fails", "5 3 * * *"), ("production/b", "6 3 * * *")]).await;
    stage.go.add_permits(100);
    stage.settle().await;
    assert!(stage.noted.try_recv().is_err(), "no minute has come");
    stage.hand.advance(MINUTE);
    assert_eq!(stage.next_few(2).await, ["a * * * * * 03:05", "fails 5 3 * * * 03:05"]);
    stage.hand.advance(MINUTE);
    assert_eq!(stage.next_few(2).await, ["a * * * * * 03:06", "production/b 6 3 * * * 03:06"]);
    stage.settle().await;
    let figures = stage.figures.clone();
    assert_eq!((figures.handled.get(), figures.failed.get(), figures.missed.get()), (3, 1, 0));
    // An expression that is set while it waits for others.
    let key = ScriptKey::Platform("a".parse().unwrap());
    stage.registry.run_cron_soon(&key, &"* * * * *".parse().unwrap()).await.unwrap();
    assert_eq!(stage.next().await, "a * * * * * 03:06");
    stage.end().await;
}

#[tokio::test]
async fn no_namespace_takes_the_places_of_others_and_what_waits_runs_when_there_is_one() {
    let config = CronConfig { at_once: 3, per_namespace: 2, ..MANY };
    let scripts = ["production/a", "production/b", "production/c", "production/d", "other/z", "z"];
    let scripts = scripts.map(|name| (name, "5 3 * * *"));
    let mut stage = stage(config, &scripts).await;
    stage.hand.advance(MINUTE);
    let first = stage.next_few(3).await;
    // One of the two others: the platform's stand first in the list.
    let of = |prefix: &str| first.iter().filter(|noted| noted.starts_with(prefix)).count();
    assert!(of("production/") <= 2 && of("production/") + of("other/") + of("z ") == 3, "{first:?}");
    stage.settle().await;
    assert!(stage.noted.try_recv().is_err(), "all places are taken");
    stage.go.add_permits(100);
    let mut all = [first, stage.next_few(3).await].concat();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 6, "{all:?}");
    stage.end().await;
}

#[tokio::test]
async fn a_script_that_has_no_room_is_tried_again_for_the_same_tick() {
    let mut stage = stage(MANY, &[("busy", "5 3 * * *")]).await;
    stage.go.add_permits(100);
    stage.hand.advance(MINUTE);
    for _ in 0..2 {
        assert_eq!(stage.next().await, "busy 5 3 * * * 03:05");
        stage.settle().await;
        stage.hand.advance(Duration::from_secs(1));
    }
    assert_eq!(stage.next().await, "busy 5 3 * * * 03:05");
    stage.settle().await;
    assert_eq!((stage.figures.handled.get(), stage.figures.failed.get()), (1, 0));
    stage.end().await;
}

#[tokio::test]
async fn a_stop_takes_nothing_more_and_waits_for_what_runs() {
    let mut stage = stage(MANY, &[("a", "* * * * *")]).await;
    stage.hand.advance(MINUTE);
    assert_eq!(stage.next().await, "a * * * * * 03:05");
    let Stage { hand, go, mut noted, running, stop, .. } = stage;
    stop.send(()).unwrap();
    hand.advance(MINUTE);
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    assert!(!running.is_finished(), "it still runs");
    go.add_permits(1);
    running.await.unwrap();
    assert!(noted.try_recv().is_err(), "the next minute is the next start's");
}
