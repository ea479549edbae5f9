//! The gate: what a user script sends out is given to an outbound worker first, whatever it is for and whoever would
//! answer it. Owns which outbound worker that is, what it is given, and what the tenant is told when it fails. Calls
//! nobody: the script's host does. Opens no socket: what the outbound worker lets pass goes the way of every platform
//! script.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::uri::{PathAndQuery, Scheme};
use http::{Method, Request, Uri, header};
use wasmyard_namespaces::BindingDecl;
use wasmyard_namespaces::bindings::OutboundDecl;
use wasmyard_namespaces::egress::read_authority;
use wasmyard_namespaces::name::{NamespaceName, ScriptName, shorten};
use wasmyard_namespaces::namespace::Namespace;
use wasmyard_namespaces::registry::Registry;
use wasmyard_namespaces::script::ScriptKey;
use wasmyard_runtime::{Body, BodyError, Door, Failure, Parameter};

use crate::head::strip_hop_by_hop;

/// Configuration values for one invocation.
type Values = Arc<[Parameter]>;

/// The outbound worker that requests of a user script go through.
#[derive(Debug)]
pub(super) struct OutboundWorker {
    worker: ScriptName,
    named_by: NamedBy,
    /// For its invocation: what a dispatcher says of the script.
    pub(super) values: Values,
}

/// Where the outbound worker was declared: what a text can name without telling tenants anything new.
#[derive(Debug)]
enum NamedBy {
    Binding(Arc<Door>),
    Namespace(NamespaceName),
}

impl fmt::Display for NamedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Binding(door) => write!(f, "binding \"{}\"", door.binding),
            Self::Namespace(name) => write!(f, "namespace \"{name}\""),
        }
    }
}

/// Where a script's requests may go.
pub(super) enum Passage {
    /// To where they are addressed.
    Free,
    /// To the outbound worker.
    Through(Arc<OutboundWorker>),
    /// Nowhere: the namespace is gone, and its outbound worker with it.
    Shut,
}

/// Where a script's requests go; `own` is for this invocation alone. Only user scripts have a gate: the operator's own
/// code is the gate.
pub(super) fn passage(registry: &Registry, script: &ScriptKey, own: Option<&Arc<OutboundWorker>>) -> Passage {
    let ScriptKey::User { namespace, .. } = script else { return Passage::Free };
    if let Some(own) = own {
        return Passage::Through(Arc::clone(own));
    }
    match registry.namespace_cached(namespace) {
        Some(namespace) => match OutboundWorker::of_namespace(&namespace, Values::default()) {
            Some(worker) => Passage::Through(worker),
            None => Passage::Free,
        },
        None => Passage::Shut,
    }
}

impl Passage {
    /// The outbound worker of a script, for one that it calls.
    pub(super) fn for_callee(&self) -> Option<Arc<OutboundWorker>> {
        match self {
            Self::Through(worker) => Some(worker.without_values()),
            Self::Free | Self::Shut => None,
        }
    }
}

/// The outbound worker for a script that is called through a dispatch binding of `script`; none where its namespace
/// decides. `passage` is the caller's.
///
/// A binding's own outbound worker goes before the namespace's, but only where the binding is a platform script's:
/// both are then the operator's word. What a tenant was given cannot lead around the gate that the tenant has.
pub(super) fn behind(
    registry: &Registry,
    script: &ScriptKey,
    passage: impl FnOnce() -> Passage,
    door: &Arc<Door>,
    values: Values,
) -> Option<Arc<OutboundWorker>> {
    if let (ScriptKey::Platform(_), Some(own)) = (script, &door.outbound) {
        let named_by = NamedBy::Binding(Arc::clone(door));
        return Some(Arc::new(OutboundWorker { worker: own.worker.clone(), named_by, values }));
    }
    let namespace = registry.namespace_cached(&door.namespace)?;
    if namespace.outbound.is_none() {
        return passage().for_callee();
    }
    if values.is_empty() { None } else { OutboundWorker::of_namespace(&namespace, values) }
}

