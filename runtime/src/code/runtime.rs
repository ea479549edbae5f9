//! The engines, their linkers and the cache of modules. There is one engine for each way of metering: that which
//! counts fuel is made when the first script asks for it.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OnceCell, Semaphore};
use wasmtime::component::Linker;
use wasmyard_namespaces::digest::Digest;

use crate::code::artifacts::{self, Artifacts, Found};
use crate::code::compile::{CompileJob, Compiler};
use crate::code::engine::{self, Engine, EngineConfig, Metering};
use crate::code::module::{Module, ModuleError, check_header};
use crate::guest::state::State;
use crate::limits::guest_memory::{GuestMemoryFigures, GuestMemoryLimits};
use crate::limits::shared::Commons;

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
    /// How much memory guests may hold.
    pub guest_memory: GuestMemoryLimits,
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
    sizes: RuntimeConfig,
    compiler: Arc<dyn Compiler>,
    compiling: Arc<Semaphore>,
    /// Shared by both engines: guests of both run on the same processors, in the same memory.
    commons: Commons,
    time: Arc<Inner>,
    fuel: OnceCell<Arc<Inner>>,
    modules: moka::future::Cache<(Metering, Digest), Arc<Module>>,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// One engine, and what belongs to it.
struct Inner {
    engine: Engine,
    linker: Linker<State>,
    artifacts: Artifacts,
    compiler: Arc<dyn Compiler>,
    compiling: Arc<Semaphore>,
    max_memory_bytes: u64,
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
    /// Makes the engine that measures time and opens the folder of artifacts. Everything that is not in it yet is compiled by
    /// `compiler`.
    ///
    /// # Errors
    ///
    /// [`StartError`] when the machine cannot give the address space, or the folder cannot be used.
    pub fn new(config: &RuntimeConfig, compiler: Arc<dyn Compiler>) -> Result<Self, StartError> {
        let compiling = Arc::new(Semaphore::new(config.compilations.max(1)));
        let commons = Commons::new(config.guest_memory, config.engine.max_instances);
        let time = Inner::new(config, config.engine.metering, &compiler, &compiling, &commons)?;
        let meterings = Metering::ALL.into_iter().chain([config.engine.metering]);
        let known = meterings.map(engine::fingerprint).collect::<Result<Vec<_>, _>>();
        let known = known.map_err(engine_error)?;
        artifacts::remove_others(&config.artifacts, &known.iter().map(String::as_str).collect::<Vec<_>>())
            .map_err(|error| StartError::Artifacts { folder: config.artifacts.clone(), error })?;
        let modules = moka::future::Cache::builder()
            .max_capacity(config.loaded_code_bytes)
            // What was used last stays. The cache's own policy prefers what is used often, and would throw out a
            // script that has just been loaded: a tenant who is new would be loaded anew for each request.
            .eviction_policy(moka::policy::EvictionPolicy::lru())
            .weigher(|_, module: &Arc<Module>| u32::try_from(module.size()).unwrap_or(u32::MAX))
            .build();
        Ok(Self {
            sizes: config.clone(),
            compiler,
            compiling,
            commons,
            time: Arc::new(time),
            fuel: OnceCell::new(),
            modules,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        })
    }

    /// The engine for a way of metering. That which counts fuel reserves as much address space again, so it is made when it is
    /// needed.
    async fn engine(&self, metering: Metering) -> Result<Arc<Inner>, ModuleError> {
        let make = || {
            let (sizes, compiler) = (self.sizes.clone(), Arc::clone(&self.compiler));
            let (compiling, commons) = (Arc::clone(&self.compiling), self.commons.clone());
            blocking(move || {
                Inner::new(&sizes, Metering::Fuel, &compiler, &compiling, &commons)
                    .map(Arc::new)
                    .map_err(ModuleError::internal)
            })
        };
        match metering {
            Metering::Time | Metering::Bare => Ok(Arc::clone(&self.time)),
            Metering::Fuel if self.time.engine.metering == Metering::Fuel => Ok(Arc::clone(&self.time)),
            Metering::Fuel => self.fuel.get_or_try_init(make).await.map(Arc::clone),
        }
    }

