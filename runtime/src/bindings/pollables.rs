//! How many things a guest may look at in one call.
//!
//! Nobody can interrupt a call of the host: who hands over everything there are handles for would run for
//! milliseconds past its CPU budget. What is within the bound is Wasmtime's to do.

use wasmtime::component::Resource;
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::bindings::io::poll;

use crate::guest::state::State;

/// How many things one call may look at.
const MAX_POLLED: usize = 1_024;

impl poll::Host for State {
    async fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        if pollables.len() > MAX_POLLED {
            let asked = pollables.len();
            wasmtime::bail!(
                "it waited for {asked} pollables in one call, and {MAX_POLLED} are allowed; wait for fewer at once"
            );
        }
        poll::Host::poll(&mut self.table, pollables).await
    }
}

impl poll::HostPollable for State {
    async fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        poll::HostPollable::ready(&mut self.table, pollable).await
    }

    async fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        poll::HostPollable::block(&mut self.table, pollable).await
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        poll::HostPollable::drop(&mut self.table, pollable)
    }
}
