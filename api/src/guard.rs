//! Owns what happens around every call: who asks, for which account, whether they may, how long it may take, what the log says of it.
//! Must never let a call under `/client/v4` reach a handler without a token (an upload of assets checks its own), nor show a token anywhere.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Uri, header};
use tokio::time::Instant;
use tracing::Instrument;
use wasmyard_events::{ApiRecord, Event, Sink};
use wasmyard_listener::Client;

use wasmyard_namespaces::registry::TokenInfo;

use crate::audit;
use crate::caller::Caller;
use crate::error::{ApiError, Code};
use crate::state::{Shared, SharedState};
use crate::table::{Asks, Operation};
use crate::target::is_account;

/// Lets a call through if its token is good, here and now, and the account in its path is well-formed.
pub(crate) async fn admit(State(shared): SharedState, request: Request, next: Next) -> Response {
    let Some(known) = token(request.headers()).and_then(|token| shared.registry().token_of(token)) else {
        return refusal(&shared, request.extensions().get::<Client>()).await.into_response();
    };
    let address = request.extensions().get::<Client>().map(|client| client.address);
    if !known.rules.condition.admits(address) {
        return elsewhere(&known, address).into_response();
    }
    let left = shared.rates.token(&known.id);
    if !left.admits() {
        return left.refusal("this token");
    }
    shared.registry().note_use(&known.id);
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(Caller(Arc::new(known)));
    // Rejected: the path has no variable segment, or one that is no text; the handler says so where it matters.
    let params = RawPathParams::from_request_parts(&mut parts, &()).await.ok();
    let account = params.iter().flatten().find(|(name, _)| *name == "account_id");
    let mut answer = if account.is_some_and(|(_, value)| !is_account(value)) {
        ApiError::no_route(parts.uri.path()).into_response()
    } else {
        next.run(Request::from_parts(parts, body)).await
    };
    left.tell(answer.headers_mut());
    answer
}

/// Lets a call through if there were not too many from its address, before anything else is done for it. Whoever calls from
/// this machine is not counted: it is the operator, or a proxy that speaks for everybody.
pub(crate) async fn throttle(State(shared): SharedState, request: Request, next: Next) -> Response {
    let address = request.extensions().get::<Client>().map(|client| client.address.to_canonical());
    if let Some(address) = address.filter(|address| !address.is_loopback()) {
        let left = shared.rates.address(address);
        if !left.admits() {
            return left.refusal("this address");
        }
    }
    next.run(request).await
}

/// Lets a call through if its token may make it, or if it asks for none.
pub(crate) async fn permit(State(asks): State<Asks>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    if let Some(caller) = parts.extensions.get::<Caller>().cloned() {
        let params = RawPathParams::from_request_parts(&mut parts, &()).await.ok();
        if let Err(refused) = caller.permitted(asks, params.as_ref()) {
            return refused.into_response();
        }
    }
    next.run(Request::from_parts(parts, body)).await
}

/// The answer to a bad token: told of in the log, a line a second at most, and slow, so that nobody tries many.
async fn refusal(shared: &Shared, client: Option<&Client>) -> ApiError {
    let new = {
        let mut refusals = shared.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.one_more(Instant::now())
    };
    if let Some(refused) = new {
        let client = client.map(|client| client.address.to_string());
        tracing::warn!(
            client,
            refused,
            "calls of the API with a bad token were refused; the last one came from this client"
        );
    }
    tokio::time::sleep(shared.api.limits.refusal).await;
    refused()
}

/// The token of `Authorization: Bearer`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// The token of `Authorization: Bearer`, or that of `X-Auth-Key` when an `X-Auth-Email` comes with it.
pub(crate) fn token(headers: &HeaderMap) -> Option<&str> {
    if headers.contains_key(header::AUTHORIZATION) {
        return bearer(headers);
    }
    headers.get("x-auth-email").filter(|email| !email.is_empty())?;
    headers.get("x-auth-key")?.to_str().ok()
}

