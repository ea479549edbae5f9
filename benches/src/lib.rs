//! What the end-to-end benches share: servers as processes, clients that load them, figures and their
//! report. Must never link the platform itself: what is measured here is the shipped binary, from outside.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench prints its figures, and what it is doing"
)]

pub mod client;
pub mod compare;
pub mod lanes;
pub mod line;
pub mod load;
pub mod machine;
pub mod process;
pub mod report;
pub mod rows;
pub mod secure;
pub mod servers;
pub mod stats;
pub mod train;
pub mod wire;

use std::path::{Path, PathBuf};

/// Why a bench stopped: a text for whoever runs it.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// Processor that servers are tied to.
pub const SERVER_CPU: &str = "0";
/// Processor that the load comes from.
pub const LOAD_CPU: &str = "1";

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Where benches keep what the next run can use again: components, data directories, figures.
///
/// # Errors
/// When the folder cannot be made.
pub fn scratch() -> Result<PathBuf, Error> {
    let folder = root().join("target/bench");
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder.canonicalize()?)
}

/// A built example guest.
///
/// # Errors
/// When it is not there, with the command that builds it.
pub fn guest(name: &str) -> Result<PathBuf, Error> {
    Ok(wasmyard_harness::guest::find(name)?)
}

/// A component that does the same and is another one: with a custom section that says `mark`.
pub fn marked(component: &[u8], mark: &str) -> Vec<u8> {
    const NAME: &str = "mark";
    let mut content = Vec::new();
    leb128(&mut content, NAME.len());
    content.extend_from_slice(NAME.as_bytes());
    content.extend_from_slice(mark.as_bytes());
    let mut marked = component.to_vec();
    marked.push(0);
    leb128(&mut marked, content.len());
    marked.extend_from_slice(&content);
    marked
}

fn leb128(into: &mut Vec<u8>, mut value: usize) {
    loop {
        let seven = u8::try_from(value & 0x7f).unwrap_or(0);
        value >>= 7;
        into.push(if value == 0 { seven } else { seven | 0x80 });
        if value == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_a_custom_section_at_the_end() {
        let marked = marked(b"\0asm", "seven");
        assert_eq!(marked, b"\0asm\x00\x0a\x04markseven");
        let mut long = Vec::new();
        leb128(&mut long, 300);
        assert_eq!(long, [0xac, 0x02]);
    }
}
