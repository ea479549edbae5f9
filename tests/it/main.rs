//! The platform as its users see it: the real binary on ports of its own, driven over real sockets.
//!
//! One test binary, because each would link the same crates again. Every test starts a server of its own
//! with a data directory of its own, and waits for what it needs: nothing here sleeps for a fixed time in
//! the hope that something has happened. Guests are real components: the examples, `tests/guests`, and tiny
//! ones that `tests/harness/src/wat.rs` makes.
//!
//! - `data`, `control`, `node`: a folder a plane, a file a subject
//! - `support`: the harness (`tests/harness`): the server, the clients, the guests; the soak uses it as well

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers as well"
)]

extern crate wasmyard_harness as support;

mod control;
mod data;
mod node;
