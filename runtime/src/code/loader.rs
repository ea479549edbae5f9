//! One engine with what belongs to it: from a component, or from compiled code on disk, to a module. Owns no table of
//! what is loaded and decides nothing about when: [`super::preparing`] does.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use tokio::sync::OnceCell;
use wasmtime::component::Linker;
use wasmyard_namespaces::digest::Digest;
use wasmyard_pool::Pool;

use super::artifacts::{Artifacts, Found, MAC_BYTES};
use super::compile::{CompileJob, Compiler};
use super::config::{RuntimeConfig, StartError, engine_error};
use super::deltas;
use super::engine::{Engine, Metering};
use super::javascript::{self, Built, JavaScript};
use super::loaded::{Loaded, NoRoom};
use super::module::{Module, ModuleError, check_header};
use crate::guest::state::State;
use crate::limits::shared::Commons;

/// An engine for one way of metering.
pub(super) struct Loader {
    pub(super) engine: Engine,
    linker: Linker<State>,
    artifacts: Artifacts,
    compiler: Arc<dyn Compiler>,
    loaded: Arc<Loaded>,
    max_memory_bytes: u64,
    commons: Commons,
    /// The engine of JavaScript as it was built; none where there is none.
    built: Option<Bytes>,
    /// What names that build, once it was asked for.
    build: OnceLock<Digest>,
    javascript: OnceCell<JavaScript>,
}

impl Loader {
    pub(super) fn new(
        sizes: &RuntimeConfig,
        metering: Metering,
        pool: &Pool,
        compiler: &Arc<dyn Compiler>,
        loaded: &Arc<Loaded>,
        commons: &Commons,
    ) -> Result<Self, StartError> {
        let engine = Engine::new(&sizes.engine, metering, pool).map_err(engine_error)?;
        let linker = crate::bindings::link::linker(&engine.wasmtime).map_err(engine_error)?;
        let artifacts = Artifacts::open(&sizes.artifacts, &engine.fingerprint)
            .map_err(|error| StartError::Artifacts { folder: sizes.artifacts.clone(), error })?;
        let max_memory_bytes = u64::try_from(sizes.engine.max_memory_bytes).unwrap_or(u64::MAX);
        let (compiler, loaded, commons) = (Arc::clone(compiler), Arc::clone(loaded), commons.clone());
        let built = sizes.javascript.clone();
        Ok(Self {
            engine,
            linker,
            artifacts,
            compiler,
            loaded,
            max_memory_bytes,
            commons,
            built,
            build: OnceLock::new(),
            javascript: OnceCell::new(),
        })
    }

    /// Whether compiled code is on disk; not whether it is whole. A script's memory of another build of the JavaScript engine
    /// is none.
    pub(super) async fn is_compiled(self: &Arc<Self>, digest: Digest) -> Result<bool, ModuleError> {
        let this = Arc::clone(self);
        blocking(move || {
            let begins = this.artifacts.begins(&digest, deltas::HEAD_BYTES).map_err(ModuleError::internal)?;
            Ok(begins.is_some_and(|begins| {
                let of_this_build = || this.build().is_some_and(|build| begins == deltas::head_for(&build));
                !deltas::is_delta(&begins) || of_this_build()
            }))
        })
        .await
    }

    /// What names the build of the JavaScript engine; none where there is none.
    fn build(&self) -> Option<Digest> {
        let built = self.built.as_ref()?;
        Some(*self.build.get_or_init(|| Digest::of(built)))
    }

    /// The module, if its code is on disk.
    pub(super) async fn load(self: &Arc<Self>, digest: Digest) -> Result<Option<Arc<Module>>, ModuleError> {
        let this = Arc::clone(self);
        let found = blocking(move || match this.artifacts.find(&digest).map_err(ModuleError::internal)? {
            Found::Nothing => Ok(OnDisk::Nothing),
            Found::Artifact(file) => match delta_of(&file).map_err(ModuleError::internal)? {
                Some(delta) => Ok(OnDisk::Delta(delta)),
                None => this.loaded_code(digest, &file),
            },
        })
        .await?;
        match found {
            OnDisk::Nothing => Ok(None),
            OnDisk::Code(module) => Ok(Some(module)),
            OnDisk::Delta(delta) => {
                let script = self.script(digest, &delta).await?;
                if script.is_none() {
                    // Of another build of the engine: it is evaluated anew.
                    let this = Arc::clone(self);
                    blocking(move || this.artifacts.remove(&digest).map_err(ModuleError::internal)).await?;
                }
                Ok(script)
            }
        }
    }

