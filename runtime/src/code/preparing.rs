//! Making code ready: loaded from disk, or compiled. A component is made ready once at a time for each way of metering,
//! in a task of its own: whoever asked may leave, and the work goes on for the next one who asks.
//!
//! What a component was refused for is remembered for a while, so that its visitors do not have it compiled again and
//! again. Must never decide how long a request waits: whoever asks does.

use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::Instant;
use wasmyard_namespaces::digest::Digest;
use wasmyard_namespaces::script::ScriptKey;

use super::engine::Metering;
use super::loaded::Key;
use super::module::{Module, ModuleError};
use super::places::{Full, Place};
use super::runtime::Core;

/// How long it is remembered that a component cannot be made ready.
const REMEMBERED: Duration = Duration::from_secs(600);
/// Of how many components.
const MOST_REMEMBERED: usize = 1_024;

/// What came of it.
pub(super) type Made = Result<Arc<Module>, Arc<ModuleError>>;
/// Where a component's bytes come from, if they are needed.
pub(super) type Source = BoxFuture<'static, Result<Bytes, String>>;

/// What is to be made ready.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// How the guest's CPU time is going to be metered.
    pub metering: Metering,
    /// The component.
    pub digest: Digest,
    /// The script that it is for: named in the log. None where there is none yet.
    pub script: Option<ScriptKey>,
}

/// How far it is.
#[derive(Clone)]
enum Stage {
    /// Compiled code is looked for on the disk.
    Looking,
    /// There is none: the component is compiled, or waits for that.
    Compiling,
    Done(Made),
}

/// Code that is being made ready. It goes on when this is dropped.
pub struct Preparation {
    stage: watch::Receiver<Stage>,
}

impl Preparation {
    fn ended(made: Made) -> Self {
        Self { stage: watch::channel(Stage::Done(made)).1 }
    }

    /// Waits until it is known whether compiled code was on the disk. None where the component has to be compiled, which
    /// may take minutes.
    ///
    /// # Errors
    ///
    /// As [`Preparation::done`].
    ///
    /// # Cancel safety
    ///
    /// Safe: the work goes on, and can be waited for again.
    pub async fn looked(&mut self) -> Result<Option<Arc<Module>>, Arc<ModuleError>> {
        match self.wait(|stage| !matches!(stage, Stage::Looking)).await {
            Stage::Done(made) => made.map(Some),
            Stage::Looking | Stage::Compiling => Ok(None),
        }
    }

    /// Waits for its end.
    ///
    /// # Errors
    ///
    /// Why it cannot be made ready.
    ///
    /// # Cancel safety
    ///
    /// Safe: the work goes on, and can be waited for again.
    pub async fn done(&mut self) -> Result<Arc<Module>, Arc<ModuleError>> {
        match self.wait(|stage| matches!(stage, Stage::Done(_))).await {
            Stage::Done(made) => made,
            Stage::Looking | Stage::Compiling => Err(Arc::new(ended_early())),
        }
    }

    async fn wait(&mut self, until: impl FnMut(&Stage) -> bool) -> Stage {
        match self.stage.wait_for(until).await {
            Ok(stage) => stage.clone(),
            // Its task is gone: the process is ending.
            Err(_closed) => Stage::Done(Err(Arc::new(ended_early()))),
        }
    }
}

fn ended_early() -> ModuleError {
    ModuleError::internal("making it ready ended early")
}

/// What is under way, and what was refused lately.
#[derive(Default)]
pub(super) struct Preparations {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    underway: HashMap<Key, watch::Receiver<Stage>>,
    refused: HashMap<Key, (Instant, Arc<ModuleError>)>,
}

/// By whom something is asked for.
pub(super) enum Asker {
    /// By a request: what was refused a moment ago is refused again.
    Request,
    /// By an upload: it is tried anew.
    Upload,
    /// By nobody: it has a place already, and compiles on it.
    Nobody(Place),
}

