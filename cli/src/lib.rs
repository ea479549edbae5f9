//! The `wasmyard` binary, as a library that its own tests can reach into.
//!
//! The way of a command, in order:
//! 1. `args` - what was typed
//! 2. `commands` - one file for each noun; those that read `wasmyard.toml` or start the platform ask `wasmyard_node`
//! 3. `client` - the v4 API, for the commands that talk to a running platform
//! 4. `output`, `failure` - what is shown, and the exit code
//!
//! `init` writes project folders, `dev` drives builds and hot reload.

pub mod args;
pub mod client;
pub mod commands;
pub mod dev;
pub mod failure;
pub mod init;
pub mod output;
pub mod wit;

#[cfg(test)]
mod testing;
