//! The servers that are compared. Each file starts one and says what of it is asked.

pub mod hyper;
pub mod javascript;
pub mod proxies;
pub mod wasmtime;
pub mod wasmyard;
pub mod workerd;

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use crate::Error;

/// A port that was free a moment ago: for servers that do not say which one they took.
fn free_address() -> Result<SocketAddr, Error> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// A program: where the variable says, or on `PATH`, or in the folder where the bench put it.
fn program(variable: &str, name: &str, own: &Path) -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(variable) {
        return Some(PathBuf::from(path)).filter(|path| path.is_file());
    }
    if own.is_file() {
        return Some(own.to_owned());
    }
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())
}
