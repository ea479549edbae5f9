//! The one place that configures Wasmtime, each knob with its reason.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Strategy,
    WasmBacktraceDetails,
};
use wasmyard_namespaces::limits::{Limits, component};

use crate::code::ticker::Ticker;

/// Host stack for one guest call.
const ASYNC_STACK_BYTES: usize = 1 << 20;
/// The part of it that Wasm frames may use; the rest is for host calls.
const WASM_STACK_BYTES: usize = 512 << 10;
/// What a slot keeps of a memory and of a table: overwriting so much is cheaper than having it mapped anew.
const RESIDENT_MEMORY_BYTES: usize = 128 << 10;
const RESIDENT_TABLE_BYTES: usize = 16 << 10;
/// Core instances that one component brings along (its own, adapters and shims).
const CORE_INSTANCES_PER_COMPONENT: u32 = 5;

/// How the CPU time of a guest is metered. That is part of the machine code, so each has artifacts of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Metering {
    /// CPU time is measured: compiled code looks at the epoch. The default.
    Time,
    /// Fuel is counted: the same guest on the same input uses the same. The epoch stays as the wall behind it.
    Fuel,
    /// Neither: no CPU budget holds. For benches alone, which show what the others cost.
    Bare,
}

impl Metering {
    /// Every way that a platform runs.
    pub const ALL: [Self; 2] = [Self::Time, Self::Fuel];

    /// The one that enforces these limits.
    pub const fn of(limits: &Limits) -> Self {
        match limits.fuel {
            Some(_) => Self::Fuel,
            None => Self::Time,
        }
    }

    /// Its name on the compiler's command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Fuel => "fuel",
            Self::Bare => "bare",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metering| metering.name() == name)
    }
}

/// Sizes of the engine that depend on the machine and on what the operator wants.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// The most instances that may be alive at once. Each reserves address space, not memory.
    pub max_instances: u32,
    /// The highest memory ceiling that any invocation may be given, in bytes.
    pub max_memory_bytes: usize,
    /// How the engine meters that is made at the start: by time, but in benches. One that counts fuel is made
    /// beside it when the first limit asks for it.
    pub metering: Metering,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self { max_instances: 1000, max_memory_bytes: 128 << 20, metering: Metering::Time }
    }
}

/// An engine whose epochs tick while guests run on it. It runs code and cannot compile any: that is
/// [`crate::compile()`]'s, in another process.
#[derive(Clone)]
pub(crate) struct Engine {
    pub(crate) wasmtime: wasmtime::Engine,
    pub(crate) metering: Metering,
    /// Names everything that compiled code depends on, for the artifact cache.
    pub(crate) fingerprint: String,
    pub(crate) ticker: Arc<Ticker>,
}

impl Engine {
    /// Makes the engine and starts its ticker.
    ///
    /// # Errors
    ///
    /// When the machine cannot give the address space that the pool reserves; the text says how much.
    pub(crate) fn new(config: &EngineConfig, metering: Metering) -> wasmtime::Result<Self> {
        let wasmtime = wasmtime::Engine::new(&running(config, metering))?;
        let fingerprint = fingerprint(metering)?;
        let ticker = Ticker::start(&wasmtime)?;
        Ok(Self { wasmtime, metering, fingerprint, ticker })
    }
}

/// An engine that compiles for [`Engine`]s that meter so, and runs nothing.
///
/// # Errors
///
/// When Wasmtime refuses the configuration.
pub(crate) fn compiling(metering: Metering, threads: usize) -> wasmtime::Result<wasmtime::Engine> {
    let mut wasmtime = common(metering);
    wasmtime
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .parallel_compilation(threads > 1);
    wasmtime::Engine::new(&wasmtime)
}

/// Names everything that code compiled for engines that meter so depends on.
///
/// # Errors
///
/// When Wasmtime refuses the configuration.
pub(crate) fn fingerprint(metering: Metering) -> wasmtime::Result<String> {
    let mut hasher = DefaultHasher::new();
    compiling(metering, 1)?.precompile_compatibility_hash().hash(&mut hasher);
    crate::code::bulk::VERSION.hash(&mut hasher);
    Ok(format!("{:016x}", hasher.finish()))
}

fn running(config: &EngineConfig, metering: Metering) -> Config {
    let mut wasmtime = common(metering);
    wasmtime
        // What strangers upload is compiled by a process of its own; this one could not if it wanted to.
        .enable_compiler(false)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(config)))
        // Stacks hold no secrets of the host that a guest could read: Wasm cannot address them.
        .async_stack_zeroing(false)
        // A trap's message names its kind; frames of a tenant's code are of no use to the operator, and
        // symbolicating the first one costs half a second in a binary with debug information.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable);
    wasmtime
}

/// What compiled code depends on: the same for whoever compiles and whoever runs.
fn common(metering: Metering) -> Config {
    let mut wasmtime = Config::new();
    wasmtime
        // CPU budgets: compiled code looks at the epoch in every loop and function.
        .epoch_interruption(metering != Metering::Bare)
        .consume_fuel(metering == Metering::Fuel)
        // Copy-on-write images: a fresh instance maps its initial memory instead of copying it.
        .memory_init_cow(true)
        .async_stack_size(ASYNC_STACK_BYTES)
        .max_wasm_stack(WASM_STACK_BYTES);
    features(&mut wasmtime);
    wasmtime
}

