//! The gate: what a user script sends out is given to an outbound worker first, whatever it is for and whoever would
//! answer it. Owns which outbound worker that is and what the tenant is told when it fails. Opens no socket: what the
//! outbound worker lets pass goes the way of every platform script.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::uri::{PathAndQuery, Scheme};
use http::{Method, Request, Response, Uri, header};
use wasmyard_namespaces::bindings::OutboundDecl;
use wasmyard_namespaces::egress::read_authority;
use wasmyard_namespaces::limits::LimitSpec;
use wasmyard_namespaces::name::{NamespaceName, ScriptName, shorten};
use wasmyard_namespaces::namespace::Namespace;
use wasmyard_namespaces::script::ScriptKey;
use wasmyard_runtime::{Body, BodyError, Door, Entry, Failure, OutboundRequest};

use super::How;
use super::hop::Hop;
use crate::head::strip_hop_by_hop;
use crate::respond::{self, Wanted};

/// Configuration values for one invocation.
pub(crate) type Values = Arc<[(String, String)]>;

/// The outbound worker that requests of a user script go through.
#[derive(Debug)]
pub(crate) struct Gate {
    worker: ScriptName,
    named_by: NamedBy,
    values: Values,
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
    /// To the gate.
    Through(Arc<Gate>),
    /// Nowhere: the namespace is gone, and its gate with it.
    Shut,
}

impl Gate {
    fn of_namespace(namespace: &Namespace, values: Values) -> Option<Arc<Self>> {
        let worker = namespace.outbound.as_ref()?.worker.clone();
        Some(Arc::new(Self { worker, named_by: NamedBy::Namespace(namespace.name.clone()), values }))
    }

    /// The same gate for another script: what was said about the first one is not true of it.
    fn without_values(&self) -> Arc<Self> {
        let named_by = match &self.named_by {
            NamedBy::Binding(door) => NamedBy::Binding(Arc::clone(door)),
            NamedBy::Namespace(name) => NamedBy::Namespace(name.clone()),
        };
        Arc::new(Self { worker: self.worker.clone(), named_by, values: Values::default() })
    }

    /// What the tenant is told: which rule was broken, and nothing that the outbound worker said.
    fn error(&self, failure: Failure) -> BodyError {
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

    fn not_deployed(&self) -> BodyError {
        let text = format!("the outbound worker of the {} is not deployed; nothing goes out", self.named_by);
        BodyError::InternalError(Some(text))
    }
}

impl Hop {
    /// Where this script's requests go. Only user scripts have a gate: the operator's own code is the gate.
    pub(super) fn passage(&self) -> Passage {
        let ScriptKey::User { namespace, .. } = &self.script else { return Passage::Free };
        if let Some(gate) = &self.gate {
            return Passage::Through(Arc::clone(gate));
        }
        match self.invoker.registry.namespace_cached(namespace) {
            Some(namespace) => match Gate::of_namespace(&namespace, Values::default()) {
                Some(gate) => Passage::Through(gate),
                None => Passage::Free,
            },
            None => Passage::Shut,
        }
    }

    /// The gate for a script that is called through a dispatch binding; none where its namespace decides.
    ///
    /// A binding's own outbound worker goes before the namespace's, but only where the binding is a platform script's:
    /// both are then the operator's word. What a tenant was given cannot lead around the gate that the tenant has.
    pub(super) fn gate_behind(&self, door: &Arc<Door>, values: Values) -> Option<Arc<Gate>> {
        if let (ScriptKey::Platform(_), Some(own)) = (&self.script, &door.outbound) {
            let named_by = NamedBy::Binding(Arc::clone(door));
            return Some(Arc::new(Gate { worker: own.worker.clone(), named_by, values }));
        }
        let namespace = self.invoker.registry.namespace_cached(&door.namespace)?;
        if namespace.outbound.is_none() {
            return self.gate_for_callee();
        }
        if values.is_empty() { None } else { Gate::of_namespace(&namespace, values) }
    }

    /// The gate of this script, for one that it calls.
    pub(super) fn gate_for_callee(&self) -> Option<Arc<Gate>> {
        match self.passage() {
            Passage::Through(gate) => Some(gate.without_values()),
            Passage::Free | Passage::Shut => None,
        }
    }