impl OutboundWorker {
    fn of_namespace(namespace: &Namespace, values: Values) -> Option<Arc<Self>> {
        let worker = namespace.outbound.as_ref()?.worker.clone();
        Some(Arc::new(Self { worker, named_by: NamedBy::Namespace(namespace.name.clone()), values }))
    }

    pub(super) fn key(&self) -> ScriptKey {
        ScriptKey::Platform(self.worker.clone())
    }

    /// The same one for another script: what was said about the first one is not true of it.
    fn without_values(&self) -> Arc<Self> {
        let named_by = match &self.named_by {
            NamedBy::Binding(door) => NamedBy::Binding(Arc::clone(door)),
            NamedBy::Namespace(name) => NamedBy::Namespace(name.clone()),
        };
        Arc::new(Self { worker: self.worker.clone(), named_by, values: Values::default() })
    }

    /// What the tenant is told: which rule was broken, and nothing that the outbound worker said.
    pub(super) fn error(&self, failure: Failure) -> BodyError {
        let what = match failure {
            // It chose the answer itself.
            Failure::ErrorCode(code) => return code.into_error(),
            Failure::ExceededDepth { .. } => return BodyError::LoopDetected,
            Failure::TimedOut { .. } => return BodyError::HttpResponseTimeout,
            Failure::ExceededCpu { .. } => "exceeded its CPU time limit",
            Failure::ExceededMemory { .. } => "exceeded its memory limit",
            Failure::Overloaded { .. } => "is at capacity; try again",
            Failure::BeingMadeReady { .. } => "is being made ready; try again",
            _ => "failed",
        };
        BodyError::InternalError(Some(format!("the outbound worker of the {} {what}", self.named_by)))
    }

    /// What the tenant is told where there is no such worker, and a line for the operator.
    pub(super) fn not_deployed(&self, ray_id: &str) -> BodyError {
        tracing::warn!(
            ray_id, outbound = %self.key(), named_by = %self.named_by,
            "a request of a script was refused: its outbound worker is not deployed"
        );
        let text = format!("the outbound worker of the {} is not deployed; nothing goes out", self.named_by);
        BodyError::InternalError(Some(text))
    }
}

/// Checks parameters for the outbound worker of calls through a binding of this script.
pub(super) async fn check_parameters(
    registry: Registry,
    by_tenant: bool,
    door: Arc<Door>,
    names: Vec<String>,
) -> Result<(), Failure> {
    if by_tenant {
        let text = "outbound: only a platform script gives parameters to an outbound worker; leave them out";
        return Err(Failure::InvalidArgument(text.to_owned()));
    }
    let namespace = registry.namespace_cached(&door.namespace);
    let namespaces_own = namespace.as_ref().and_then(|namespace| namespace.outbound.as_ref());
    let Some(declared) = door.outbound.as_ref().or(namespaces_own) else {
        return Err(Failure::InvalidArgument(format!(
            "outbound: {} was given, but neither the binding \"{}\" nor the namespace \"{}\" has an outbound worker",
            quoted(names.first()),
            door.binding,
            door.namespace
        )));
    };
    if let Some(undeclared) = names.iter().find(|name| !declared.params.contains(name)) {
        return Err(undeclared_parameter(undeclared, declared, &door));
    }
    let worker = registry.script(&ScriptKey::Platform(declared.worker.clone())).await;
    match worker.map_err(super::internal)? {
        Some(worker) => no_clash(&worker.version.bindings, names.iter()),
        None => Ok(()),
    }
}

/// Refuses a parameter with the name of a binding of the worker that it is for: one would hide the other.
pub(super) fn no_clash<'n>(
    bindings: &[BindingDecl],
    mut names: impl Iterator<Item = &'n String>,
) -> Result<(), Failure> {
    match names.find(|name| bindings.iter().any(|binding| binding.name.as_str() == *name)) {
        None => Ok(()),
        Some(name) => Err(Failure::InvalidArgument(format!(
            "outbound: the outbound worker has a binding \"{}\" of its own; rename one of the two",
            shorten(name)
        ))),
    }
}

