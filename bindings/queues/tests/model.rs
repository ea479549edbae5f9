//! The store against a queue in memory: whatever is done, in whatever order, both have the same messages.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers as well")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use wasmyard_model::{Clock, QueueName};
use wasmyard_queues::{
    ConsumerKind, ConsumerSettings, ConsumerWanted, ContentType, Holder, Lease, LeaseId, NewMessage,
    QueueChange, QueueLimits, Queues, Settlement, SqliteQueues,
};

/// How often a message is handed over at most.
const ATTEMPTS: u32 = 3;
/// How long a lease is, in milliseconds.
const LEASE: u64 = 10_000;

#[derive(Clone, Debug)]
enum Step {
    Send {
        delay: u64,
    },
    Lease {
        messages: usize,
    },
    /// Of one of the leases that were ever given.
    Ack(usize),
    Retry(usize, u64),
    Release(usize, u64),
    Wait(u64),
    Reopen,
    Purge,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u64..3).prop_map(|delay| Step::Send { delay }),
        4 => (1_usize..4).prop_map(|messages| Step::Lease { messages }),
        3 => any::<usize>().prop_map(Step::Ack),
        2 => (any::<usize>(), 0_u64..5).prop_map(|(which, delay)| Step::Retry(which, delay)),
        1 => (any::<usize>(), 0_u64..5).prop_map(|(which, delay)| Step::Release(which, delay)),
        3 => (1_u64..12).prop_map(Step::Wait),
        1 => Just(Step::Reopen),
        1 => Just(Step::Purge),
    ]
}

/// A message of the model.
#[derive(Clone, Debug)]
struct Held {
    visible: u64,
    attempts: u32,
    lease: Option<LeaseId>,
    sent: u64,
}

/// The queue in memory, by what its messages say; the second one has the dead.
#[derive(Default)]
struct Model {
    live: BTreeMap<u64, Held>,
    dead: Vec<u64>,
}

impl Model {
    /// The due ones as the store has them: by when they were, then by their age. Those that came too often are buried.
    fn lease(&mut self, now: u64, messages: usize) -> Vec<u64> {
        let mut due: Vec<(u64, u64)> = self
            .live
            .iter()
            .filter(|(_, held)| held.visible <= now)
            .map(|(id, held)| (held.visible, *id))
            .collect();
        due.sort_unstable();
        let mut taken = Vec::new();
        for (_, id) in due {
            let held = self.live.get_mut(&id).unwrap();
            if held.attempts >= ATTEMPTS {
                self.live.remove(&id);
                self.dead.push(id);
                continue;
            }
            if taken.len() == messages {
                break;
            }
            held.attempts += 1;
            held.visible = now + LEASE;
            taken.push(id);
        }
        taken
    }

    fn of_lease(&self, lease: LeaseId) -> Option<u64> {
        self.live.iter().find(|(_, held)| held.lease == Some(lease)).map(|(id, _)| *id)
    }

    fn retry(&mut self, id: u64, visible: u64) {
        let held = self.live.get_mut(&id).unwrap();
        if held.attempts >= ATTEMPTS {
            self.live.remove(&id);
            self.dead.push(id);
            return;
        }
        (held.visible, held.lease) = (visible, None);
    }
}

fn open(folder: &std::path::Path, clock: &Clock) -> Queues {
    let store = Arc::new(SqliteQueues::open(folder).unwrap());
    Queues::new(store, clock.clone(), QueueLimits::default())
}

