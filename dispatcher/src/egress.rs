//! The last hop to the outside, for guests: the policy of what they may reach, and what they are told. Connections are
//! made by `edge/net`, which asks the policy.
//!
//! [`policy`](Policy) judges, [`client`](NetworkEgress) sends the request over the sender's connections, `answer` hands
//! over what came. Every step refuses what it does not understand.

mod answer;
mod client;
mod config;
mod figures;
mod policy;

use std::sync::Arc;

use futures::future::BoxFuture;
use http::Response;
use wasmyard_events::Sink;
use wasmyard_namespaces::{Namespace, ScriptKey};
use wasmyard_runtime::{Body, BodyError, OutboundRequest};

pub(crate) use answer::of_fault as body_error;
pub use client::NetworkEgress;
pub use config::EgressConfig;
pub use figures::EgressFigures;
pub(crate) use policy::Denied;
pub use policy::Policy;
pub use wasmyard_net::{ExtraRoots, Roots, TlsError};

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
