//! What a component may consist of, and what compiling it may cost. Counted before it is compiled, nested
//! components and modules together: each bound lies well above what toolchains make and well below what costs
//! the compiler dearly. What slips through is stopped by the bounds on the compiler's process.
//!
//! Owns the numbers. Never counts anything: `runtime/src/code/bounds.rs` does, and whoever starts compilers.

use super::row::LimitRow;
use super::row::LimitScope::Component;
use super::row::Unit::{self, Bytes, Count, Milliseconds};

/// Components nested in components.
pub const DEPTH: u64 = 8;
/// Core modules and components that are defined.
pub const MODULES: u64 = 64;
/// Core modules that are instantiated; the engine's pool is made for as many.
pub const CORE_INSTANCES: u64 = 20;
/// Instances of components.
pub const INSTANCES: u64 = 1_000;
/// Functions that are defined.
pub const FUNCTIONS: u64 = 65_536;
/// Body of one function.
pub const FUNCTION_BYTES: u64 = 1 << 20;
/// Locals of one function, its parameters not counted.
pub const FUNCTION_LOCALS: u64 = 10_000;
/// Blocks in blocks in one function.
pub const FUNCTION_NESTING: u64 = 4_096;
/// Loops of one function, multiplied with its locals: what makes Cranelift slow.
pub const FUNCTION_LOOPS_BY_LOCALS: u64 = 500_000;
/// Functions between core code and the component model.
pub const CANONICAL_FUNCTIONS: u64 = 20_000;
/// Types of core modules and components.
pub const TYPES: u64 = 20_000;
/// Imports.
pub const IMPORTS: u64 = 20_000;
/// Exports.
pub const EXPORTS: u64 = 20_000;
/// Longest name of an import or export.
pub const NAME_BYTES: u64 = 4_096;
/// Globals.
pub const GLOBALS: u64 = 20_000;
/// Linear memories.
pub const MEMORIES: u64 = 4;
/// Tables.
pub const TABLES: u64 = 20;
/// Elements that one table asks for at the start, and may grow to.
pub const TABLE_ELEMENTS: u64 = 65_536;
/// Items of element segments.
pub const ELEMENT_ITEMS: u64 = 131_072;
/// Data segments.
pub const DATA_SEGMENTS: u64 = 20_000;
/// Bytes of data segments together.
pub const DATA_BYTES: u64 = 32 << 20;

/// CPU time of one compilation, in milliseconds.
pub const COMPILE_CPU_MS: u64 = 60_000;
/// Wall-clock time of one compilation, in milliseconds: for a machine that has better things to do.
pub const COMPILE_WALL_MS: u64 = 300_000;
/// Address space of one compilation, in bytes.
pub const COMPILE_MEMORY_BYTES: u64 = 2 << 30;
/// Compiled code of one component, in bytes.
pub const ARTIFACT_BYTES: u64 = 256 << 20;

/// The rows of the table of limits.
pub(super) const ROWS: &[LimitRow] = &[
    count("component_depth", DEPTH, "Components nested in components."),
    count("modules", MODULES, "Core modules and components that it defines."),
    count("core_instances", CORE_INSTANCES, "Core modules that it instantiates."),
    count("instances", INSTANCES, "Instances of components that it makes."),
    count("functions", FUNCTIONS, "Functions that it defines."),
    bytes("function_bytes", FUNCTION_BYTES, "Body of one function."),
    count("function_locals", FUNCTION_LOCALS, "Locals of one function, without its parameters."),
    count("function_nesting", FUNCTION_NESTING, "Blocks in blocks in one function."),
    count(
        "function_loops_by_locals",
        FUNCTION_LOOPS_BY_LOCALS,
        "Loops of one function, multiplied with its locals: their product is what makes compilation slow.",
    ),
    count(
        "canonical_functions",
        CANONICAL_FUNCTIONS,
        "Functions lifted and lowered between core code and the component model.",
    ),
    count("types", TYPES, "Types that it defines."),
    count("imports", IMPORTS, "Imports, those of its core modules among them."),
    count("exports", EXPORTS, "Exports, those of its core modules among them."),
    bytes("name_bytes", NAME_BYTES, "Name of one import or export."),
    count("globals", GLOBALS, "Globals that it defines."),
    count("memories", MEMORIES, "Linear memories that it defines."),
    count("tables", TABLES, "Tables that it defines."),
    count("table_elements", TABLE_ELEMENTS, "Elements of one table, at the start and later."),
    count("element_items", ELEMENT_ITEMS, "Items of its element segments together."),
    count("data_segments", DATA_SEGMENTS, "Data segments."),
    bytes("data_bytes", DATA_BYTES, "Its data segments together."),
    row("compile_cpu_ms", Milliseconds, COMPILE_CPU_MS, "CPU time of its compilation."),
    row("compile_wall_ms", Milliseconds, COMPILE_WALL_MS, "Wall-clock time of its compilation."),
    bytes("compile_memory_bytes", COMPILE_MEMORY_BYTES, "Address space of its compilation."),
    bytes("artifact_bytes", ARTIFACT_BYTES, "Its compiled code."),
];

const fn count(name: &'static str, most: u64, doc: &'static str) -> LimitRow {
    row(name, Count, most, doc)
}

const fn bytes(name: &'static str, most: u64, doc: &'static str) -> LimitRow {
    row(name, Bytes, most, doc)
}

const fn row(name: &'static str, unit: Unit, most: u64, doc: &'static str) -> LimitRow {
    LimitRow { name, scope: Component, unit, default: Some(most), min: 0, ceiling: most, doc }
}
