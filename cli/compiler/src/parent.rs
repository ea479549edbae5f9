//! The side that has components compiled: starts a process for each, feeds it, waits, and says what became of it.
//!
//! Must never keep a child longer than its limits allow, or than anybody waits for it.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::mpsc;

use async_trait::async_trait;
use rustix::process::Signal;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use wasmyard_runtime::{CompileJob, Compiler, ModuleError};

use super::CompileLimits;
use super::wire::{self, Answer, NoAnswer};

/// The running program, also after its file was replaced or removed: children are of the same build.
const THIS_PROGRAM: &str = "/proc/self/exe";
/// How much of a child's dying words is kept for the log.
const MAX_WORDS: u64 = 8 << 10;
/// What Rust says when an allocation fails, before it aborts.
const OUT_OF_MEMORY: &str = "memory allocation of";

/// Compiles each component in a process of its own.
pub struct ChildCompiler {
    program: PathBuf,
    limits: CompileLimits,
    starter: Starter,
}

impl ChildCompiler {
    /// Children are this same program.
    ///
    /// # Errors
    /// When the program cannot be found, or no thread can be started.
    pub fn new() -> io::Result<Self> {
        let this = PathBuf::from(THIS_PROGRAM);
        let program = if this.exists() { this } else { std::env::current_exe()? };
        Self::with(program, CompileLimits::default())
    }

    /// Children are `program`, which must be a `wasmyard` of this version, with limits of one's own.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn with(program: PathBuf, limits: CompileLimits) -> io::Result<Self> {
        Ok(Self { program, limits, starter: Starter::new()? })
    }

    /// What a child may name of memory. One that evaluates a script reserves what an instance takes, and uses little of it.
    fn address_space(&self, job: &CompileJob) -> u64 {
        let instance = if job.javascript.is_some() { wasmyard_runtime::address_space(1) } else { 0 };
        self.limits.memory_bytes.saturating_add(instance)
    }

    fn command(&self, job: &CompileJob) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg0("wasmyard")
            .arg("compile-component")
            .args(["--metering", job.metering.name()])
            .args(["--max-memory-bytes", &job.max_memory_bytes.to_string()])
            .args(["--threads", &job.threads.to_string()])
            .args(["--cpu-seconds", &self.limits.cpu.as_secs().max(1).to_string()])
            .args(["--memory-bytes", &self.address_space(job).to_string()])
            .args(["--parent", &std::process::id().to_string()])
            .args(job.in_background.then_some("--in-background"))
            .args(engine_args(job))
            .env_clear()
            // The allocator would take a gigabyte of address space before the limit on it holds.
            .env("MIMALLOC_ARENA_RESERVE", "0")
            // The crate that makes the compiler's threads can be told their number in no other way.
            .env("RAYON_NUM_THREADS", job.threads.to_string())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }
}

#[async_trait]
impl Compiler for ChildCompiler {
    async fn compile(&self, job: CompileJob) -> Result<Vec<u8>, ModuleError> {
        let mut child = self.starter.start(self.command(&job)).await.map_err(|error| {
            ModuleError::Internal(format!("the compiler's process could not be started: {error}"))
        })?;
        let talking = talk(&mut child, &job, self.limits.artifact_bytes);
        let Ok(ended) = tokio::time::timeout(self.limits.wall, talking).await else {
            // Waits for its end as well, so that nobody is left behind.
            child.kill().await.map_err(ModuleError::internal)?;
            return Err(self.too_long("wall-clock time", "compile_wall_ms", self.limits.wall.as_millis()));
        };
        self.judge(ended.map_err(ModuleError::internal)?)
    }
}

/// How a child ended.
struct Ended {
    answer: Result<Answer, NoAnswer>,
    status: ExitStatus,
    /// What it wrote to standard error.
    words: String,
}

