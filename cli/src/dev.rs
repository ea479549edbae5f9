//! The loop of `wasmyard dev`: build what changed, deploy what was built, keep what works.
//!
//! Owns the order of things for each script: one build at a time, an outdated one is stopped, a broken one
//! changes nothing but what the visitor is told. It must never take down a version that works, and knows
//! the platform only as a [`DevPlatform`].

pub mod build;
mod task;
pub mod watch;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wasmyard_namespaces::ScriptKey;
use wasmyard_node::DevNode;
use wasmyard_node::config::{self, ConfigSource, Purpose, ResolvedConfig, ScriptConfig};
use wasmyard_node::sources;

use crate::failure::Failure;
use crate::output::Output;
use task::{First, Signals, Task};
use watch::{Change, Interest, WatchError, Watcher};

/// The running platform, as much of it as the loop needs.
#[async_trait]
pub trait DevPlatform: Send + Sync + 'static {
    /// Deploys the script's component and assets, as they are now, as its new version. From when it returns, new requests reach it, and a
    /// message of an earlier [`DevPlatform::fail`] is gone.
    ///
    /// # Errors
    /// Why the component is refused; the version before goes on serving.
    async fn deploy(&self, script: &ScriptConfig) -> Result<(), String>;

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

#[async_trait]
impl DevPlatform for DevNode {
    async fn deploy(&self, script: &ScriptConfig) -> Result<(), String> {
        DevNode::deploy(self, script).await
    }

    async fn fail(&self, script: &ScriptKey, message: String) {
        DevNode::fail(self, script, message);
    }

    async fn reload_config(&self, config: &ResolvedConfig) -> Result<(), String> {
        DevNode::reload_config(self, config).await
    }
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
                Change::Assets(key) => scripts.signal(key, |signals| &signals.assets),
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
        if let Some(main) = &script.main {
            interests.push(Interest { change: Change::Main(key.clone()), path: main.clone(), deep: false });
            // What it imports lies beside it or below.
            if let Some(folder) = main.parent().filter(|_| sources::is_javascript(main)) {
                let path = folder.to_owned();
                interests.push(Interest { change: Change::Main(key.clone()), path, deep: true });
            }
        }
        if let Some(assets) = &script.assets {
            let path = assets.directory.clone();
            interests.push(Interest { change: Change::Assets(key.clone()), path, deep: true });
        }
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
    /// What the file said when it was last read.
    read: Option<ResolvedConfig>,
}

struct Running {
    config: ScriptConfig,
    signals: Arc<Signals>,
}

impl Scripts {
    fn new(platform: Arc<dyn DevPlatform>, output: Output) -> Self {
        Self { platform, output, running: HashMap::new(), tasks: JoinSet::new(), read: None }
    }

    fn start(&mut self, config: ScriptConfig, first: First, serving: bool) {
        let signals = Arc::new(Signals::new(serving));
        let (platform, output) = (Arc::clone(&self.platform), self.output.clone());
        let task = Task::new(config.clone(), platform, output, Arc::clone(&signals));
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
            // A task that died would never be seen to end: do not wait for it.
            if ended.is_err() || ended.is_ok_and(|ended| ended == *key) {
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
        if let Some(before) = self.read.replace(new.clone()) {
            for section in before.fixed_sections_that_differ(&new) {
                self.output.note(&format!("[{section}] takes effect with the next start"));
            }
        }
        // Listeners are bound already, and options of the command line lie over what the file says.
        new.server = current.server.clone();
        new.egress = current.egress.clone();
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
                if !warnings.list.is_empty() && self.read.is_some() {
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

#[cfg(test)]
mod tests;
