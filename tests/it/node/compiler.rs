//! The process that compiles: what it answers, what it costs at most, and what it cannot do. Here the program is
//! started as the server starts it, with limits that are reached sooner.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use rustix::io::{FdFlags, fcntl_setfd};
use tokio::task::JoinHandle;
use wasmyard_compiler::{ChildCompiler, CompileLimits};
use wasmyard_runtime::{CompileJob, Compiler, Metering, ModuleError};

use crate::support::{Site, bombs, eventually, guest, program, wat, within};

/// Takes far longer to compile than any limit here.
fn endless() -> Vec<u8> {
    bombs::branches(40_000)
}

fn compiler(limits: CompileLimits) -> ChildCompiler {
    ChildCompiler::with(program::path(), limits).unwrap()
}

fn job(component: Vec<u8>) -> CompileJob {
    CompileJob {
        metering: Metering::Time,
        max_memory_bytes: 128 << 20,
        threads: 1,
        in_background: false,
        javascript: None,
        component: component.into(),
    }
}

async fn compile(limits: CompileLimits, component: Vec<u8>) -> Result<Vec<u8>, ModuleError> {
    within("an answer of the compiler", compiler(limits).compile(job(component))).await
}

/// One compilation without an end, told from those of other tests in this process by a word on its command line.
struct Marked {
    job: CompileJob,
    word: String,
}

impl Marked {
    fn new(pages: u64) -> Marked {
        let max_memory_bytes = pages << 16;
        let word = format!("--max-memory-bytes\0{max_memory_bytes}\0");
        Marked { job: CompileJob { max_memory_bytes, ..job(endless()) }, word }
    }

    fn start(&self, limits: CompileLimits) -> JoinHandle<Result<Vec<u8>, ModuleError>> {
        let job = self.job.clone();
        tokio::spawn(async move { within("an answer of the compiler", compiler(limits).compile(job)).await })
    }
}

/// The compilers with this on their command line that still run.
fn compilers(word: &str) -> Vec<PathBuf> {
    let processes = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    processes
        .filter(|process| {
            let words = std::fs::read(process.join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&words).contains(word)
        })
        .collect()
}

async fn one_runs(word: &str) {
    let running = || std::future::ready((!compilers(word).is_empty()).then_some(()));
    eventually("the compiler runs", running).await;
}

async fn all_are_gone(word: &str) {
    let gone = || std::future::ready(compilers(word).is_empty().then_some(()));
    eventually("the end of every compiler", gone).await;
}

#[tokio::test]
async fn a_process_compiles_just_what_this_one_would() {
    for (metering, threads) in Metering::ALL.into_iter().flat_map(|metering| [(metering, 1), (metering, 3)]) {
        let job = CompileJob { metering, threads, ..job(guest::bytes("hello")) };
        let code = within("code", compiler(CompileLimits::default()).compile(job.clone())).await.unwrap();
        assert!(code == wasmyard_runtime::compile(&job).unwrap(), "{metering:?}");
    }
}

#[tokio::test]
async fn what_is_refused_says_why() {
    let limits = CompileLimits::default();
    let half = wat::answer("x")[..100].to_vec();
    assert!(matches!(compile(limits, half).await, Err(ModuleError::Invalid(_))));
    let mistyped = bombs::module("(func (result i32) i64.const 0)");
    assert!(matches!(compile(limits, mistyped).await, Err(ModuleError::Invalid(_))));
    let bound = compile(limits, bombs::nested_loops(3000, 1000)).await.unwrap_err().to_string();
    assert!(bound.contains("3000000") && bound.contains("function_loops_by_locals"), "{bound}");
    let code = compile(CompileLimits { artifact_bytes: 1000, ..limits }, wat::answer("x")).await;
    assert!(matches!(code, Err(ModuleError::TooMuchCode)));
}

#[tokio::test]
async fn cpu_time_is_bounded() {
    let limits = CompileLimits { cpu: Duration::from_secs(1), ..CompileLimits::default() };
    let refused = compile(limits, endless()).await.unwrap_err().to_string();
    assert!(refused.contains("1000 ms of CPU time") && refused.contains("compile_cpu_ms"), "{refused}");
}

