//! The last hop to the outside: the single place that may open sockets for guests.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::Response;
use wasmyard_runtime::{Body, BodyError, OutboundRequest};

/// Sends a guest's request to the outside, or refuses to.
pub trait Egress: Send + Sync + 'static {
    /// Sends the request and returns the head of the response.
    fn send(&self, request: OutboundRequest) -> BoxFuture<'static, Result<Response<Body>, BodyError>>;
}

/// Lets nothing out: every request is denied with `HTTP-request-denied`.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoEgress;

impl Egress for NoEgress {
    fn send(&self, _: OutboundRequest) -> BoxFuture<'static, Result<Response<Body>, BodyError>> {
        async { Err(BodyError::HttpRequestDenied) }.boxed()
    }
}
