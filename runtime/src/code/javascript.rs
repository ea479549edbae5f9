//! Scripts written in JavaScript: one engine for all of them, and of each script the memory that its top level leaves.
//!
//! The engine is a component like any other, compiled once. Its memory after `boot` is an image that all instances are
//! mapped from; a script is evaluated once, in the process that compiles, and what that changed in memory is its delta.
//! An instance begins with both, so that no script is ever parsed when a request comes.

use std::sync::Arc;

use bytes::Bytes;
use wasmtime::component::{ComponentType, InstancePre, Lift, Lower};
use wasmyard_namespaces::bundle::{self, Bundle, PartKind};
use wasmyard_namespaces::code::EventKind;
use wasmyard_namespaces::digest::Digest;
use wasmyard_namespaces::limits::{self, Limits};
use wasmyard_pool::{Capture, Content, Image, Order, Pool, PoolConfig};

use super::deltas::{Delta, MOST_BYTES};
use super::engine::{self, Metering};
use super::module::{Module, ModuleError};
use super::stripped::{Stripped, stripped};
use super::ticker::Ticker;
use super::traces::SourceMaps;
use crate::guest::state::State;
use crate::guest::store::{Inner, call_inner};
use crate::limits::guest_memory::GuestMemoryLimits;
use crate::limits::shared::Commons;
use crate::outcome::Failure;

/// The interface by which scripts are made.
const INTERFACE: &str = "wasmyard:engine/javascript@0.1.0";
/// CPU time of a script's top level.
const TOP_LEVEL_CPU: std::time::Duration = std::time::Duration::from_secs(1);
/// The engine's pages of 64 KiB are whole in what it begins with.
const WASM_PAGE: usize = 64 << 10;

/// The engine as it is built: what a [`crate::RuntimeConfig`] holds of it.
pub(super) struct Built {
    /// Names the build, and with it every delta.
    pub(super) digest: Digest,
    /// The component that is compiled.
    pub(super) component: Bytes,
    /// The memory that its data segments make.
    memory: Vec<u8>,
    first: usize,
}

impl Built {
    /// # Errors
    ///
    /// When it is not what the project builds.
    pub(super) fn new(engine: &[u8], digest: Digest) -> Result<Self, ModuleError> {
        let strange = || ModuleError::internal("the JavaScript engine is not what it is expected to be");
        let Stripped { component, memory, first } = stripped(engine).ok_or_else(strange)?;
        Ok(Self { digest, component: component.into(), memory, first })
    }
}

/// What evaluating a script takes: the engine's machine code, and the memory that it begins with.
#[derive(Debug)]
pub struct ScriptEngine {
    digest: Digest,
    code: Vec<u8>,
    image: Vec<u8>,
    /// Bytes of memory at the start, and where the stack ends.
    len: u64,
    first: u64,
}

impl ScriptEngine {
    /// Its parts, for whoever hands it to another process: a head, machine code, memory.
    pub fn parts(&self) -> ([u8; 48], &[u8], &[u8]) {
        let mut head = [0; 48];
        let (digest, numbers) = head.split_at_mut(32);
        digest.copy_from_slice(self.digest.as_bytes());
        let (len, first) = numbers.split_at_mut(8);
        len.copy_from_slice(&self.len.to_le_bytes());
        first.copy_from_slice(&self.first.to_le_bytes());
        (head, &self.code, &self.image)
    }

