//! The engines and what they share, as the rest of the platform sees them. There is one engine for each way of metering:
//! that which counts fuel is made when the first script asks for it.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::OnceCell;
use wasmyard_namespaces::digest::Digest;
use wasmyard_namespaces::script::ScriptKey;

use super::artifacts;
use super::compile::Compiler;
use super::config::{RuntimeConfig, StartError, engine_error};
use super::core::Core;
use super::engine::{self, Metering};
use super::loaded::{Budget, Loaded};
use super::loader::{Loader, blocking};
use super::module::{Module, ModuleError};
use super::places::Places;
use super::preparing::{Asker, Preparation, Preparations, Wanted, source};
use crate::limits::guest_memory::GuestMemoryFigures;
use crate::limits::shared::Commons;

/// Makes code ready and keeps it.
pub struct Runtime {
    core: Arc<Core>,
}

/// How loaded code does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheFigures {
    /// Look-ups that found a loaded module.
    pub hits: u64,
    /// Look-ups that had to load or compile one.
    pub misses: u64,
    /// Modules that are mapped now, whoever holds them.
    pub loaded: u64,
    /// Bytes of compiled code that are mapped now.
    pub loaded_bytes: u64,
    /// Components that are being compiled now.
    pub compiling: u64,
    /// Components that wait for that.
    pub waiting: u64,
}

