//! Messages of one queue: sent by many at the same time, each of whom waits until its message is on the disk; then handed over and
//! settled in batches. In this process, on one thread beside the store's own, over a file where the benches keep theirs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use wasmyard_namespaces::{Clock, QueueName};
use wasmyard_queues::{
    ConsumerKind, ConsumerSettings, ConsumerWanted, ContentType, Holder, Lease, LeaseId, NewMessage,
    QueueChange, QueueLimits, Queues, Settlement, SqliteQueues,
};

use super::Effort;
use crate::report::{Reading, Target};
use crate::{Error, scratch};

/// Bytes of a message.
const BYTES: usize = 256;
/// Who sends at the same time: as many as may be under way in one queue.
const SENDERS: usize = 64;
/// Messages of a batch.
const BATCH: usize = 100;
/// Batches that are handled at the same time.
const CONSUMERS: usize = 8;

pub(super) fn run(effort: &Effort) -> Result<Vec<Reading>, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(through(effort))
}

async fn through(effort: &Effort) -> Result<Vec<Reading>, Error> {
    let folder = tempfile::tempdir_in(scratch()?)?;
    let store = Arc::new(SqliteQueues::open(folder.path())?);
    let limits = QueueLimits { messages: u64::MAX, bytes: u64::MAX, ..QueueLimits::default() };
    let queues = Queues::new(store, Clock::system(), limits);
    let name = QueueName::parse("bench").ok_or("a name")?;
    let queue = queues.create(&name, &QueueChange::default()).await?;
    let settings = ConsumerSettings::default();
    let wanted = ConsumerWanted { kind: ConsumerKind::Pull, settings, dead_letters: None };
    queues.set_consumer(&queue.id, None, wanted).await?;
    let (mut single, mut batched, mut handled) = (Vec::new(), Vec::new(), Vec::new());
    // One round to warm up.
    for round in 0..=effort.rounds {
        let one = sent(&queues, &name, 1, effort.busy).await?;
        let many = sent(&queues, &name, 10, effort.busy).await?;
        let consumed = consumed(&queues, &queue.id, effort.busy).await?;
        queues.purge(&queue.id).await?;
        if round > 0 {
            single.push(one);
            batched.push(many);
            handled.push(consumed);
        }
    }
    queues.close().await;
    let goal = Target::AtLeast(10_000.0);
    Ok(vec![
        Reading::of("sent one by one, 64 senders", &single, "messages/s", goal),
        Reading::of("sent by tens, 64 senders", &batched, "messages/s", goal),
        Reading::of("handed over and settled by hundreds", &handled, "messages/s", goal),
    ])
}

/// Messages a second that are on the disk.
async fn sent(queues: &Queues, name: &QueueName, together: usize, time: Duration) -> Result<f64, Error> {
    let (began, count) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let message =
        NewMessage { content_type: ContentType::Bytes, body: Bytes::from(vec![7; BYTES]), delay: None };
    let senders: Vec<_> = (0..SENDERS)
        .map(|_| {
            let (handle, count, message) = (queues.handle(name, None), Arc::clone(&count), message.clone());
            tokio::spawn(async move {
                while began.elapsed() < time {
                    handle.send(vec![message.clone(); together]).await?;
                    count.fetch_add(together as u64, Ordering::Relaxed);
                }
                Ok::<(), wasmyard_queues::QueueError>(())
            })
        })
        .collect();
    for sender in senders {
        sender.await??;
    }
    Ok(count.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64())
}

/// Messages a second that were handed over and are gone.
async fn consumed(queues: &Queues, id: &wasmyard_namespaces::QueueId, time: Duration) -> Result<f64, Error> {
    let (began, count) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let consumers: Vec<_> = (0..CONSUMERS)
        .map(|_| {
            let (queues, id, count) = (queues.clone(), id.clone(), Arc::clone(&count));
            tokio::spawn(async move {
                while began.elapsed() < time {
                    let now = queues.clock().now().unix_millis();
                    let until = now + 60_000;
                    let lease = Lease { holder: Holder::Pull, messages: BATCH, bytes: u64::MAX, until, now };
                    let messages = queues.lease(&id, lease).await?.messages;
                    if messages.is_empty() {
                        break;
                    }
                    let acks: Vec<(LeaseId, Settlement)> =
                        messages.iter().map(|message| (message.lease, Settlement::Ack)).collect();
                    count.fetch_add(queues.settle(&id, acks).await?.acked, Ordering::Relaxed);
                }
                Ok::<(), wasmyard_queues::QueueError>(())
            })
        })
        .collect();
    for consumer in consumers {
        consumer.await??;
    }
    Ok(count.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64())
}
