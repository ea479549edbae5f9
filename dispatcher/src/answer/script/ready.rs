//! Making versions ready: from a script's record to code that is loaded, and for how long a request waits for it.
//!
//! Compiling belongs to the component and goes on whoever leaves ([`wasmyard_runtime::Preparation`]); a request waits
//! for a moment and is told to come again then. While it waits for a compilation it holds no place. Versions that were
//! replaced or deleted are let go as soon as the registry says so. Must never run anything.

use std::sync::{Arc, Weak};
use std::time::Duration;

use dashmap::DashMap;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;
use wasmyard_namespaces::registry::{Registry, RegistryEvent};
use wasmyard_namespaces::script::{Script, ScriptKey};
use wasmyard_runtime::{
    Failure, Granted, Metering, Module, ModuleError, Ready, Reuse, Services, Wanted, Worker,
};

use super::{Scripts, internal};
use crate::admission::{Permit, RETRY_AFTER};
use crate::assets;

/// How long a request waits for code to be loaded from the disk. It holds its place meanwhile.
const LOADING: Duration = Duration::from_secs(5);
/// How long a request waits for a script in JavaScript to be evaluated, at least: that takes milliseconds, and a second of CPU
/// time at most, where a component takes minutes.
const EVALUATED: Duration = Duration::from_secs(5);
/// The capability that caches are, as components import it.
const CACHES: &str = "wasmyard:platform/cache";
/// When it is worth trying again where code is being compiled.
const COMPILED_AFTER: Duration = Duration::from_secs(2);

/// The versions that were made ready, those that serve of their scripts.
pub(super) struct Versions {
    /// Of how many scripts they are kept: each is small beside its code, which it does not keep loaded.
    most: usize,
    /// Those whose CPU time is measured, and those whose fuel is counted. Of a script those that serve, and for a moment
    /// one that did.
    kept: [DashMap<ScriptKey, Vec<Arc<Worker>>>; 2],
}

/// The most versions of a script that are kept: two serve at most, and one was replaced a moment ago.
const MOST_VERSIONS: usize = 3;

impl Versions {
    pub(super) fn new(most: u64) -> Self {
        let most = usize::try_from(most).unwrap_or(usize::MAX).max(1);
        Self { most, kept: Default::default() }
    }

    fn of(&self, metering: Metering) -> &DashMap<ScriptKey, Vec<Arc<Worker>>> {
        let [time, fuel] = &self.kept;
        match metering {
            Metering::Fuel => fuel,
            Metering::Time | Metering::Bare => time,
        }
    }

    /// The script's version, if it is ready.
    fn get(&self, script: &Script, metering: Metering) -> Option<Arc<Worker>> {
        let workers = self.of(metering).get(&script.key)?;
        workers.iter().find(|worker| worker.version() == script.version.id).map(Arc::clone)
    }

    /// Keeps a version, before those that were kept. Where somebody else has made the same ready meanwhile, that one stays.
    fn keep(&self, script: &Script, metering: Metering, worker: Arc<Worker>) -> Arc<Worker> {
        let kept = self.of(metering);
        if kept.len() >= self.most && !kept.contains_key(&script.key) {
            self.make_room(kept);
        }
        let mut workers = kept.entry(script.key.clone()).or_default();
        let same = workers.iter().position(|known| known.version() == worker.version());
        if let Some(known) = same.and_then(|at| workers.get(at)).filter(|known| known.is_loaded()) {
            return Arc::clone(known);
        }
        let mut gone: Vec<Arc<Worker>> = same.map(|at| workers.remove(at)).into_iter().collect();
        workers.insert(0, Arc::clone(&worker));
        let end = workers.len().min(MOST_VERSIONS);
        gone.extend(workers.drain(end..));
        // Dropped without the lock: each may be the last one to claim its code.
        drop(workers);
        drop(gone);
        worker
    }

    /// Forgets those whose code is not loaded; where all are, those of one script.
    fn make_room(&self, kept: &DashMap<ScriptKey, Vec<Arc<Worker>>>) {
        kept.retain(|_, workers| workers.iter().any(|worker| worker.is_loaded()));
        if kept.len() >= self.most {
            let any = kept.iter().next().map(|entry| entry.key().clone());
            drop(any.and_then(|key| kept.remove(&key)));
        }
    }

    /// Lets go of a script's versions but these.
    fn release(&self, key: &ScriptKey, but: &[&str]) {
        for kept in &self.kept {
            let mut gone = Vec::new();
            if let Some(mut workers) = kept.get_mut(key) {
                gone.extend(workers.extract_if(.., |worker| !but.contains(&worker.version())));
            }
            kept.remove_if(key, |_, workers| workers.is_empty());
            drop(gone);
        }
    }

    fn scripts(&self) -> Vec<ScriptKey> {
        let mut keys: Vec<ScriptKey> =
            self.kept.iter().flat_map(|kept| kept.iter().map(|entry| entry.key().clone())).collect();
        keys.sort_unstable_by_key(ToString::to_string);
        keys.dedup();
        keys
    }
}

impl Scripts {
    /// The script's active version, ready to run by this permit or by one in its place. What is seldom is boxed: every
    /// invocation makes this future.
    pub(super) async fn ready(
        &self,
        permit: Permit,
        script: &Arc<Script>,
        depth: u32,
        metering: Metering,
    ) -> Result<(Permit, Ready), Failure> {
        let (permit, ready) = match self.versions.get(script, metering).and_then(|worker| worker.ready()) {
            Some(ready) => (permit, ready),
            None => Box::pin(self.made_ready(permit, script, depth, metering)).await?,
        };
        ready.check_room()?;
        Ok((permit, ready))
    }

