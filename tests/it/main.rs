//! The platform as its users see it: the real binary on ports of its own, driven over real sockets.
//!
//! One test binary, because each would link the same crates again. Every test starts a server of its own
//! with a data directory of its own, and waits for what it needs: nothing here sleeps for a fixed time in
//! the hope that something has happened. Guests are real components: the examples, `tests/guests`, and tiny
//! ones that `support/wat.rs` makes.
//!
//! - `support`: the server, the clients, the guests
//! - `routing`: host and path -> who answers
//! - `asset_uploads`: folders of files on their way up
//! - `deploy`: from an upload to the next request, with traffic flowing
//! - `durability`: kill -9 at any moment
//! - `full_disk`: no room, and damage
//! - `dev`: hot reload, broken builds, templates
//! - `streaming`: bodies of any length, both ways, with trailers
//! - `limits`: a script that misbehaves, and its neighbour
//! - `hostile`: attacks of every kind, a row each, and who notices
//! - `cheap_client`: what one client may hold or spend, and who is served meanwhile
//! - `proxies`: who the visitor is behind a proxy
//! - `sandbox`: what a script cannot reach, and what is not left of it
//! - `outbound`: where a script's own requests go
//! - `fairness`: short requests ahead of those that compute for long
//! - `overload`: too many at once, too much memory, visitors who do not read or go away
//! - `gate`: outbound workers, and that there is no way around them
//! - `services`: script to script by a service binding
//! - `afterwards`: work after the response
//! - `dropped`: what a script lets go of is stopped
//! - `protocol`: HTTP/1.1 and HTTP/2 as they should be, and as they should not
//! - `headers`: what a worker is told, and what it is never told
//! - `compiler`: the process that compiles, and what it cannot do
//! - `uploads`: what is refused, in which words, and that nothing of it stays
//! - `messages`: what two parties may read differently: framing, lengths, paths, fields
//! - `meters`: what an invocation may use beside CPU and memory, and how it is told
//! - `bad_limits`: limits that cannot be, wherever somebody sets them
//! - `assets_serve`: static files as visitors and scripts get them, and in a browser
//! - `guests`: components that were made without our SDK
//! - `kv`: keys and values, as scripts and the API reach them
//! - `observability`: figures, logs, health
//! - `restart`: every write that the API has survives a start, or is refused, or said to be lost

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers as well"
)]

mod afterwards;
mod answers;
mod asset_uploads;
mod assets_serve;
mod bad_limits;
mod cheap_client;
mod compiler;
mod deploy;
mod dev;
mod dropped;
mod durability;
mod events;
mod fairness;
mod full_disk;
mod gate;
mod guests;
mod headers;
mod hostile;
mod kv;
mod limits;
mod messages;
mod meters;
mod observability;
mod outbound;
mod overload;
mod own_requests;
mod protocol;
mod proxies;
mod ready;
mod restart;
mod reuse;
mod routing;
mod sandbox;
mod services;
mod streaming;
mod support;
mod uploads;
