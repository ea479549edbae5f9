//! The one place that configures Wasmtime, each knob with its reason.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Strategy,
    WasmBacktraceDetails,
};

/// Host stack for one guest call.
const ASYNC_STACK_BYTES: usize = 1 << 20;
/// The part of it that Wasm frames may use; the rest is for host calls.
const WASM_STACK_BYTES: usize = 512 << 10;
/// Core instances that one component brings along (its own, adapters and shims).
const CORE_INSTANCES_PER_COMPONENT: u32 = 5;

/// Sizes of the engine that depend on the machine and on what the operator wants.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// The most instances that may be alive at once. Each reserves address space, not memory.
    pub max_instances: u32,
    /// The highest memory ceiling that any invocation may be given, in bytes.
    pub max_memory_bytes: usize,
    /// Compile one component's functions on all cores.
    pub parallel_compilation: bool,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self { max_instances: 1000, max_memory_bytes: 128 << 20, parallel_compilation: true }
    }
}

/// An engine whose epochs tick as long as it lives.
#[derive(Clone)]
pub(crate) struct Engine {
    pub(crate) wasmtime: wasmtime::Engine,
    /// Names everything that compiled code depends on, for the artifact cache.
    pub(crate) fingerprint: String,
    /// The ticker stops when the last owner of this is gone.
    _alive: Arc<()>,
}

impl Engine {
    /// Makes the engine and starts its ticker.
    ///
    /// # Errors
    ///
    /// When the machine cannot give the address space that the pool reserves; the text says how much.
    pub(crate) fn new(config: &EngineConfig) -> wasmtime::Result<Self> {
        let wasmtime = wasmtime::Engine::new(&wasmtime_config(config))?;
        let mut hasher = DefaultHasher::new();
        wasmtime.precompile_compatibility_hash().hash(&mut hasher);
        let fingerprint = format!("{:016x}", hasher.finish());
        let alive = Arc::new(());
        crate::ticker::start(&wasmtime, &alive)?;
        Ok(Self { wasmtime, fingerprint, _alive: alive })
    }
}

fn wasmtime_config(config: &EngineConfig) -> Config {
    let mut wasmtime = Config::new();
    wasmtime
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .parallel_compilation(config.parallel_compilation)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(config)))
        // CPU budgets: compiled code looks at the epoch in every loop and function.
        .epoch_interruption(true)
        // Copy-on-write images: a fresh instance maps its initial memory instead of copying it.
        .memory_init_cow(true)
        .async_stack_size(ASYNC_STACK_BYTES)
        .max_wasm_stack(WASM_STACK_BYTES)
        // Stacks hold no secrets of the host that a guest could read: Wasm cannot address them.
        .async_stack_zeroing(false)
        // A trap's message names its kind; frames of a tenant's code are of no use to the operator, and
        // symbolicating the first one costs half a second in a binary with debug information.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        // Features that no guest of this platform needs, each more code to trust:
        // shared memory between threads, of which there are none;
        .wasm_threads(false)
        // memories over 4 GiB, which the ceiling forbids anyway;
        .wasm_memory64(false)
        // several memories a module: none of the supported toolchains makes them;
        .wasm_multi_memory(false)
        // relaxed SIMD gives results that differ between machines;
        .wasm_relaxed_simd(false)
        // bulk operations, SIMD, multi-value, reference types and tail calls are what current
        // toolchains emit, and stay on.
        .wasm_tail_call(true);
    wasmtime
}

fn pool(config: &EngineConfig) -> PoolingAllocationConfig {
    let instances = config.max_instances;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES_PER_COMPONENT))
        .total_memories(instances)
        .total_tables(instances.saturating_mul(CORE_INSTANCES_PER_COMPONENT))
        .total_stacks(instances)
        .max_core_instances_per_component(20)
        .max_memories_per_component(4)
        .max_tables_per_component(20)
        .max_memory_size(config.max_memory_bytes)
        // Every slot may stay warm: a slot that was this script's before needs no new mapping.
        .max_unused_warm_slots(instances)
        .decommit_batch_size(1)
        // With the kernel's pagemap scan only pages that were written are reset, so keeping them
        // resident is cheaper than giving them back; without it the same setting would be a memset.
        .pagemap_scan(Enabled::Auto)
        .linear_memory_keep_resident(4 << 20)
        .table_keep_resident(1 << 20);
    pool
}
