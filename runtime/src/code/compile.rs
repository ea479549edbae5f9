//! Compiling: what is asked for, who does it, and how it is done where it is done.
//!
//! Compilers work on what strangers send, so whoever embeds this crate chooses where they run: the program
//! gives every component a process with hard limits, tests and benches stay in their own ([`InProcess`]).
//! Must never be called by a [`crate::Runtime`] in any other way than through its [`Compiler`].

use async_trait::async_trait;
use bytes::Bytes;

use crate::code::engine::{self, Metering};
use crate::code::module::{ModuleError, check_header};
use crate::code::{bounds, bulk};

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
    /// The component, as it was uploaded.
    pub component: Bytes,
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

/// Compiles: bounds first, then validation and code. More threads than one are those of the process, as `rayon` makes
/// them.
///
/// # Errors
///
/// The [`ModuleError`] that the upload is refused with.
pub fn compile(job: &CompileJob) -> Result<Vec<u8>, ModuleError> {
    check_header(&job.component)?;
    bounds::check(&job.component, job.max_memory_bytes)?;
    let engine = engine::compiling(job.metering, job.threads).map_err(ModuleError::internal)?;
    engine.precompile_component(&bulk::in_pieces(&job.component, job.metering == Metering::Fuel)).map_err(
        |error| {
            if error.downcast_ref::<wasmtime::OutOfMemory>().is_some() {
                return ModuleError::TooMuchMemory;
            }
            ModuleError::Invalid(format!("{error:#}"))
        },
    )
}

/// Compiles in this process, without any limit on time or memory: for components that are trusted, as those
/// of tests and benches.
#[derive(Debug, Clone, Copy, Default)]
pub struct InProcess;

#[async_trait]
impl Compiler for InProcess {
    async fn compile(&self, job: CompileJob) -> Result<Vec<u8>, ModuleError> {
        tokio::task::spawn_blocking(move || compile(&job)).await.map_err(ModuleError::internal)?
    }
}
