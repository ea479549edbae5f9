//! Something that can be instantiated: loaded, linked; and every reason why an upload cannot become that.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::sync::Arc;

use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmyard_namespaces::bundle;
use wasmyard_namespaces::code::EventKind;
use wasmyard_namespaces::limits::{MAX_COMPONENT_BYTES, component};
use wasmyard_pool::{Content, Order};

use crate::code::engine::Engine;
use crate::code::mapping::{Key, Mapping};
use crate::code::ticker::Ticker;
use crate::event;
use crate::guest::state::State;
use crate::limits::shared::Commons;

/// Why an upload is refused. The texts go to whoever uploaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModuleError {
    /// Over [`MAX_COMPONENT_BYTES`].
    #[error(
        "the component has {size} bytes; at most {MAX_COMPONENT_BYTES} are allowed. Build it in release mode and strip debug information"
    )]
    TooLarge {
        /// Its size in bytes.
        size: usize,
    },
    /// Not WebAssembly at all.
    #[error("this is not WebAssembly: it begins with {begins}, not with the bytes 00 61 73 6d (`\\0asm`)")]
    NotWasm {
        /// The first bytes, in hexadecimal.
        begins: String,
    },
    /// A core module.
    #[error(
        "this is a core WebAssembly module, not a component; build for the target wasm32-wasip2, or wrap it with `wasm-tools component new`"
    )]
    CoreModule,
    /// A version of the binary format that is not known.
    #[error(
        "this WebAssembly binary has version and layer {0}, which is not that of a component (0d 00 01 00)"
    )]
    UnknownVersion(String),
    /// Validation or compilation failed.
    #[error("the component is not valid: {0}")]
    Invalid(String),
    /// It is larger in some way than is compiled here. The text names the bound, the value and the remedy.
    #[error("{0}")]
    Bound(String),
    /// It is for another version of WASI.
    #[error(
        "the component {0}, and of WASI version 0.2 is served here. Build it for 0.2: in Rust for the target wasm32-wasip2 with the world wasi:http/proxy@0.2, in other languages with the interfaces that `wasmyard wit` writes"
    )]
    OtherWasi(String),
    /// Its compilation took longer than it may.
    #[error(
        "the component takes more than {limit_ms} ms of {clock} to compile ({limit}); make its functions smaller, or split it"
    )]
    TooLong {
        /// Which time it was: CPU time or wall-clock time.
        clock: &'static str,
        /// The limit's name.
        limit: &'static str,
        /// Its value in milliseconds.
        limit_ms: u64,
    },
    /// Its compilation took more memory than it may.
    #[error(
        "the component takes more than {} MiB of memory to compile (compile_memory_bytes); make its functions smaller, or split it",
        component::COMPILE_MEMORY_BYTES >> 20
    )]
    TooMuchMemory,
    /// Its compiled code is larger than is kept.
    #[error(
        "the component becomes more than {} MiB of machine code (artifact_bytes); make it smaller, or split it",
        component::ARTIFACT_BYTES >> 20
    )]
    TooMuchCode,
    /// The compiler ended without an answer. The text names the signal or the exit code.
    #[error("the compiler failed on this component ({0}); please report it together with the component")]
    Crashed(String),
    /// It imports what the platform does not give.
    #[error(
        "the component cannot be linked: {0}. A Worker may import wasi:http, wasi:io, wasi:clocks, wasi:random, wasi:cli, wasi:filesystem (empty), wasi:config and wasmyard:platform"
    )]
    Import(String),
    /// It exports no handler.
    #[error(
        "the component exports no handler, so nothing can be given to it: for requests that is wasi:http/incoming-handler@0.2 (target the world wasi:http/proxy), and else scheduled, queue or tail of wasmyard:platform@0.1.0"
    )]
    NoHandler,
    /// It is JavaScript, and this is what it says, or what is wrong with it.
    #[error("{0}")]
    Script(String),
    /// It is JavaScript, and there is no engine for it.
    #[error(
        "this build of the server has no JavaScript engine: build one with `make engines`, and then the server again"
    )]
    NoJavaScript,
    /// It needs more of the engine than one component gets: known when its code is loaded.
    #[error("the component cannot be loaded: {0}")]
    TooDemanding(String),
    /// As many components wait to be compiled as may.
    #[error("too many components wait to be compiled; try again in a moment")]
    TooManyCompilations,
    /// As many modules are loaded as may be, and something runs in each.
    #[error("as much code is loaded as this machine can map, and all of it runs; try again in a moment")]
    NoRoom,
    /// The platform failed.
    #[error("the platform could not compile the component")]
    Internal(String),
}