    /// Puts it together again.
    pub fn of_parts(head: [u8; 48], code: Vec<u8>, image: Vec<u8>) -> Self {
        let [digest @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = head;
        let number = |at: usize| {
            let bytes = head.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
            bytes.map_or(0, u64::from_le_bytes)
        };
        Self { digest: Digest::from_bytes(digest), code, image, len: number(32), first: number(40) }
    }
}

/// The engine, made ready for instances.
pub(super) struct JavaScript {
    pub(super) module: Arc<Module>,
    pub(super) image: Arc<Image>,
    /// For the process that evaluates.
    pub(super) for_scripts: Arc<ScriptEngine>,
}

impl JavaScript {
    /// Boots a compiled engine; `code` is what it was loaded from.
    ///
    /// # Errors
    ///
    /// When it does not boot: then the build is broken, or the machine is.
    pub(super) async fn booted(
        built: &Built,
        module: Arc<Module>,
        code: Vec<u8>,
    ) -> Result<Self, ModuleError> {
        let first_memory = Image::new(&built.memory).map_err(ModuleError::internal)?;
        let len = first_memory.len().next_multiple_of(WASM_PAGE);
        let content = Content::new(first_memory, len, Vec::new());
        let capture = Arc::new(Capture::default());
        let order = Order { content, capture: Some(Arc::clone(&capture)) };
        let inner = Inner {
            instance: &module.instance,
            engine: module.engine(),
            ticker: &module.ticker,
            commons: &module.commons,
        };
        let limits = Limits { cpu: std::time::Duration::from_secs(30), ..limits_of_engine() };
        let said: Result<(), String> = call_inner(&inner, &limits, &order, (INTERFACE, "boot"), ())
            .await
            .map_err(ModuleError::internal)?;
        said.map_err(ModuleError::internal)?;
        let mut memory = capture.take().ok_or_else(|| ModuleError::internal("the engine left no memory"))?;
        let len = memory.len();
        // What the stack held is nobody's business.
        if let Some(stack) = memory.get_mut(..built.first) {
            stack.fill(0);
        }
        memory.truncate(memory.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
        let image = Image::new(&memory).map_err(ModuleError::internal)?;
        let for_scripts = Arc::new(ScriptEngine {
            digest: built.digest,
            code,
            image: memory,
            len: len as u64,
            first: built.first as u64,
        });
        Ok(Self { module, image, for_scripts })
    }

    /// A script's memory and what it handles. None where the delta is another engine's, or none.
    pub(super) fn script(&self, delta: &[u8]) -> Option<(Arc<Content>, Vec<EventKind>)> {
        let delta = Delta::read(delta, &self.for_scripts.digest, self.image.bytes())?;
        let handlers = delta.handlers.clone();
        Some((delta.content(&self.image)?, handlers))
    }
}

fn limits_of_engine() -> Limits {
    Limits { memory_bytes: 128 << 20, ..limits::Limits::default() }
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(enum)]
#[repr(u8)]
enum Kind {
    #[component(name = "module")]
    Module,
    #[component(name = "script")]
    Script,
    #[component(name = "text")]
    Text,
    #[component(name = "data")]
    Data,
    #[component(name = "json")]
    Json,
    #[component(name = "wasm")]
    Wasm,
}

#[derive(ComponentType, Lower)]
#[component(record)]
struct Part {
    name: String,
    kind: Kind,
    bytes: Vec<u8>,
}

#[derive(ComponentType, Lift, Clone, Copy)]
#[component(enum)]
#[expect(dead_code, reason = "what is lifted is made by Wasmtime, by numbers")]
#[repr(u8)]
enum Handler {
    #[component(name = "fetch")]
    Fetch,
    #[component(name = "scheduled")]
    Scheduled,
    #[component(name = "queue")]
    Queue,
    #[component(name = "tail")]
    Tail,
}

/// An engine in the process that evaluates, with its code loaded: no code is mapped after this.
pub(super) struct Evaluator {
    instance: InstancePre<State>,
    engine: wasmtime::Engine,
    ticker: Arc<Ticker>,
    commons: Commons,
    content: Arc<Content>,
    image: Arc<Image>,
    engine_digest: Digest,
    first: usize,
    bundle: Bytes,
}

impl Evaluator {
    /// Loads the engine.
    ///
    /// # Errors
    ///
    /// When the machine does not let it.
    pub(super) fn new(
        metering: Metering,
        max_memory_bytes: u64,
        bundle: &Bytes,
        scripts: &ScriptEngine,
    ) -> Result<Self, ModuleError> {
        let pool = Pool::new(&PoolConfig {
            slots: 1,
            max_memory_bytes: usize::try_from(max_memory_bytes).unwrap_or(usize::MAX),
            stack_bytes: engine::ASYNC_STACK_BYTES,
            keep_bytes: 0,
            keep_bytes_together: 0,
        })
        .map_err(ModuleError::internal)?;
        let wasmtime = engine::evaluating(metering, &pool).map_err(ModuleError::internal)?;
        let component = Module::load_bytes(&wasmtime, &scripts.code).map_err(ModuleError::internal)?;
        let linker = crate::bindings::link::linker(&wasmtime).map_err(ModuleError::internal)?;
        let instance = linker.instantiate_pre(&component).map_err(ModuleError::internal)?;
        let ticker = Ticker::start(&wasmtime).map_err(ModuleError::internal)?;
        let image = Image::new(&scripts.image).map_err(ModuleError::internal)?;
        let len = usize::try_from(scripts.len).unwrap_or(usize::MAX);
        let content = Content::new(Arc::clone(&image), len, Vec::new())
            .ok_or_else(|| ModuleError::internal("the engine's memory does not fit"))?;
        Ok(Self {
            instance,
            engine: wasmtime,
            ticker,
            commons: Commons::new(GuestMemoryLimits::NONE, 1),
            content,
            image,
            engine_digest: scripts.digest,
            first: usize::try_from(scripts.first).unwrap_or(usize::MAX),
            bundle: bundle.clone(),
        })
    }

