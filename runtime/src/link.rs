//! The one list of what guests may import. What is not here does not exist for them.

use wasmtime::component::{HasSelf, Linker};

use crate::bindings::{assets_wit, config_wit, dispatch_wit, outgoing_wit, request_info_wit};
use crate::state::State;
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::bindings::io::poll;

/// Attaches every host function.
pub(crate) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    // Timers of our own, and bounds on waiting, in place of those just attached: see `crate::clock` and
    // `crate::pollables`.
    linker.allow_shadowing(true);
    monotonic_clock::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    poll::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    linker.allow_shadowing(false);
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    config_wit::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    assets_wit::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    dispatch_wit::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    outgoing_wit::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    request_info_wit::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    Ok(linker)
}