    async fn made_ready(
        &self,
        permit: Permit,
        script: &Arc<Script>,
        depth: u32,
        metering: Metering,
    ) -> Result<(Permit, Ready), Failure> {
        let digest = script
            .version
            .code
            .loads()
            .ok_or_else(|| Failure::NoResponse("it has no code, only static assets".to_owned()))?;
        let registry = self.registry.clone();
        let component = async move { registry.component(&digest).await.map_err(|error| error.to_string()) };
        let wanted = Wanted { metering, digest, script: Some(script.key.clone()) };
        let mut preparation = self.runtime.prepare(wanted, component);
        let looked = timeout(LOADING, preparation.looked()).await.map_err(|_| not_ready())?;
        if let Some(module) = looked.map_err(|error| failure_of(&error))? {
            return Ok((permit, self.keep(script, metering, &module)?));
        }
        // It takes as long as it takes: the place is for somebody who can run.
        drop(permit);
        let is_javascript = script.version.code.is_javascript();
        let wait = if is_javascript { self.ready_wait.max(EVALUATED) } else { self.ready_wait };
        let made = timeout(wait, preparation.done()).await.map_err(|_| not_ready())?;
        let ready = self.keep(script, metering, &made.map_err(|error| failure_of(&error))?)?;
        Ok((self.admission.admit(&script.key, depth == 0).await?, ready))
    }

    fn keep(&self, script: &Arc<Script>, metering: Metering, module: &Arc<Module>) -> Result<Ready, Failure> {
        let version = &script.version;
        let files = assets::OfVersion::granted(&self.assets, script);
        // A user script counts for itself; platform scripts are one tenant.
        let tenant = script.key.namespace().map(|_| script.key.to_string()).unwrap_or_default();
        let own_rates = self.services.rates.as_ref().map(|rates| rates.of(&tenant));
        // By the identifier that the script keeps until it is deleted: another one of its name has others.
        let caches = self.services.caches.as_ref().zip(self.caches_name(&script.key));
        let own_caches = caches.and_then(|(caches, name)| caches.of(&script.id, &name));
        let services = Services { files, own_rates, own_caches, ..self.services.clone() };
        let granted = Granted::new(&version.bindings, &services);
        let reuse = if version.reuses_instances() { Reuse::WhenDone } else { Reuse::Never };
        let worker = Worker::new(script.key.clone(), &version.id, granted, Arc::clone(module), reuse);
        let ready = self.versions.keep(script, metering, worker).ready();
        ready.ok_or_else(|| internal("code was let go of while it was held"))
    }

    /// The name under which a script's caches are known, of which no change of its namespace's name makes another; none where
    /// the script has no caches. Unlike a binding they are not declared, so that the policy of the namespace is asked when a
    /// version is made ready.
    fn caches_name(&self, key: &ScriptKey) -> Option<String> {
        let Some(name) = key.namespace() else { return Some(key.to_string()) };
        let namespace = self.registry.namespace_cached(name)?;
        let is_allowed = namespace.capabilities.as_ref().is_none_or(|policy| policy.allows(CACHES));
        is_allowed.then(|| format!("{}/{}", namespace.id, key.script()))
    }

    /// What the registry says of a script, done: what was replaced or deleted is let go, and the code of a new version,
    /// which its upload has loaded, is its own from now on.
    async fn renew(&self, key: &ScriptKey) {
        let script = match self.registry.script(key).await {
            Ok(script) => script,
            Err(error) => {
                tracing::warn!(script = %key, %error, "could not be looked up; what is loaded of it stays");
                return;
            }
        };
        let serving: Vec<Script> = match &script {
            Some(script) => script.serving().map(|(version, _)| script.with(version)).collect(),
            None => Vec::new(),
        };
        for script in serving.iter().cloned().map(Arc::new) {
            let Some(digest) = script.version.code.loads() else { continue };
            for metering in Metering::ALL {
                if let Some(module) = self.runtime.loaded(metering, &digest) {
                    drop(self.keep(&script, metering, &module));
                }
            }
        }
        let ids: Vec<&str> = serving.iter().map(|script| script.version.id.as_str()).collect();
        self.versions.release(key, &ids);
    }
}

/// Follows the registry until it or the scripts are gone.
pub(super) async fn follow(registry: Registry, scripts: Weak<Scripts>) {
    let mut changes = registry.changes();
    loop {
        let change = changes.recv().await;
        let Some(scripts) = scripts.upgrade() else { return };
        match change {
            Ok(RegistryEvent::Script(key)) => scripts.renew(&key).await,
            // Its scripts may be gone with it, or have other names.
            Ok(RegistryEvent::Namespace { .. }) => {
                for key in scripts.versions.scripts() {
                    if key.namespace().is_some_and(|name| registry.namespace_cached(name).is_none()) {
                        scripts.versions.release(&key, &[]);
                    }
                }
            }
            Ok(RegistryEvent::Everything) | Err(RecvError::Lagged(_)) => {
                for key in scripts.versions.scripts() {
                    scripts.renew(&key).await;
                }
            }
            Ok(_) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

fn not_ready() -> Failure {
    Failure::BeingMadeReady { retry_after: COMPILED_AFTER }
}

fn failure_of(error: &ModuleError) -> Failure {
    match error {
        ModuleError::TooManyCompilations | ModuleError::NoRoom => {
            Failure::Overloaded { retry_after: RETRY_AFTER }
        }
        error => internal(error),
    }
}

#[cfg(test)]
mod tests;
