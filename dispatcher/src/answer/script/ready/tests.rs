//! How a request and the code that it needs meet. No clock decides anything here: compilations wait for a gate, and
//! requests that should not wait have no time at all.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::Response;
use tokio::sync::Semaphore;
use wasmyard_namespaces::code::Component;
use wasmyard_namespaces::script::{Upload, UploadDraft};
use wasmyard_runtime::{
    Body, BodyError, CompileJob, Compiler, EngineConfig, GuestMemoryLimits, InProcess, OutboundRequest,
    Runtime, RuntimeConfig,
};

use super::*;
use crate::admission::AdmissionConfig;
use crate::answer::origin::{OriginFigures, Origins};
use crate::config::DispatcherConfig;
use crate::egress::{Egress, Sender};
use crate::observe::Metrics;

/// Compiles what is let through.
struct Gated {
    begun: AtomicUsize,
    gate: Semaphore,
}

impl Gated {
    fn open(&self) {
        self.gate.add_permits(Semaphore::MAX_PERMITS / 2);
    }
}

impl Compiler for Gated {
    fn compile<'a, 'b>(
        &'a self,
        job: CompileJob,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, ModuleError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            self.begun.fetch_add(1, Ordering::SeqCst);
            self.gate.acquire().await.unwrap().forget();
            InProcess.compile(job).await
        })
    }
}

struct Nowhere;

impl Egress for Nowhere {
    fn send(&self, _: Sender, _: OutboundRequest) -> BoxFuture<'static, Result<Response<Body>, BodyError>> {
        async { Err(BodyError::HttpRequestDenied) }.boxed()
    }
}

struct Site {
    scripts: Arc<Scripts>,
    registry: Registry,
    runtime: Arc<Runtime>,
    compiler: Arc<Gated>,
    _scratch: tempfile::TempDir,
}

impl Site {
    /// A node with one place for all, whose requests wait this long for code.
    async fn new(ready_wait: Duration) -> Site {
        let scratch = tempfile::tempdir().unwrap();
        let compiler = Arc::new(Gated { begun: AtomicUsize::new(0), gate: Semaphore::new(0) });
        let sizes = RuntimeConfig {
            engine: EngineConfig { max_instances: 4, ..EngineConfig::default() },
            artifacts: scratch.path().to_owned(),
            loaded_code_bytes: 1 << 30,
            loaded_modules: u64::MAX,
            compilations: 1,
            javascript: None,
            guest_memory: GuestMemoryLimits::NONE,
        };
        let runtime = Arc::new(Runtime::new(&sizes, Arc::clone(&compiler) as _).unwrap());
        let registry = Registry::in_memory().await.unwrap();
        let config = DispatcherConfig {
            ready_wait,
            admission: AdmissionConfig { wait: Duration::ZERO, ..AdmissionConfig::for_invocations(1) },
            ..DispatcherConfig::default()
        };
        let metrics = Metrics::new().unwrap();
        let egress = Arc::new(Nowhere);
        let shown = metrics.registry();
        let figures = OriginFigures::new(shown).unwrap();
        let origins = Arc::new(Origins::new(config.origins.clone(), registry.clone(), figures).unwrap());
        let of_runtime = Arc::clone(&runtime);
        let scripts =
            Scripts::new(&config, registry.clone(), of_runtime, egress, origins, shown, None).unwrap();
        Site { scripts, registry, runtime, compiler, _scratch: scratch }
    }

    /// Deploys a component that differs from others by a number, without compiling it.
    async fn deploy(&self, name: &str, number: usize) -> Arc<Script> {
        let text = include_str!("../../../../../tests/harness/src/wasi_http.wat");
        let text = text.replace(";; module", &format!("(global i32 (i32.const {number}))"));
        let bytes = wat::parse_str(text).unwrap();
        let size = bytes.len() as u64;
        let component = Component::new(self.registry.put_component(bytes.into()).await.unwrap(), size);
        let draft = UploadDraft { code: component.into(), ..UploadDraft::default() };
        let key = ScriptKey::Platform(name.parse().unwrap());
        self.registry.deploy(&key, Upload::parse(draft).unwrap()).await.unwrap()
    }

