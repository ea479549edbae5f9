//! JavaScript, in two ways: scripts that the platform's own engine runs, and a component of 12 MB that brings an engine.

use std::path::PathBuf;

use crate::load::GREETING;
use crate::{Error, root, scratch};

/// Calls the customer whom the first label of the host names.
pub const DISPATCHER: &str = "export default { fetch(request, env) {\n\
     \x20 const customer = new URL(request.url).hostname.split('.')[0];\n\
     \x20 return env.DISPATCHER.get(customer).fetch(request);\n} };\n";

/// A script that greets.
#[must_use]
pub fn user() -> String {
    format!("export default {{ fetch() {{ return new Response({GREETING:?}); }} }};\n")
}

/// The engine, where it was built.
///
/// # Errors
/// When it cannot be read.
pub fn engine() -> Result<Option<Vec<u8>>, Error> {
    match std::fs::read(root().join("target/engines/js.wasm")) {
        Ok(engine) => Ok(Some(engine)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

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
