//! How much a listener takes on, and for how long: typed values with their units.

use std::time::Duration;

use crate::proxies::Proxies;

/// Sizes, counts and times of one listener.
#[derive(Debug, Clone)]
pub struct ListenerConfig {
    /// The most connections at once; further ones wait in the kernel's queue.
    pub max_connections: usize,
    /// The most connections at once of one client: an IPv4 address, or a /64 network of IPv6. Further ones are closed.
    pub max_connections_per_client: usize,
    /// The most bytes of a request's head.
    pub max_header_bytes: usize,
    /// The most header fields of a request.
    pub max_headers: usize,
    /// How long a request's head may take to arrive, from its first byte; and how long a new connection may take to
    /// begin one.
    pub header_timeout: Duration,
    /// How long a connection may be without a request.
    pub idle_timeout: Duration,
    /// The most requests at once on one HTTP/2 connection.
    pub max_streams: u32,
    /// How long a client may take next to nothing of an answer that is ready.
    pub slow_reader: Duration,
    /// How long requests in flight may go on after shutdown was asked for.
    pub drain: Duration,
    /// The proxies in front that are believed.
    pub proxies: Proxies,
    /// Whether connections of these proxies begin with a header of the PROXY protocol.
    pub proxy_protocol: bool,
    /// Whether an answer with status 101 may change the protocol of a connection of HTTP/1.1, which is then its handler's to
    /// bound. Without it such an answer ends the connection.
    pub upgrades: bool,
}

impl Default for ListenerConfig {
    fn default() -> Self {
        Self {
            max_connections: 8_192,
            max_connections_per_client: 1_024,
            max_header_bytes: 32 << 10,
            max_headers: 100,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            max_streams: 128,
            slow_reader: Duration::from_secs(30),
            drain: Duration::from_secs(30),
            proxies: Proxies::default(),
            proxy_protocol: false,
            upgrades: false,
        }
    }
}
