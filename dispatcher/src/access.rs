//! The access log: one line for each visitor's request, written when the last byte of its answer is out.
//!
//! Owns what a line says. Where it goes is the embedder's choice. Never holds a query: it may hold secrets.

use std::net::IpAddr;

/// What is logged of one request.
#[derive(Debug, Clone, Copy)]
pub struct AccessLine<'r> {
    /// Identifies the request everywhere.
    pub ray_id: &'r str,
    /// The visitor's address.
    pub client: IpAddr,
    /// The hostname that was asked for; empty where there was none that could be read.
    pub host: &'r str,
    /// The method.
    pub method: &'r str,
    /// The path without its query.
    pub path: &'r str,
    /// The script that the route named; empty where there was none.
    pub script: &'r str,
    /// The status of the answer; 499 when the visitor left before there was one.
    pub status: u16,
    /// A stable word: `ok`, `canceled`, or the reason of a platform answer.
    pub reason: &'r str,
    /// From the head of the request to the last byte of the answer, in microseconds.
    pub wall_us: u64,
}

impl AccessLine<'_> {
    /// What these lines are filtered by.
    pub const TARGET: &'static str = "wasmyard::access";
    /// What each line's message is.
    pub const MESSAGE: &'static str = "request";
}

/// Where lines go. Called on the request's own thread for every request: must not block, must not fail.
pub trait AccessLog: Send + Sync + 'static {
    /// Takes one line.
    fn request(&self, line: &AccessLine<'_>);
}

/// Lines as tracing events, like everything else that is logged.
#[derive(Debug, Clone, Copy, Default)]
pub struct ThroughTracing;

impl AccessLog for ThroughTracing {
    fn request(&self, line: &AccessLine<'_>) {
        let AccessLine { ray_id, client, host, method, path, script, status, reason, wall_us } = *line;
        // Not `target`: a log line has a field of that name already, the part of the program it comes from.
        tracing::info!(
            target: AccessLine::TARGET, ray_id, %client, host, method, path, script, status, reason, wall_us,
            "{}", AccessLine::MESSAGE
        );
    }
}
