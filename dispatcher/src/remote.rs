//! Namespaces of other servers: where calls of dispatchers go that somebody develops, and calls that come from there.
//!
//! Owns what of a call leaves this node, and how one that arrives is answered. Whoever assembles the node supplies the way.

use std::pin::pin;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::uri::Scheme;
use http::{Request, Response, Version};
use wasmyard_events::InRay;
use wasmyard_listener::Client;
use wasmyard_namespaces::limits::LimitSpec;
use wasmyard_namespaces::name::{NamespaceName, ScriptName};
use wasmyard_namespaces::script::ScriptKey;
use wasmyard_runtime::{Body, Door, Failure, Parameter};

use crate::dispatch::Dispatcher;
use crate::trace::Trace;
use crate::visit::{Answer, Tracked, VisitLog};
use crate::{head, respond};

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

impl Dispatcher {
    /// Answers a request to a script that no route led to: a dispatcher on another node calls it.
    ///
    /// # Errors
    /// What that dispatcher would be told if it were here.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future, or the body of the answer, cancels everything that runs for the request.
    pub async fn call(
        &self,
        script: ScriptKey,
        limits: LimitSpec,
        mut request: Request<Body>,
        client: Client,
    ) -> Result<Response<Tracked>, Failure> {
        // Its target is whole, as over HTTP/2, and says how its visitor came: the connection is the other node's.
        *request.version_mut() = Version::HTTP_2;
        let client = Client::at(client.address, request.uri().scheme() == Some(&Scheme::HTTPS));
        let trace = Trace::begin(self.sink(), self.underway());
        let log = VisitLog::open(trace, client.address, &request);
        let answer = async {
            let visit = head::read(request, client, &log)
                .map_err(|wrong| Failure::InvalidArgument(format!("request: {wrong}")))?;
            self.scripts().called_from_afar(visit, script, limits).await
        };
        let ray_id = Arc::clone(&log.trace.ray_id);
        let answer = InRay { ray_id: Arc::clone(&ray_id), future: pin!(answer) }.await;
        match answer {
            Ok(answer) => {
                log.answered(Answer { status: answer.status(), reason: "ok" });
                Ok(Tracked::answer(respond::passed_on(answer, &ray_id), log))
            }
            Err(failure) => {
                log.answered(respond::noted(&failure));
                Err(failure)
            }
        }
    }
}
