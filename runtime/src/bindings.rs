//! The host's side of `wasmyard:platform`, generated from `sdk/wit`. One file per interface implements it.

pub(crate) mod assets;
mod cache;
mod calls;
mod clock;
pub(crate) mod config;
mod d1;
pub(crate) mod dispatch;
pub(crate) mod future;
pub(crate) mod granted;
mod handover;
mod kv;
pub(crate) mod link;
mod list;
pub(crate) mod log;
pub(crate) mod message;
mod mtls;
mod options;
pub(crate) mod outgoing;
mod pieces;
mod pollables;
mod queues;
pub(crate) mod r2;
mod ratelimit;
pub(crate) mod request_info;
mod secrets;

mod generated {
    #![allow(missing_docs, reason = "generated code")]
    wasmtime::component::bindgen!({
        path: "../sdk/wit",
        inline: "
            package wasmyard:host;
            world platform {
                import wasmyard:platform/assets@0.1.0;
                import wasmyard:platform/bindings@0.1.0;
                import wasmyard:platform/cache@0.1.0;
                import wasmyard:platform/calls@0.1.0;
                import wasmyard:platform/dispatch@0.1.0;
                import wasmyard:platform/d1@0.1.0;
                import wasmyard:platform/kv@0.1.0;
                import wasmyard:platform/queues@0.1.0;
                import wasmyard:platform/r2@0.1.0;
                import wasmyard:platform/rate-limit@0.1.0;
                import wasmyard:platform/secrets@0.1.0;
                import wasmyard:platform/log@0.1.0;
                import wasmyard:platform/message@0.1.0;
                import wasmyard:platform/mtls@0.1.0;
                import wasmyard:platform/outgoing@0.1.0;
                import wasmyard:platform/request-info@0.1.0;
                import wasi:config/store@0.2.0-rc.1;
                import wasi:keyvalue/store@0.2.0-draft;
                import wasi:keyvalue/batch@0.2.0-draft;
                import wasi:keyvalue/atomics@0.2.0-draft;
            }
        ",
        world: "wasmyard:host/platform",
        imports: {
            "wasmyard:platform/dispatch.[method]namespace.get": async | trappable,
            "wasmyard:platform/message.write": async | trappable,
            "wasmyard:platform/assets.[method]files.send": async | trappable,
            "wasmyard:platform/outgoing.send": async | trappable,
            "wasmyard:platform/outgoing.forward": async | trappable,
            "wasmyard:platform/outgoing.forward-with": async | trappable,
            "wasmyard:platform/outgoing.start-forward": async | trappable,
            "wasmyard:platform/mtls.[method]certificate.send": async | trappable,
            "wasmyard:platform/mtls.[method]certificate.start-forward": async | trappable,
            "wasmyard:platform/dispatch.[method]worker.send": async | trappable,
            "wasmyard:platform/dispatch.[method]worker.forward": async | trappable,
            "wasmyard:platform/dispatch.[method]worker.forward-with": async | trappable,
            "wasmyard:platform/dispatch.[method]worker.start-forward": async | trappable,
            "wasmyard:platform/cache.[method]cache.match": async | trappable,
            "wasmyard:platform/cache.[method]cache.put": async | trappable,
            "wasmyard:platform/cache.[method]cache.start-put": async | trappable,
            "wasmyard:platform/cache.[method]cache.delete": async | trappable,
            "wasmyard:platform/cache.[static]writer.finish": async | trappable,
            "wasmyard:platform/d1.[method]database.run": async | trappable,
            "wasmyard:platform/kv.[method]namespace.get": async | trappable,
            "wasmyard:platform/kv.[method]namespace.get-stream": async | trappable,
            "wasmyard:platform/kv.[method]namespace.put": async | trappable,
            "wasmyard:platform/kv.[method]namespace.delete": async | trappable,
            "wasmyard:platform/kv.[method]namespace.list": async | trappable,
            "wasmyard:platform/kv.[static]writer.finish": async | trappable,
            "wasmyard:platform/secrets.[method]secret.get": async | trappable,
            "wasmyard:platform/queues.[method]sender.send": async | trappable,
            "wasmyard:platform/r2.[method]bucket.head": async | trappable,
            "wasmyard:platform/r2.[method]bucket.get": async | trappable,
            "wasmyard:platform/r2.[method]bucket.put": async | trappable,
            "wasmyard:platform/r2.[method]bucket.start-put": async | trappable,
            "wasmyard:platform/r2.[method]bucket.delete": async | trappable,
            "wasmyard:platform/r2.[method]bucket.list": async | trappable,
            "wasmyard:platform/r2.[method]bucket.create-upload": async | trappable,
            "wasmyard:platform/r2.[method]bucket.upload-part": async | trappable,
            "wasmyard:platform/r2.[method]bucket.start-part": async | trappable,
            "wasmyard:platform/r2.[method]bucket.complete-upload": async | trappable,
            "wasmyard:platform/r2.[method]bucket.abort-upload": async | trappable,
            "wasmyard:platform/r2.[static]writer.finish": async | trappable,
            "wasmyard:platform/r2.[static]writer.finish-part": async | trappable,
            "wasi:keyvalue/store.[method]bucket.get": async | trappable,
            "wasi:keyvalue/store.[method]bucket.set": async | trappable,
            "wasi:keyvalue/store.[method]bucket.delete": async | trappable,
            "wasi:keyvalue/store.[method]bucket.exists": async | trappable,
            "wasi:keyvalue/store.[method]bucket.list-keys": async | trappable,
            "wasi:keyvalue/batch.get-many": async | trappable,
            "wasi:keyvalue/batch.set-many": async | trappable,
            "wasi:keyvalue/batch.delete-many": async | trappable,
            "wasi:keyvalue/atomics.increment": async | trappable,
            default: trappable,
        },
        with: {
            "wasi:http": wasmtime_wasi_http::p2::bindings::http,
            "wasi:io": wasmtime_wasi::p2::bindings::io,
            "wasmyard:platform/assets.files": super::assets::OpenFiles,
            "wasmyard:platform/cache.cache": super::cache::OpenCache,
            "wasmyard:platform/cache.writer": super::cache::writer::OpenBody,
            "wasmyard:platform/dispatch.namespace": super::dispatch::Namespace,
            "wasmyard:platform/dispatch.worker": super::dispatch::Worker,
            "wasmyard:platform/d1.database": super::d1::OpenD1,
            "wasmyard:platform/kv.namespace": super::kv::OpenKv,
            "wasmyard:platform/kv.writer": super::kv::writer::OpenKvWriter,
            "wasmyard:platform/mtls.certificate": super::mtls::OpenCertificate,
            "wasmyard:platform/queues.sender": super::queues::OpenQueue,
            "wasmyard:platform/r2.bucket": super::r2::OpenBucket,
            "wasmyard:platform/r2.writer": super::r2::writer::OpenWriter,
            "wasmyard:platform/rate-limit.limiter": super::ratelimit::OpenLimiter,
            "wasmyard:platform/secrets.secret": super::secrets::OpenSecret,
            "wasi:keyvalue/store.bucket": super::kv::wasi::Bucket,
            "wasmyard:platform/dispatch.future-response": super::future::FromScript,
            "wasmyard:platform/outgoing.future-response": super::future::FromUrl,
        },
    });
}

pub(crate) use generated::wasi::config::store as config_wit;
pub(crate) use generated::wasi::keyvalue::{
    atomics as keyvalue_atomics_wit, batch as keyvalue_batch_wit, store as keyvalue_wit,
};
pub(crate) use generated::wasmyard::platform::{
    assets as assets_wit, bindings as bindings_wit, cache as cache_wit, calls as calls_wit, d1 as d1_wit,
    dispatch as dispatch_wit, kv as kv_wit, log as log_wit, message as message_wit, mtls as mtls_wit,
    outgoing as outgoing_wit, queues as queues_wit, r2 as r2_wit, rate_limit as ratelimit_wit,
    request_info as request_info_wit, secrets as secrets_wit,
};
