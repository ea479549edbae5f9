//! One engine with what belongs to it: from a component, or from compiled code on disk, to a module. Owns no table of
//! what is loaded and decides nothing about when: [`super::preparing`] does.

use std::sync::Arc;

use bytes::Bytes;
use wasmtime::component::Linker;
use wasmyard_namespaces::digest::Digest;
use wasmyard_pool::Pool;

use super::artifacts::{Artifacts, Found};
use super::compile::{CompileJob, Compiler};
use super::config::{RuntimeConfig, StartError, engine_error};
use super::engine::{Engine, Metering};
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
        Ok(Self { engine, linker, artifacts, compiler, loaded, max_memory_bytes, commons })
    }

    /// Whether compiled code is on disk; not whether it is whole.
    pub(super) async fn is_compiled(self: &Arc<Self>, digest: Digest) -> Result<bool, ModuleError> {
        let this = Arc::clone(self);
        blocking(move || this.artifacts.has(&digest).map_err(ModuleError::internal)).await
    }

    /// The module, if its code is on disk.
    pub(super) async fn load(self: &Arc<Self>, digest: Digest) -> Result<Option<Arc<Module>>, ModuleError> {
        let this = Arc::clone(self);
        blocking(move || match this.artifacts.find(&digest).map_err(ModuleError::internal)? {
            Found::Nothing => Ok(None),
            Found::Artifact(file) => {
                let _room = this.room(file.metadata().map_err(ModuleError::internal)?.len())?;
                match Module::load(&this.engine, &file) {
                    Ok(component) => this.link(digest, &component).map(Some),
                    Err(error) => {
                        // Ours, but this engine does not take it: compile anew.
                        tracing::warn!(%digest, error = format!("{error:#}"), "an artifact could not be loaded");
                        this.artifacts.remove(&digest).map_err(ModuleError::internal)?;
                        Ok(None)
                    }
                }
            }
        })
        .await
    }

    /// The module, compiled just now; its code is on disk afterwards.
    pub(super) async fn compile(
        self: &Arc<Self>,
        digest: Digest,
        bytes: Bytes,
        in_background: bool,
    ) -> Result<Arc<Module>, ModuleError> {
        let code = self.code(bytes, in_background).await?;
        let this = Arc::clone(self);
        blocking(move || {
            this.bounded(&code)?;
            let file = this.artifacts.put(&digest, &code).map_err(ModuleError::internal)?;
            let _room = this.room(code.len() as u64)?;
            drop(code);
            let linked = Module::load(&this.engine, &file)
                .map_err(|error| unloadable(&error))
                .and_then(|component| this.link(digest, &component));
            if linked.is_err() {
                // Refused: nothing of it stays on disk.
                this.artifacts.remove(&digest).map_err(ModuleError::internal)?;
            }
            linked
        })
        .await
    }

    /// Whether a component would become a module; nothing is kept of it.
    pub(super) async fn check(self: &Arc<Self>, component: Bytes) -> Result<(), ModuleError> {
        let digest = Digest::of(&component);
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
        let job = CompileJob { metering, max_memory_bytes, threads, in_background, component };
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

/// Runs what blocks on the disk.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ModuleError> + Send + 'static,
) -> Result<T, ModuleError> {
    tokio::task::spawn_blocking(work).await.map_err(ModuleError::internal)?
}
