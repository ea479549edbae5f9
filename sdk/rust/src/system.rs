//! What the standard library asks of the system when a worker prints, panics or looks for a variable: on the
//! platform's terms, in place of the C library's.
//!
//! The C library brings a table of files, terminals and an environment along, for the sake of which every worker
//! would import nineteen functions more, and `wasi:cli` and `wasi:io` seven for two outputs. A worker has two outputs,
//! which lead to its log, and nothing else; and each import is paid for with every request, because every request makes
//! an instance. These functions take the place of those of the same name when the worker is linked. Whatever else a
//! worker uses of the C library is still there.
#![expect(unsafe_code, reason = "they are called by their C names")]

use crate::bindings::log::{self, Destination};

/// How much is written at once.
const MOST_AT_ONCE: usize = 64 << 10;

/// A piece of memory, as `writev` takes it.
#[repr(C)]
struct Piece {
    bytes: *const u8,
    length: usize,
}

/// `write(2)`: standard output and standard error lead to the log; a worker has no other files.
///
/// # Safety
/// As in C: `bytes` points to `length` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn write(file: i32, bytes: *const u8, length: usize) -> isize {
    // SAFETY: one piece, which is as the caller says.
    unsafe { writev(file, &Piece { bytes, length }, 1) }
}

/// `writev(2)`. Takes the first piece that is not empty, which any caller must reckon with.
///
/// # Safety
/// As in C: `pieces` points to `count` pieces, each of which points to as many bytes as it says.
#[unsafe(no_mangle)]
unsafe extern "C" fn writev(file: i32, pieces: *const Piece, count: i32) -> isize {
    let to = match file {
        1 => Destination::Output,
        2 => Destination::Error,
        _ => return -1,
    };
    for at in 0..usize::try_from(count).unwrap_or(0) {
        // SAFETY: the caller says that there are `count` pieces.
        let piece = unsafe { &*pieces.add(at) };
        if piece.length > 0 {
            // SAFETY: the caller says that there are `length` bytes; it is not 0, so they are somewhere.
            let bytes = unsafe { std::slice::from_raw_parts(piece.bytes, piece.length.min(MOST_AT_ONCE)) };
            log::write(to, bytes);
            return isize::try_from(bytes.len()).unwrap_or(isize::MAX);
        }
    }
    0
}

/// `getenv`: a worker has no environment; what it is given is in [`crate::Env`].
#[unsafe(no_mangle)]
extern "C" fn getenv(_name: *const u8) -> *const u8 {
    std::ptr::null()
}

/// `abort`: a trap, which is what the platform reports.
#[unsafe(no_mangle)]
extern "C" fn abort() -> ! {
    std::arch::wasm32::unreachable()
}
