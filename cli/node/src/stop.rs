//! The signals that end a node. Caught early, so that whoever learns where it listens may stop it at once.

use std::pin::Pin;

use tokio::signal::unix::{SignalKind, signal};

/// Resolves when the node is to stop.
pub(crate) type Stop = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Resolves at one of these signals, which are caught from this call on.
pub(crate) fn at<const N: usize>(kinds: [SignalKind; N]) -> Stop {
    let signals: Result<Vec<_>, _> = kinds.into_iter().map(signal).collect();
    Box::pin(async move {
        let Ok(mut signals) = signals else {
            tracing::error!("signals cannot be caught: only SIGKILL will stop this process");
            return std::future::pending().await;
        };
        futures::future::select_all(signals.iter_mut().map(|signal| Box::pin(signal.recv()))).await;
        tracing::info!("told to stop: taking no more requests, finishing those in flight");
    })
}
