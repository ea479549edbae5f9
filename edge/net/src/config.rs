//! Times and sizes of what goes out. Where they come from is not its concern.

use std::time::Duration;

/// Times and sizes that hold for all connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkConfig {
    /// Longest wait for a connection, and, before that, for leave to open one.
    pub connect_timeout: Duration,
    /// Longest wait for the TLS handshake.
    pub tls_timeout: Duration,
    /// How long a connection may be kept without use.
    pub pool_idle: Duration,
    /// The most connections of one sender to one authority that are kept without use.
    pub pool_connections: usize,
    /// The most connections at once, in use or kept. A kept one is closed when its place is needed.
    pub max_connections: usize,
    /// The most of these to one host and port, for one sender.
    pub max_connections_per_host: usize,
    /// The most bytes of an answer's head.
    pub max_header_bytes: usize,
    /// The most fields of an answer's head.
    pub max_headers: usize,
}
