//! Writes the SDK's bindings, `../src/bindings/generated.rs` and `queue_consumer.rs`, from `../../wit`:
//! `cargo run -p wasmyard-bindgen`.
//!
//! They are generated once and kept, not by a macro in each build: the generator would cost every worker most of
//! its compile time. A test here fails when file and WIT do not agree.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use wit_bindgen_core::wit_parser::Resolve;
use wit_bindgen_core::{Files, WorldGenerator};
use wit_bindgen_rust::{Opts, WithOption};

const HEADER: &str = "\
//! The bindings to `wasmyard:platform` and `wasi:config`, generated from `../wit`: do not edit.
//! `cargo run -p wasmyard-bindgen` makes them anew.

";

/// Types that crate `wasip2` has already. Sharing them lets a handle that came from there go to the platform.
const SHARED: [(&str, &str); 5] = [
    ("wasi:clocks/monotonic-clock@0.2.12", "wasip2::clocks::monotonic_clock"),
    ("wasi:http/types@0.2.12", "wasip2::http::types"),
    ("wasi:io/error@0.2.12", "wasip2::io::error"),
    ("wasi:io/poll@0.2.12", "wasip2::io::poll"),
    ("wasi:io/streams@0.2.12", "wasip2::io::streams"),
];

fn main() -> Result<(), Box<dyn Error>> {
    for (world, file) in WORLDS {
        fs::write(target(file), generate(world)?)?;
    }
    Ok(())
}

/// What a worker may import; and what one exports that is given messages of queues.
const WORLDS: [(&str, &str); 2] = [("imports", "generated.rs"), ("queue-consumer", "queue_consumer.rs")];

fn target(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../src/bindings").join(file)
}

fn generate(world: &str) -> Result<String, Box<dyn Error>> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit"))?;
    let is_exported = world != "imports";
    let world = resolve.select_world(&[package], Some(world))?;
    let with = SHARED.map(|(wasi, rust)| (wasi.to_owned(), WithOption::Path(rust.to_owned())));
    let options = Opts {
        format: true,
        generate_all: true,
        with: if is_exported { Vec::new() } else { with.into() },
        type_section_suffix: Some("-wasmyard-sdk".to_owned()),
        pub_export_macro: is_exported,
        export_macro_name: is_exported.then(|| "export_queue".to_owned()),
        ..Opts::default()
    };
    let mut files = Files::default();
    options.build().generate(&mut resolve, world, &mut files)?;
    let (_, code) = files.iter().next().ok_or("the generator made no file")?;
    Ok(format!("{HEADER}{}", std::str::from_utf8(code)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bindings_are_those_of_the_wit() {
        for (world, file) in WORLDS {
            let kept = fs::read_to_string(target(file)).unwrap();
            assert!(
                kept == generate(world).unwrap(),
                "{file}: stale bindings: cargo run -p wasmyard-bindgen"
            );
        }
    }
}
