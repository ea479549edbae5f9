//! Lists the files that `wasmyard init` writes, so that they can be compiled into the binary: the project
//! templates, the guest SDK and its WIT; and the types of JavaScript. It must never list what a build left behind.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// A root below the crate's folder, and where its files go in a project (templates: by their own name).
const ROOTS: [(&str, &str); 4] =
    [("templates", ""), ("../sdk/rust", "sdk/rust"), ("../sdk/wit", "sdk/wit"), ("../sdk/js", "sdk/js")];

fn main() -> Result<(), Box<dyn Error>> {
    let crate_dir = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    println!("cargo::rerun-if-changed=build.rs");
    let mut source = String::from("pub(crate) static EMBEDDED: &[(&str, &[u8])] = &[\n");
    for (root, place) in ROOTS {
        let mut files = Vec::new();
        collect(&crate_dir.join(root), &mut files)?;
        files.sort();
        for file in files {
            let below =
                file.strip_prefix(crate_dir.join(root))?.to_str().ok_or("a file name is not UTF-8")?;
            let name = if place.is_empty() { below.to_owned() } else { format!("{place}/{below}") };
            writeln!(source, "    ({name:?}, include_bytes!({file:?})),")?;
        }
    }
    source.push_str("];\n");
    std::fs::write(PathBuf::from(std::env::var("OUT_DIR")?).join("embedded.rs"), source)?;
    Ok(())
}

/// Cargo looks through everything below a folder that it is told to watch, and `target` is large: so only
/// folders that hold no `target` are named, and files one by one elsewhere.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    if !folder.join("target").exists() && !folder.join("Cargo.toml").exists() {
        println!("cargo::rerun-if-changed={}", folder.display());
    }
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with('.') || name == "target" || name == "Cargo.lock" {
            continue;
        }
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            println!("cargo::rerun-if-changed={}", path.display());
            files.push(path);
        }
    }
    Ok(())
}
