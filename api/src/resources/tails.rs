//! Owns the calls on live tails: of a script, and of all scripts of a namespace.

use std::sync::Arc;

use axum::extract::{FromRequest as _, FromRequestParts, Request, State};
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, header};
use hyper::upgrade::OnUpgrade;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use wasmyard_events::{Filter, TooManyTails, Watched};
use wasmyard_listener::Client;
use wasmyard_namespaces::{Clock, Timestamp};

use crate::body::{Small, parse};
use crate::envelope::{Answer, Reply};
use crate::error::{ApiError, Code};
use crate::state::{Shared, SharedState};
use crate::tails::socket::{self, Handshake};
use crate::target::{Account, InNamespace, Item, Target, named_segment};

/// A tail as clients see it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Tail")]
pub(crate) struct View {
    id: String,
    /// The address of the WebSocket that it is read over, with the subprotocol `trace-v1`. Whoever knows it reads it, once.
    url: String,
    expires_at: String,
}

/// Which invocations are wanted.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "TailWanted")]
pub(crate) struct Wanted {
    /// Each has one of `sampling_rate`, `outcome`, `method`, `header`, `client_ip`, `query` and `scriptVersion`; all have to
    /// hold.
    #[serde(default)]
    #[schemars(with = "Vec<Map<String, Value>>", length(max = 32))]
    filters: Vec<Value>,
}

/// What the path names to be watched.
pub(crate) struct OfPath(Watched);

impl FromRequestParts<Arc<Shared>> for OfPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        Account::from_request_parts(parts, shared).await?;
        if named_segment(parts, shared, "script_name").await.is_err() {
            let InNamespace(name) = InNamespace::from_request_parts(parts, shared).await?;
            return Ok(Self(Watched::Namespace(name)));
        }
        Target::from_request_parts(parts, shared).await.map(|Target(key)| Self(Watched::Script(key)))
    }
}

/// Clients send it under several content types, or no body at all.
fn read(bytes: &[u8]) -> Result<Wanted, ApiError> {
    if bytes.trim_ascii().is_empty() { Ok(Wanted { filters: Vec::new() }) } else { parse(bytes) }
}

pub(crate) async fn create(
    State(shared): SharedState,
    OfPath(watched): OfPath,
    request: Request,
) -> Answer<View> {
    let client = request.extensions().get::<Client>().cloned();
    let headers = request.headers().clone();
    let Small(bytes) = Small::from_request(request, &shared).await?;
    let wanted = read(&bytes)?;
    let filters = Filter::list(&wanted.filters, client.as_ref().map(|client| client.address))
        .map_err(|error| ApiError::invalid(error.to_string()))?;
    match &watched {
        Watched::Script(key) => drop(shared.control.existing(key).await?),
        Watched::Namespace(name) => drop(shared.control.existing_namespace(name).await?),
    }
    let secure = client.is_some_and(|client| client.secure);
    let (id, expires) = shared.tails.make(watched, filters, clock(&shared)).map_err(too_many)?;
    Ok(Reply::ok(view(id, expires, &headers, secure)))
}

pub(crate) async fn list(
    State(shared): SharedState,
    OfPath(watched): OfPath,
    request: Request,
) -> Answer<Vec<View>> {
    let secure = request.extensions().get::<Client>().is_some_and(|client| client.secure);
    let headers = request.headers();
    let found = shared.tails.of(&watched, clock(&shared)).into_iter();
    Ok(Reply::ok(found.map(|(id, expires)| view(id, expires, headers, secure)).collect()))
}

pub(crate) async fn delete(
    State(shared): SharedState,
    OfPath(watched): OfPath,
    Item(id): Item,
) -> Answer<()> {
    if shared.tails.end(&id, &watched) { Ok(Reply::ok(())) } else { Err(none()) }
}

/// Reads a tail: whoever knows its id may, once.
pub(crate) async fn read_over_socket(
    State(shared): SharedState,
    Item(id): Item,
    mut request: Request,
) -> Result<Response, ApiError> {
    let handshake = Handshake::read(request.headers())?;
    let upgrade = request.extensions_mut().remove::<OnUpgrade>().ok_or_else(|| {
        ApiError::parameter("a WebSocket begins with a request of HTTP/1.1; another protocol came")
    })?;
    let taken = shared.tails.take(&id, clock(&shared)).ok_or_else(none)?;
    tokio::spawn(socket::serve(Arc::clone(&shared), id, taken, upgrade));
    Ok(handshake.answer())
}

fn clock(shared: &Shared) -> &Clock {
    shared.registry().clock()
}

fn view(id: String, expires: Timestamp, headers: &HeaderMap, secure: bool) -> View {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let scheme = if secure { "wss" } else { "ws" };
    View { url: format!("{scheme}://{host}/tails/{id}"), id, expires_at: expires.to_string() }
}

fn none() -> ApiError {
    ApiError::new(
        Code::TailNotFound,
        "There is no such tail, or somebody reads it already; make another one.",
    )
}

fn too_many(error: TooManyTails) -> ApiError {
    ApiError::new(Code::TooManyTails, crate::error::sentence(&error.to_string()))
}
