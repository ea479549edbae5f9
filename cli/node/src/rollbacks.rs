//! Takes back what broke its rule: between the data plane, which counts, and the control plane, which deploys.

use tokio::sync::mpsc;
use wasmyard_control::Control;
use wasmyard_dispatcher::Broken;

/// How many may wait to be taken back. One more is told again by its next invocation.
pub(crate) const WAITING: usize = 64;

/// Takes deployments back until it is dropped.
pub(crate) async fn run(control: Control, mut broken: mpsc::Receiver<Broken>) {
    while let Some(Broken { script, deployment, reason }) = broken.recv().await {
        if let Err(error) = control.take_back(&script, &deployment, &reason).await {
            tracing::error!(%script, deployment, reason, %error, "a deployment broke its rule and could not be rolled back");
        }
    }
}