impl ModuleError {
    /// A failure of the platform; its text goes to the operator's log.
    pub fn internal(error: impl std::fmt::Display) -> Self {
        Self::Internal(error.to_string())
    }

    /// Whether it says something about the component: another try would end alike.
    pub(crate) fn is_its_own(&self) -> bool {
        !matches!(self, Self::Internal(_) | Self::TooManyCompilations | Self::NoRoom)
    }
}

/// What the JavaScript engine's memory has at the start, as `scripts/js-engine.sh` links it.
const DECLARED_MEMORY: usize = 4 << 20;

/// A component that is compiled and linked, ready to be instantiated.
pub struct Module {
    pub(crate) instance: InstancePre<State>,
    /// The same with its handler of requests, if it has one.
    pub(crate) requests: Option<ProxyPre<State>>,
    /// Its functions for other events, in the order of [`EventKind::ALL`].
    others: [Option<ComponentExportIndex>; EventKind::ALL.len()],
    /// Its function for what comes in by another door than plain requests do.
    pub(crate) entrypoint: Option<ComponentExportIndex>,
    engine: wasmtime::Engine,
    /// Whoever runs its code has it tick.
    pub(crate) ticker: Arc<Ticker>,
    pub(crate) key: Key,
    /// Its part of what is mapped.
    pub(crate) mapping: Mapping,
    /// What its invocations share with all others.
    pub(crate) commons: Commons,
    /// What its instances' memory begins with, where that is not what its code says.
    pub(crate) order: Order,
    /// How much memory its code asks for at the start, where the memory's content is ordered.
    pub(crate) declared_memory: usize,
}

impl Module {
    pub(crate) fn engine(&self) -> &wasmtime::Engine {
        &self.engine
    }

    /// The events that it handles.
    pub fn handlers(&self) -> Vec<EventKind> {
        let handled = |kind: &EventKind| match kind {
            EventKind::Fetch => self.requests.is_some(),
            other => self.handler(*other).is_some(),
        };
        EventKind::ALL.into_iter().filter(handled).collect()
    }

    /// What it imports, as its code names it. A script imports nothing by itself: the engine does.
    pub fn imports(&self) -> Vec<String> {
        if self.order.content.is_some() {
            return Vec::new();
        }
        let component = self.instance.component().component_type();
        component.imports(&self.engine).map(|(name, _)| name.to_owned()).collect()
    }

    /// Its function for events of a kind, requests aside; none where it has none.
    pub(crate) fn handler(&self, kind: EventKind) -> Option<&ComponentExportIndex> {
        let mut all = EventKind::ALL.into_iter().zip(&self.others);
        all.find(|(other, _)| *other == kind).and_then(|(_, handler)| handler.as_ref())
    }

    /// Links a compiled component.
    pub(crate) fn link(
        engine: &Engine,
        linker: &Linker<State>,
        component: &Component,
        key: Key,
        mapping: impl FnOnce(u64) -> Mapping,
        commons: &Commons,
    ) -> Result<Self, ModuleError> {
        let pre =
            linker.instantiate_pre(component).map_err(|error| ModuleError::Import(format!("{error:#}")))?;
        let requests = ProxyPre::new(pre.clone()).ok();
        let handle = |interface| component.get_export_index(Some(&interface), "handle");
        let exported = |name| component.get_export_index(None, name).and_then(handle);
        let others = EventKind::ALL.map(|kind| event::interface(kind).and_then(exported));
        if requests.is_none() && others.iter().all(Option::is_none) {
            return Err(ModuleError::NoHandler);
        }
        let image = component.image_range();
        let size = (image.end as usize).saturating_sub(image.start as usize);
        Ok(Self {
            instance: pre,
            requests,
            others,
            entrypoint: exported(event::ENTRYPOINT),
            engine: engine.wasmtime.clone(),
            ticker: Arc::clone(&engine.ticker),
            key,
            mapping: mapping(size as u64),
            commons: commons.clone(),
            order: Order::default(),
            declared_memory: 0,
        })
    }