    fn begun(&self) -> usize {
        self.compiler.begun.load(Ordering::SeqCst)
    }

    async fn admitted(&self, script: &Arc<Script>) -> Result<(Permit, Ready), Failure> {
        let permit = self.scripts.admission.admit(&script.key, true).await?;
        self.scripts.ready(permit, script, 0, Metering::Time).await
    }

    async fn until(&self, what: &str, done: impl Fn() -> bool) {
        let waits = async {
            while !done() {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(60), waits).await.unwrap_or_else(|_| panic!("{what}"));
    }
}

#[tokio::test]
async fn who_asks_for_code_that_has_to_be_compiled_is_told_to_come_again_and_is_served_then() {
    let site = Site::new(Duration::ZERO).await;
    let script = site.deploy("slow", 1).await;
    for _ in 0..3 {
        let Err(failure) = site.admitted(&script).await else { panic!("nothing was let through") };
        assert_eq!(failure, Failure::BeingMadeReady { retry_after: COMPILED_AFTER });
    }
    site.until("it is compiled", || site.begun() == 1).await;
    site.compiler.open();
    site.until("it is loaded", || site.runtime.cache_figures().loaded == 1).await;
    let begun = async {
        loop {
            // The moment between loaded and known is nobody's.
            if let Ok(ready) = site.admitted(&script).await {
                return ready;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(60), begun).await.unwrap();
    assert_eq!(site.begun(), 1);
}

#[tokio::test]
async fn who_waits_for_a_compilation_holds_no_place() {
    let site = Site::new(Duration::from_secs(3_600)).await;
    let (slow, quick) = (site.deploy("slow", 1).await, site.deploy("quick", 2).await);
    // Compiled before, as by its upload.
    site.compiler.gate.add_permits(1);
    drop(site.admitted(&quick).await.unwrap());
    let mut waits = Box::pin(site.admitted(&slow));
    tokio::select! {
        biased;
        _ = &mut waits => panic!("nothing was let through"),
        () = site.until("it is compiled", || site.begun() == 2) => {}
    }
    let (place, _ready) = site.admitted(&quick).await.unwrap();
    drop(place);
    site.compiler.open();
    waits.await.unwrap();
}

#[tokio::test]
async fn versions_that_were_replaced_or_deleted_are_let_go() {
    let site = Site::new(Duration::from_secs(3_600)).await;
    site.compiler.open();
    for number in 0..30 {
        let script = site.deploy("often", number).await;
        let (_place, _ready) = site.admitted(&script).await.unwrap();
    }
    site.until("one version is loaded", || site.runtime.cache_figures().loaded == 1).await;
    let key = ScriptKey::Platform("often".parse().unwrap());
    assert!(site.registry.delete_script(&key).await.unwrap());
    site.until("none is", || site.runtime.cache_figures().loaded == 0).await;
}

#[tokio::test]
async fn the_code_of_an_upload_goes_with_its_version_though_nobody_ever_asked_for_it() {
    let site = Site::new(Duration::from_secs(3_600)).await;
    site.compiler.open();
    let script = site.deploy("unseen", 1).await;
    let digest = script.version.code.loads().unwrap();
    let bytes = site.registry.component(&digest).await.unwrap();
    site.runtime.module(Metering::Time, &digest, async { Ok(bytes) }).await.unwrap();
    // Deployed again, as the upload that had it compiled would.
    site.deploy("unseen", 1).await;
    site.until("it is claimed", || site.scripts.versions.scripts().len() == 1).await;
    site.registry.delete_script(&script.key).await.unwrap();
    site.until("it is let go", || site.runtime.cache_figures().loaded == 0).await;
}
