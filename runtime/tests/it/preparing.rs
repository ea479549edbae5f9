//! Making code ready: it belongs to the component and not to whoever asked first. Nothing here looks at a clock:
//! compilations wait for a gate that the test opens.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Semaphore;
use wasmyard_namespaces::digest::Digest;
use wasmyard_namespaces::script::ScriptKey;
use wasmyard_runtime::{
    CompileJob, Compiler, EngineConfig, GuestMemoryLimits, InProcess, Metering, ModuleError, Runtime,
    RuntimeConfig, Wanted,
};

use crate::bench::Wat;

/// Compiles what is let through.
struct Gated {
    begun: AtomicUsize,
    in_background: AtomicUsize,
    gate: Semaphore,
}

impl Gated {
    fn shut() -> Arc<Gated> {
        Arc::new(Gated {
            begun: AtomicUsize::new(0),
            in_background: AtomicUsize::new(0),
            gate: Semaphore::new(0),
        })
    }

    fn open(&self) {
        self.gate.add_permits(Semaphore::MAX_PERMITS / 2);
    }

    fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }

    async fn has_begun(&self, count: usize) {
        while self.begun() < count {
            tokio::task::yield_now().await;
        }
    }
}

#[async_trait]
impl Compiler for Gated {
    async fn compile(&self, job: CompileJob) -> Result<Vec<u8>, ModuleError> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.in_background.fetch_add(usize::from(job.in_background), Ordering::SeqCst);
        self.gate.acquire().await.unwrap().forget();
        InProcess.compile(job).await
    }
}

struct Site {
    runtime: Runtime,
    compiler: Arc<Gated>,
    scratch: Arc<tempfile::TempDir>,
}

impl Site {
    fn new() -> Site {
        Site::over(Arc::new(tempfile::tempdir().unwrap()))
    }

    /// One that finds what another one has left.
    fn over(scratch: Arc<tempfile::TempDir>) -> Site {
        let compiler = Gated::shut();
        let sizes = RuntimeConfig {
            engine: EngineConfig { max_instances: 4, ..EngineConfig::default() },
            artifacts: scratch.path().to_owned(),
            loaded_code_bytes: 1 << 30,
            loaded_modules: u64::MAX,
            compilations: 1,
            javascript: None,
            guest_memory: GuestMemoryLimits::NONE,
        };
        let runtime = Runtime::new(&sizes, Arc::clone(&compiler) as Arc<dyn Compiler>).unwrap();
        Site { runtime, compiler, scratch }
    }
}

/// A component that differs from others by a number.
fn component(number: usize) -> Bytes {
    Wat { module: &format!("(global i32 (i32.const {number}))"), ..Wat::default() }.component().into()
}

fn wanted(component: &Bytes) -> Wanted {
    let script = ScriptKey::user("customers".parse().unwrap(), "one".parse().unwrap());
    Wanted { metering: Metering::Time, digest: Digest::of(component), script: Some(script) }
}

async fn gone() -> Result<Bytes, String> {
    Err("its component is not there".to_owned())
}

#[tokio::test]
async fn a_compilation_goes_on_when_its_visitor_leaves_and_is_stored() {
    let site = Site::new();
    let bytes = component(1);
    let source = bytes.clone();
    let mut visitor = site.runtime.prepare(wanted(&bytes), async { Ok(source) });
    assert!(visitor.looked().await.unwrap().is_none(), "it has to be compiled");
    site.compiler.has_begun(1).await;
    drop(visitor);
    site.compiler.open();
    // The next one finds it done, or joins it: there is nothing that it could be compiled from again.
    site.runtime.prepare(wanted(&bytes), gone()).done().await.unwrap();
    assert_eq!(site.compiler.begun(), 1);
    let after_a_restart = Site::over(Arc::clone(&site.scratch));
    let mut visitor = after_a_restart.runtime.prepare(wanted(&bytes), gone());
    assert!(visitor.looked().await.unwrap().is_some(), "it is on the disk");
    assert_eq!(after_a_restart.compiler.begun(), 0);
}

#[tokio::test]
async fn all_who_ask_meanwhile_join_one_compilation() {
    let site = Site::new();
    let bytes = component(1);
    let ask = || {
        let source = bytes.clone();
        site.runtime.prepare(wanted(&bytes), async { Ok(source) })
    };
    let mut visitors = [ask(), ask(), ask()];
    let digest = Digest::of(&bytes);
    let source = bytes.clone();
    // An upload of the same component meets them, and is given up before it is done.
    let mut upload = Box::pin(site.runtime.module(Metering::Time, &digest, async { Ok(source) }));
    tokio::select! {
        biased;
        _ = &mut upload => panic!("nothing was let through"),
        () = site.compiler.has_begun(1) => {}
    }
    drop(upload);
    site.compiler.open();
    for visitor in &mut visitors {
        visitor.done().await.unwrap();
    }
    assert_eq!(site.compiler.begun(), 1);
}

