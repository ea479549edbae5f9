//! The one place that configures Wasmtime, each knob with its reason.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use wasmtime::{
    Config, InstanceAllocationStrategy, OperatorCost, OptLevel, PoolingAllocationConfig, Strategy,
    WasmBacktraceDetails,
};
use wasmyard_namespaces::limits::{Limits, component};
use wasmyard_pool::{MAPPINGS_PER_SLOT, Pool, PoolConfig, Refused};

use crate::code::ticker::Ticker;

/// Host stack for one guest call. What of it is touched stays resident only as far as requests use that do not recurse.
pub(super) const ASYNC_STACK_BYTES: usize = 3 << 19;
/// The part of it that Wasm frames may use; the rest is for host calls. As deep as functions of JavaScript may call each
/// other by the measure of their engine, with room to spare.
const WASM_STACK_BYTES: usize = 1 << 20;
/// How much of a memory stays resident when it comes back to the pool: what JavaScript's engines touch for a request.
const KEEP_BYTES: usize = 4 << 20;
/// What all memories that nobody has may keep together: a part of the guests' memory, within these bounds.
const KEEP_PART: u64 = 16;
const KEEP_TOGETHER_BYTES: std::ops::RangeInclusive<u64> = (16 << 20)..=(256 << 20);

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
    /// The most instances that may be alive at once, of all engines. Each reserves address space, not memory.
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

/// Address space that so many instances reserve, in bytes.
pub const fn address_space(instances: u64) -> u64 {
    wasmyard_pool::address_space(instances, ASYNC_STACK_BYTES as u64)
}

/// Mappings that so many instances need, beside those of their code.
pub const fn mappings(instances: u64) -> u64 {
    instances.saturating_mul(MAPPINGS_PER_SLOT)
}

/// An engine whose epochs tick while guests run on it. It runs code and cannot compile any: that is
/// [`crate::compile()`]'s, in another process.
#[derive(Clone)]
pub(crate) struct Engine {
    pub(crate) wasmtime: wasmtime::Engine,
    /// Runs nothing: it loads what one invocation may need, and refuses the rest. See [`bounded`].
    pub(crate) bounded: wasmtime::Engine,
    pub(crate) metering: Metering,
    /// Names everything that compiled code depends on, for the artifact cache.
    pub(crate) fingerprint: String,
    pub(crate) ticker: Arc<Ticker>,
}