    fn loaded_code(&self, digest: Digest, file: &File) -> Result<OnDisk, ModuleError> {
        let _room = self.room(file.metadata().map_err(ModuleError::internal)?.len())?;
        match Module::load(&self.engine, file) {
            Ok(component) => self.link(digest, &component).map(OnDisk::Code),
            Err(error) => {
                // Ours, but this engine does not take it: compile anew.
                tracing::warn!(%digest, error = format!("{error:#}"), "an artifact could not be loaded");
                self.artifacts.remove(&digest).map_err(ModuleError::internal)?;
                Ok(OnDisk::Nothing)
            }
        }
    }

    /// The module, compiled just now; its code is on disk afterwards.
    pub(super) async fn compile(
        self: &Arc<Self>,
        digest: Digest,
        bytes: Bytes,
        in_background: bool,
    ) -> Result<Arc<Module>, ModuleError> {
        if javascript::is_bundle(&bytes) {
            let delta = self.delta(bytes, in_background).await?;
            let this = Arc::clone(self);
            let delta = blocking(move || {
                this.artifacts.put(&digest, &delta).map_err(ModuleError::internal)?;
                Ok(delta)
            })
            .await?;
            return self.script(digest, &delta).await?.ok_or_else(senseless);
        }
        self.compile_component(digest, bytes, in_background).await.map(|(module, _)| module)
    }

    /// The module and its machine code.
    async fn compile_component(
        self: &Arc<Self>,
        digest: Digest,
        bytes: Bytes,
        in_background: bool,
    ) -> Result<(Arc<Module>, Vec<u8>), ModuleError> {
        let code = self.code(bytes, in_background).await?;
        let this = Arc::clone(self);
        blocking(move || {
            this.bounded(&code)?;
            let file = this.artifacts.put(&digest, &code).map_err(ModuleError::internal)?;
            let _room = this.room(code.len() as u64)?;
            let linked = Module::load(&this.engine, &file)
                .map_err(|error| unloadable(&error))
                .and_then(|component| this.link(digest, &component));
            if linked.is_err() {
                // Refused: nothing of it stays on disk.
                this.artifacts.remove(&digest).map_err(ModuleError::internal)?;
            }
            Ok((linked?, code))
        })
        .await
    }

    /// Whether a component would become a module; nothing is kept of it.
    pub(super) async fn check(self: &Arc<Self>, component: Bytes) -> Result<(), ModuleError> {
        let digest = Digest::of(&component);
        if javascript::is_bundle(&component) {
            let delta = self.delta(component, false).await?;
            return self.script(digest, &delta).await?.map(|_| ()).ok_or_else(senseless);
        }
        let code = self.code(component, false).await?;
        let this = Arc::clone(self);
        blocking(move || {
            let _room = this.room(code.len() as u64)?;
            this.bounded(&code)?;
            let component =
                Module::load_bytes(&this.engine.wasmtime, &code).map_err(|error| unloadable(&error))?;
            this.link(digest, &component).map(|_| ())
        })
        .await
    }

    /// The engine of scripts, made ready when the first one asks for it.
    pub(super) async fn javascript(self: &Arc<Self>) -> Result<&JavaScript, ModuleError> {
        let make = || async {
            let this = Arc::clone(self);
            let built = blocking(move || {
                let engine = this.built.as_ref().ok_or(ModuleError::NoJavaScript)?;
                Built::new(engine, this.build().ok_or(ModuleError::NoJavaScript)?)
            })
            .await?;
            let this = Arc::clone(self);
            let digest = built.digest;
            let on_disk = blocking(move || {
                let Found::Artifact(file) = this.artifacts.find(&digest).map_err(ModuleError::internal)?
                else {
                    return Ok(None);
                };
                let OnDisk::Code(module) = this.loaded_code(digest, &file)? else { return Ok(None) };
                Ok(Some((module, code_in(&file).map_err(ModuleError::internal)?)))
            })
            .await?;
            let (module, code) = match on_disk {
                Some(found) => found,
                None => {
                    tracing::info!("compiling the JavaScript engine, once for this build");
                    self.compile_component(digest, built.component.clone(), false).await?
                }
            };
            JavaScript::booted(&built, module, code).await
        };
        self.javascript.get_or_try_init(make).await
    }

