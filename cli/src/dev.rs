//! The loop of `wasmyard dev`: build what changed, deploy what was built, keep what works.
//!
//! Owns the order of things for each script: one build at a time, an outdated one is stopped, a broken one
//! changes nothing but what the visitor is told. It must never take down a version that works, and knows
//! the platform only as a [`DevPlatform`].

pub mod build;
pub mod watch;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use tokio::io::AsyncReadExt as _;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wasmyard_namespaces::limits::MAX_COMPONENT_BYTES;
use wasmyard_namespaces::{Digest, ScriptKey};

use crate::config::{self, ConfigSource, Purpose, ResolvedConfig, ScriptConfig, ServerConfig};
use crate::failure::Failure;
use crate::output::Output;
use build::BuildError;
use watch::{Change, Interest, WatchError, Watcher};

/// The running platform, as much of it as the loop needs.
#[async_trait]
pub trait DevPlatform: Send + Sync + 'static {
    /// Deploys a component as the script's new version. From when it returns, new requests reach it, and a
    /// message of an earlier [`DevPlatform::fail`] is gone.
    ///
    /// # Errors
    /// Why the component is refused; the version before goes on serving.
    async fn deploy(&self, script: &ScriptConfig, wasm: &Path) -> Result<(), String>;

    /// Shows this message to whoever looks at the script in a browser, until the next good deployment. The
    /// last good version goes on serving everybody else.
    async fn fail(&self, script: &ScriptKey, message: String);

    /// Takes over a changed configuration: namespaces, routes and limits, and the removal of scripts that it
    /// does not declare any more. New and changed scripts are deployed afterwards.
    ///
    /// # Errors
    /// Why it cannot; then everything is as before.
    async fn reload_config(&self, config: &ResolvedConfig) -> Result<(), String>;
}

/// Builds and deploys all scripts of `config`, then again whatever changes, until `stop`. The platform must
/// already have the configuration's namespaces and routes.
///
/// # Errors
/// [`Failure::Failed`] when files cannot be watched.
pub async fn run(
    config: ResolvedConfig,
    platform: Arc<dyn DevPlatform>,
    output: &Output,
    stop: CancellationToken,
) -> Result<(), Failure> {
    let mut watcher = Watcher::start(interests(&config)).await.map_err(cannot_watch)?;
    let mut scripts = Scripts::new(platform, output.clone());
    for script in &config.scripts {
        scripts.start(script.clone(), First::Build, false);
    }
    // The file may have changed while the platform started: that is a change like any other.
    let mut current = scripts.reload(config, &watcher).await?;
    loop {
        let changes = tokio::select! {
            () = stop.cancelled() => break,
            changes = watcher.next() => changes,
        };
        let changes = match changes {
            Ok(changes) => changes,
            Err(WatchError::Ended) => return Err(cannot_watch(WatchError::Ended)),
            Err(error) => {
                output.note(&format!("warning: {error}"));
                continue;
            }
        };
        for change in &changes {
            match change {
                Change::Config => {}
                Change::Sources(key) => scripts.signal(key, |signals| &signals.sources),
                Change::Main(key) => scripts.signal(key, |signals| &signals.main),
            }
        }
        if changes.contains(&Change::Config) {
            current = scripts.reload(current, &watcher).await?;
        }
    }
    scripts.stop_all().await;
    Ok(())
}

fn cannot_watch(error: WatchError) -> Failure {
    Failure::failed(error.to_string())
}

/// What to look at: the configuration, every component, and what components are built from.
fn interests(config: &ResolvedConfig) -> Vec<Interest> {
    let mut interests = Vec::new();
    if let Some(file) = &config.source.file {
        interests.push(Interest { change: Change::Config, path: file.clone(), deep: false });
    }
    for script in &config.scripts {
        let key = &script.key;
        interests.push(Interest {
            change: Change::Main(key.clone()),
            path: script.main.clone(),
            deep: false,
        });
        for path in script.build.iter().flat_map(|build| &build.watch) {
            interests.push(Interest { change: Change::Sources(key.clone()), path: path.clone(), deep: true });
        }
    }
    interests
}

/// All scripts that are being taken care of, each by a task of its own.
struct Scripts {
    platform: Arc<dyn DevPlatform>,
    output: Output,
    running: HashMap<ScriptKey, Running>,
    tasks: JoinSet<ScriptKey>,
    /// What the file said of the server when it was last read.
    server: Option<ServerConfig>,
}

struct Running {
    config: ScriptConfig,
    signals: Arc<Signals>,
}

/// What a script's task waits for. Each is remembered once: ten changes during a build call for one more.
#[derive(Default)]
struct Signals {
    sources: Notify,
    main: Notify,
    stop: CancellationToken,
    /// Whether any version of it serves.
    serving: AtomicBool,
}

/// What a script's task begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    Build,
    Deploy,
}

impl Scripts {
    fn new(platform: Arc<dyn DevPlatform>, output: Output) -> Self {
        Self { platform, output, running: HashMap::new(), tasks: JoinSet::new(), server: None }
    }

    fn start(&mut self, config: ScriptConfig, first: First, serving: bool) {
        let signals = Arc::new(Signals { serving: AtomicBool::new(serving), ..Signals::default() });
        let task = Task {
            script: config.clone(),
            platform: Arc::clone(&self.platform),
            output: self.output.clone(),
            signals: Arc::clone(&signals),
            deployed: None,
            tried: None,
            told: false,
        };
        self.running.insert(config.key.clone(), Running { config, signals });
        self.tasks.spawn(task.run(first));
    }

