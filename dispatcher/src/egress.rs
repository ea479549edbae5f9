//! The last hop to the outside: the single place that may open sockets for guests.
//!
//! [`policy`](Policy) judges, `resolver` finds addresses, `connect` opens a connection to an address that was
//! judged, [`client`](NetworkEgress) sends the request. Every step refuses what it does not understand.

mod address;
mod client;
mod connect;
mod host;
mod policy;
mod resolver;
mod upload;

use futures::future::BoxFuture;
use http::Response;
use wasmyard_runtime::{Body, BodyError, OutboundRequest};

pub use client::{EgressConfig, NetworkEgress};
pub use policy::{HostRule, HostRuleError, Policy};

/// Sends a guest's request to the outside, or refuses to.
pub trait Egress: Send + Sync + 'static {
    /// Sends the request and returns the head of the response.
    fn send(&self, request: OutboundRequest) -> BoxFuture<'static, Result<Response<Body>, BodyError>>;
}

/// Why egress cannot start.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// TLS cannot be set up.
    #[error("TLS for outgoing requests cannot be set up: {0}")]
    Tls(String),
}
