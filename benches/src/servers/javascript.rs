//! The JavaScript guest: a component of 12 MB, most of it the engine, as customers will upload them.

use std::path::PathBuf;

use crate::{Error, scratch};

/// How to get it.
pub const REMEDY: &str = "benches/peers.sh js (or JS_COMPONENT=path)";

/// Where it is.
///
/// # Errors
/// When there is no scratch folder.
pub fn find() -> Result<Option<PathBuf>, Error> {
    let path = match std::env::var_os("JS_COMPONENT") {
        Some(path) => PathBuf::from(path),
        None => scratch()?.join("js/hello_js.wasm"),
    };
    Ok(Some(path).filter(|path| path.is_file()))
}
