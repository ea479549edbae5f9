//! The two lists of bindings: what guests may import, and what a version's declaration gives. What is not here does not
//! exist for them.

use wasmtime::component::{HasData, HasSelf, Linker, ResourceTable};
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::bindings::io::{error, poll, streams};

use wasmyard_namespaces::bindings::{BindingDecl, BindingKind};

use crate::bindings::dispatch;
use crate::bindings::granted::{Grant, Services};
use crate::bindings::{
    assets_wit, config_wit, dispatch_wit, kv_wit, log_wit, message_wit, outgoing_wit, request_info_wit,
};
use crate::guest::state::State;

/// What a declaration gives, with the service that stands behind it.
pub(crate) fn grant(decl: &BindingDecl, services: &Services) -> Grant {
    match &decl.kind {
        BindingKind::PlainText(held) => Grant::Text(held.text.clone()),
        BindingKind::Json(held) => Grant::Text(held.json.to_string()),
        BindingKind::SecretText(held) => Grant::Text(held.text.expose().to_owned()),
        BindingKind::DispatchNamespace(held) => dispatch::namespace(&decl.name, held),
        BindingKind::Service(held) => dispatch::service(&decl.name, held),
        BindingKind::Assets(_) => services.files.clone().map_or(Grant::Nothing, Grant::Files),
        BindingKind::KvNamespace(held) => {
            services.kv.as_ref().map_or(Grant::Nothing, |kv| Grant::Kv(kv.handle(&held.namespace_id)))
        }
        BindingKind::VersionMetadata(_) => Grant::Nothing,
    }
}

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
    dispatch_wit::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    kv_wit::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    log_wit::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    message_wit::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    outgoing_wit::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    request_info_wit::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    Ok(linker)
}
