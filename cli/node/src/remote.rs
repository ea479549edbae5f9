//! Remote bindings: dispatchers that somebody develops call scripts of a running server, over its API.
//!
//! Owns both ends: the way there, with a token that needs no more than `Workers Dispatch Run`, and the data plane as the API
//! knows it. Must never send the token anywhere but to the server that it is for.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use axum::body::Body as WireBody;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Limited};
use wasmyard_api::remote::{AnswerHead, CONTENT_TYPE, Dispatch, NotAnswered, RequestHead, framed, unframed};
use wasmyard_dispatcher::{Dispatcher, ExtraRoots, Remote, RemoteCall, Roots};
use wasmyard_listener::Client as Caller;
use wasmyard_namespaces::egress::{BadHost, Host};
use wasmyard_namespaces::limits::LimitSpec;
use wasmyard_namespaces::{ScriptKey, Secret};
use wasmyard_net::{
    Answered, Client, Judge, NameServers, Network, NetworkConfig, NetworkFigures, Waits, trusted,
};
use wasmyard_runtime::{Body, BodyError, Failure};

use crate::config::ResolvedConfig;

/// The account in the path: a server has one, whatever it is called.
const ACCOUNT: &str = "00000000000000000000000000000000";
/// How long a name server may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// A script answers within its own limits; this is for a server that does not answer at all.
const WAITS: Waits = Waits { connect: Duration::from_secs(10), first_byte: Duration::from_secs(300) };
/// Calls at once.
const MOST_CONNECTIONS: usize = 64;
/// What is read of a refusal.
const REFUSAL_BYTES: usize = 64 << 10;

/// The server whose namespaces remote bindings lead to.
#[derive(Debug)]
pub struct RemoteServer {
    /// Where its API is, such as `https://api.example.com`.
    pub url: String,
    /// A token that may run its scripts.
    pub token: Secret,
}

/// The way to the namespaces of a running server.
pub(crate) struct RemoteNamespaces {
    server: Option<(Uri, HeaderValue)>,
    client: Arc<Client<Anywhere, WireBody>>,
    /// Scripts with the names of their bindings that lead there.
    bindings: RwLock<HashSet<(ScriptKey, String)>>,
}

impl RemoteNamespaces {
    /// Opens nothing yet. Without a server every call says what is missing.
    ///
    /// # Errors
    /// That the address or the token is none; that TLS cannot be set up.
    pub(crate) fn new(
        server: Option<RemoteServer>,
        config: &ResolvedConfig,
        figures: &prometheus::Registry,
    ) -> Result<Arc<RemoteNamespaces>, String> {
        let server = server.map(|server| read(&server)).transpose()?;
        let egress = &config.egress;
        let figures = NetworkFigures::new(figures, "wasmyard_remote").map_err(|error| error.to_string())?;
        let resolver = Arc::new(NameServers::new(&egress.name_servers, PATIENCE));
        let (roots, extra): (Roots, &ExtraRoots) = (egress.roots, &egress.extra_roots);
        let network = Network::new(network(), resolver, trusted(roots, extra), figures);
        let client = Arc::new(network.map_err(|error| error.to_string())?.client(Anywhere, MOST_CONNECTIONS));
        let this = Arc::new(RemoteNamespaces { server, client, bindings: RwLock::default() });
        this.declare(config);
        Ok(this)
    }

    /// Takes over which bindings are remote.
    pub(crate) fn declare(&self, config: &ResolvedConfig) {
        let bindings = config
            .scripts
            .iter()
            .flat_map(|script| script.remote.iter().map(|binding| (script.key.clone(), binding.to_string())));
        *self.bindings.write().unwrap_or_else(PoisonError::into_inner) = bindings.collect();
    }
}

