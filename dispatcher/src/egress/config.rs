//! What egress is made from: rules, roots of trust, times and sizes. Where they come from is not its concern.

use std::net::SocketAddr;
use std::time::Duration;

use wasmyard_net::{ExtraRoots, NetworkConfig, Roots};

use super::policy::Policy;

/// Rules, times and sizes of egress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EgressConfig {
    /// Where requests may go.
    pub policy: Policy,
    /// Whose certificates are believed.
    pub roots: Roots,
    /// Certificates that are believed beside those: of private authorities.
    pub extra_roots: ExtraRoots,
    /// Who is asked for addresses. None: those that the machine is configured with.
    pub name_servers: Vec<SocketAddr>,
    /// Longest wait for an answer of the name servers.
    pub dns_timeout: Duration,
    /// Longest wait for a connection, and, before that, for leave to open one.
    pub connect_timeout: Duration,
    /// Longest wait for the TLS handshake.
    pub tls_timeout: Duration,
    /// Longest wait for the head of a response, counted from the last piece of the request.
    pub first_byte_timeout: Duration,
    /// Longest pause of a response's body.
    pub between_bytes_timeout: Duration,
    /// How long a connection may be kept without use.
    pub pool_idle: Duration,
    /// The most connections to one authority that are kept without use.
    pub pool_connections: usize,
    /// The most connections at once, in use or kept. A kept one is closed when its place is needed.
    pub max_connections: usize,
    /// The most of these for the scripts of one namespace.
    pub max_connections_per_namespace: usize,
    /// The most of these to one host and port, for the scripts of one namespace or the platform's own.
    pub max_connections_per_host: usize,
    /// The most bytes of a response's head.
    pub max_header_bytes: usize,
    /// The most fields of a response's head.
    pub max_headers: usize,
}

impl EgressConfig {
    /// What of it holds for the connections.
    pub(super) fn network(&self) -> NetworkConfig {
        NetworkConfig {
            connect_timeout: self.connect_timeout,
            tls_timeout: self.tls_timeout,
            pool_idle: self.pool_idle,
            pool_connections: self.pool_connections,
            max_connections: self.max_connections,
            max_connections_per_host: self.max_connections_per_host,
            max_header_bytes: self.max_header_bytes,
            max_headers: self.max_headers,
        }
    }
}

impl Default for EgressConfig {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            roots: Roots::System,
            extra_roots: ExtraRoots::default(),
            name_servers: Vec::new(),
            dns_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(5),
            tls_timeout: Duration::from_secs(5),
            first_byte_timeout: Duration::from_secs(60),
            between_bytes_timeout: Duration::from_secs(60),
            pool_idle: Duration::from_secs(60),
            pool_connections: 64,
            max_connections: 1_024,
            max_connections_per_namespace: 512,
            max_connections_per_host: 256,
            max_header_bytes: 64 << 10,
            max_headers: 128,
        }
    }
}
