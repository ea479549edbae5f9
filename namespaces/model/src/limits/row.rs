//! What a row of the table of limits consists of.
//!
//! Owns the types alone, for the table and for the files that bring rows to it.

use std::fmt;

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Milliseconds.
    Milliseconds,
    /// Bytes.
    Bytes,
    /// Units of fuel, about one per WebAssembly instruction.
    Fuel,
    /// Things.
    Count,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unit::Milliseconds => "ms",
            Unit::Bytes => "bytes",
            Unit::Fuel => "units of fuel",
            Unit::Count => "in number",
        })
    }
}

/// Where a limit holds, and so who may set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LimitScope {
    /// One invocation: platform, namespace, version and dispatch may each tighten it.
    Invocation,
    /// The listener: the operator sets it.
    Server,
    /// One upload: fixed, or set by the operator below the ceiling.
    Upload,
    /// One KV namespace: fixed.
    Kv,
    /// One queue: fixed.
    Queue,
    /// One SQL database: fixed.
    D1,
    /// One bucket of objects: fixed.
    R2,
    /// The caches of one script: fixed.
    Cache,
    /// Zones and what is in one of them: fixed.
    Zone,
    /// One event that is no request: fixed.
    Event,
    /// What a component consists of, and what compiling it may cost: fixed.
    Component,
}

/// One limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitRow {
    /// The name in metadata.
    pub name: &'static str,
    /// Where it holds.
    pub scope: LimitScope,
    /// What the numbers count.
    pub unit: Unit,
    /// What holds when nobody says otherwise; none is no limit.
    pub default: Option<u64>,
    /// Smallest value that may be asked for.
    pub min: u64,
    /// Largest value that may be asked for.
    pub ceiling: u64,
    /// What it bounds, in one sentence.
    pub doc: &'static str,
}

impl LimitRow {
    /// The name in `wasmyard.toml`, where a size is no number of bytes.
    #[must_use]
    pub fn config_key(&self) -> &'static str {
        match self.name {
            "memory_bytes" => "memory",
            "log_bytes" => "logs",
            name => name,
        }
    }
}