/// Proposals that no guest of this platform needs are off: each is more code that a stranger's module could
/// reach, in the validator, in the compiler and in the runtime. Named one by one, so that an update of
/// Wasmtime that turns one on by default changes nothing here. `runtime/tests/it/features.rs` shows each refused.
///
/// The async half of the component model (streams, futures, error contexts, WASI 0.3) has no switch here: the
/// crate feature that would bring it is not compiled in.
///
/// The crate features `gc` and `threads` stay compiled in all the same: builds without them had advisories.
fn features(wasmtime: &mut Config) {
    wasmtime
        // Bulk operations, SIMD, multi-value, reference types, extended constants and tail calls are what
        // current toolchains emit.
        .wasm_bulk_memory(true)
        .wasm_simd(true)
        .wasm_multi_value(true)
        .wasm_reference_types(true)
        .wasm_extended_const(true)
        .wasm_tail_call(true)
        // Shared memory and atomics: one invocation has one thread, and nobody to share with.
        .wasm_threads(false)
        .wasm_shared_everything_threads(false)
        // A collector in the host whose heap the guest shapes: the richest source of engine bugs there is.
        // Typed function references and exceptions stand on it; our guests bring their own allocators and
        // abort on panic. `gc_support(false)` leaves the collector itself out.
        .wasm_gc(false)
        .wasm_function_references(false)
        .wasm_exceptions(false)
        .gc_support(false)
        // Memories over 4 GiB, which the ceiling forbids; and without them every bounds check is a guard page.
        .wasm_memory64(false)
        // Pages of one byte: made for devices without an MMU; here they would cost the guard pages.
        .wasm_custom_page_sizes(false)
        // Several memories in a module: none of the supported toolchains makes them.
        .wasm_multi_memory(false)
        // 128-bit arithmetic: not standardised, and a library does it.
        .wasm_wide_arithmetic(false)
        // Continuations: stacks that a guest makes and switches are outside what we bound.
        .wasm_stack_switching(false)
        // Results that differ between machines: a deterministic class could not promise anything.
        .wasm_relaxed_simd(false)
        // Hints change nothing but code layout, at the word of a stranger.
        .wasm_branch_hinting(false)
        // Proposals of the component model that no WIT of this platform uses.
        .wasm_component_model_gc(false)
        .wasm_component_model_map(false)
        .wasm_component_model_memory64(false)
        .wasm_component_model_fixed_length_lists(false)
        .wasm_component_model_implements(false);
}

fn pool(config: &EngineConfig) -> PoolingAllocationConfig {
    let instances = config.max_instances;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES_PER_COMPONENT))
        .total_memories(instances)
        .total_tables(instances.saturating_mul(CORE_INSTANCES_PER_COMPONENT))
        .total_stacks(instances)
        .max_core_instances_per_component(as_u32(component::CORE_INSTANCES))
        .max_memories_per_component(as_u32(component::MEMORIES))
        .max_tables_per_component(as_u32(component::TABLES))
        .table_elements(component::TABLE_ELEMENTS as usize)
        .max_memory_size(config.max_memory_bytes)
        // Every slot may stay warm: a slot that was this script's before needs no new mapping.
        .max_unused_warm_slots(instances)
        .decommit_batch_size(1)
        // The pool's own pagemap scan resets pages that are written and present. A page that was swapped out, or
        // that the kernel is just moving, is not present: it would keep what one tenant wrote for the next one.
        // So every slot is reset whole, whatever the kernel says of its pages: the first bytes are overwritten, and
        // the rest goes back to the kernel.
        .pagemap_scan(Enabled::No)
        .linear_memory_keep_resident(RESIDENT_MEMORY_BYTES)
        .table_keep_resident(RESIDENT_TABLE_BYTES);
    pool
}

/// Bounds of components are small numbers.
fn as_u32(bound: u64) -> u32 {
    u32::try_from(bound).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_that_runs_takes_what_its_kind_compiled_and_nothing_of_the_other() {
        let config = EngineConfig { max_instances: 1, ..EngineConfig::default() };
        let component =
            wat::parse_str("(component (core module $m (func)) (core instance (instantiate $m)))").unwrap();
        for metering in Metering::ALL {
            let engine = Engine::new(&config, metering).unwrap();
            assert!(engine.wasmtime.precompile_component(&component).is_err(), "it can compile");
            for compiled_for in Metering::ALL {
                let code = compiling(compiled_for, 1).unwrap().precompile_component(&component).unwrap();
                let loaded = crate::code::module::Module::load_bytes(&engine, &code);
                assert_eq!(loaded.is_ok(), metering == compiled_for, "{compiled_for:?} on {metering:?}");
            }
        }
        let [time, fuel] = Metering::ALL.map(|metering| fingerprint(metering).unwrap());
        assert_ne!(time, fuel);
    }

    #[test]
    fn kinds_have_names() {
        for metering in Metering::ALL {
            assert_eq!(Metering::named(metering.name()), Some(metering));
        }
        assert_eq!(Metering::named("none"), None);
    }
}
