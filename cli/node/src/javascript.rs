//! The engine of scripts written in JavaScript, as it lies in this program.

use bytes::Bytes;

/// Empty where `scripts/js-engine.sh` had not run when this was built: see `build.rs`.
static ENGINE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/js.wasm"));

/// The engine; none where this build has none.
pub(crate) fn engine() -> Option<Bytes> {
    (!ENGINE.is_empty()).then(|| Bytes::from_static(ENGINE))
}
