//! Owns the call that runs a user script for a dispatcher on another node: that of somebody who develops.
//! Must never read more of the body than the head of the request that is in it.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use std::net::{IpAddr, Ipv4Addr};
use tokio::time::timeout;
use wasmyard_listener::Client;

use crate::error::{ApiError, Code};
use crate::remote::{self, AnswerHead, CONTENT_TYPE, RequestHead};
use crate::state::SharedState;
use crate::target::Target;

pub(crate) async fn run(
    State(shared): SharedState,
    Target(key): Target,
    request: Request,
) -> Result<Response, ApiError> {
    let unknown = || Client::at(IpAddr::V4(Ipv4Addr::UNSPECIFIED), false);
    let client = request.extensions().get::<Client>().cloned().unwrap_or_else(unknown);
    let head = timeout(shared.api.limits.call, remote::unframed::<RequestHead>(request.into_body())).await;
    let head =
        head.map_err(|_| ApiError::new(Code::SlowBody, "The head of the request did not come in time."))?;
    let (head, body) = head.map_err(ApiError::invalid)?;
    let (request, limits) = head.request(body).map_err(ApiError::invalid)?;
    let Some(dispatch) = &shared.api.dispatch else {
        return Err(ApiError::new(Code::Unavailable, "This server runs no scripts; ask one that does."));
    };
    let (head, body) = match dispatch.dispatch(key, limits, client, request).await {
        Ok(answer) => AnswerHead::of(answer),
        Err(failure) => (AnswerHead::Failed { failure }, Body::empty()),
    };
    let mut answer = Response::new(remote::framed(&head, body).map_err(ApiError::internal)?);
    *answer.status_mut() = StatusCode::OK;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}
