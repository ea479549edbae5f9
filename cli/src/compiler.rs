//! Compiling in a process of its own: what strangers upload meets Cranelift only there.
//!
//! Owns both sides. [`ChildCompiler`] starts this same program as `wasmyard compile-component`, hands it one
//! component and takes its answer within limits of time and size; [`child`] gives up every right it does not
//! need, compiles, and answers. They agree on [`wire`]. Must never compile in the process that serves.

pub mod child;
mod confine;
mod parent;
mod wire;

use std::time::Duration;

use wasmyard_namespaces::limits::component;

pub use parent::ChildCompiler;

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