impl Core {
    /// Begins to make something ready, or joins whoever has begun; the source comes back then.
    pub(super) fn prepare(
        self: &Arc<Self>,
        wanted: Wanted,
        source: Source,
        asker: Asker,
    ) -> (Preparation, Option<Source>) {
        let key = (wanted.metering, wanted.digest);
        if let Some(module) = self.loaded.get(&key) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return (Preparation::ended(Ok(module)), Some(source));
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        let mut state = self.preparations.lock();
        if let Some(stage) = state.underway.get(&key) {
            return (Preparation { stage: stage.clone() }, Some(source));
        }
        if let Asker::Request = asker
            && let Some(refused) = state.refused(&key)
        {
            return (Preparation::ended(Err(refused)), Some(source));
        }
        let (told, stage) = watch::channel(Stage::Looking);
        state.underway.insert(key, stage.clone());
        drop(state);
        let this = Arc::clone(self);
        tokio::spawn(async move {
            let made = AssertUnwindSafe(this.make(wanted, source, asker, &told)).catch_unwind().await;
            let made = made.unwrap_or_else(|_| Err(ModuleError::internal("a panic"))).map_err(Arc::new);
            let made = made.map(|module| this.loaded.keep(key, module));
            this.preparations.ended(&key, &made);
            // Afterwards: who is told looks for it among what is loaded.
            told.send_replace(Stage::Done(made));
        });
        (Preparation { stage }, None)
    }

    async fn make(
        self: &Arc<Self>,
        wanted: Wanted,
        source: Source,
        asker: Asker,
        told: &watch::Sender<Stage>,
    ) -> Result<Arc<Module>, ModuleError> {
        let Wanted { metering, digest, script } = wanted;
        let loader = self.loader(metering).await?;
        // Loaded a moment ago, by whoever had begun before.
        if let Some(module) = self.loaded.get(&(metering, digest)) {
            return Ok(module);
        }
        if let Some(module) = loader.load(digest).await? {
            return Ok(module);
        }
        told.send_replace(Stage::Compiling);
        let (place, in_background) = match asker {
            Asker::Nobody(place) => (place, true),
            Asker::Request | Asker::Upload => {
                let namespace = script.as_ref().and_then(ScriptKey::namespace);
                let place = self.places.take(namespace).await;
                (place.map_err(|Full| ModuleError::TooManyCompilations)?, false)
            }
        };
        // Read only now, so that those who wait hold no component.
        let component = source.await.map_err(ModuleError::Internal)?;
        let script = script.map_or_else(|| "(an upload)".to_owned(), |script| script.to_string());
        let (begun, bytes) = (Instant::now(), component.len());
        tracing::info!(script, %digest, metering = metering.name(), bytes, in_background, "compiling");
        let made = loader.compile(digest, component, in_background).await;
        drop(place);
        let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        match &made {
            Ok(_) => tracing::info!(script, %digest, took_ms, "compiled"),
            Err(error) => tracing::warn!(script, %digest, took_ms, ?error, "could not be compiled: {error}"),
        }
        made
    }
}

impl Preparations {
    fn ended(&self, key: &Key, made: &Made) {
        let mut state = self.lock();
        state.underway.remove(key);
        match made {
            Ok(_) => drop(state.refused.remove(key)),
            Err(error) if error.is_its_own() => state.remember(*key, Arc::clone(error)),
            Err(_) => {}
        }
    }

    /// Forgets that a component was refused.
    pub(super) fn forget(&self, digest: &Digest) {
        self.lock().refused.retain(|(_, refused), _| refused != digest);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn refused(&mut self, key: &Key) -> Option<Arc<ModuleError>> {
        let (since, error) = self.refused.get(key)?;
        if since.elapsed() < REMEMBERED {
            return Some(Arc::clone(error));
        }
        self.refused.remove(key);
        None
    }

    fn remember(&mut self, key: Key, error: Arc<ModuleError>) {
        if self.refused.len() >= MOST_REMEMBERED {
            let oldest = self.refused.iter().min_by_key(|(_, (since, _))| *since).map(|(key, _)| *key);
            oldest.map(|oldest| self.refused.remove(&oldest));
        }
        self.refused.insert(key, (Instant::now(), error));
    }
}

/// Boxes a source.
pub(super) fn source(component: impl Future<Output = Result<Bytes, String>> + Send + 'static) -> Source {
    Box::pin(component)
}
