//! Takes the JavaScript engine into the program, where it was built before: `make engines`. A build without it runs
//! components alone, and says how to get the rest.

use std::path::Path;
use std::{env, fs};

fn main() {
    let Some(out) = env::var_os("OUT_DIR") else { return };
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/engines/js.wasm");
    println!("cargo::rerun-if-changed={}", built.display());
    let engine = fs::read(built).unwrap_or_default();
    if let Err(error) = fs::write(Path::new(&out).join("js.wasm"), engine) {
        println!("cargo::error=the JavaScript engine cannot be copied: {error}");
    }
}
