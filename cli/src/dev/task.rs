//! The life of one script in `wasmyard dev`: build, deploy, wait for a change, and again.
//!
//! Owns what is told about the script. It must never run two builds at once, and never deploy what an
//! outdated build made.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use wasmyard_namespaces::{Digest, ScriptKey};
use wasmyard_node::config::ScriptConfig;

use super::DevPlatform;
use super::build::{self, BuildError};
use crate::output::Output;

/// What a script's task waits for. Each is remembered once: ten changes during a build call for one more.
#[derive(Default)]
pub(super) struct Signals {
    pub(super) sources: Notify,
    pub(super) main: Notify,
    pub(super) assets: Notify,
    pub(super) stop: CancellationToken,
    /// Whether any version of it serves.
    pub(super) serving: AtomicBool,
}

/// What a script's task begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum First {
    Build,
    Deploy,
}

impl Signals {
    pub(super) fn new(serving: bool) -> Self {
        Self { serving: AtomicBool::new(serving), ..Self::default() }
    }
}

/// Takes care of one script.
pub(super) struct Task {
    script: ScriptConfig,
    platform: Arc<dyn DevPlatform>,
    output: Output,
    signals: Arc<Signals>,
    /// What serves now: a build that changes nothing is not deployed again.
    deployed: Option<Digest>,
    /// What was last given to the platform, taken or refused.
    tried: Option<Digest>,
    /// Whether visitors are told of a failure, which only a deployment ends.
    told: bool,
}

/// Why there may be something to deploy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// It is the first time, or a build says so.
    Built,
    /// The file is another one: by hand, or as the echo of a build.
    Changed,
    /// A file that is served is another one.
    Assets,
}

/// How a build ended.
enum Built {
    Done,
    Failed(BuildError),
    Stopped,
}

impl Task {
    pub(super) fn new(
        script: ScriptConfig,
        platform: Arc<dyn DevPlatform>,
        output: Output,
        signals: Arc<Signals>,
    ) -> Self {
        Self { script, platform, output, signals, deployed: None, tried: None, told: false }
    }

    pub(super) async fn run(mut self, first: First) -> ScriptKey {
        let (mut build, mut why) = (first == First::Build, Why::Built);
        loop {
            if build && self.script.build.is_some() {
                match self.build().await {
                    Built::Done => self.deploy(Why::Built).await,
                    Built::Failed(error) => {
                        // What the command printed is on the terminal already.
                        let unseen = matches!(error, BuildError::Start { .. });
                        self.failed("build failed", &error.to_string(), unseen).await;
                    }
                    Built::Stopped => return self.script.key,
                }
            } else {
                self.deploy(why).await;
            }
            let signals = &self.signals;
            (build, why) = tokio::select! {
                biased;
                () = signals.stop.cancelled() => return self.script.key,
                () = signals.sources.notified() => (true, Why::Built),
                () = signals.main.notified() => (false, Why::Changed),
                () = signals.assets.notified() => (false, Why::Assets),
            };
        }
    }

    /// Builds, and begins again whenever the sources change meanwhile.
    async fn build(&self) -> Built {
        let Some(config) = &self.script.build else { return Built::Done };
        let name = self.script.key.to_string();
        loop {
            let start = Instant::now();
            self.output.note(&format!("[{name}] building: {}", config.command));
            let superseded = self.signals.stop.child_token();
            let building = build::run(&name, config, &self.output, &superseded);
            tokio::pin!(building);
            let result = tokio::select! {
                result = &mut building => result,
                () = self.signals.sources.notified() => {
                    superseded.cancel();
                    building.await
                }
            };
            match result {
                Ok(()) if !superseded.is_cancelled() => {
                    self.output.note(&format!("[{name}] built in {:.1} s", start.elapsed().as_secs_f64()));
                    return Built::Done;
                }
                _ if self.signals.stop.is_cancelled() => return Built::Stopped,
                Ok(()) | Err(BuildError::Stopped) => {
                    self.output.note(&format!("[{name}] changed while it was being built"));
                }
                Err(error @ (BuildError::Start { .. } | BuildError::Failed { .. })) => {
                    return Built::Failed(error);
                }
            }
        }
    }

    async fn deploy(&mut self, why: Why) {
        let read = match &self.script.main {
            Some(main) => read_digest(main).await,
            None => Ok(Digest::of(b"")),
        };
        let digest = match read {
            Ok(digest) => digest,
            // Compilers remove what they are about to write; what serves does not need the file.
            Err(error) if why == Why::Changed && error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => {
                let remedy = if self.script.build.is_some() {
                    "does the build command make it there?"
                } else {
                    "it is deployed as soon as it appears"
                };
                let main = self.script.main.as_deref().unwrap_or(Path::new(""));
                let text = format!("{} cannot be read: {error}; {remedy}", main.display());
                self.tried = None;
                return self.failed("nothing to deploy", &text, true).await;
            }
        };
        let known = match why {
            Why::Built => self.deployed == Some(digest) && !self.told,
            Why::Changed => self.tried == Some(digest),
            Why::Assets => false,
        };
        if known {
            return;
        }
        self.tried = Some(digest);
        match self.platform.deploy(&self.script).await {
            Ok(()) => {
                self.deployed = Some(digest);
                self.told = false;
                self.signals.serving.store(true, Ordering::Relaxed);
                self.output.note(&format!("[{}] deployed", self.script.key));
            }
            Err(reason) => self.failed("refused", &reason, true).await,
        }
    }

    /// Tells of a failure: in one line on the terminal, in full to visitors.
    async fn failed(&mut self, what: &str, text: &str, print: bool) {
        let key = &self.script.key;
        let meanwhile = if self.signals.serving.load(Ordering::Relaxed) {
            "the last good version goes on serving"
        } else {
            "there is no version of it yet"
        };
        self.told = true;
        if print {
            self.output.note(&format!("[{key}] {text}"));
        }
        self.output.note(&format!("[{key}] {what}: {meanwhile}"));
        self.platform.fail(key, text.to_owned()).await;
    }
}

/// Reads no more than a component may have; the platform refuses what is larger.
async fn read_digest(path: &Path) -> std::io::Result<Digest> {
    let bytes = wasmyard_node::sources::read(path).await?;
    Ok(Digest::of(&bytes))
}
