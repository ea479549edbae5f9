//! What end-to-end tests, the soak and the benches stand on. Owns finding the binary, starting and stopping it, talking to it,
//! and waiting. Must never know what a test expects, and never link the platform: it is driven from outside.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test fails by panicking, in its helpers as well"
)]

mod api;
pub mod bombs;
mod client;
mod disk;
pub mod dns;
pub mod guest;
pub mod http3;
pub mod origin;
pub mod program;
mod raw;
mod server;
pub mod wat;

use std::future::Future;
use std::time::{Duration, Instant};

pub use api::{Api, NAMESPACES, PLATFORM_SCRIPTS, script_path};
pub use client::{
    Answer, ClientBody, Connection, body, channel, heads_over, heads_over_http2, next_chunk, request,
};
pub use disk::SmallDisk;
pub use raw::{Raw, RawAnswer};
pub use server::{Server, Site, shared_artifacts};

/// How long a test waits for what must come. Far longer than it takes, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The output of a future that must be ready in time; `what` names it when it is not.
#[track_caller]
pub fn within<F: Future>(what: &str, future: F) -> impl Future<Output = F::Output> {
    let caller = std::panic::Location::caller();
    let what = what.to_owned();
    async move {
        match tokio::time::timeout(PATIENCE, future).await {
            Ok(output) => output,
            Err(_elapsed) => panic!("{caller}: {what}: nothing within {} s", PATIENCE.as_secs()),
        }
    }
}

/// Looks again and again until there is something to see.
pub async fn eventually<T, F>(what: &str, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let begun = Instant::now();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {} s", PATIENCE.as_secs());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
