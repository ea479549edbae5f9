//! How much code is mapped, as the kernel sees it.

use std::collections::BTreeSet;
use std::sync::Arc;

use http_body_util::BodyExt as _;
use wasmyard_namespaces::limits::Limits;
use wasmyard_namespaces::script::ScriptKey;
use wasmyard_runtime::{
    EngineConfig, Event, Failure, Granted, GuestMemoryLimits, InProcess, Metering, Reuse, Runtime,
    RuntimeConfig, Worker, body,
};

use crate::bench::{Kept, Wat, fetch, invocation, request};

/// A worker that answers with an empty body, and differs from others by a number.
fn component(number: usize) -> Vec<u8> {
    Wat {
        module: &format!("(global i32 (i32.const {number}))"),
        body: r"(call $set (local.get $out) (i32.const 0) (call $response (call $fields)) (i32.const 0)
            (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))",
        ..Wat::default()
    }
    .component()
}

struct Site {
    runtime: Runtime,
    scratch: tempfile::TempDir,
}

impl Site {
    fn new(loaded_code_bytes: u64, loaded_modules: u64) -> Site {
        let scratch = tempfile::tempdir().unwrap();
        let sizes = RuntimeConfig {
            engine: EngineConfig { max_instances: 16, ..EngineConfig::default() },
            artifacts: scratch.path().to_owned(),
            loaded_code_bytes,
            loaded_modules,
            compilations: 2,
            javascript: None,
            guest_memory: GuestMemoryLimits::NONE,
        };
        Site { runtime: Runtime::new(&sizes, Arc::new(InProcess)).unwrap(), scratch }
    }

    async fn worker(&self, number: usize, reuse: Reuse) -> Result<Arc<Worker>, String> {
        let bytes = component(number);
        let digest = wasmyard_namespaces::digest::Digest::of(&bytes);
        let module = self.runtime.module(Metering::Time, &digest, async { Ok(bytes.into()) }).await;
        let module = module.map_err(|error| error.to_string())?;
        let key = ScriptKey::Platform(format!("script-{number}").parse().unwrap());
        Ok(Worker::new(key, &number.to_string(), Granted::default(), module, reuse))
    }

    /// The artifacts of this site that are mapped into this process.
    fn mapped(&self) -> usize {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let folder = self.scratch.path().to_str().unwrap();
        let files = maps.lines().filter_map(|line| line.find(folder).map(|at| &line[at..]));
        files.filter(|file| file.contains(".cwasm")).collect::<BTreeSet<_>>().len()
    }
}

async fn ask(worker: &Arc<Worker>) -> Result<(), Failure> {
    let response =
        fetch(worker, invocation(Limits::DEFAULT, Arc::<Kept>::default()), request(body::empty())).await?;
    response.into_body().collect().await.unwrap();
    Ok(())
}

#[tokio::test]
async fn ninety_scripts_over_a_small_budget_keep_as_many_mapped_as_there_is_room_for() {
    let one = {
        let site = Site::new(u64::MAX, u64::MAX);
        let _worker = site.worker(0, Reuse::Never).await.unwrap();
        site.runtime.cache_figures().loaded_bytes
    };
    for (bytes, modules) in [(one * 10, u64::MAX), (u64::MAX, 10)] {
        let site = Site::new(bytes, modules);
        // Kept by whoever embeds the runtime, as the versions that are deployed are.
        let mut workers = Vec::new();
        for number in 0..90 {
            let worker = site.worker(number, Reuse::Never).await.unwrap();
            ask(&worker).await.unwrap();
            workers.push(worker);
            // What was used first is used again and again: it stays.
            ask(&workers[0]).await.unwrap();
            assert!(site.mapped() <= 10, "{} after {number}", site.mapped());
        }
        assert!(site.mapped() >= 8, "{}", site.mapped());
        assert_eq!(site.runtime.cache_figures().loaded, site.mapped() as u64);
        assert!(workers[89].is_loaded() && workers[0].is_loaded() && !workers[1].is_loaded());
        let gone = ask(&workers[1]).await;
        assert!(matches!(gone, Err(Failure::BeingMadeReady { .. })), "{gone:?}");
    }
}

#[tokio::test]
async fn instances_at_rest_do_not_keep_code_mapped() {
    let site = Site::new(u64::MAX, 1);
    let rests = site.worker(1, Reuse::WhenDone).await.unwrap();
    ask(&rests).await.unwrap();
    let other = site.worker(2, Reuse::WhenDone).await.unwrap();
    ask(&other).await.unwrap();
    assert_eq!(site.mapped(), 1);
    assert!(!rests.is_loaded() && other.is_loaded());
}

#[tokio::test]
async fn code_that_runs_stays_mapped_and_where_nothing_can_go_the_next_is_refused() {
    let site = Site::new(u64::MAX, 1);
    let runs = site.worker(1, Reuse::Never).await.unwrap();
    let ready = runs.ready().unwrap();
    let refused = site.worker(2, Reuse::Never).await.err().unwrap();
    assert!(refused.contains("as this machine can map"), "{refused}");
    let response = ready
        .run(invocation(Limits::DEFAULT, Arc::<Kept>::default()), Event::Fetch(request(body::empty())))
        .await;
    response.unwrap().answer().unwrap().into_body().collect().await.unwrap();
    site.worker(2, Reuse::Never).await.unwrap();
    assert!(!runs.is_loaded());
}

#[tokio::test]
async fn code_that_no_version_claims_any_more_is_unmapped_at_once() {
    let site = Site::new(u64::MAX, u64::MAX);
    let mut active = site.worker(0, Reuse::WhenDone).await.unwrap();
    for number in 1..30 {
        ask(&active).await.unwrap();
        active = site.worker(number, Reuse::WhenDone).await.unwrap();
        assert_eq!(site.mapped(), 1, "the version before is gone");
    }
    let ready = active.ready().unwrap();
    drop(active);
    assert_eq!(site.mapped(), 1, "it may still run");
    drop(ready);
    assert_eq!((site.mapped(), site.runtime.cache_figures().loaded), (0, 0));
}
