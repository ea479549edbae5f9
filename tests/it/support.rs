//! What every test stands on. Owns starting and stopping the server, talking to it, and waiting.
//! Must never know what a test expects.

mod api;
pub(crate) mod bombs;
mod client;
mod disk;
pub(crate) mod guest;
pub(crate) mod origin;
mod raw;
mod server;
pub(crate) mod wat;

use std::future::Future;
use std::time::{Duration, Instant};

pub(crate) use api::{Api, NAMESPACES, PLATFORM_SCRIPTS, script_path};
pub(crate) use client::{Answer, ClientBody, Connection, body, channel, next_chunk, request};
pub(crate) use disk::SmallDisk;
pub(crate) use server::{Server, Site, WASMYARD};

/// How long a test waits for what must come. Far longer than it takes, even on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// The output of a future that must be ready in time; `what` names it when it is not.
#[track_caller]
pub(crate) fn within<F: Future>(what: &str, future: F) -> impl Future<Output = F::Output> {
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
pub(crate) async fn eventually<T, F>(what: &str, mut look: impl FnMut() -> F) -> T
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