#[tokio::test]
async fn wall_clock_time_is_bounded() {
    let limits = CompileLimits { wall: Duration::from_millis(200), ..CompileLimits::default() };
    let marked = Marked::new(101);
    let refused = marked.start(limits).await.unwrap().unwrap_err().to_string();
    assert!(refused.contains("200 ms of wall-clock") && refused.contains("compile_wall_ms"), "{refused}");
    assert_eq!(compilers(&marked.word), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn memory_is_bounded() {
    // The program itself is mapped into this, too; one with all its symbols is large.
    let limits = CompileLimits { memory_bytes: 256 << 20, ..CompileLimits::default() };
    assert!(compile(limits, wat::answer("x")).await.is_ok(), "enough for what is small");
    // The whole of what a server gives is asked for in `hostile/uploads.rs`.
    let refused = compile(limits, bombs::late_changes(20_000, 9_000)).await.err();
    assert!(matches!(refused, Some(ModuleError::TooMuchMemory)), "{refused:?}");
}

#[tokio::test]
async fn nobody_compiles_for_somebody_who_went_away() {
    let marked = Marked::new(102);
    let started = marked.start(CompileLimits::default());
    one_runs(&marked.word).await;
    started.abort();
    all_are_gone(&marked.word).await;
}

#[tokio::test]
async fn a_compiler_ends_with_the_server_that_started_it() {
    let server = Site::with_own_artifacts("[namespaces.production]").serve().await;
    let (api, word) = (server.api(), format!("--parent\0{}\0", server.process_id()));
    let upload = tokio::spawn(async move { api.try_deploy("bomb", endless()).await });
    one_runs(&word).await;
    server.kill().await;
    all_are_gone(&word).await;
    assert_eq!(upload.await.unwrap(), None);
}

#[tokio::test]
async fn a_compiler_has_no_file_no_environment_and_no_other_system_call() {
    // Left open by accident, as whoever starts the server may do.
    let leaked = File::open("/dev/null").unwrap();
    fcntl_setfd(&leaked, FdFlags::empty()).unwrap();
    let marked = Marked::new(103);
    let started = marked.start(CompileLimits::default());
    let process = eventually("a sealed compiler", || {
        let sealed = compilers(&marked.word).into_iter().find(|process| {
            let status = std::fs::read_to_string(process.join("status")).unwrap_or_default();
            status.contains("Seccomp:\t2") && status.contains("NoNewPrivs:\t1")
        });
        std::future::ready(sealed)
    })
    .await;
    let open: BTreeSet<String> = std::fs::read_dir(process.join("fd"))
        .unwrap()
        .map(|fd| fd.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(open.iter().map(String::as_str).collect::<Vec<_>>(), ["0", "1", "2"]);
    assert_eq!(
        std::fs::read(process.join("environ")).unwrap(),
        b"MIMALLOC_ARENA_RESERVE=0\0RAYON_NUM_THREADS=1\0"
    );
    assert_eq!(std::fs::read_dir(process.join("task")).unwrap().count(), 1);
    let limits = std::fs::read_to_string(process.join("limits")).unwrap();
    let held = |name: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().to_owned()
    };
    assert_eq!(held("Max cpu time"), "60");
    assert_eq!(held("Max address space"), (2_u64 << 30).to_string());
    for none in ["Max file size", "Max core file size", "Max open files"] {
        assert_eq!(held(none), "0", "{none}");
    }
    started.abort();
    all_are_gone(&marked.word).await;
}

#[tokio::test]
async fn a_compiler_that_ends_without_an_answer_is_told_from_one_that_refuses() {
    let with = |program: &str| ChildCompiler::with(PathBuf::from(program), CompileLimits::default()).unwrap();
    let crashed = with("/bin/false").compile(job(wat::answer("x"))).await.unwrap_err();
    assert!(matches!(&crashed, ModuleError::Crashed(how) if how.contains("code 1")), "{crashed}");
    let missing = with("/nonexistent/wasmyard").compile(job(wat::answer("x"))).await.unwrap_err();
    assert!(matches!(&missing, ModuleError::Internal(_)), "{missing}");
    assert!(!missing.to_string().contains("nonexistent"), "{missing}");
}