    /// What evaluating a script leaves, by the compiler.
    async fn delta(self: &Arc<Self>, bundle: Bytes, in_background: bool) -> Result<Vec<u8>, ModuleError> {
        let javascript = Some(Arc::clone(&self.javascript().await?.for_scripts));
        let (metering, max_memory_bytes) = (self.engine.metering, self.max_memory_bytes);
        let job = CompileJob {
            metering,
            max_memory_bytes,
            threads: 1,
            in_background,
            component: bundle,
            javascript,
        };
        self.compiler.compile(job).await
    }

    /// A script's module. None: its delta is not for this engine.
    async fn script(
        self: &Arc<Self>,
        digest: Digest,
        delta: &[u8],
    ) -> Result<Option<Arc<Module>>, ModuleError> {
        let javascript = self.javascript().await?;
        let Some(script) = javascript.script(delta) else { return Ok(None) };
        let _room = self.room(script.0.weight() as u64)?;
        let key = (self.engine.metering, digest);
        let mapping = |bytes| self.loaded.mapping(bytes);
        Ok(Some(Arc::new(Module::of_script(&javascript.module, script, key, mapping))))
    }

    fn room(&self, bytes: u64) -> Result<super::loaded::Room, ModuleError> {
        self.loaded.room(bytes).map_err(|NoRoom| ModuleError::NoRoom)
    }

    fn link(
        &self,
        digest: Digest,
        component: &wasmtime::component::Component,
    ) -> Result<Arc<Module>, ModuleError> {
        let key = (self.engine.metering, digest);
        let mapping = |bytes| self.loaded.mapping(bytes);
        Module::link(&self.engine, &self.linker, component, key, mapping, &self.commons).map(Arc::new)
    }

    /// Refuses code that needs more of the host than one invocation gets. The compiler has just returned it.
    fn bounded(&self, code: &[u8]) -> Result<(), ModuleError> {
        Module::load_bytes(&self.engine.bounded, code).map(|_| ()).map_err(|error| unloadable(&error))
    }

    /// Machine code for this engine, by the compiler.
    async fn code(&self, component: Bytes, in_background: bool) -> Result<Vec<u8>, ModuleError> {
        check_header(&component)?;
        let (metering, max_memory_bytes) = (self.engine.metering, self.max_memory_bytes);
        let threads = if in_background { 1 } else { threads_for(&component) };
        let javascript = None;
        let job = CompileJob { metering, max_memory_bytes, threads, in_background, component, javascript };
        match self.compiler.compile(job.clone()).await {
            // Several threads take more memory than one. What is refused must not depend on the machine.
            Err(ModuleError::TooMuchMemory) if job.threads > 1 => {
                self.compiler.compile(CompileJob { threads: 1, ..job }).await
            }
            code => code,
        }
    }
}

/// What is kept of a component or a script.
enum OnDisk {
    Nothing,
    Code(Arc<Module>),
    Delta(Vec<u8>),
}

/// A delta, where a file that was verified is one.
fn delta_of(file: &File) -> std::io::Result<Option<Vec<u8>>> {
    let mut begins = [0; 8];
    let read = file.read_at(&mut begins, 0)?;
    if deltas::is_delta(begins.get(..read).unwrap_or_default()) { code_in(file).map(Some) } else { Ok(None) }
}

/// What was kept in a file that was verified, without its hash.
fn code_in(file: &File) -> std::io::Result<Vec<u8>> {
    let len = file.metadata()?.len().saturating_sub(MAC_BYTES as u64);
    let mut code = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
    file.read_exact_at(&mut code, 0)?;
    Ok(code)
}

/// A compiler that answers what cannot be.
fn senseless() -> ModuleError {
    ModuleError::internal("what came of evaluating a script is no memory of its engine's")
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

/// Runs what blocks on the disk.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ModuleError> + Send + 'static,
) -> Result<T, ModuleError> {
    tokio::task::spawn_blocking(work).await.map_err(ModuleError::internal)?
}
