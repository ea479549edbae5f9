//! What a script was given, what is known of the request, and the doors to other scripts.

use rquickjs_core::{Array, Ctx, Function, Object, Result, Value};

use super::http::dispatch_failure;
use super::{failure, in_handler, number};
use crate::bindings::wasi::config::store;
use crate::bindings::wasmyard::platform::{
    assets, bindings, d1, dispatch, kv, mtls, queues, r2, rate_limit, request_info, secrets,
};
use crate::table::{self, Resource};

pub(super) fn add<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    host.set("config", Function::new(ctx.clone(), config)?)?;
    host.set("bindings", Function::new(ctx.clone(), list_bindings)?)?;
    host.set("info", Function::new(ctx.clone(), info)?)?;
    host.set("open", Function::new(ctx.clone(), open)?)?;
    host.set("get", Function::new(ctx.clone(), get)?)?;
    Ok(())
}

/// Variables, secrets and parameters: names and values in turn.
fn config<'js>(ctx: Ctx<'js>) -> Result<Array<'js>> {
    in_handler(&ctx)?;
    let list = Array::new(ctx)?;
    for (index, (name, value)) in store::get_all().unwrap_or_default().into_iter().enumerate() {
        list.set(index * 2, name)?;
        list.set(index * 2 + 1, value)?;
    }
    Ok(list)
}

/// Everything that a script is bound to: names and types in turn.
fn list_bindings<'js>(ctx: Ctx<'js>) -> Result<Array<'js>> {
    in_handler(&ctx)?;
    let list = Array::new(ctx)?;
    for (index, (name, kind)) in bindings::list().into_iter().enumerate() {
        list.set(index * 2, name)?;
        list.set(index * 2 + 1, kind)?;
    }
    Ok(list)
}

/// The ray id, the visitor's address, the hostname, its metadata, the script, its namespace.
fn info<'js>(ctx: Ctx<'js>) -> Result<Array<'js>> {
    in_handler(&ctx)?;
    let list = Array::new(ctx)?;
    list.set(0, request_info::ray_id())?;
    list.set(1, request_info::client_address())?;
    list.set(2, request_info::hostname())?;
    list.set(3, request_info::hostname_metadata())?;
    list.set(4, request_info::script())?;
    list.set(5, request_info::namespace())?;
    Ok(list)
}

/// Opens what a binding leads to: a handle, or a failure.
fn open<'js>(ctx: Ctx<'js>, kind: String, name: String) -> Result<Value<'js>> {
    in_handler(&ctx)?;
    let opened = match kind.as_str() {
        "service" => dispatch::Worker::open(&name).map(Resource::Worker),
        "dispatch_namespace" => dispatch::Namespace::open(&name).map(Resource::Namespace),
        "assets" => assets::Files::open(&name).map(Resource::Files),
        "kv_namespace" => kv::Namespace::open(&name).map(Resource::Kv),
        "secrets_store_secret" => secrets::Secret::open(&name).map(Resource::Secret),
        "mtls_certificate" => mtls::Certificate::open(&name).map(Resource::Certificate),
        "queue" => queues::Sender::open(&name).map(Resource::Queue),
        "d1" => d1::Database::open(&name).map(Resource::D1),
        "r2_bucket" => r2::Bucket::open(&name).map(Resource::Bucket),
        "ratelimit" => rate_limit::Limiter::open(&name).map(Resource::Limiter),
        other => Err(dispatch::BindingError::WrongType(other.to_owned())),
    };
    match opened {
        Ok(resource) => Ok(number(&ctx, table::put(resource))),
        Err(dispatch::BindingError::NotBound(text)) => failure(&ctx, "not-bound", &text),
        Err(dispatch::BindingError::WrongType(text)) => failure(&ctx, "wrong-type", &text),
    }
}

/// Names a script of a namespace: a handle, or a failure. Limits are CPU time, subrequests; below zero where they are left
/// out. Parameters are names and JSON texts in turn.
fn get<'js>(
    ctx: Ctx<'js>,
    namespace: u32,
    name: String,
    cpu_ms: f64,
    subrequests: f64,
    parameters: Vec<String>,
) -> Result<Value<'js>> {
    in_handler(&ctx)?;
    let given = |value: f64| (value >= 0.0).then_some(value);
    let options = dispatch::Options {
        limits: dispatch::Limits {
            cpu_ms: given(cpu_ms).map(|value| value as u64),
            fuel: None,
            subrequests: given(subrequests).map(|value| value as u32),
            memory_bytes: None,
        },
        outbound: parameters.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect(),
    };
    let worker = table::with(namespace, |resource| match resource {
        Resource::Namespace(namespace) => Some(namespace.get(&name, &options)),
        _ => None,
    });
    match worker.flatten() {
        Some(Ok(worker)) => Ok(number(&ctx, table::put(Resource::Worker(worker)))),
        Some(Err(error)) => {
            let (word, text) = dispatch_failure(error);
            failure(&ctx, word, &text)
        }
        None => failure(&ctx, "internal", "no such namespace"),
    }
}