    /// A script that an engine runs: the same code, for the events that it handles, with a memory of its own.
    pub(super) fn of_script(
        engine: &Arc<Self>,
        (content, handlers): (Arc<Content>, Vec<EventKind>),
        key: Key,
        mapping: impl FnOnce(u64) -> Mapping,
    ) -> Self {
        let handled = |kind: EventKind| handlers.contains(&kind);
        let other = |kind: EventKind| engine.handler(kind).copied().filter(|_| handled(kind));
        Self {
            instance: engine.instance.clone(),
            requests: engine.requests.clone().filter(|_| handled(EventKind::Fetch)),
            others: EventKind::ALL.map(other),
            entrypoint: engine.entrypoint,
            engine: engine.engine.clone(),
            ticker: Arc::clone(&engine.ticker),
            key,
            mapping: mapping(content.weight() as u64),
            commons: engine.commons.clone(),
            declared_memory: DECLARED_MEMORY,
            order: Order { content: Some(content), capture: None },
        }
    }

    /// Loads what a [`crate::Compiler`] has just returned.
    #[expect(unsafe_code, reason = "the only way to load compiled code")]
    pub(crate) fn load_bytes(engine: &wasmtime::Engine, code: &[u8]) -> wasmtime::Result<Component> {
        // SAFETY: `deserialize` requires bytes that `precompile_component` made. The callers pass on what the
        // compiler returned in the same function, and a compiler's contract is to return just that.
        unsafe { Component::deserialize(engine, code) }
    }

    /// Maps an artifact that a [`crate::Compiler`] made, by the very file that was verified: what its name
    /// leads to by now is of no matter.
    #[expect(unsafe_code, reason = "the only way to load compiled code")]
    pub(crate) fn load(engine: &Engine, artifact: &File) -> wasmtime::Result<Component> {
        let path = format!("/proc/self/fd/{}", artifact.as_raw_fd());
        // SAFETY: `deserialize_file` requires that the file holds what `precompile_component` wrote and
        // does not change while it is mapped. The caller, `crate::code::artifacts`, has just verified the keyed
        // hash of this open file, under a key that only this node has; nobody but this user may write to
        // it; and files there are only ever replaced by a rename, never written in place.
        unsafe { Component::deserialize_file(&engine.wasmtime, path) }
    }
}

/// Tells apart what people upload by mistake, before anything is parsed.
pub(crate) fn check_header(bytes: &[u8]) -> Result<(), ModuleError> {
    if bytes.len() as u64 > MAX_COMPONENT_BYTES {
        return Err(ModuleError::TooLarge { size: bytes.len() });
    }
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
    match bytes {
        [0x00, b'a', b's', b'm', 0x0d, 0x00, 0x01, 0x00, ..] => Ok(()),
        [0x00, b'a', b's', b'm', 0x01, 0x00, 0x00, 0x00, ..] => Err(ModuleError::CoreModule),
        _ if bundle::is_bundle(bytes) => Ok(()),
        [0x00, b'a', b's', b'm', rest @ ..] => {
            Err(ModuleError::UnknownVersion(hex(rest.get(..4).unwrap_or(rest))))
        }
        other => Err(ModuleError::NotWasm { begins: hex(other.get(..4).unwrap_or(other)) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_beginning_has_its_own_answer() {
        assert!(check_header(b"\0asm\x0d\0\x01\0").is_ok());
        assert!(matches!(check_header(b"\0asm\x01\0\0\0"), Err(ModuleError::CoreModule)));
        assert!(matches!(check_header(b"\0asm\x02\0\0\0"), Err(ModuleError::UnknownVersion(_))));
        assert!(matches!(check_header(b"\0as"), Err(ModuleError::NotWasm { .. })));
        assert!(matches!(check_header(b""), Err(ModuleError::NotWasm { .. })));
        let js = check_header(b"export default {}").unwrap_err().to_string();
        assert!(js.contains("65 78 70 6f"), "{js}");
    }
}
