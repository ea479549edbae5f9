//! The last hop to the outside: the single place that may open sockets for guests.
//!
//! [`policy`](Policy) judges, `resolver` finds addresses, `places` bounds connections, `kept` closes those that only take up a
//! place, `connect` opens one to an
//! address that was judged, [`client`](NetworkEgress) sends the request, `answer` hands over what came. Every
//! step refuses what it does not understand.

mod address;
mod answer;
mod client;
mod config;
mod connect;
mod figures;
mod kept;
mod places;
mod policy;
mod resolver;
mod tls;
mod upload;

use std::sync::Arc;

use futures::future::BoxFuture;
use http::Response;
use wasmyard_events::Sink;
use wasmyard_namespaces::{Namespace, ScriptKey};
use wasmyard_runtime::{Body, BodyError, OutboundRequest};

pub use client::NetworkEgress;
pub use config::EgressConfig;
pub use figures::EgressFigures;
pub use policy::Policy;
pub use tls::{ExtraRoots, Roots};

/// On whose behalf a request goes out: whose rules it is judged by, and whose connections it may use.
#[derive(Debug, Clone)]
pub enum Sender {
    /// A platform script, for itself.
    Platform,
    /// A script of this namespace, or whoever sends for one.
    Namespace(Arc<Namespace>),
}

/// Who asked for a request, as an extension of it: the operator is told when it does not go out.
#[derive(Clone)]
pub struct Asker {
    /// The script.
    pub script: ScriptKey,
    /// The visitor's request that it works for.
    pub ray_id: Arc<str>,
    /// Where the operator reads of it.
    pub events: Arc<dyn Sink>,
}

/// Sends a guest's request to the outside, or refuses to.
pub trait Egress: Send + Sync + 'static {
    /// Sends the request and returns the head of the response.
    fn send(
        &self,
        sender: Sender,
        request: OutboundRequest,
    ) -> BoxFuture<'static, Result<Response<Body>, BodyError>>;
}

/// Why egress cannot start.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// TLS cannot be set up.
    #[error("TLS for outgoing requests cannot be set up: {0}")]
    Tls(String),
    /// A file of certificates cannot be read.
    #[error("no certificates can be read from it: {0}")]
    Certificates(String),
}
