//! The side that compiles: one component from standard input, one answer to standard output, and the end.
//!
//! Runs before anything else of the program: no runtime, no threads but those that compile, no logging. Must never
//! touch the input before its limits hold.

use std::io::{self, Read as _};
use std::process::ExitCode;

use bytes::Bytes;
use wasmyard_model::limits::MAX_COMPONENT_BYTES;
use wasmyard_runtime::{CompileJob, Metering, ModuleError};

use super::{confine, wire};
use crate::CompileArgs;

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
    let mut component = Vec::new();
    io::stdin().lock().take(MAX_COMPONENT_BYTES + 1).read_to_end(&mut component).map_err(
        |error| match error.kind() {
            io::ErrorKind::OutOfMemory => ModuleError::TooMuchMemory,
            _ => ModuleError::internal(error),
        },
    )?;
    confine::seal().map_err(ModuleError::internal)?;
    wasmyard_runtime::compile_worker(&CompileJob {
        metering,
        max_memory_bytes: args.max_memory_bytes,
        threads: args.threads,
        in_background: args.in_background,
        component: Bytes::from(component),
    })
}
