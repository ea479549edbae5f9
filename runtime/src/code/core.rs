//! What makes code ready: the engines, the places for compilations, what is loaded and what is under way. Shared with the
//! tasks in which components are made ready, which outlive whoever asked.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::FutureExt as _;
use tokio::sync::OnceCell;
use tokio::time::Instant;
use wasmyard_namespaces::script::ScriptKey;
use wasmyard_pool::Pool;

use super::compile::Compiler;
use super::config::RuntimeConfig;
use super::engine::Metering;
use super::loaded::Loaded;
use super::loader::{Loader, blocking};
use super::module::{Module, ModuleError};
use super::places::{Full, Places};
use super::preparing::{Asker, Begun, Preparation, Preparations, Progress, Source, Wanted};
use crate::limits::shared::Commons;

/// What outlives a call.
pub(super) struct Core {
    pub(super) sizes: RuntimeConfig,
    pub(super) compiler: Arc<dyn Compiler>,
    pub(super) places: Arc<Places>,
    pub(super) loaded: Arc<Loaded>,
    pub(super) preparations: Preparations,
    /// Shared by both engines: guests of both run on the same processors, in the same memory.
    pub(super) commons: Commons,
    pub(super) pool: Pool,
    pub(super) time: Arc<Loader>,
    pub(super) fuel: OnceCell<Arc<Loader>>,
    pub(super) hits: AtomicU64,
    pub(super) misses: AtomicU64,
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
        let (preparation, progress) = match self.preparations.begin(key, &asker) {
            Begun::Before(preparation) => return (preparation, Some(source)),
            Begun::Now(preparation, progress) => (preparation, progress),
        };
        let this = Arc::clone(self);
        tokio::spawn(async move {
            let made = AssertUnwindSafe(this.make(wanted, source, asker, &progress)).catch_unwind().await;
            let made = made.unwrap_or_else(|_| Err(ModuleError::internal("a panic"))).map_err(Arc::new);
            let made = made.map(|module| this.loaded.keep(key, module));
            this.preparations.ended(&key, &progress, made);
        });
        (preparation, None)
    }

    async fn make(
        self: &Arc<Self>,
        wanted: Wanted,
        source: Source,
        asker: Asker,
        progress: &Progress,
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
        progress.compiling();
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

    /// The engine for a way of metering. That which counts fuel is made when it is needed; its guests have the same slots.
    pub(super) async fn loader(&self, metering: Metering) -> Result<Arc<Loader>, ModuleError> {
        let make = || {
            let (sizes, compiler) = (self.sizes.clone(), Arc::clone(&self.compiler));
            let (loaded, commons) = (Arc::clone(&self.loaded), self.commons.clone());
            let pool = self.pool.clone();
            blocking(move || {
                Loader::new(&sizes, Metering::Fuel, &pool, &compiler, &loaded, &commons)
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
}
