//! The side that compiles: one component, or one script with the engine that evaluates it, from standard input; one answer to standard output, and the end.
//!
//! Runs before anything else of the program: no runtime, no threads but those that compile, no logging. Must never
//! touch the input before its limits hold.

use std::io::{self, Read};
use std::process::ExitCode;
use std::sync::Arc;

use bytes::Bytes;
use wasmyard_model::limits::MAX_COMPONENT_BYTES;
use wasmyard_runtime::{CompileJob, Metering, ModuleError, ScriptEngine};

use super::{confine, wire};
use crate::CompileArgs;

/// A component, or a script's files with their names.
const MAX_INPUT_BYTES: u64 = MAX_COMPONENT_BYTES + (1 << 20);

/// Compiles what standard input holds. The exit code says only whether the answer was written.
pub fn run(args: &CompileArgs) -> ExitCode {
    let answer = answer(args);
    match wire::write(io::stdout().lock(), &answer) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_nobody_reads) => ExitCode::FAILURE,
    }
}

fn answer(args: &CompileArgs) -> wire::Answer {
    let metering = Metering::named(&args.metering)
        .ok_or_else(|| ModuleError::internal(format!("there is no way of metering {:?}", args.metering)))?;
    confine::limit(args).map_err(ModuleError::internal)?;
    let mut input = io::stdin().lock();
    let javascript = (args.engine_code_bytes > 0).then(|| script_engine(&mut input, args)).transpose()?;
    let component = read(&mut input, MAX_INPUT_BYTES + 1)?;
    let job = CompileJob {
        metering,
        max_memory_bytes: args.max_memory_bytes,
        threads: args.threads,
        in_background: args.in_background,
        component: Bytes::from(component),
        javascript,
    };
    // Machine code is loaded while that is still allowed.
    let evaluation = wasmyard_runtime::prepare(&job)?;
    confine::seal().map_err(ModuleError::internal)?;
    match evaluation {
        Some(evaluation) => evaluation.run(),
        None => wasmyard_runtime::compile_worker(&job),
    }
}

/// The JavaScript engine, as [`super::ChildCompiler`] writes it before a script.
fn script_engine(input: &mut impl Read, args: &CompileArgs) -> Result<Arc<ScriptEngine>, ModuleError> {
    let mut head = [0; 48];
    input.read_exact(&mut head).map_err(ModuleError::internal)?;
    let code = read(input, args.engine_code_bytes)?;
    let memory = read(input, args.engine_memory_bytes)?;
    Ok(Arc::new(ScriptEngine::of_parts(head, code, memory)))
}

/// So many bytes, or as many as there are.
fn read(input: &mut impl Read, most: u64) -> Result<Vec<u8>, ModuleError> {
    let mut bytes = Vec::new();
    input.take(most).read_to_end(&mut bytes).map_err(|error| match error.kind() {
        io::ErrorKind::OutOfMemory => ModuleError::TooMuchMemory,
        _ => ModuleError::internal(error),
    })?;
    Ok(bytes)
}