async fn held_to_the_model(steps: Vec<Step>) {
    let folder = tempfile::tempdir().unwrap();
    let (clock, hand) = Clock::by_hand("2026-01-02T03:04:05Z".parse().unwrap());
    let mut queues = open(folder.path(), &clock);
    let name = QueueName::parse("q").unwrap();
    let queue = queues.create(&name, &QueueChange::default()).await.unwrap();
    let settings =
        ConsumerSettings { max_retries: Some(u64::from(ATTEMPTS) - 1), ..ConsumerSettings::default() };
    let kind = ConsumerKind::Worker("a".to_owned());
    let wanted = ConsumerWanted { kind, settings, dead_letters: QueueName::parse("dead") };
    queues.set_consumer(&queue.id, None, wanted).await.unwrap();
    let (mut model, mut leases, mut next) = (Model::default(), Vec::<LeaseId>::new(), 0_u64);
    for step in steps {
        let now = clock.now().unix_millis();
        let pick = |which: usize| leases.get(which % leases.len().max(1)).copied();
        match step {
            Step::Send { delay } => {
                let body = Bytes::from(next.to_string());
                let message = NewMessage { content_type: ContentType::Text, body, delay: Some(delay) };
                queues.handle(&name, None).send(vec![message]).await.unwrap();
                let visible = now + delay * 1_000;
                model.live.insert(next, Held { visible, attempts: 0, lease: None, sent: now });
                next += 1;
            }
            Step::Lease { messages } => {
                let until = now + LEASE;
                let lease = Lease { holder: Holder::Worker, messages, bytes: u64::MAX, until, now };
                let handed = queues.lease(&queue.id, lease).await.unwrap().messages;
                let ids: Vec<u64> = handed
                    .iter()
                    .map(|one| std::str::from_utf8(&one.body).unwrap().parse().unwrap())
                    .collect();
                assert_eq!(ids, model.lease(now, messages));
                for (id, one) in ids.iter().zip(&handed) {
                    let held = model.live.get_mut(id).unwrap();
                    assert_eq!(held.attempts, one.attempts);
                    held.lease = Some(one.lease);
                    leases.push(one.lease);
                }
            }
            Step::Ack(which) => {
                let Some(lease) = pick(which) else { continue };
                let settled = queues.settle(&queue.id, vec![(lease, Settlement::Ack)]).await.unwrap();
                let id = model.of_lease(lease);
                assert_eq!(
                    (settled.acked, settled.unknown),
                    (u64::from(id.is_some()), u64::from(id.is_none()))
                );
                id.map(|id| model.live.remove(&id));
            }
            Step::Retry(which, delay) => {
                let Some(lease) = pick(which) else { continue };
                let away = Settlement::Retry(Some(Duration::from_secs(delay)));
                queues.settle(&queue.id, vec![(lease, away)]).await.unwrap();
                if let Some(id) = model.of_lease(lease) {
                    model.retry(id, now + delay * 1_000);
                }
            }
            Step::Release(which, delay) => {
                let Some(lease) = pick(which) else { continue };
                let away = Settlement::Release(Duration::from_secs(delay));
                queues.settle(&queue.id, vec![(lease, away)]).await.unwrap();
                if let Some(id) = model.of_lease(lease) {
                    let held = model.live.get_mut(&id).unwrap();
                    (held.visible, held.lease) = (now + delay * 1_000, None);
                    held.attempts -= 1;
                }
            }
            Step::Wait(seconds) => hand.advance(Duration::from_secs(seconds)),
            Step::Reopen => {
                drop(queues);
                queues = open(folder.path(), &clock);
                for held in model.live.values_mut() {
                    if held.lease.take().is_some() {
                        held.visible = held.sent;
                    }
                }
            }
            Step::Purge => {
                let purged = queues.purge(&queue.id).await.unwrap();
                assert_eq!(purged, model.live.len() as u64);
                model.live.clear();
            }
        }
        let backlog = queues.backlog(&queue.id).await.unwrap();
        assert_eq!(backlog.messages, model.live.len() as u64);
        let bytes: usize = model.live.keys().map(|id| id.to_string().len()).sum();
        assert_eq!(backlog.bytes, bytes as u64);
        let dead = queues.named(&QueueName::parse("dead").unwrap()).await.unwrap();
        assert_eq!(dead.messages, model.dead.len() as u64);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_store_and_a_queue_in_memory_agree(steps in proptest::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(held_to_the_model(steps));
    }
}