fn read(server: &RemoteServer) -> Result<(Uri, HeaderValue), String> {
    let wrong =
        || format!("`{}` is not the address of an API; write it as https://api.example.com", server.url);
    let uri: Uri = server.url.trim_end_matches('/').parse().map_err(|_| wrong())?;
    let is_http = uri.scheme_str().is_some_and(|scheme| scheme == "http" || scheme == "https");
    if !is_http || uri.authority().is_none_or(|authority| authority.as_str().contains('@')) {
        return Err(wrong());
    }
    let mut token = HeaderValue::from_str(&format!("Bearer {}", server.token.expose()))
        .map_err(|_| "the token of the remote server is none".to_owned())?;
    token.set_sensitive(true);
    Ok((uri, token))
}

impl Remote for RemoteNamespaces {
    fn reaches(&self, caller: &ScriptKey, binding: &str) -> bool {
        let bindings = self.bindings.read().unwrap_or_else(PoisonError::into_inner);
        !bindings.is_empty() && bindings.contains(&(caller.clone(), binding.to_owned()))
    }

    fn call(&self, call: RemoteCall) -> BoxFuture<'static, Result<Response<Body>, Failure>> {
        let (server, client) = (self.server.clone(), Arc::clone(&self.client));
        async move {
            let binding = call.binding.clone();
            let unreachable = |why: String| {
                Failure::Unreachable(format!("dispatch binding \"{binding}\" is remote: {why}"))
            };
            let Some((base, token)) = server else {
                return Err(unreachable(
                    "say where its server is with WASMYARD_REMOTE_URL and WASMYARD_REMOTE_TOKEN".to_owned(),
                ));
            };
            let request = asked(&base, token, call).map_err(&unreachable)?;
            let answered = client.send(request, WAITS).await;
            let Answered { response, in_use } =
                answered.map_err(|error| unreachable(error.told::<Anywhere>()))?;
            let (head, body) = response.into_parts();
            // The connection is in use for as long as the body comes.
            let body = WireBody::new(body.map_err(move |error| {
                let _in_use = &in_use;
                error
            }));
            if head.status != StatusCode::OK {
                return Err(unreachable(refusal(head.status, body).await));
            }
            let (head, body) =
                unframed::<AnswerHead>(body).await.map_err(|error| unreachable(error.to_string()))?;
            let answer = head.answer(body).map_err(|error| unreachable(error.to_string()))?;
            let answer = answer.map_err(failed)?;
            Ok(answer.map(|body| body.map_err(|_| BodyError::ConnectionTerminated).boxed_unsync()))
        }
        .boxed()
    }
}

/// The call of the API that carries a request.
fn asked(base: &Uri, token: HeaderValue, call: RemoteCall) -> Result<Request<WireBody>, String> {
    let RemoteCall { namespace, script, limits, request, .. } = call;
    let uri = format!(
        "{base}/client/v4/accounts/{ACCOUNT}/workers/dispatch/namespaces/{namespace}/scripts/{script}/run",
        base = base.to_string().trim_end_matches('/')
    );
    let (head, body) = RequestHead::of(request, limits);
    let body = framed(&head, WireBody::new(body)).map_err(|error| error.to_string())?;
    Request::post(uri)
        .header(header::AUTHORIZATION, token)
        .header(header::CONTENT_TYPE, CONTENT_TYPE)
        .header(header::USER_AGENT, concat!("wasmyard/", env!("CARGO_PKG_VERSION")))
        .body(body)
        .map_err(|error| error.to_string())
}

/// What the API says where it refuses.
async fn refusal(status: StatusCode, body: WireBody) -> String {
    let said = Limited::new(body, REFUSAL_BYTES).collect().await.ok();
    let said = said.and_then(|said| serde_json::from_slice::<serde_json::Value>(&said.to_bytes()).ok());
    let said = said.and_then(|said| Some(said.pointer("/errors/0/message")?.as_str()?.to_owned()));
    said.unwrap_or_else(|| format!("its server answers with {status}"))
}

