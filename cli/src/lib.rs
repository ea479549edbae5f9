//! The `wasmyard` binary, as a library that its own tests and the assembly can reach into.
//!
//! The way of a command, in order:
//! 1. `args` - what was typed
//! 2. `config` - what `wasmyard.toml` says, for the commands that need it
//! 3. `commands` - one file for each noun; those that start the platform hand over to `platform`
//! 4. `client` - the v4 API, for the commands that talk to a running platform
//! 5. `output`, `failure` - what is shown, and the exit code
//!
//! `init` writes project folders, `dev` drives builds and hot reload. Only `platform` knows the crates of
//! the platform itself.

pub mod args;
pub mod assets;
pub mod client;
pub mod commands;
pub mod config;
pub mod dev;
pub mod failure;
pub mod init;
pub mod machine;
pub mod output;
pub mod platform;
pub mod wit;

#[cfg(test)]
mod testing;
