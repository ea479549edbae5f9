//! What requests to origins are made from: rules, ports, roots of trust, times and sizes. Where they come from is not its
//! concern.

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;
use wasmyard_net::{ExtraRoots, NetworkConfig, Roots};

use crate::egress::Policy;

/// How requests go to origins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginsConfig {
    /// Where they may go.
    pub policy: Policy,
    /// Addresses at which visitors reach this platform, beside those of this machine.
    pub own_addresses: Vec<IpNet>,
    /// The port of origins that are asked in clear text.
    pub http_port: u16,
    /// The port of those that are asked over TLS.
    pub https_port: u16,
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
    /// Longest wait for the head of an answer, counted from the last piece of the request.
    pub first_byte_timeout: Duration,
    /// Longest pause of an answer's body.
    pub between_bytes_timeout: Duration,
    /// How long a connection may be kept without use.
    pub pool_idle: Duration,
    /// The most connections at once, in use or kept. A kept one is closed when its place is needed.
    pub max_connections: usize,
    /// The most requests at once of one zone.
    pub max_per_zone: usize,
    /// The most connections to one origin.
    pub max_per_origin: usize,
}

impl OriginsConfig {
    /// What of it holds for the connections.
    pub(super) fn network(&self) -> NetworkConfig {
        NetworkConfig {
            connect_timeout: self.connect_timeout,
            tls_timeout: self.tls_timeout,
            pool_idle: self.pool_idle,
            // Each way leads to one origin, which has its bound.
            pool_connections: self.max_per_origin,
            max_connections: self.max_connections,
            // What is kept of one name's connections makes room for another's within an origin's share alone.
            max_connections_per_host: usize::MAX,
            max_header_bytes: 64 << 10,
            max_headers: 128,
        }
    }
}

impl Default for OriginsConfig {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            own_addresses: Vec::new(),
            http_port: 80,
            https_port: 443,
            roots: Roots::System,
            extra_roots: ExtraRoots::default(),
            name_servers: Vec::new(),
            dns_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(10),
            tls_timeout: Duration::from_secs(10),
            first_byte_timeout: Duration::from_secs(100),
            between_bytes_timeout: Duration::from_secs(100),
            pool_idle: Duration::from_secs(60),
            max_connections: 1_024,
            max_per_zone: 512,
            max_per_origin: 256,
        }
    }
}