    fn signal(&self, key: &ScriptKey, which: impl Fn(&Signals) -> &Notify) {
        if let Some(running) = self.running.get(key) {
            which(&running.signals).notify_one();
        }
    }

    /// Stops the task of one script and waits until its build has ended: two never run at once.
    async fn stop(&mut self, key: &ScriptKey) {
        let Some(running) = self.running.remove(key) else { return };
        running.signals.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            if ended.is_ok_and(|ended| ended == *key) {
                return;
            }
        }
    }

    async fn stop_all(&mut self) {
        for running in self.running.values() {
            running.signals.stop.cancel();
        }
        self.running.clear();
        while self.tasks.join_next().await.is_some() {}
    }

    /// Reads the configuration again, and takes it over if it can be used. Returns the one in force.
    async fn reload(
        &mut self,
        current: ResolvedConfig,
        watcher: &Watcher,
    ) -> Result<ResolvedConfig, Failure> {
        let Some(mut new) = self.read(&current).await else { return Ok(current) };
        // Listeners are bound already, and options of the command line lie over what the file says.
        let said = std::mem::replace(&mut new.server, current.server.clone());
        if self.server.replace(said.clone()).is_some_and(|before| before != said) {
            self.output.note("[server] takes effect with the next start");
        }
        if same_but_lines(&new, &current) {
            return Ok(new);
        }
        if let Err(reason) = self.platform.reload_config(&new).await {
            self.output.note(&format!("the changed configuration cannot be used: {reason}"));
            return Ok(current);
        }
        // First watch, then build: what changes in between must not be missed.
        watcher.watch(interests(&new)).await.map_err(cannot_watch)?;
        self.replace(&new).await;
        self.output.note("configuration reloaded");
        Ok(new)
    }

    async fn read(&self, current: &ResolvedConfig) -> Option<ResolvedConfig> {
        let source: ConfigSource = current.source.clone();
        let loaded = tokio::task::spawn_blocking(move || config::load(source, Purpose::Dev)).await.ok()?;
        match loaded {
            Ok((new, warnings)) => {
                // The first time, they have been told already.
                if !warnings.list.is_empty() && self.server.is_some() {
                    self.output.note(&warnings.to_string());
                }
                Some(new)
            }
            Err(faults) => {
                self.output.note(&Failure::Config(faults).to_string());
                self.output.note("the configuration before stays in force");
                None
            }
        }
    }

    async fn replace(&mut self, new: &ResolvedConfig) {
        let declared: HashMap<&ScriptKey, &ScriptConfig> =
            new.scripts.iter().map(|script| (&script.key, script)).collect();
        let gone: Vec<ScriptKey> =
            self.running.keys().filter(|key| !declared.contains_key(key)).cloned().collect();
        for key in gone {
            self.stop(&key).await;
        }
        for script in &new.scripts {
            let first = match self.running.get(&script.key) {
                None => First::Build,
                Some(running) if same_script(&running.config, script) => continue,
                Some(running) if running.config.build == script.build => First::Deploy,
                Some(_) => First::Build,
            };
            let before = self.running.get(&script.key);
            let serving = before.is_some_and(|running| running.signals.serving.load(Ordering::Relaxed));
            self.stop(&script.key).await;
            self.start(script.clone(), first, serving);
        }
    }
}

/// Whether two configurations differ in nothing but the lines that things stand on.
fn same_but_lines(a: &ResolvedConfig, b: &ResolvedConfig) -> bool {
    let routes = |config: &ResolvedConfig| {
        config.routes.iter().map(|route| (route.pattern.clone(), route.target.clone())).collect::<Vec<_>>()
    };
    a.limits == b.limits
        && a.ceiling == b.ceiling
        && a.namespaces == b.namespaces
        && routes(a) == routes(b)
        && a.scripts.len() == b.scripts.len()
        && a.scripts.iter().zip(&b.scripts).all(|(a, b)| same_script(a, b))
}

fn same_script(a: &ScriptConfig, b: &ScriptConfig) -> bool {
    ScriptConfig { line: 0, ..a.clone() } == ScriptConfig { line: 0, ..b.clone() }
}

/// Takes care of one script.
struct Task {
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
}

/// How a build ended.
enum Built {
    Done,
    Failed(BuildError),
    Stopped,
}

impl Task {
    async fn run(mut self, first: First) -> ScriptKey {
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
        let digest = match read_digest(&self.script.main).await {
            Ok(digest) => digest,
            // Compilers remove what they are about to write; what serves does not need the file.
            Err(error) if why == Why::Changed && error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => {
                let remedy = if self.script.build.is_some() {
                    "does the build command make it there?"
                } else {
                    "it is deployed as soon as it appears"
                };
                let text = format!("{} cannot be read: {error}; {remedy}", self.script.main.display());
                self.tried = None;
                return self.failed("nothing to deploy", &text, true).await;
            }
        };
        let known = match why {
            Why::Built => self.deployed == Some(digest) && !self.told,
            Why::Changed => self.tried == Some(digest),
        };
        if known {
            return;
        }
        self.tried = Some(digest);
        match self.platform.deploy(&self.script, &self.script.main).await {
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
    let mut bytes = Vec::new();
    tokio::fs::File::open(path).await?.take(MAX_COMPONENT_BYTES + 1).read_to_end(&mut bytes).await?;
    Ok(Digest::of(&bytes))
}

#[cfg(test)]
mod tests;
