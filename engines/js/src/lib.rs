//! The engine of JavaScript workers: QuickJS-ng as a component that is a worker like any other.
//!
//! Its life has three phases, each of which ends with the memory that the next one begins with: [`boot`](script::boot)
//! makes the engine and its Web APIs, once for each build; [`load`](script::load) evaluates a script, once for each
//! upload; and an instance that begins with that memory handles one event. No handle of the host may be held when one of
//! the first two ends, and nothing of the clock, of chance or of `env` may be in that memory: `host` refuses all of it
//! until a script is sealed.
//!
//! Modules, low to high: `memory`, `clock`, `table` < `host` < `turns` < `script`, `events`.

mod clock;
mod events;
mod host;
mod memory;
mod script;
mod table;
mod turns;

mod bindings {
    #![allow(missing_docs, unsafe_op_in_unsafe_fn, clippy::all, reason = "generated code")]
    wit_bindgen::generate!({
        path: ["../../sdk/wit", "wit"],
        world: "wasmyard:engine/engine",
        generate_all,
    });
    use super::Engine;
    export!(Engine);
}

/// What is exported.
struct Engine;
