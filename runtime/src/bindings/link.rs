//! The one list of what guests may import. What is not here does not exist for them.

use wasmtime::component::{HasData, HasSelf, Linker, ResourceTable};
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::bindings::io::{error, poll, streams};

use crate::bindings::{
    assets_wit, bindings_wit, cache_wit, calls_wit, config_wit, d1_wit, dispatch_wit, keyvalue_atomics_wit,
    keyvalue_batch_wit, keyvalue_wit, kv_wit, log_wit, message_wit, mtls_wit, outgoing_wit, queues_wit,
    r2_wit, ratelimit_wit, request_info_wit, secrets_wit,
};
use crate::guest::state::State;

/// What the functions of `wasi:io` work on.
struct Io;

impl HasData for Io {
    type Data<'a> = &'a mut ResourceTable;
}

/// Attaches every host function.
pub(crate) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    linker.allow_shadowing(true);
    // Timers of our own, and bounds on waiting, in place of those just attached: see `crate::bindings::clock` and
    // `crate::bindings::pollables`.
    monotonic_clock::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    poll::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    // The same functions again, but by a way to the table that does not make the rest of WASI, which most
    // invocations never ask for: see `State::ctx`.
    error::add_to_linker::<_, Io>(&mut linker, |state| &mut state.table)?;
    streams::add_to_linker::<_, Io>(&mut linker, |state| &mut state.table)?;
    linker.allow_shadowing(false);
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    config_wit::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    assets_wit::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    bindings_wit::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    cache_wit::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    calls_wit::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    dispatch_wit::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    d1_wit::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    kv_wit::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    queues_wit::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    r2_wit::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    ratelimit_wit::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    secrets_wit::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    keyvalue_wit::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    keyvalue_batch_wit::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    keyvalue_atomics_wit::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    log_wit::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    message_wit::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    mtls_wit::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    outgoing_wit::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    request_info_wit::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    Ok(linker)
}