impl Runtime {
    /// Makes the engine that measures time and opens the folder of artifacts. Everything that is not in it yet is compiled by
    /// `compiler`.
    ///
    /// # Errors
    ///
    /// [`StartError`] when the machine cannot give the address space, or the folder cannot be used.
    pub fn new(config: &RuntimeConfig, compiler: Arc<dyn Compiler>) -> Result<Self, StartError> {
        let commons = Commons::new(config.guest_memory, config.engine.max_instances);
        let budget = Budget { bytes: config.loaded_code_bytes, modules: config.loaded_modules.max(1) };
        let loaded = Loaded::new(budget);
        let pool = engine::pool(&config.engine, config.guest_memory.all)
            .map_err(|refused| StartError::Engine(refused.to_string()))?;
        let time = Loader::new(config, config.engine.metering, &pool, &compiler, &loaded, &commons)?;
        let meterings = Metering::ALL.into_iter().chain([config.engine.metering]);
        let own = meterings.map(engine::fingerprint).collect::<Result<Vec<_>, _>>().map_err(engine_error)?;
        artifacts::retire(&config.artifacts, &own)
            .map_err(|error| StartError::Artifacts { folder: config.artifacts.clone(), error })?;
        let core = Core {
            sizes: config.clone(),
            compiler,
            places: Places::new(config.compilations),
            loaded,
            preparations: Preparations::default(),
            commons,
            pool,
            time: Arc::new(time),
            fuel: OnceCell::new(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        };
        Ok(Self { core: Arc::new(core) })
    }

    /// The module of a component, if it is loaded.
    pub fn loaded(&self, metering: Metering, digest: &Digest) -> Option<Arc<Module>> {
        self.core.loaded.get(&(metering, *digest))
    }

    /// Begins to make a component ready for requests, or joins whoever has begun: loads its artifact, or has it compiled
    /// from what `component` gives. Needs a tokio runtime.
    ///
    /// The work does not end with the [`Preparation`]. What was refused lately is refused again, without being tried.
    pub fn prepare(
        &self,
        wanted: Wanted,
        component: impl Future<Output = Result<Bytes, String>> + Send + 'static,
    ) -> Preparation {
        self.core.prepare(wanted, source(component), Asker::Request).0
    }

    /// Has a component compiled that nobody waits for, if it is not compiled yet: when there is room beside those that
    /// somebody waits for, and one at a time. Says whether it had to be.
    ///
    /// # Errors
    ///
    /// As [`Runtime::module`].
    pub async fn compile_in_background(
        &self,
        wanted: Wanted,
        component: impl Future<Output = Result<Bytes, String>> + Send + 'static,
    ) -> Result<bool, Arc<ModuleError>> {
        let loader = self.core.loader(wanted.metering).await?;
        if loader.is_compiled(wanted.digest).await? {
            return Ok(false);
        }
        let place = self.core.places.take_in_background().await;
        let (mut preparation, _) = self.core.prepare(wanted, source(component), Asker::Nobody(place));
        preparation.done().await.map(|_| true)
    }

    /// Makes the engine of scripts in JavaScript ready, as the first of them would: it is compiled once for each build, which takes
    /// seconds, and loaded afterwards.
    ///
    /// # Errors
    ///
    /// [`ModuleError::NoJavaScript`] where there is none; otherwise what the machine refuses.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the compilation, if nobody else waits for it.
    pub async fn make_javascript_ready(&self, metering: Metering) -> Result<(), ModuleError> {
        self.core.loader(metering).await?.javascript().await.map(|_| ())
    }

    /// The module of a component for the engine that meters so: loaded already, or from its artifact, or compiled from
    /// `component`. Waits as long as that takes.
    ///
    /// Calls for the same digest at the same time do the work once.
    ///
    /// # Errors
    ///
    /// [`ModuleError`]; nothing is kept of a failure, so that the next call tries again.
    ///
    /// # Cancel safety
    ///
    /// Safe: the work goes on.
    pub async fn module(
        &self,
        metering: Metering,
        digest: &Digest,
        component: impl Future<Output = Result<Bytes, String>> + Send + 'static,
    ) -> Result<Arc<Module>, Arc<ModuleError>> {
        let wanted = Wanted { metering, digest: *digest, script: None };
        let mut component = source(component);
        loop {
            let (mut preparation, left) = self.core.prepare(wanted.clone(), component, Asker::Upload);
            match (preparation.done().await, left) {
                // Whoever had begun could not: perhaps its component cannot be read, and this one can.
                (Err(error), Some(left)) if !error.is_its_own() => component = left,
                (made, _) => return made,
            }
        }
    }

    /// Forgets a module, loaded and on disk: nothing is to be left of a component that is refused after it
    /// was compiled. Another call for it compiles anew. Where a version runs it, it stays.
    ///
    /// # Errors
    ///
    /// [`ModuleError::Internal`] when its artifact cannot be removed.
    pub async fn forget(&self, digest: &Digest) -> Result<(), ModuleError> {
        if self.core.loaded.is_claimed(digest) {
            return Ok(());
        }
        self.core.loaded.forget(digest);
        self.core.preparations.forget(digest);
        let (folder, digest) = (self.core.sizes.artifacts.clone(), *digest);
        blocking(move || artifacts::remove_everywhere(&folder, &digest).map_err(ModuleError::internal)).await
    }

    /// Checks a component without keeping anything of it.
    ///
    /// # Errors
    ///
    /// The [`ModuleError`] that an upload would be refused with.
    pub async fn check(&self, component: Bytes) -> Result<(), ModuleError> {
        let place = self.core.places.take(None).await;
        let _place = place.map_err(|_full| ModuleError::TooManyCompilations)?;
        self.core.time.check(component).await
    }

    /// The components whose compiled code is on disk and is older than `age`, in no order.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read.
    pub async fn artifacts_older_than(&self, age: Duration) -> std::io::Result<Vec<Digest>> {
        let folder = self.core.sizes.artifacts.clone();
        tokio::task::spawn_blocking(move || artifacts::older_than(&folder, age)).await?
    }

    /// The scripts whose code is loaded, `most` at most: the one that was used last comes first.
    pub fn recently_used(&self, most: usize) -> Vec<ScriptKey> {
        self.core.loaded.recently_used(most)
    }

    /// How much memory guests hold together.
    pub fn guest_memory(&self) -> GuestMemoryFigures {
        self.core.commons.memory.figures()
    }

    /// How loaded code does, and what is being compiled.
    pub fn cache_figures(&self) -> CacheFigures {
        let (loaded_bytes, loaded) = self.core.loaded.mapped();
        let (compiling, waiting) = self.core.places.figures();
        CacheFigures {
            hits: self.core.hits.load(Ordering::Relaxed),
            misses: self.core.misses.load(Ordering::Relaxed),
            loaded,
            loaded_bytes,
            compiling: compiling as u64,
            waiting: waiting as u64,
        }
    }
}
