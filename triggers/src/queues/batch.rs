//! One batch: messages are leased, handed to the script, and settled by what it says.

use std::sync::Arc;
use std::time::Duration;

use wasmyard_namespaces::{QueueId, ScriptKey};
use wasmyard_queues::{Due, Holder, Lease, LeaseId, Leased, QueueError, Settlement};
use wasmyard_runtime::{Batch, Event, Failure, Handled, Message, Verdict};

use super::agenda::{Known, Running};
use super::{AFTER_FAILURE, Deliveries};
use crate::places::not_begun;

/// Bytes of a batch of more than one message: as many batches as there are places are held at the same time.
const HELD: u64 = 1 << 20;
/// How much longer than an invocation a lease lasts: for what is before and after it.
const SPARE: Duration = Duration::from_secs(120);
/// How long messages of a script that is not there stay away.
const WITHOUT_SCRIPT: Duration = Duration::from_secs(60);
/// How often a store is asked to note what became of messages. After that their leases end by themselves.
const SETTLE_ATTEMPTS: usize = 12;

/// A batch that is about to be handed over.
pub(super) struct Delivery {
    of: Deliveries,
    id: QueueId,
    script: ScriptKey,
    due: Due,
    underway: Underway,
}

/// Counts a batch as under way until it is dropped.
struct Underway(Arc<Running>);

impl Drop for Underway {
    fn drop(&mut self) {
        self.0.leased();
        self.0.ended();
    }
}

impl Deliveries {
    pub(super) fn batch(&self, id: &QueueId, known: &Known) -> Delivery {
        known.running.begun();
        let underway = Underway(Arc::clone(&known.running));
        let (script, due) = (known.script.clone(), known.due.clone());
        Delivery { of: self.clone(), id: id.clone(), script, due, underway }
    }
}

impl Delivery {
    /// Hands a batch over, and settles its messages.
    pub(super) async fn deliver(self) {
        let (queues, id) = (self.of.queues.clone(), self.id.clone());
        match self.lease().await {
            Ok(messages) => {
                self.underway.0.leased();
                if !messages.is_empty() {
                    // There may be another batch for another place.
                    queues.look_at(&id);
                    self.handle(messages).await;
                }
            }
            // It is gone, and with it what was in it.
            Err(QueueError::NotFound(_)) => {}
            Err(error) => {
                tracing::warn!(queue = %self.due.queue, %error, "messages of a queue could not be handed over");
                self.wait(AFTER_FAILURE).await;
            }
        }
        // First it does not count any more, then it is looked for the next one.
        drop(self);
        queues.look_at(&id);
    }

    async fn wait(&self, time: Duration) {
        let clock = self.of.clock();
        clock.sleep_until(clock.now().later(time)).await;
    }

    async fn lease(&self) -> Result<Vec<Leased>, QueueError> {
        let now = self.of.clock().now();
        let lease = Lease {
            holder: Holder::Worker,
            messages: self.due.consumer.settings.batch(),
            bytes: HELD,
            until: now.later(self.of.config.longest + SPARE).unix_millis(),
            now: now.unix_millis(),
        };
        let handed = self.of.queues.lease(&self.id, lease).await?;
        self.of.figures.count(&handed.over);
        Ok(handed.messages)
    }

    async fn handle(&self, messages: Vec<Leased>) {
        let leases: Vec<LeaseId> = messages.iter().map(|message| message.lease).collect();
        let settlements = match self.raised(messages).await {
            Ok(verdicts) => {
                self.of.figures.handled.inc();
                leases.into_iter().zip(verdicts.into_iter().map(settlement)).collect()
            }
            Err(failure) => {
                let settlement = self.failed(&failure);
                leases.into_iter().map(|lease| (lease, settlement)).collect()
            }
        };
        self.settle(settlements).await;
    }

    async fn raised(&self, messages: Vec<Leased>) -> Result<Vec<Verdict>, Failure> {
        let count = messages.len();
        let batch = Batch::new(self.due.queue.shared(), messages.into_iter().map(given).collect())?;
        match self.of.raise.raise(self.script.clone(), Event::Queue(batch)).await? {
            Handled::Judged(verdicts) if verdicts.len() == count => Ok(verdicts),
            _ => Err(Failure::internal("messages of a queue were not judged")),
        }
    }

    /// What becomes of messages whose script failed: they come again, and that counts where the script had begun.
    fn failed(&self, failure: &Failure) -> Settlement {
        if let Some(pause) = not_begun(failure) {
            self.of.figures.released.inc();
            return Settlement::Release(pause);
        }
        let (queue, script) = (&self.due.queue, &self.script);
        let (limit, detail) = (failure.limit(), failure.detail());
        tracing::warn!(%queue, %script, error = %failure, limit, detail, "a batch of a queue failed");
        if matches!(failure, Failure::WorkerNotFound) {
            self.of.figures.released.inc();
            return Settlement::Release(WITHOUT_SCRIPT);
        }
        self.of.figures.failed.inc();
        Settlement::Retry(None)
    }

    /// Notes what became of messages. A store that cannot is asked again: until it could, the messages stay with this batch.
    async fn settle(&self, settlements: Vec<(LeaseId, Settlement)>) {
        for attempt in 1..=SETTLE_ATTEMPTS {
            match self.of.queues.settle(&self.id, settlements.clone()).await {
                Ok(settled) => return self.of.figures.count(&settled),
                // The queue is gone, and its messages with it.
                Err(QueueError::NotFound(_)) => return,
                Err(error) => {
                    let queue = &self.due.queue;
                    tracing::error!(%queue, %error, attempt, "it could not be noted what became of messages of a queue");
                    self.wait(AFTER_FAILURE).await;
                }
            }
        }
    }
}

fn settlement(verdict: Verdict) -> Settlement {
    match verdict {
        Verdict::Ack => Settlement::Ack,
        Verdict::Retry { delay } => Settlement::Retry(delay),
    }
}

/// A message as a script is given it.
fn given(leased: Leased) -> Message {
    Message {
        id: leased.id.to_string(),
        sent_ms: leased.sent_ms,
        content_type: leased.content_type.as_str().to_owned(),
        body: leased.body.into(),
        attempts: leased.attempts,
    }
}