#[tokio::test]
async fn an_upload_that_its_client_gives_up_is_compiled_to_its_end() {
    let site = Site::new();
    let bytes = component(1);
    let digest = Digest::of(&bytes);
    {
        let source = bytes.clone();
        let mut upload = Box::pin(site.runtime.module(Metering::Time, &digest, async { Ok(source) }));
        tokio::select! {
            biased;
            _ = &mut upload => panic!("nothing was let through"),
            () = site.compiler.has_begun(1) => {}
        }
    }
    site.compiler.open();
    site.runtime.prepare(wanted(&bytes), gone()).done().await.unwrap();
    assert_eq!(site.compiler.begun(), 1);
}

#[tokio::test]
async fn an_upload_that_joined_a_request_whose_component_cannot_be_read_uses_its_own() {
    let site = Site::new();
    site.compiler.open();
    let bytes = component(1);
    let mut visitor = site.runtime.prepare(wanted(&bytes), gone());
    let source = bytes.clone();
    site.runtime.module(Metering::Time, &Digest::of(&bytes), async { Ok(source) }).await.unwrap();
    assert!(visitor.done().await.is_err());
}

#[tokio::test]
async fn too_many_that_wait_are_refused_with_a_word_and_hold_no_component() {
    let site = Site::new();
    let first = component(0);
    let source = first.clone();
    let _first = site.runtime.prepare(wanted(&first), async { Ok(source) });
    site.compiler.has_begun(1).await;
    let read = Arc::new(AtomicUsize::new(0));
    let mut refused = 0;
    let mut waiting = Vec::new();
    for number in 1..=200 {
        let (bytes, read) = (component(number), Arc::clone(&read));
        let wanted = wanted(&bytes);
        let mut visitor = site.runtime.prepare(wanted, async move {
            read.fetch_add(1, Ordering::SeqCst);
            Ok(bytes)
        });
        match visitor.looked().await {
            Ok(None) => waiting.push(visitor),
            Ok(Some(_)) => panic!("nothing was let through"),
            Err(error) => {
                assert!(matches!(*error, ModuleError::TooManyCompilations), "{error}");
                refused += 1;
            }
        }
    }
    // Whether it is refused shows a moment after it is known that it has to be compiled.
    let figures = site.runtime.cache_figures();
    assert!(figures.waiting <= 64, "one namespace has half of the queue: {figures:?}");
    assert_eq!((figures.compiling, read.load(Ordering::SeqCst)), (1, 0));
    site.compiler.open();
    let mut made = 0;
    for mut visitor in waiting {
        match visitor.done().await {
            Ok(_) => made += 1,
            Err(error) => {
                assert!(matches!(*error, ModuleError::TooManyCompilations), "{error}");
                refused += 1;
            }
        }
    }
    assert_eq!((made, refused), (64, 136));
    // And who comes again is served.
    let bytes = component(200);
    let source = bytes.clone();
    site.runtime.prepare(wanted(&bytes), async { Ok(source) }).done().await.unwrap();
}

#[tokio::test]
async fn a_component_that_cannot_be_compiled_is_not_tried_again_for_each_visitor() {
    let site = Site::new();
    site.compiler.open();
    let bytes = Bytes::from_static(b"\0asm\x0d\0\x01\0 this is no component");
    let ask = || {
        site.runtime.prepare(wanted(&bytes), async {
            Ok(Bytes::from_static(b"\0asm\x0d\0\x01\0 this is no component"))
        })
    };
    let first = ask().done().await.err().unwrap();
    assert_eq!(site.compiler.begun(), 1);
    let second = ask().done().await.err().unwrap();
    assert_eq!(first.to_string(), second.to_string());
    assert_eq!(site.compiler.begun(), 1);
    // An upload is.
    let source = bytes.clone();
    let upload = site.runtime.module(Metering::Time, &Digest::of(&bytes), async { Ok(source) }).await;
    assert!(upload.is_err());
    assert_eq!(site.compiler.begun(), 2);
}

#[tokio::test]
async fn what_nobody_waits_for_is_compiled_beside_what_somebody_does() {
    let site = Site::new();
    let (in_background, asked_for) = (component(1), component(2));
    let source = in_background.clone();
    let compiling = site.runtime.compile_in_background(wanted(&in_background), async { Ok(source) });
    let mut compiling = Box::pin(compiling);
    tokio::select! {
        biased;
        _ = &mut compiling => panic!("nothing was let through"),
        () = site.compiler.has_begun(1) => {}
    }
    // There is one place for visitors, and it is free.
    let source = asked_for.clone();
    let mut visitor = site.runtime.prepare(wanted(&asked_for), async { Ok(source) });
    tokio::select! {
        biased;
        _ = visitor.done() => panic!("nothing was let through"),
        () = site.compiler.has_begun(2) => {}
    }
    assert_eq!(site.compiler.in_background.load(Ordering::SeqCst), 1);
    site.compiler.open();
    assert!(compiling.await.unwrap());
    visitor.done().await.unwrap();
    let again = site.runtime.compile_in_background(wanted(&in_background), gone());
    assert!(!again.await.unwrap(), "it is there");
}