impl ChildCompiler {
    fn judge(&self, ended: Ended) -> Answer {
        let Ended { answer, status, words } = ended;
        let signal = status.signal();
        match answer {
            Ok(answer) if status.success() => return answer,
            Err(NoAnswer::TooLong) => return Err(ModuleError::TooMuchCode),
            Ok(_) | Err(NoAnswer::Broken) => {}
        }
        if signal == Some(Signal::XCPU.as_raw()) {
            return Err(self.too_long("CPU time", "compile_cpu_ms", self.limits.cpu.as_millis()));
        }
        if words.contains(OUT_OF_MEMORY) {
            return Err(ModuleError::TooMuchMemory);
        }
        tracing::warn!(%status, words = words.trim(), "a compilation ended without an answer");
        Err(ModuleError::Crashed(match (signal, status.code()) {
            (Some(signal), _) => format!("it was ended by signal {signal}"),
            (None, Some(code)) => format!("it ended with code {code}"),
            (None, None) => "it ended".to_owned(),
        }))
    }

    fn too_long(&self, clock: &'static str, limit: &'static str, limit_ms: u128) -> ModuleError {
        ModuleError::TooLong { clock, limit, limit_ms: u64::try_from(limit_ms).unwrap_or(u64::MAX) }
    }
}

/// Sends the component, takes the answer, and waits for the end.
async fn talk(child: &mut Child, job: &CompileJob, most: u64) -> io::Result<Ended> {
    let (Some(mut stdin), Some(stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(io::Error::other("the compiler's pipes are missing"));
    };
    let sending = async move {
        // Who does not read to the end says why in the answer, or in the way it ends.
        drop(write(&mut stdin, job).await);
    };
    // With the answer, its pipe goes: a child that writes on finds nobody, and ends.
    let ((), answer, words) = tokio::join!(sending, wire::read(stdout, most), listen(stderr));
    Ok(Ended { answer, status: child.wait().await?, words })
}

/// What a child reads: the engine first, where it is a script that is sent.
async fn write(to: &mut (impl AsyncWrite + Unpin), job: &CompileJob) -> io::Result<()> {
    if let Some(engine) = &job.javascript {
        let (head, code, memory) = engine.parts();
        for part in [&head, code, memory] {
            to.write_all(part).await?;
        }
    }
    to.write_all(&job.component).await
}

/// How a child is told how long the engine is.
fn engine_args(job: &CompileJob) -> Vec<String> {
    let Some(engine) = &job.javascript else { return Vec::new() };
    let (_, code, memory) = engine.parts();
    vec![
        "--engine-code-bytes".to_owned(),
        code.len().to_string(),
        "--engine-memory-bytes".to_owned(),
        memory.len().to_string(),
    ]
}

/// Reads to the end and keeps the beginning.
async fn listen(mut from: impl AsyncRead + Unpin) -> String {
    let mut words = Vec::new();
    (&mut from).take(MAX_WORDS).read_to_end(&mut words).await.ok();
    tokio::io::copy(&mut from, &mut tokio::io::sink()).await.ok();
    String::from_utf8_lossy(&words).into_owned()
}

/// One thread that starts all children, for as long as this lives. The kernel ends a child with the *thread*
/// that started it, so it may be none of those that come and go.
struct Starter(mpsc::Sender<Start>);

struct Start {
    command: Command,
    runtime: tokio::runtime::Handle,
    started: oneshot::Sender<io::Result<Child>>,
}

impl Starter {
    fn new() -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel::<Start>();
        std::thread::Builder::new().name("compiler-starter".into()).spawn(move || {
            for Start { mut command, runtime, started } in receiver {
                let _runtime = runtime.enter();
                // Whoever asked may be gone; then the child is, too.
                drop(started.send(command.spawn()));
            }
        })?;
        Ok(Self(sender))
    }

    async fn start(&self, command: Command) -> io::Result<Child> {
        let (started, child) = oneshot::channel();
        let gone = |_| io::Error::other("the thread that starts compilers is gone");
        let start = Start { command, runtime: tokio::runtime::Handle::current(), started };
        self.0.send(start).map_err(|_| io::Error::other("the thread that starts compilers is gone"))?;
        child.await.map_err(gone)?
    }
}
