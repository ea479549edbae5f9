//! `wasi:clocks/monotonic-clock`: the guest's own clock, and timers that wait for whole steps of it.

use std::time::Duration;

use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::{DynPollable, Pollable};

use crate::guest::state::State;

/// In place of the implementation that comes with Wasmtime, whose timers wait for any number of nanoseconds.
impl monotonic_clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<monotonic_clock::Instant> {
        Ok(self.clock.monotonic())
    }

    fn resolution(&mut self) -> wasmtime::Result<monotonic_clock::Duration> {
        Ok(self.clock.step_ns)
    }

    fn subscribe_instant(
        &mut self,
        when: monotonic_clock::Instant,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        let wait = when.saturating_sub(self.clock.monotonic());
        self.subscribe_duration(wait)
    }

    fn subscribe_duration(
        &mut self,
        when: monotonic_clock::Duration,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        let timer = self.table.push(Timer::after(self.clock.wait(when)))?;
        wasmtime_wasi::p2::subscribe(&mut self.table, timer)
    }
}

/// What a guest waits for.
enum Timer {
    /// No time at all: ready the second time it is looked at, so that a guest which looks again and again lets
    /// the rest of the process run.
    Now {
        looked: bool,
    },
    At(tokio::time::Instant),
    /// So far ahead that no clock can say it.
    Never,
}

impl Timer {
    fn after(wait: Duration) -> Timer {
        if wait.is_zero() {
            return Timer::Now { looked: false };
        }
        tokio::time::Instant::now().checked_add(wait).map_or(Timer::Never, Timer::At)
    }
}

#[async_trait::async_trait]
impl Pollable for Timer {
    async fn ready(&mut self) {
        match self {
            Timer::Now { looked: true } => {}
            Timer::Now { looked } => {
                *looked = true;
                tokio::task::yield_now().await;
            }
            Timer::At(when) => tokio::time::sleep_until(*when).await,
            Timer::Never => std::future::pending().await,
        }
    }
}
