//! What the engines are made from, and why they could not be made.

use std::path::PathBuf;

use bytes::Bytes;

use super::engine::EngineConfig;
use crate::limits::guest_memory::GuestMemoryLimits;

/// What a [`crate::Runtime`] is made from.
#[derive(Debug, Clone)]
pub struct RuntimeConfig {
    /// Sizes of the engine.
    pub engine: EngineConfig,
    /// Where compiled code is kept between starts.
    pub artifacts: PathBuf,
    /// How many bytes of compiled code stay loaded; the least recently used goes first. Code that runs is never taken
    /// away.
    pub loaded_code_bytes: u64,
    /// How many modules may be loaded at once: see [`modules_by_mappings`](crate::modules_by_mappings).
    pub loaded_modules: u64,
    /// How many components may be compiled at the same time.
    pub compilations: usize,
    /// How much memory guests may hold.
    pub guest_memory: GuestMemoryLimits,
    /// The engine of scripts written in JavaScript, as the project builds it; none where there is none.
    pub javascript: Option<Bytes>,
}

/// Why the runtime could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Wasmtime refused the configuration, or the machine could not give what it needs.
    #[error("the WebAssembly engine could not start: {0}")]
    Engine(String),
    /// The folder for compiled code could not be used.
    #[error("the folder for compiled code, {folder}, cannot be used: {error}")]
    Artifacts {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
}

pub(super) fn engine_error(error: wasmtime::Error) -> StartError {
    StartError::Engine(format!("{error:#}"))
}
