//! One invocation at a time, without a server: workers in text form, and what their outcomes say.
//! One binary for all, because linking the engine takes longer than running the tests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests stop where something is wrong"
)]

mod bench;
mod bulk;
mod composed;
mod cpu;
mod events;
mod features;
mod fuel;
mod isolation;
mod loaded;
mod memory;
mod preparing;
mod random;
mod reuse;
