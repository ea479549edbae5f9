//! What is counted of deliveries.

use prometheus::{IntCounter, IntCounterVec, Registry as Shown};
use wasmyard_events::metric;
use wasmyard_queues::Settled;

/// What is counted of deliveries.
#[derive(Clone)]
pub struct DeliveryFigures {
    pub(super) handled: IntCounter,
    pub(super) failed: IntCounter,
    pub(super) released: IntCounter,
    acked: IntCounter,
    retried: IntCounter,
    dead: IntCounter,
    dropped: IntCounter,
}

impl DeliveryFigures {
    /// Figures that are shown there.
    ///
    /// # Errors
    /// When the names are taken.
    pub fn new(shown: &Shown) -> prometheus::Result<DeliveryFigures> {
        let help = "Batches of queues that were handed to scripts, by what came of them: released ones were not begun.";
        let batches: IntCounterVec =
            metric::counters(shown, "wasmyard_queue_batches_total", help, &["result"])?;
        let help = "Messages of queues, by what became of them: dropped ones came as often as they may, without a queue of dead letters.";
        let messages: IntCounterVec =
            metric::counters(shown, "wasmyard_queue_messages_total", help, &["result"])?;
        let (batch, message) =
            (|result| batches.with_label_values(&[result]), |result| messages.with_label_values(&[result]));
        Ok(DeliveryFigures {
            handled: batch("handled"),
            failed: batch("failed"),
            released: batch("released"),
            acked: message("acked"),
            retried: message("retried"),
            dead: message("dead_lettered"),
            dropped: message("dropped"),
        })
    }

    pub(super) fn count(&self, settled: &Settled) {
        self.acked.inc_by(settled.acked);
        self.retried.inc_by(settled.retried);
        self.dead.inc_by(settled.dead);
        self.dropped.inc_by(settled.dropped);
    }
}
