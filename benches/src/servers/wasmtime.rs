//! `wasmtime serve` with its defaults: WASI 0.2, an instance a request, no limits.

use std::path::{Path, PathBuf};

use super::{free_address, program};
use crate::load::Aim;
use crate::process::{Place, Process};
use crate::{Error, scratch};

/// How to get it.
pub const REMEDY: &str = "benches/peers.sh wasmtime (or WASMTIME=path)";

/// Where it is.
pub fn find() -> Option<PathBuf> {
    let own = scratch().ok()?.join("wasmtime/bin/wasmtime");
    program("WASMTIME", "wasmtime", &own)
}

/// Starts it with a component.
///
/// # Errors
/// When it does not start.
pub fn start(program: &Path, component: &Path) -> Result<(Process, Aim), Error> {
    let address = free_address()?;
    let mut process = Process::start("wasmtime serve", program, Place::ServerCpu, |command| {
        command.args(["serve", "-Scli", "--addr", &address.to_string()]).arg(component);
    })?;
    process.opens(address)?;
    Ok((process, Aim::at(address, "one.localhost")))
}
