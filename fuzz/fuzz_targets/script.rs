//! Any bytes as what is kept of a script in JavaScript: its files, its source maps, and the memory that its top level left. They are
//! read or refused, take no more memory than is allowed, and files come back as they were.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wasmyard_namespaces::Digest;
use wasmyard_namespaces::bundle::{Bundle, Part, PartKind};
use wasmyard_runtime::{SourceMaps, delta_bytes};

/// The most that a script's pages may take.
const MOST_BYTES: usize = 16 << 20;
const TRACE: &str = "Error: x\n    at f (a.js:1:1)\n    at a.js:1:40\n    at g (b/c.js:3:9)\n    at (a.js:4294967295:4294967295)";

fuzz_target!(|data: &[u8]| {
    let bytes = Bytes::copy_from_slice(data);
    if let Ok(bundle) = Bundle::read(&bytes) {
        assert_eq!(bundle.written(), bytes, "what was read is what was there");
    }
    let _maps = SourceMaps::of_bundle(&bytes);
    // As the map of a file, and as a file that has one inside.
    let part = |name: &str, kind, bytes| Part { name: name.to_owned(), kind, bytes };
    let files = vec![
        part("a.js", PartKind::Module, bytes.clone()),
        part("a.js.map", PartKind::SourceMap, bytes.clone()),
    ];
    if let Ok(bundle) = Bundle::new(files)
        && let Some(maps) = SourceMaps::of_bundle(&bundle.written())
    {
        let _text = maps.mapped(TRACE);
    }
    let engine = Digest::of(b"engine");
    let image = vec![7; 3 * 4096];
    let mut delta = b"\0wyjsd1\n".to_vec();
    delta.extend_from_slice(engine.as_bytes());
    delta.extend_from_slice(data);
    for delta in [data, delta.as_slice()] {
        assert!(delta_bytes(delta, &engine, &image).is_none_or(|bytes| bytes <= MOST_BYTES));
    }
});