/// The failure that a script gets which calls one here. Texts are those of the failures; what limit was passed only the other
/// server knows.
fn failed(NotAnswered { kind, message }: NotAnswered) -> Failure {
    let (never, at_once) = (Duration::ZERO, Duration::from_secs(1));
    match kind.as_str() {
        "scriptNotFound" => Failure::WorkerNotFound,
        "exceededCpu" => Failure::ExceededCpu { limit: never },
        "exceededFuel" => Failure::ExceededFuel { limit: 0 },
        "exceededMemory" => Failure::ExceededMemory { limit: 0 },
        "exceededSubrequests" => Failure::ExceededSubrequests { limit: 0 },
        "exceededDepth" => Failure::ExceededDepth { limit: 0 },
        "exceededWallTime" => Failure::TimedOut { limit: never },
        "exception" => Failure::Trapped(without("Worker threw an exception: ", &message)),
        "noResponse" | "noHandler" => Failure::NoResponse(without("Worker gave no response: ", &message)),
        "loadShed" | "tooManyInvocations" | "exceededMemoryShare" => {
            Failure::Overloaded { retry_after: at_once }
        }
        "notReady" => Failure::BeingMadeReady { retry_after: at_once },
        "invalidArgument" => Failure::InvalidArgument(message),
        "serviceNotFound" => Failure::Unreachable(message),
        _ => Failure::Internal { detail: message },
    }
}

fn without(beginning: &str, text: &str) -> String {
    text.strip_prefix(beginning).unwrap_or(text).to_owned()
}

/// Whoever develops names the server: there is nothing to judge.
struct Anywhere;

#[derive(Debug, thiserror::Error)]
enum Denied {
    #[error("the host is not understood: {0}")]
    Host(#[from] BadHost),
}

impl Judge for Anywhere {
    type Denied = Denied;

    fn target(&self, _: &Host, _: u16) -> Result<(), Denied> {
        Ok(())
    }

    fn address(
        &self,
        _: &Host,
        address: IpAddr,
        _: u16,
        _: impl Fn(IpAddr) -> bool,
    ) -> Result<IpAddr, Denied> {
        Ok(address)
    }
}

fn network() -> NetworkConfig {
    NetworkConfig {
        connect_timeout: WAITS.connect,
        tls_timeout: WAITS.connect,
        pool_idle: Duration::from_secs(30),
        pool_connections: MOST_CONNECTIONS,
        max_connections: MOST_CONNECTIONS,
        max_connections_per_host: MOST_CONNECTIONS,
        max_header_bytes: 64 << 10,
        max_headers: 200,
    }
}

impl std::fmt::Debug for RemoteNamespaces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteNamespaces").finish_non_exhaustive()
    }
}

/// The data plane of this node, as its API knows it. Does not keep it alive.
pub(crate) struct DataPlane(pub(crate) Weak<Dispatcher>);

impl Dispatch for DataPlane {
    fn dispatch(
        &self,
        script: ScriptKey,
        limits: LimitSpec,
        client: Caller,
        request: Request<WireBody>,
    ) -> BoxFuture<'_, Result<Response<WireBody>, NotAnswered>> {
        self.answered(script, limits, client, request).boxed()
    }
}

impl DataPlane {
    async fn answered(
        &self,
        script: ScriptKey,
        limits: LimitSpec,
        client: Caller,
        request: Request<WireBody>,
    ) -> Result<Response<WireBody>, NotAnswered> {
        let not_answered =
            |failure: &Failure| NotAnswered { kind: failure.kind().to_owned(), message: failure.to_string() };
        let Some(dispatcher) = self.0.upgrade() else {
            return Err(not_answered(&Failure::Overloaded { retry_after: Duration::from_secs(1) }));
        };
        let request = request.map(|body| body.map_err(|_| BodyError::ConnectionTerminated).boxed_unsync());
        let answer = dispatcher.call(script, limits, request, client).await;
        answer.map(|answer| answer.map(WireBody::new)).map_err(|failure| {
            if let Some(detail) = failure.detail() {
                tracing::error!(detail, "a script that was called from another node failed");
            }
            not_answered(&failure)
        })
    }
}