fn undeclared_parameter(name: &str, declared: &OutboundDecl, door: &Door) -> Failure {
    let where_to = match &door.outbound {
        Some(_) => format!("the binding \"{}\"", door.binding),
        None => format!("the namespace \"{}\"", door.namespace),
    };
    Failure::InvalidArgument(format!(
        "outbound: the parameter \"{}\" is not declared; add it to the params of the outbound worker of {where_to}, \
         which are {:?}",
        shorten(name),
        declared.params
    ))
}

fn quoted(name: Option<&String>) -> String {
    format!("\"{}\"", shorten(name.map_or("", String::as_str)))
}

/// Bounds a wait where the guest set a bound.
pub(super) async fn within<T>(
    patience: Option<Duration>,
    future: impl Future<Output = T>,
) -> Result<T, BodyError> {
    match patience {
        None => Ok(future.await),
        Some(patience) => {
            tokio::time::timeout(patience, future).await.map_err(|_| BodyError::HttpResponseTimeout)
        }
    }
}

/// The request as the outbound worker sees it: the URL that was asked for, in its one spelling, so that a list of
/// hosts cannot be passed by writing a host differently.
pub(super) fn prepared(mut request: Request<Body>) -> Result<Request<Body>, BodyError> {
    if request.method() == Method::CONNECT {
        return Err(BodyError::HttpRequestMethodInvalid);
    }
    *request.uri_mut() = in_one_spelling(request.uri())?;
    let headers = request.headers_mut();
    strip_hop_by_hop(headers);
    headers.remove(header::HOST);
    Ok(request)
}

pub(super) fn in_one_spelling(uri: &Uri) -> Result<Uri, BodyError> {
    let invalid = || BodyError::HttpRequestUriInvalid;
    let scheme = uri.scheme().ok_or_else(invalid)?;
    let usual = match scheme {
        scheme if *scheme == Scheme::HTTP => 80,
        scheme if *scheme == Scheme::HTTPS => 443,
        _ => return Err(invalid()),
    };
    let (host, port) =
        read_authority(uri.authority().ok_or_else(invalid)?.as_str()).map_err(|_| invalid())?;
    let authority = match port.filter(|port| *port != usual) {
        Some(port) => format!("{host}:{port}"),
        None => host.to_string(),
    };
    let path = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    let uri = Uri::builder().scheme(scheme.clone()).authority(authority).path_and_query(path);
    uri.build().map_err(|_| invalid())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(uri: &str) -> Option<String> {
        in_one_spelling(&uri.parse().unwrap()).ok().map(|uri| uri.to_string())
    }

    #[test]
    fn a_url_has_one_spelling() {
        for (url, expected) in [
            ("https://Example.COM", "https://example.com/"),
            ("https://example.com.:443/a?b", "https://example.com/a?b"),
            ("http://example.com:080/", "http://example.com/"),
            ("http://example.com:8080/A%2f", "http://example.com:8080/A%2f"),
            ("http://0x7f.1/", "http://127.0.0.1/"),
            ("http://[0:0::1]:81/", "http://[::1]:81/"),
        ] {
            assert_eq!(spelled(url).as_deref(), Some(expected), "{url}");
        }
        for url in ["http://user@example.com/", "http://allowed.test:x@evil.test/", "ftp://a.test/", "/path"]
        {
            assert_eq!(spelled(url), None, "{url}");
        }
    }

    #[test]
    fn what_the_outbound_worker_said_stays_with_the_operator() {
        let named_by = NamedBy::Namespace("production".parse().unwrap());
        let outbound = OutboundWorker { worker: "out".parse().unwrap(), named_by, values: Values::default() };
        for failure in [
            Failure::Trapped("the key is hunter2".to_owned()),
            Failure::Internal { detail: "hunter2".to_owned() },
            Failure::NoResponse("hunter2".to_owned()),
            Failure::InvalidArgument("hunter2".to_owned()),
        ] {
            match outbound.error(failure) {
                BodyError::InternalError(Some(text)) => {
                    assert_eq!(text, "the outbound worker of the namespace \"production\" failed");
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
