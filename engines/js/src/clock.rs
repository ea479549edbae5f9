//! The clocks that C asks: they stand still until a script is sealed, so that no memory that is kept depends on the time.

use core::sync::atomic::{AtomicBool, Ordering};

use crate::bindings::wasi::clocks::{monotonic_clock, wall_clock};

static SEALED: AtomicBool = AtomicBool::new(false);

/// Whether the top level of a script has run: from then on there is time, chance, and the outside.
pub(crate) fn is_sealed() -> bool {
    SEALED.load(Ordering::Relaxed)
}

/// The top level has run.
pub(crate) fn seal() {
    SEALED.store(true, Ordering::Relaxed);
}

/// Since 1970: seconds and nanoseconds.
fn wall() -> (u64, u32) {
    if !is_sealed() {
        return (0, 0);
    }
    let now = wall_clock::now();
    (now.seconds, now.nanoseconds)
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> f64 {
    let (seconds, nanoseconds) = wall();
    (seconds * 1000 + u64::from(nanoseconds / 1_000_000)) as f64
}

/// Milliseconds of a clock that only goes forward.
pub(crate) fn monotonic_ms() -> f64 {
    if is_sealed() { monotonic_clock::now() as f64 / 1e6 } else { 0.0 }
}

#[repr(C)]
struct Timeval {
    seconds: i64,
    microseconds: i64,
}

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i32,
}

#[unsafe(no_mangle)]
unsafe extern "C" fn gettimeofday(to: *mut Timeval, _zone: *mut u8) -> i32 {
    let (seconds, nanoseconds) = wall();
    // SAFETY: the caller's contract: there is a `struct timeval`.
    unsafe { to.write(Timeval { seconds: seconds as i64, microseconds: i64::from(nanoseconds / 1000) }) };
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(_clock: *const u8, to: *mut Timespec) -> i32 {
    let ms = monotonic_ms();
    let seconds = (ms / 1e3) as i64;
    // SAFETY: the caller's contract: there is a `struct timespec`. QuickJS asks for the monotonic clock alone.
    unsafe { to.write(Timespec { seconds, nanoseconds: ((ms - seconds as f64 * 1e3) * 1e6) as i32 }) };
    0
}
