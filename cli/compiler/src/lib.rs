//! Compiling in a process of its own: what strangers upload meets Cranelift only there.
//!
//! Owns both sides. [`ChildCompiler`] starts this same program as `wasmyard compile-component`, hands it one
//! component and takes its answer within limits of time and size; [`run`] is that process: it gives up every right that
//! it does not need, compiles, and answers. They agree on `wire`. Must never compile in the process that serves.

mod child;
mod confine;
mod parent;
mod wire;

use std::time::Duration;

use wasmyard_model::limits::component;

pub use child::run;
pub use parent::ChildCompiler;

/// The command line of the process that compiles. It is written by [`ChildCompiler`] and nobody else.
#[derive(Debug, clap::Args)]
pub struct CompileArgs {
    /// How the engine that is going to run it meters CPU time
    #[arg(long)]
    pub metering: String,
    /// The engine's ceiling for memory, in bytes
    #[arg(long)]
    pub max_memory_bytes: u64,
    /// Threads that it may compile on
    #[arg(long)]
    pub threads: usize,
    /// Whether nobody waits for it
    #[arg(long)]
    pub in_background: bool,
    /// CPU time that this process may take, in seconds
    #[arg(long)]
    pub cpu_seconds: u64,
    /// Address space that this process may take, in bytes
    #[arg(long)]
    pub memory_bytes: u64,
    /// Bytes of the JavaScript engine's machine code, which comes first of all
    #[arg(long, default_value_t = 0)]
    pub engine_code_bytes: u64,
    /// Bytes of the memory that it begins with, which comes next
    #[arg(long, default_value_t = 0)]
    pub engine_memory_bytes: u64,
    /// The process that waits for the answer
    #[arg(long)]
    pub parent: i32,
}

/// What one compilation may cost.
#[derive(Debug, Clone, Copy)]
pub struct CompileLimits {
    /// CPU time, in whole seconds: that is how the kernel counts it.
    pub cpu: Duration,
    /// Wall-clock time from start to answer.
    pub wall: Duration,
    /// Address space of the process, in bytes.
    pub memory_bytes: u64,
    /// Compiled code, in bytes.
    pub artifact_bytes: u64,
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self {
            cpu: Duration::from_millis(component::COMPILE_CPU_MS),
            wall: Duration::from_millis(component::COMPILE_WALL_MS),
            memory_bytes: component::COMPILE_MEMORY_BYTES,
            artifact_bytes: component::ARTIFACT_BYTES,
        }
    }
}