/// One text for every way of failing: it must not say whether a token exists.
pub(crate) fn refused() -> ApiError {
    ApiError::new(
        Code::Authentication,
        "Authentication error: send a valid API token as \"Authorization: Bearer <token>\", or as X-Auth-Key with X-Auth-Email.",
    )
}

/// The token is good, and may not be used from there. Whoever has it may know that.
fn elsewhere(token: &TokenInfo, address: Option<IpAddr>) -> ApiError {
    let address = address.map_or_else(|| "an unknown address".to_owned(), |address| address.to_string());
    tracing::warn!(
        token = token.id,
        address,
        "a call with a token that may not be used from there was refused"
    );
    ApiError::new(
        Code::Location,
        format!(
            "Cannot use the access token from location: {address}. Its condition names the networks that it is for."
        ),
    )
}

/// Runs a call to its end even if the client goes away, so that no change stops half-way, and answers in time.
pub(crate) async fn finish(State(bounds): State<Bounds>, request: Request, next: Next) -> Response {
    let Bounds { limit, events, shared, operation, asks } = bounds;
    let started = Instant::now();
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
    let token = request.extensions().get::<Caller>().map(|caller| Arc::from(caller.token().id.as_str()));
    let span = tracing::info_span!("api", %method, path);
    let (mut parts, body) = request.into_parts();
    let named = RawPathParams::from_request_parts(&mut parts, &()).await.ok();
    let named: Vec<(String, String)> =
        named.iter().flatten().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let request = Request::from_parts(parts, body);
    let pending = audit::begin(&shared, &operation, asks, &request, &path, &named);
    let run = next.run(request).instrument(span);
    let call = tokio::spawn(async move {
        let Some(pending) = pending else { return run.await };
        // In a task of its own, so that what fails has its entry as well.
        let answer = tokio::spawn(run).await;
        pending.entered(answer.unwrap_or_else(|failure| ApiError::internal(failure).into_response())).await
    });
    let response = match tokio::time::timeout(limit, call).await {
        Ok(Ok(response)) => response,
        Ok(Err(failure)) => ApiError::internal(failure).into_response(),
        Err(_) => ApiError::new(
            Code::Timeout,
            format!("The server did not finish within {} s. The change may still take effect: look before you repeat it.", limit.as_secs()),
        )
        .into_response(),
    };
    let record = ApiRecord {
        time: SystemTime::now(),
        method,
        path,
        token,
        status: response.status().as_u16(),
        wall: started.elapsed(),
    };
    events.event(&Event::Api(Arc::new(record)));
    response
}

/// What a path without a route answers.
pub(crate) async fn no_route(uri: Uri) -> ApiError {
    ApiError::no_route(uri.path())
}

/// What a path answers to a method that it does not have.
pub(crate) async fn no_method(request: Request) -> ApiError {
    let method = request.method().as_str().chars().take(20).collect::<String>();
    ApiError::new(
        Code::MethodNotAllowed,
        format!("The method {method} is not available here. The Allow header lists those that are."),
    )
}

/// What [`finish`] needs of the shared state.
#[derive(Clone)]
pub(crate) struct Bounds {
    /// How long the call may take.
    limit: Duration,
    events: Arc<dyn Sink>,
    shared: Arc<Shared>,
    /// The call by its name in the document.
    operation: Arc<str>,
    asks: Asks,
}

/// How long these calls may take, and who is told of them.
pub(crate) fn bounds(shared: &Arc<Shared>, operation: &Operation) -> Bounds {
    let limit = match operation.pace {
        crate::table::Pace::Call => shared.api.limits.call + shared.api.limits.call,
        crate::table::Pace::Upload => shared.api.limits.upload + shared.api.limits.call,
    };
    let events = Arc::clone(&shared.api.events);
    let (shared, name) = (Arc::clone(shared), Arc::from(operation.id.as_str()));
    Bounds { limit, events, shared, operation: name, asks: operation.asks }
}
