//! Owns the generated bindings to `wasmyard:platform` (../../wit) and `wasi:config`.
//!
//! The wasi:http and wasi:io types come from `wasip2`, so that a handle that this crate gets from there
//! can be passed to the platform. Nothing outside this crate may see these modules.

wit_bindgen::generate!({
    path: "../wit",
    world: "wasmyard:platform/imports",
    with: {
        "wasi:http/types@0.2.12": wasip2::http::types,
        "wasi:io/poll@0.2.12": wasip2::io::poll,
        "wasi:io/error@0.2.12": wasip2::io::error,
        "wasi:io/streams@0.2.12": wasip2::io::streams,
        "wasi:clocks/monotonic-clock@0.2.12": wasip2::clocks::monotonic_clock,
    },
    generate_all,
});

pub(crate) use self::wasi::config::store as config;
pub(crate) use self::wasmyard::platform::{dispatch, request_info};
