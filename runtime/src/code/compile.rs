//! Compiling: what is asked for, who does it, and how it is done where it is done.
//!
//! Compilers work on what strangers send, so whoever embeds this crate chooses where they run: the program
//! gives every component a process with hard limits, tests and benches stay in their own ([`InProcess`]).
//! Must never be called by a [`crate::Runtime`] in any other way than through its [`Compiler`].

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use wasmparser::{Parser, Payload, Validator, WasmFeatures};
use wasmyard_namespaces::code::EventKind;

use crate::code::engine::{self, Metering};
use crate::code::javascript::{self, Evaluator, ScriptEngine};
use crate::code::module::{ModuleError, check_header};
use crate::code::{bounds, bulk};
use crate::event;

/// One component to be compiled.
#[derive(Debug, Clone)]
pub struct CompileJob {
    /// How the engine that is going to run it meters.
    pub metering: Metering,
    /// The highest memory ceiling of that engine, in bytes: what asks for more at its start can never run.
    pub max_memory_bytes: u64,
    /// On how many threads, at most. The code does not depend on it; the memory that it takes does.
    pub threads: usize,
    /// Whether nobody waits for it: then it goes after all others.
    pub in_background: bool,
    /// The component, as it was uploaded; or a bundle of a script's files.
    pub component: Bytes,
    /// What a bundle is evaluated by; none for a component.
    pub javascript: Option<Arc<ScriptEngine>>,
}

/// Whoever compiles.
#[async_trait]
pub trait Compiler: Send + Sync + 'static {
    /// Compiles one component. What is returned is executed: it must come from [`compile`], run somewhere.
    ///
    /// It ends within a time of its own, whoever waits for it: no request's limit holds here.
    ///
    /// # Errors
    ///
    /// The [`ModuleError`] that the upload is refused with.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the compilation.
    async fn compile(&self, job: CompileJob) -> Result<Vec<u8>, ModuleError>;
}

/// Compiles a worker: what can be said of it without compiling it is said first. A component that handles no event is not
/// worth the seconds that its code may take.
///
/// # Errors
///
/// As [`compile`]; [`ModuleError::NoHandler`] for one that is valid and exports no handler.
pub fn compile_worker(job: &CompileJob) -> Result<Vec<u8>, ModuleError> {
    match prepare(job)? {
        Some(evaluator) => evaluator.0.evaluate(),
        None => compile_component(job),
    }
}

/// A script that is to be evaluated, with the engine loaded that does it.
pub struct Evaluation(Evaluator);

impl Evaluation {
    /// Evaluates it: nothing is asked of the system for that but memory and time.
    ///
    /// # Errors
    ///
    /// As [`compile_worker`].
    pub fn run(self) -> Result<Vec<u8>, ModuleError> {
        self.0.evaluate()
    }
}

/// What has to be done for a job before a process gives up the right to load code. None for a component.
///
/// # Errors
///
/// When the machine does not let it.
pub fn prepare(job: &CompileJob) -> Result<Option<Evaluation>, ModuleError> {
    if !javascript::is_bundle(&job.component) {
        return Ok(None);
    }
    let scripts = job.javascript.as_deref().ok_or(ModuleError::NoJavaScript)?;
    Evaluator::new(job.metering, job.max_memory_bytes, &job.component, scripts).map(Evaluation).map(Some)
}

fn compile_component(job: &CompileJob) -> Result<Vec<u8>, ModuleError> {
    check_header(&job.component)?;
    bounds::check(&job.component, job.max_memory_bytes)?;
    if !exports_handler(&job.component) && is_valid(&job.component) {
        return Err(ModuleError::NoHandler);
    }
    compiled(job)
}

/// Compiles: bounds first, then validation and code. More threads than one are those of the process, as `rayon` makes
/// them.
///
/// # Errors
///
/// The [`ModuleError`] that the upload is refused with.
pub fn compile(job: &CompileJob) -> Result<Vec<u8>, ModuleError> {
    check_header(&job.component)?;
    bounds::check(&job.component, job.max_memory_bytes)?;
    compiled(job)
}