    /// Evaluates the script and returns its delta.
    ///
    /// # Errors
    ///
    /// What the script says, or which limit its top level passes.
    pub(super) fn evaluate(self) -> Result<Vec<u8>, ModuleError> {
        let bundle = Bundle::read(&self.bundle).map_err(|error| ModuleError::Script(error.to_string()))?;
        let part = |part: bundle::Part| {
            Some(Part { kind: kind(part.kind)?, name: part.name, bytes: part.bytes.to_vec() })
        };
        let parts: Vec<Part> = bundle.parts.into_iter().filter_map(part).collect();
        let capture = Arc::new(Capture::default());
        let order = Order { content: Some(Arc::clone(&self.content)), capture: Some(Arc::clone(&capture)) };
        let limits = Limits { cpu: TOP_LEVEL_CPU, ..limits_of_engine() };
        let inner = Inner {
            instance: &self.instance,
            engine: &self.engine,
            ticker: &self.ticker,
            commons: &self.commons,
        };
        let loading = call_inner(&inner, &limits, &order, (INTERFACE, "load"), (parts,));
        let said: Result<Vec<Handler>, String> =
            futures::executor::block_on(loading).map_err(|failure| top_level(&failure))?;
        // What it says is read by whoever wrote it: maps are read here, where a script has nothing but itself to lose.
        let said = said.map_err(|text| {
            let maps = SourceMaps::of_bundle(&self.bundle);
            ModuleError::Script(maps.and_then(|maps| maps.mapped(&text)).unwrap_or(text))
        });
        let handlers = said?.into_iter().map(event).collect::<Vec<_>>();
        if handlers.is_empty() {
            return Err(ModuleError::NoHandler);
        }
        let memory = capture.take().ok_or_else(|| ModuleError::internal("the script left no memory"))?;
        let delta = Delta::of(self.engine_digest, handlers, self.image.bytes(), &memory, self.first);
        let delta = delta.map_err(|bytes| {
            ModuleError::Script(format!(
                "the script's top level makes {bytes} bytes of memory, and {MOST_BYTES} are allowed; make large values in a handler, \
                 or keep them in a binding"
            ))
        })?;
        delta.written(self.image.bytes()).map_err(ModuleError::internal)
    }
}

fn top_level(failure: &Failure) -> ModuleError {
    ModuleError::Script(match failure {
        Failure::ExceededCpu { limit } => format!(
            "the script's top level takes more than {} ms of CPU time (startup); do the work in a handler",
            limit.as_millis()
        ),
        Failure::ExceededMemory { limit } => {
            format!("the script's top level takes more than {} MiB of memory", limit >> 20)
        }
        other => format!("the script's top level cannot be run: {other}"),
    })
}

/// What a file is for the engine; none where it is not for it.
fn kind(kind: PartKind) -> Option<Kind> {
    Some(match kind {
        PartKind::Module => Kind::Module,
        PartKind::Script => Kind::Script,
        PartKind::Text => Kind::Text,
        PartKind::Data => Kind::Data,
        PartKind::Json => Kind::Json,
        PartKind::Wasm => Kind::Wasm,
        PartKind::SourceMap => return None,
    })
}

fn event(handler: Handler) -> EventKind {
    match handler {
        Handler::Fetch => EventKind::Fetch,
        Handler::Scheduled => EventKind::Scheduled,
        Handler::Queue => EventKind::Queue,
        Handler::Tail => EventKind::Tail,
    }
}

/// Whether an upload is a script of files, to look at.
pub(super) fn is_bundle(bytes: &[u8]) -> bool {
    bundle::is_bundle(bytes)
}
