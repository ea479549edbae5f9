//! The built guests, by name. Owns where they are and what builds others; must never build them itself.

use std::path::PathBuf;
use std::process::Command;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/target/wasm32-wasip2/release");

/// The file of a guest, like `hello` or `echo_stream`.
///
/// # Errors
/// When it is not there, with the command that builds it.
pub fn find(name: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(FOLDER).join(format!("{name}.wasm"));
    path.canonicalize().map_err(|error| {
        format!("the guest {name} is not built; run `make guests` first ({}: {error})", path.display())
    })
}

/// The same, where a test needs it.
#[must_use]
pub fn path(name: &str) -> PathBuf {
    find(name).unwrap()
}

/// The component itself.
pub fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap()
}

/// The engine of JavaScript, as the binary under test has it inside.
pub fn javascript_engine() -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/engines/js.wasm");
    std::fs::read(path).unwrap_or_else(|error| panic!("run `make engines` first ({path}: {error})"))
}

/// The line of a configuration that names it.
pub fn main(name: &str) -> String {
    format!("main = {:?}", path(name))
}

/// The toolchain that can build for guests: the one that built those above.
pub fn toolchain() -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/wasm-toolchain.sh");
    let named = Command::new(script).output().unwrap();
    assert!(named.status.success(), "{named:?}");
    String::from_utf8(named.stdout).unwrap().trim().to_owned()
}