impl Engine {
    /// Makes the engine, which takes memories and stacks from this pool, and starts its ticker.
    ///
    /// # Errors
    ///
    /// When Wasmtime refuses the configuration, or the machine has no thread or address space left.
    pub(crate) fn new(config: &EngineConfig, metering: Metering, pool: &Pool) -> wasmtime::Result<Self> {
        let wasmtime = wasmtime::Engine::new(&running(metering, pool))?;
        let bounded = wasmtime::Engine::new(&bounded(config, metering))?;
        let fingerprint = fingerprint(metering)?;
        let ticker = Ticker::start(&wasmtime)?;
        Ok(Self { wasmtime, bounded, metering, fingerprint, ticker })
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

/// The memories and stacks of all engines of a runtime. `guest_memory_bytes` is what guests may hold together.
///
/// # Errors
///
/// When the machine cannot give the address space that it reserves; the text says how much.
pub(crate) fn pool(config: &EngineConfig, guest_memory_bytes: u64) -> Result<Pool, Refused> {
    let together =
        (guest_memory_bytes / KEEP_PART).clamp(*KEEP_TOGETHER_BYTES.start(), *KEEP_TOGETHER_BYTES.end());
    let pool = Pool::new(&PoolConfig {
        slots: config.max_instances,
        max_memory_bytes: config.max_memory_bytes,
        stack_bytes: ASYNC_STACK_BYTES,
        keep_bytes: KEEP_BYTES,
        keep_bytes_together: usize::try_from(together).unwrap_or(usize::MAX),
    })?;
    if !pool.lists_pages() {
        tracing::warn!(
            "the kernel does not say which pages guests have written (PAGEMAP_SCAN, Linux 6.7): every memory is given back \
             whole after use, which costs each invocation some microseconds more"
        );
    }
    Ok(pool)
}

fn running(metering: Metering, pool: &Pool) -> Config {
    let mut wasmtime = common(metering);
    pool.supply(&mut wasmtime);
    wasmtime
        // What strangers upload is compiled by a process of its own; this one could not if it wanted to.
        .enable_compiler(false)
        // Stacks hold no secrets of the host that a guest could read: Wasm cannot address them.
        .async_stack_zeroing(false)
        // A trap's message names its kind; frames of a tenant's code are of no use to the operator, and
        // symbolicating the first one costs half a second in a binary with debug information.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable);
    wasmtime
}

/// An engine for the process that evaluates scripts: like one that runs, with memories and stacks from this pool.
///
/// # Errors
///
/// When Wasmtime refuses the configuration.
pub(super) fn evaluating(metering: Metering, pool: &Pool) -> wasmtime::Result<wasmtime::Engine> {
    wasmtime::Engine::new(&running(metering, pool))
}

/// What compiled code depends on: the same for whoever compiles and whoever runs.
fn common(metering: Metering) -> Config {
    let mut wasmtime = Config::new();
    wasmtime
        // CPU budgets: compiled code looks at the epoch in every loop and function.
        .epoch_interruption(metering != Metering::Bare)
        .consume_fuel(metering == Metering::Fuel)
        .async_stack_size(ASYNC_STACK_BYTES)
        .max_wasm_stack(WASM_STACK_BYTES);
    if metering == Metering::Fuel {
        wasmtime.operator_cost(costs());
    }
    wasmyard_pool::shape(&mut wasmtime);
    features(&mut wasmtime);
    wasmtime
}

/// What instructions cost where fuel is counted: what they do by default, but that bytes of data segments are free. Compiled
/// code copies a module's segments when it starts, because its memory has no image, and would charge every request for its
/// script's size. What `memory.init` copies is charged by what [`crate::code::bulk`] puts in its place.
fn costs() -> OperatorCost {
    let mut costs = OperatorCost::new();
    costs.variable.memory_init_per_byte = 0;
    costs
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
        // Several memories in a module: the engine's own modules between two components of one upload have them. In
        // modules that are uploaded they are refused before (`bounds`): none of the supported toolchains makes them,
        // and what cuts bulk instructions knows one memory.
        .wasm_multi_memory(true)
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

/// An engine that runs nothing. Its allocator has one slot of every kind and loads only what fits: how much an instance
/// takes in the host (its functions, imports and globals, in each of its core instances) is Wasmtime's to know, and
/// this is the only way to ask.
fn bounded(config: &EngineConfig, metering: Metering) -> Config {
    let mut slots = PoolingAllocationConfig::new();
    slots
        .total_component_instances(1)
        .total_core_instances(1)
        .total_memories(1)
        .total_tables(1)
        .total_stacks(1)
        .max_core_instances_per_component(as_u32(component::CORE_INSTANCES))
        .max_memories_per_component(as_u32(component::MEMORIES))
        .max_tables_per_component(as_u32(component::TABLES))
        .table_elements(component::TABLE_ELEMENTS as usize)
        .max_memory_size(config.max_memory_bytes);
    let mut wasmtime = common(metering);
    wasmtime.enable_compiler(false).allocation_strategy(InstanceAllocationStrategy::Pooling(slots));
    wasmtime
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
            let engine = Engine::new(&config, metering, &pool(&config, u64::MAX).unwrap()).unwrap();
            assert!(engine.wasmtime.precompile_component(&component).is_err(), "it can compile");
            for compiled_for in Metering::ALL {
                let code = compiling(compiled_for, 1).unwrap().precompile_component(&component).unwrap();
                let loaded = crate::code::module::Module::load_bytes(&engine.wasmtime, &code);
                assert_eq!(loaded.is_ok(), metering == compiled_for, "{compiled_for:?} on {metering:?}");
            }
        }
        let [time, fuel] = Metering::ALL.map(|metering| fingerprint(metering).unwrap());
        assert_ne!(time, fuel);
    }

    #[test]
    fn what_needs_more_of_the_host_than_one_invocation_gets_is_not_loaded() {
        let config = EngineConfig { max_instances: 1, ..EngineConfig::default() };
        let engine = Engine::new(&config, Metering::Time, &pool(&config, u64::MAX).unwrap()).unwrap();
        let loads = |text: &str| {
            let component = wat::parse_str(text).unwrap();
            let code = compiling(Metering::Time, 1).unwrap().precompile_component(&component).unwrap();
            crate::code::module::Module::load_bytes(&engine.bounded, &code).map(|_| ())
        };
        let instances = |count: usize, module: &str| {
            let made = "(core instance (instantiate $m))".repeat(count);
            format!("(component (core module $m {module}) {made})")
        };
        loads(&instances(4, "(memory 1)")).unwrap();
        // Each is within its bound; together they take more than four memories, or more than a mebibyte of the host's.
        let error = loads(&instances(5, "(memory 1)")).unwrap_err();
        assert!(format!("{error:#}").contains("linear memories"), "{error:#}");
        let globals = "(global (mut v128) (v128.const i64x2 0 0))".repeat(19_000);
        loads(&instances(1, &globals)).unwrap();
        let error = loads(&instances(20, &globals)).unwrap_err();
        assert!(format!("{error:#}").contains("component instance size"), "{error:#}");
    }

    #[test]
    fn kinds_have_names() {
        for metering in Metering::ALL {
            assert_eq!(Metering::named(metering.name()), Some(metering));
        }
        assert_eq!(Metering::named("none"), None);
    }
}
