//! CPU time, by the system's account.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Of this thread.
pub(crate) fn own_cpu() -> Duration {
    read(ClockId::ThreadCPUTime)
}

/// Of the whole process.
pub(crate) fn process_cpu() -> Duration {
    read(ClockId::ProcessCPUTime)
}

fn read(clock: ClockId) -> Duration {
    let now = clock_gettime(clock);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}
