//! Namespaces of other servers: where calls of dispatchers go that somebody develops.
//!
//! Owns what of a call leaves this node. Whoever assembles the node supplies the way; what arrives there is
//! `dispatch/called.rs`.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{Request, Response};
use wasmyard_namespaces::limits::LimitSpec;
use wasmyard_namespaces::name::{NamespaceName, ScriptName};
use wasmyard_namespaces::script::ScriptKey;
use wasmyard_runtime::{Body, Door, Failure, Parameter};

/// The way to namespaces of another server.
pub trait Remote: std::fmt::Debug + Send + Sync + 'static {
    /// Whether a binding of a script leads there.
    fn reaches(&self, caller: &ScriptKey, binding: &str) -> bool;

    /// Calls a script there. Dropping the future, or the answer's body, ends the call.
    fn call(&self, call: RemoteCall) -> BoxFuture<'static, Result<Response<Body>, Failure>>;
}

/// One call of a script of another server.
#[derive(Debug)]
pub struct RemoteCall {
    /// The binding's name, for what is said when it fails.
    pub binding: String,
    /// The namespace there.
    pub namespace: NamespaceName,
    /// The script.
    pub script: ScriptName,
    /// What the caller limits it to.
    pub limits: LimitSpec,
    /// The request.
    pub request: Request<Body>,
}

/// What of a call does not reach another server, if the call has that.
pub(crate) fn lacks(by_call: bool, outbound: &[Parameter]) -> Option<&'static str> {
    if by_call {
        return Some("methods of scripts of another server cannot be called; use fetch");
    }
    let takes_none = "an outbound worker of another server takes no parameters from here; leave outbound out";
    (!outbound.is_empty()).then_some(takes_none)
}

/// Calls a script of another server through a door that leads there, if the call lacks nothing.
pub(crate) fn call(
    remote: &Arc<dyn Remote>,
    door: &Door,
    script: ScriptName,
    limits: LimitSpec,
    request: Request<Body>,
    lacks: Option<&'static str>,
) -> BoxFuture<'static, Result<Response<Body>, Failure>> {
    let (binding, namespace) = (door.binding.clone(), door.namespace.clone());
    if let Some(lacks) = lacks {
        let failure = Failure::Unreachable(format!("dispatch binding \"{binding}\" is remote: {lacks}"));
        return async { Err(failure) }.boxed();
    }
    remote.call(RemoteCall { binding, namespace, script, limits, request })
}