    /// Gives a request to the outbound worker, and its answer back.
    pub(super) fn pass_through(
        &self,
        gate: Arc<Gate>,
        outbound: OutboundRequest,
    ) -> BoxFuture<'static, Result<Response<Body>, BodyError>> {
        let patience =
            outbound.first_byte_timeout.map(|wait| wait + outbound.connect_timeout.unwrap_or_default());
        let request = match prepared(outbound.request) {
            Ok(request) => request,
            Err(error) => return async { Err(error) }.boxed(),
        };
        let chain = match self.next() {
            Ok(chain) => chain,
            // An answer and no error: scripts that pass answers on pass it on to the visitor.
            Err(failure) => {
                let wanted = Wanted::of(request.headers());
                let looped = respond::page(&failure.into(), wanted, &self.chain.context);
                return async { Ok(looped) }.boxed();
            }
        };
        let worker = ScriptKey::Platform(gate.worker.clone());
        let how = How {
            gate: None,
            // What leaves is the namespace's, whoever sends it.
            behalf: self.script.namespace().cloned(),
            entry: Entry { caller: Some(self.script.clone()), config: Arc::clone(&gate.values) },
        };
        let invoker = Arc::clone(&self.invoker);
        let ray_id = Arc::clone(&self.chain.context.ray_id);
        async move {
            match invoker.script(&worker).await {
                Ok(_) => {}
                Err(Failure::WorkerNotFound) => {
                    tracing::warn!(
                        %ray_id, outbound = %worker, named_by = %gate.named_by,
                        "a request of a script was refused: its outbound worker is not deployed"
                    );
                    return Err(gate.not_deployed());
                }
                Err(failure) => return Err(gate.error(failure)),
            }
            let answer = invoker.run(chain, worker, &LimitSpec::default(), how, request);
            within(patience, answer).await?.map_err(|failure| gate.error(failure))
        }
        .boxed()
    }

    /// Checks parameters for the outbound worker of calls through a binding of this script.
    pub(super) fn check_parameters(
        &self,
        door: Arc<Door>,
        names: Vec<String>,
    ) -> BoxFuture<'static, Result<(), Failure>> {
        if self.script.namespace().is_some() {
            let text =
                "outbound: only a platform script gives parameters to an outbound worker; leave them out";
            return async { Err(Failure::InvalidArgument(text.to_owned())) }.boxed();
        }
        let invoker = Arc::clone(&self.invoker);
        async move {
            let namespace = invoker.registry.namespace_cached(&door.namespace);
            let namespaces_own = namespace.as_ref().and_then(|namespace| namespace.outbound.as_ref());
            let declared = door.outbound.as_ref().or(namespaces_own);
            let Some(declared) = declared else {
                return Err(Failure::InvalidArgument(format!(
                    "outbound: {} was given, but neither the binding \"{}\" nor the namespace \"{}\" has an outbound \
                     worker",
                    quoted(names.first()),
                    door.binding,
                    door.namespace
                )));
            };
            if let Some(undeclared) = names.iter().find(|name| !declared.params.contains(name)) {
                return Err(undeclared_parameter(undeclared, declared, &door));
            }
            let worker = invoker.registry.script(&ScriptKey::Platform(declared.worker.clone())).await;
            let Some(worker) = worker.map_err(super::internal)? else { return Ok(()) };
            match clash(&worker.version.bindings, names.iter().map(String::as_str)) {
                Some(name) => Err(Failure::InvalidArgument(clash_text(name))),
                None => Ok(()),
            }
        }
        .boxed()
    }
}

/// The first of the names that is also the name of a binding: one would hide the other.
pub(super) fn clash<'n>(
    bindings: &[wasmyard_namespaces::BindingDecl],
    mut names: impl Iterator<Item = &'n str>,
) -> Option<&'n str> {
    names.find(|name| bindings.iter().any(|binding| binding.name.as_str() == *name))
}

pub(super) fn clash_text(name: &str) -> String {
    format!(
        "outbound: the outbound worker has a binding \"{}\" of its own; rename one of the two",
        shorten(name)
    )
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
async fn within<T>(patience: Option<Duration>, future: impl Future<Output = T>) -> Result<T, BodyError> {
    match patience {
        None => Ok(future.await),
        Some(patience) => {
            tokio::time::timeout(patience, future).await.map_err(|_| BodyError::HttpResponseTimeout)
        }
    }
}

/// The request as the outbound worker sees it: the URL that was asked for, in its one spelling, so that a list of
/// hosts cannot be passed by writing a host differently.
fn prepared(mut request: Request<Body>) -> Result<Request<Body>, BodyError> {
    if request.method() == Method::CONNECT {
        return Err(BodyError::HttpRequestMethodInvalid);
    }
    *request.uri_mut() = in_one_spelling(request.uri())?;
    let headers = request.headers_mut();
    strip_hop_by_hop(headers);
    headers.remove(header::HOST);
    Ok(request)
}

fn in_one_spelling(uri: &Uri) -> Result<Uri, BodyError> {
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
        let gate = Gate { worker: "out".parse().unwrap(), named_by, values: Values::default() };
        for failure in [
            Failure::Trapped("the key is hunter2".to_owned()),
            Failure::Internal { detail: "hunter2".to_owned() },
            Failure::NoResponse("hunter2".to_owned()),
            Failure::InvalidArgument("hunter2".to_owned()),
        ] {
            match gate.error(failure) {
                BodyError::InternalError(Some(text)) => {
                    assert_eq!(text, "the outbound worker of the namespace \"production\" failed");
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
