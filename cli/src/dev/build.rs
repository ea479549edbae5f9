//! One run of a script's build command.
//!
//! Owns the process: its group, its output, its end. Every command gets a process group of its own, so
//! that what it starts (compilers, shells) ends with it. It must never leave a process behind that it
//! stopped waiting for, and never hold a log without bound.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wasmyard_node::config::BuildConfig;

use crate::output::{Output, clean};

/// How long a build that is not wanted any more may take to clean up.
const GRACE: Duration = Duration::from_secs(2);
/// How long output may trickle in after the command itself has ended: something it left in the background
/// may hold the pipe open for ever.
const TRICKLE: Duration = Duration::from_millis(500);
/// The end of the log is kept for the browser: that is where the errors are.
const LOG_BYTES: usize = 64 * 1024;
/// A longer line is cut into several.
const LINE_BYTES: usize = 4 * 1024;

/// Why a build gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The command could not be started.
    #[error("cannot run `{command}` in {}: {source}", cwd.display())]
    Start {
        /// The command.
        command: String,
        /// The folder it was to run in.
        cwd: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The command said no.
    #[error("`{command}` failed ({status})\n{log}")]
    Failed {
        /// The command.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of what it printed.
        log: String,
    },
    /// It was stopped, because it is not wanted any more.
    #[error("the build was stopped")]
    Stopped,
}

/// Runs the command to its end, or until `stop`. What it prints goes to `output`, line by line, with `name`
/// in front.
///
/// # Errors
/// [`BuildError`].
///
/// # Cancel safety
/// Dropping the future kills the whole process group at once; `stop` lets it clean up first.
pub async fn run(
    name: &str,
    build: &BuildConfig,
    output: &Output,
    stop: &CancellationToken,
) -> Result<(), BuildError> {
    let (command, cwd) = (build.command.clone(), build.cwd.clone());
    let mut child =
        start(build).map_err(|source| BuildError::Start { command: command.clone(), cwd, source })?;
    let mut group = Group::of(&child);
    let log = Log::new(name, output.clone());
    let readers = [read(child.stdout.take(), log.clone()), read(child.stderr.take(), log.clone())];
    let status = tokio::select! {
        status = child.wait() => status,
        () = stop.cancelled() => {
            log.silence();
            group.end(&mut child).await;
            readers.iter().for_each(JoinHandle::abort);
            return Err(BuildError::Stopped);
        }
    };
    group.ended();
    for mut reader in readers {
        if tokio::time::timeout(TRICKLE, &mut reader).await.is_err() {
            reader.abort();
        }
    }
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(BuildError::Failed { command, status, log: log.text() }),
        Err(source) => Err(BuildError::Start { command, cwd: build.cwd.clone(), source }),
    }
}

fn start(build: &BuildConfig) -> std::io::Result<Child> {
    Command::new("sh")
        .args(["-c", &build.command])
        .current_dir(&build.cwd)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

/// The process group of a running build. Ends with it when dropped.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    /// Asks all of it to end, and makes it after a while.
    async fn end(&mut self, child: &mut Child) {
        self.signal(Signal::TERM);
        // Whether it obeyed or not, what is left of the group is killed below.
        tokio::time::timeout(GRACE, child.wait()).await.ok();
        self.signal(Signal::KILL);
        child.wait().await.ok();
        self.ended();
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            // The only failure is that there is nobody left, which is what was wanted.
            kill_process_group(group, signal).ok();
        }
    }

    /// The command was waited for: its number may soon be somebody else's.
    fn ended(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// What a build prints, on its way to the terminal and to the page that shows the error.
#[derive(Clone)]
struct Log(Arc<Mutex<Lines>>);

struct Lines {
    prefix: String,
    output: Option<Output>,
    kept: VecDeque<String>,
    bytes: usize,
}

impl Log {
    fn new(name: &str, output: Output) -> Self {
        let lines =
            Lines { prefix: format!("[{name}] "), output: Some(output), kept: VecDeque::new(), bytes: 0 };
        Self(Arc::new(Mutex::new(lines)))
    }

    fn push(&self, line: &[u8]) {
        let line = clean(&String::from_utf8_lossy(line));
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(output) = &lines.output {
            output.note(&format!("{}{line}", lines.prefix));
        }
        lines.bytes += line.len() + 1;
        lines.kept.push_back(line);
        while lines.bytes > LOG_BYTES {
            let Some(oldest) = lines.kept.pop_front() else { break };
            lines.bytes -= oldest.len() + 1;
        }
    }

    fn silence(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).output = None;
    }

    fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.kept.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

/// Reads one stream line by line until it ends. An error ends it as well: there is nobody to tell.
fn read(stream: Option<impl AsyncRead + Unpin + Send + 'static>, log: Log) -> JoinHandle<()> {
    tokio::spawn(async move {
        let Some(mut stream) = stream else { return };
        let mut pending: Vec<u8> = Vec::new();
        loop {
            match stream.read_buf(&mut pending).await {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
            while let Some(end) = line_end(&pending) {
                let rest = pending.split_off(end);
                log.push(pending.trim_ascii_end());
                pending = rest;
            }
        }
        if !pending.is_empty() {
            log.push(pending.trim_ascii_end());
        }
    })
}

/// Where the first line ends, its line feed included; or where it is cut.
fn line_end(bytes: &[u8]) -> Option<usize> {
    let feed = bytes.iter().take(LINE_BYTES).position(|byte| *byte == b'\n').map(|at| at + 1);
    feed.or((bytes.len() >= LINE_BYTES).then_some(LINE_BYTES))
}

#[cfg(test)]
mod tests;
