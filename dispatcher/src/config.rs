//! What the data plane is made from: typed values with their units. Where they come from is not its concern.

use std::time::Duration;

use wasmyard_namespaces::limits::{Limits, MAX_REQUEST_HEADER_BYTES, MAX_REQUEST_HEADERS};

/// Sizes and limits of the dispatcher.
#[derive(Debug, Clone)]
pub struct DispatcherConfig {
    /// What holds for every invocation unless something tighter applies.
    pub limits: Limits,
    /// How many invocations may be under way at once.
    pub admission: AdmissionConfig,
    /// How many versions of scripts are kept ready; each is small beside its compiled code.
    pub ready_workers: u64,
    /// The longest pause of a visitor's request body.
    pub body_idle: Duration,
    /// The ports that visitors reach the platform by, beside 80 and 443. A script's request to a host of the
    /// platform goes inside on these; on another port it is meant for something else, and goes to egress.
    pub served_ports: Vec<u16>,
}

impl Default for DispatcherConfig {
    fn default() -> Self {
        Self {
            limits: Limits::DEFAULT,
            admission: AdmissionConfig::for_invocations(1_000),
            ready_workers: 100_000,
            body_idle: Duration::from_secs(30),
            served_ports: Vec::new(),
        }
    }
}

/// How many invocations may be under way at once. What is beyond waits for a moment and is refused then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdmissionConfig {
    /// Over all scripts.
    pub invocations: usize,
    /// Of these, those that begin a chain of scripts: visitors' requests. The rest is for scripts that they call.
    pub requests: usize,
    /// Of the user scripts of one namespace together.
    pub per_namespace: usize,
    /// Of one user script.
    pub per_script: usize,
    /// How long one may wait for a place.
    pub wait: Duration,
}

impl AdmissionConfig {
    /// The usual shares of so many places.
    pub fn for_invocations(invocations: usize) -> Self {
        Self {
            invocations,
            requests: (invocations / 2).max(1),
            per_namespace: (invocations / 2).max(1),
            per_script: (invocations / 4).max(1),
            wait: Duration::from_millis(50),
        }
    }
}

/// Sizes and times of the visitors' listener.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The most connections at once; further ones wait in the kernel's queue.
    pub max_connections: usize,
    /// The most bytes of a request's head.
    pub max_header_bytes: usize,
    /// The most header fields of a request.
    pub max_headers: usize,
    /// How long a request's head may take to arrive, from its first byte.
    pub header_timeout: Duration,
    /// How long a connection may be without a request.
    pub idle_timeout: Duration,
    /// The most requests at once on one HTTP/2 connection.
    pub max_streams: u32,
    /// How long a visitor may take next to nothing of an answer that is ready.
    pub slow_reader: Duration,
    /// How long requests in flight may go on after shutdown was asked for.
    pub drain: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            max_header_bytes: MAX_REQUEST_HEADER_BYTES as usize,
            max_headers: MAX_REQUEST_HEADERS as usize,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            max_streams: 128,
            slow_reader: Duration::from_secs(30),
            drain: Duration::from_secs(30),
        }
    }
}