    /// The module of a component for the engine that meters so: loaded already, or from its artifact, or compiled from `component`.
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
    pub async fn module<F>(
        &self,
        metering: Metering,
        digest: &Digest,
        component: F,
    ) -> Result<Arc<Module>, Arc<ModuleError>>
    where
        F: Future<Output = Result<Bytes, String>>,
    {
        if let Some(module) = self.modules.get(&(metering, *digest)).await {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(module);
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        let digest = *digest;
        let module = self
            .modules
            .try_get_with((metering, digest), async move {
                let inner = self.engine(metering).await?;
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
        for metering in Metering::ALL {
            self.modules.invalidate(&(metering, *digest)).await;
        }
        let (folder, digest) = (self.sizes.artifacts.clone(), *digest);
        blocking(move || {
            for metering in Metering::ALL {
                let artifacts = artifacts_of(&folder, metering).map_err(ModuleError::internal)?;
                artifacts.remove(&digest).map_err(ModuleError::internal)?;
            }
            Ok(())
        })
        .await
    }

    /// Checks a component without keeping anything of it.
    ///
    /// # Errors
    ///
    /// The [`ModuleError`] that an upload would be refused with.
    pub async fn check(&self, component: Bytes) -> Result<(), ModuleError> {
        let code = self.time.code(component).await?;
        let inner = Arc::clone(&self.time);
        blocking(move || {
            let component = Module::load_bytes(&inner.engine, &code).map_err(|error| unloadable(&error))?;
            Module::link(&inner.engine, &inner.linker, &component, &inner.commons).map(|_| ())
        })
        .await
    }

    /// The components whose compiled code is on disk and is older than `age`, in no order.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read.
    pub async fn artifacts_older_than(&self, age: Duration) -> std::io::Result<Vec<Digest>> {
        let folder = self.sizes.artifacts.clone();
        let look = move || {
            let mut old = Vec::new();
            for metering in Metering::ALL {
                old.extend(artifacts_of(&folder, metering)?.older_than(age)?);
            }
            Ok(old)
        };
        tokio::task::spawn_blocking(look).await?
    }

    /// How much memory guests hold together.
    pub fn guest_memory(&self) -> GuestMemoryFigures {
        self.commons.memory.figures()
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

fn engine_error(error: wasmtime::Error) -> StartError {
    StartError::Engine(format!("{error:#}"))
}

impl Inner {
    fn new(
        sizes: &RuntimeConfig,
        metering: Metering,
        compiler: &Arc<dyn Compiler>,
        compiling: &Arc<Semaphore>,
        commons: &Commons,
    ) -> Result<Self, StartError> {
        let engine = Engine::new(&sizes.engine, metering).map_err(engine_error)?;
        let linker = crate::bindings::link::linker(&engine.wasmtime).map_err(engine_error)?;
        let artifacts = Artifacts::open(&sizes.artifacts, &engine.fingerprint)
            .map_err(|error| StartError::Artifacts { folder: sizes.artifacts.clone(), error })?;
        let max_memory_bytes = u64::try_from(sizes.engine.max_memory_bytes).unwrap_or(u64::MAX);
        let (compiler, compiling, commons) = (Arc::clone(compiler), Arc::clone(compiling), commons.clone());
        Ok(Self { engine, linker, artifacts, compiler, compiling, max_memory_bytes, commons })
    }

    async fn load(self: &Arc<Self>, digest: Digest) -> Result<Option<Arc<Module>>, ModuleError> {
        let this = Arc::clone(self);
        blocking(move || match this.artifacts.find(&digest).map_err(ModuleError::internal)? {
            Found::Nothing => Ok(None),
            Found::Artifact(file) => match Module::load(&this.engine, &file) {
                Ok(component) => Module::link(&this.engine, &this.linker, &component, &this.commons)
                    .map(|module| Some(Arc::new(module))),
                Err(error) => {
                    // Ours, but this engine does not take it: compile anew.
                    tracing::warn!(%digest, error = format!("{error:#}"), "an artifact could not be loaded");
                    this.artifacts.remove(&digest).map_err(ModuleError::internal)?;
                    Ok(None)
                }
            },
        })
        .await
    }

    async fn compile(self: &Arc<Self>, digest: Digest, bytes: Bytes) -> Result<Arc<Module>, ModuleError> {
        let code = self.code(bytes).await?;
        let this = Arc::clone(self);
        blocking(move || {
            let file = this.artifacts.put(&digest, &code).map_err(ModuleError::internal)?;
            drop(code);
            let linked = Module::load(&this.engine, &file)
                .map_err(|error| unloadable(&error))
                .and_then(|component| Module::link(&this.engine, &this.linker, &component, &this.commons));
            if linked.is_err() {
                // Refused: nothing of it stays on disk.
                this.artifacts.remove(&digest).map_err(ModuleError::internal)?;
            }
            linked.map(Arc::new)
        })
        .await
    }

    /// Machine code for this engine, by the compiler.
    async fn code(&self, component: Bytes) -> Result<Vec<u8>, ModuleError> {
        check_header(&component)?;
        let _permit = self.compiling.acquire().await.map_err(ModuleError::internal)?;
        let (metering, max_memory_bytes) = (self.engine.metering, self.max_memory_bytes);
        let job = CompileJob { metering, max_memory_bytes, threads: threads_for(&component), component };
        match self.compiler.compile(job.clone()).await {
            // Several threads take more memory than one. What is refused must not depend on the machine.
            Err(ModuleError::TooMuchMemory) if job.threads > 1 => {
                self.compiler.compile(CompileJob { threads: 1, ..job }).await
            }
            code => code,
        }
    }
}

/// On how many threads a component is compiled. A small one is done before a second thread has begun; and nobody's
/// upload takes all of a large machine.
fn threads_for(component: &[u8]) -> usize {
    const LARGE: usize = 1 << 20;
    const MOST: usize = 4;
    if component.len() < LARGE {
        return 1;
    }
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(MOST)
}

/// Why code that was compiled a moment ago cannot be loaded: the machine failed, or the component needs more of
/// the pool than one may have, which only shows when its parts are put together.
fn unloadable(error: &wasmtime::Error) -> ModuleError {
    let machine =
        error.chain().any(|cause| cause.is::<std::io::Error>() || cause.is::<wasmtime::OutOfMemory>());
    if machine {
        ModuleError::Internal(format!("{error:#}"))
    } else {
        ModuleError::TooDemanding(format!("{error:#}"))
    }
}

/// The artifacts of an engine, whether there is one or not.
fn artifacts_of(folder: &Path, metering: Metering) -> std::io::Result<Artifacts> {
    let fingerprint =
        engine::fingerprint(metering).map_err(|error| std::io::Error::other(format!("{error:#}")))?;
    Artifacts::open(folder, &fingerprint)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ModuleError> + Send + 'static,
) -> Result<T, ModuleError> {
    tokio::task::spawn_blocking(work).await.map_err(ModuleError::internal)?
}