fn compiled(job: &CompileJob) -> Result<Vec<u8>, ModuleError> {
    let engine = engine::compiling(job.metering, job.threads).map_err(ModuleError::internal)?;
    let component = bulk::in_pieces(&job.component, job.metering == Metering::Fuel);
    engine.precompile_component(&component).map_err(|error| {
        if error.downcast_ref::<wasmtime::OutOfMemory>().is_some() {
            return ModuleError::TooMuchMemory;
        }
        ModuleError::Invalid(format!("{error:#}"))
    })
}

/// Whether it exports something under the name of a handler. Whether that is a handler is seen when it is linked. What cannot be
/// read may: the compiler says what is wrong with it.
fn exports_handler(component: &[u8]) -> bool {
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(component) {
        match payload {
            Ok(Payload::ModuleSection { .. } | Payload::ComponentSection { .. }) => depth += 1,
            Ok(Payload::End(_)) => depth = depth.saturating_sub(1),
            Ok(Payload::ComponentExportSection(exports)) if depth == 0 => {
                let interfaces = || EventKind::ALL.into_iter().filter_map(event::interface);
                let is_handler =
                    |name: &str| name.starts_with(HANDLER) || interfaces().any(|own| own == name);
                if exports.into_iter().any(|export| export.is_ok_and(|export| is_handler(export.name.name))) {
                    return true;
                }
            }
            Ok(_) => {}
            Err(_) => return true,
        }
    }
    false
}

/// Whether it is valid by what every engine takes: no proposal that is refused here is among that, so that its refusal
/// names it.
fn is_valid(component: &[u8]) -> bool {
    let features = WasmFeatures::WASM2
        .union(WasmFeatures::COMPONENT_MODEL)
        .union(WasmFeatures::TAIL_CALL)
        .union(WasmFeatures::EXTENDED_CONST);
    Validator::new_with_features(features).validate_all(component).is_ok()
}

/// How the name of the interface begins that handles requests.
const HANDLER: &str = "wasi:http/incoming-handler@0.2.";

/// Compiles in this process, without any limit on time or memory: for components that are trusted, as those
/// of tests and benches.
#[derive(Debug, Clone, Copy, Default)]
pub struct InProcess;

#[async_trait]
impl Compiler for InProcess {
    async fn compile(&self, job: CompileJob) -> Result<Vec<u8>, ModuleError> {
        tokio::task::spawn_blocking(move || compile_worker(&job)).await.map_err(ModuleError::internal)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(text: &str) -> CompileJob {
        CompileJob {
            metering: Metering::Time,
            max_memory_bytes: 1 << 20,
            threads: 1,
            in_background: false,
            javascript: None,
            component: wat::parse_str(text).unwrap().into(),
        }
    }

    #[test]
    fn what_handles_nothing_is_refused_before_it_is_compiled_and_by_what_is_wrong_with_it_first() {
        let refusal = |text: &str| compile_worker(&job(text)).unwrap_err();
        let module = "(core module (func (result i32) i32.const 0))";
        assert!(matches!(refusal(&format!("(component {module})")), ModuleError::NoHandler));
        // The name in a component inside is not its own.
        let inside = r#"(component (instance $i) (export "wasi:http/incoming-handler@0.2.0" (instance $i)))"#;
        assert!(matches!(refusal(&format!("(component {inside})")), ModuleError::NoHandler));
        assert!(compile_worker(&job(inside)).is_ok(), "what it exports is seen later");
        for kind in EventKind::ALL {
            let Some(name) = event::interface(kind) else { continue };
            let other = format!("(component (instance $i) (export \"{name}\" (instance $i)))");
            assert!(compile_worker(&job(&other)).is_ok(), "{name} handles something");
        }
        for (wrong, named) in
            [("(func (result i32) i64.const 0)", "type mismatch"), ("(memory i64 1)", "memory64")]
        {
            let text = refusal(&format!("(component (core module {wrong}))")).to_string();
            assert!(text.contains("not valid") && text.contains(named), "{text}");
        }
        let bound = refusal("(component (core module (memory 17)))");
        assert!(matches!(bound, ModuleError::Bound(_)), "{bound}");
    }
}
