//! The engine, its linker and the cache of modules: one of each in a process.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::Semaphore;
use wasmtime::component::Linker;
use wasmyard_namespaces::digest::Digest;

use crate::artifacts::{Artifacts, Found};
use crate::commons::{Commons, GuestMemoryFigures};
use crate::engine::{Engine, EngineConfig};
use crate::module::{Module, ModuleError};
use crate::state::State;

/// What a [`Runtime`] is made from.
#[derive(Debug, Clone)]
pub struct RuntimeConfig {
    /// Sizes of the engine.
    pub engine: EngineConfig,
    /// Where compiled code is kept between starts.
    pub artifacts: PathBuf,
    /// How many bytes of compiled code may be loaded at once; the least recently used goes first.
    pub loaded_code_bytes: u64,
    /// How many components may be compiled at the same time.
    pub compilations: usize,
    /// Linear memory and tables that all guests may hold together, in bytes.
    pub guest_memory_bytes: u64,
}

/// Why the runtime could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Wasmtime refused the configuration, or the machine could not give what it needs.
    #[error("the WebAssembly engine could not start: {0}")]
    Engine(String),
    /// The folder for compiled code could not be used.
    #[error("the folder for compiled code, {folder}, cannot be used: {error}")]
    Artifacts {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
}

/// Loads modules and keeps them.
pub struct Runtime {
    inner: Arc<Inner>,
    modules: moka::future::Cache<Digest, Arc<Module>>,
    hits: AtomicU64,
    misses: AtomicU64,
}

struct Inner {
    engine: Engine,
    linker: Linker<State>,
    artifacts: Artifacts,
    compiling: Arc<Semaphore>,
    commons: Commons,
}

/// How the module cache does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheFigures {
    /// Look-ups that found a loaded module.
    pub hits: u64,
    /// Look-ups that had to load or compile one.
    pub misses: u64,
    /// Modules loaded now.
    pub loaded: u64,
}

impl Runtime {
    /// Makes the engine and opens the folder of artifacts.
    ///
    /// # Errors
    ///
    /// [`StartError`] when the machine cannot give the address space, or the folder cannot be used.
    pub fn new(config: &RuntimeConfig) -> Result<Self, StartError> {
        let engine_error = |error: wasmtime::Error| StartError::Engine(format!("{error:#}"));
        let engine = Engine::new(&config.engine).map_err(engine_error)?;
        let linker = crate::link::linker(&engine.wasmtime).map_err(engine_error)?;
        let artifacts = Artifacts::open(&config.artifacts, &engine.fingerprint)
            .map_err(|error| StartError::Artifacts { folder: config.artifacts.clone(), error })?;
        let modules = moka::future::Cache::builder()
            .max_capacity(config.loaded_code_bytes)
            .weigher(|_, module: &Arc<Module>| u32::try_from(module.size()).unwrap_or(u32::MAX))
            .build();
        let compiling = Arc::new(Semaphore::new(config.compilations.max(1)));
        let commons = Commons::new(config.guest_memory_bytes);
        let inner = Arc::new(Inner { engine, linker, artifacts, compiling, commons });
        Ok(Self { inner, modules, hits: AtomicU64::new(0), misses: AtomicU64::new(0) })
    }

    /// The module of a component: loaded already, or from its artifact, or compiled from `component`.
    ///
    /// Calls for the same digest at the same time do the work once.
    ///
    /// # Errors
    ///
    /// [`ModuleError`]; nothing is kept of a failure, so that the next call tries again.
    ///
    /// # Cancel safety
    ///
    /// Safe: others who wait for the same module take over.
    pub async fn module<F>(&self, digest: &Digest, component: F) -> Result<Arc<Module>, Arc<ModuleError>>
    where
        F: Future<Output = Result<Bytes, String>>,
    {
        if let Some(module) = self.modules.get(digest).await {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(module);
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        let inner = Arc::clone(&self.inner);
        let digest = *digest;
        let module = self
            .modules
            .try_get_with(digest, async move {
                if let Some(module) = inner.load(digest).await? {
                    return Ok(module);
                }
                let bytes = component.await.map_err(ModuleError::Internal)?;
                inner.compile(digest, bytes).await
            })
            .await;
        // The cache counts what is in it when it tidies up: now, so that its figures are right.
        self.modules.run_pending_tasks().await;
        module
    }

    /// Forgets a module, loaded and on disk: nothing is to be left of a component that is refused after it
    /// was compiled. Another call for it compiles anew.
    ///
    /// # Errors
    ///
    /// [`ModuleError::Internal`] when its artifact cannot be removed.
    pub async fn forget(&self, digest: &Digest) -> Result<(), ModuleError> {
        self.modules.invalidate(digest).await;
        let inner = Arc::clone(&self.inner);
        let digest = *digest;
        blocking(move || inner.artifacts.remove(&digest).map_err(internal)).await
    }

    /// Checks a component without keeping anything of it. Blocks on the compiler.
    ///
    /// # Errors
    ///
    /// The [`ModuleError`] that an upload would be refused with.
    pub fn check(&self, component: &[u8]) -> Result<(), ModuleError> {
        let code = Module::compile(&self.inner.engine, component)?;
        let component = Module::load_bytes(&self.inner.engine, &code).map_err(internal)?;
        Module::link(&self.inner.linker, &component, &self.inner.commons).map(|_| ())
    }

    /// How much memory guests hold together.
    pub fn guest_memory(&self) -> GuestMemoryFigures {
        self.inner.commons.memory.figures()
    }

    /// How the cache does.
    pub fn cache_figures(&self) -> CacheFigures {
        CacheFigures {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            loaded: self.modules.entry_count(),
        }
    }
}

impl Inner {
    async fn load(self: &Arc<Self>, digest: Digest) -> Result<Option<Arc<Module>>, ModuleError> {
        let this = Arc::clone(self);
        blocking(move || match this.artifacts.find(&digest).map_err(internal)? {
            Found::Nothing => Ok(None),
            Found::Artifact(path) => match Module::load(&this.engine, &path) {
                Ok(component) => {
                    Module::link(&this.linker, &component, &this.commons).map(|module| Some(Arc::new(module)))
                }
                Err(error) => {
                    // Ours, but this engine does not take it: compile anew.
                    tracing::warn!(%digest, error = format!("{error:#}"), "an artifact could not be loaded");
                    this.artifacts.remove(&digest).map_err(internal)?;
                    Ok(None)
                }
            },
        })
        .await
    }

    async fn compile(self: &Arc<Self>, digest: Digest, bytes: Bytes) -> Result<Arc<Module>, ModuleError> {
        let permit = Arc::clone(&self.compiling).acquire_owned().await.map_err(internal)?;
        let this = Arc::clone(self);
        blocking(move || {
            let _permit = permit;
            let code = Module::compile(&this.engine, &bytes)?;
            let path = this.artifacts.put(&digest, &code).map_err(internal)?;
            drop(code);
            let linked = Module::load(&this.engine, &path)
                .map_err(internal)
                .and_then(|component| Module::link(&this.linker, &component, &this.commons));
            if linked.is_err() {
                // Refused: nothing of it stays on disk.
                this.artifacts.remove(&digest).map_err(internal)?;
            }
            linked.map(Arc::new)
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ModuleError> + Send + 'static,
) -> Result<T, ModuleError> {
    tokio::task::spawn_blocking(work).await.map_err(internal)?
}

fn internal(error: impl std::fmt::Display) -> ModuleError {
    ModuleError::Internal(error.to_string())
}
