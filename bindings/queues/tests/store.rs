//! What the service over the embedded store promises: rules, isolation, delays, retries, dead letters, leases, quotas, and that
//! nothing which was answered for is lost.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers as well")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use wasmyard_model::{Clock, ClockHand, QueueName, Timestamp};
use wasmyard_queues::{
    ConsumerKind, ConsumerSettings, ConsumerWanted, ContentType, Holder, Lease, LeaseId, Leased, NewMessage,
    Queue, QueueChange, QueueError, QueueHandle, QueueLimits, Queues, Settled, Settlement, SqliteQueues,
};

struct Fixture {
    folder: tempfile::TempDir,
    queues: Queues,
    hand: ClockHand,
    clock: Clock,
}

fn over(folder: &Path, clock: &Clock, limits: QueueLimits) -> Queues {
    Queues::new(Arc::new(SqliteQueues::open(folder).unwrap()), clock.clone(), limits)
}

fn fixture(limits: QueueLimits) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let began: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
    let (clock, hand) = Clock::by_hand(began);
    Fixture { queues: over(folder.path(), &clock, limits), folder, hand, clock }
}

fn name(text: &str) -> QueueName {
    QueueName::parse(text).unwrap()
}

fn message(text: &str) -> NewMessage {
    let body = Bytes::copy_from_slice(text.as_bytes());
    NewMessage { content_type: ContentType::Text, body, delay: None }
}

fn worker(settings: ConsumerSettings) -> ConsumerWanted {
    ConsumerWanted { kind: ConsumerKind::Worker("production/a".to_owned()), settings, dead_letters: None }
}

fn texts(messages: &[Leased]) -> Vec<String> {
    messages.iter().map(|message| String::from_utf8(message.body.to_vec()).unwrap()).collect()
}

fn again() -> Settlement {
    Settlement::Retry(None)
}

impl Fixture {
    /// A queue that a script consumes.
    async fn consumed(&self, called: &str, settings: ConsumerSettings) -> (Queue, QueueHandle) {
        let queue = self.queues.create(&name(called), &QueueChange::default()).await.unwrap();
        self.queues.set_consumer(&queue.id, None, worker(settings)).await.unwrap();
        let handle = self.queues.handle(&queue.name, None);
        (queue, handle)
    }

    async fn lease(&self, queue: &Queue, messages: usize) -> Vec<Leased> {
        let now = self.clock.now();
        let until = now.later(Duration::from_secs(100)).unix_millis();
        let lease = Lease { holder: Holder::Worker, messages, bytes: 1_000, until, now: now.unix_millis() };
        self.queues.lease(&queue.id, lease).await.unwrap().messages
    }

    async fn settle(&self, queue: &Queue, leased: &[Leased], settlement: Settlement) -> Settled {
        let each = leased.iter().map(|message| (message.lease, settlement)).collect();
        self.queues.settle(&queue.id, each).await.unwrap()
    }

    async fn waiting(&self, queue: &Queue) -> u64 {
        self.queues.backlog(&queue.id).await.unwrap().messages
    }

    fn reopened(self) -> Fixture {
        let Fixture { folder, queues, hand, clock } = self;
        drop(queues);
        Fixture { queues: over(folder.path(), &clock, QueueLimits::default()), folder, hand, clock }
    }
}

#[tokio::test]
async fn what_is_sent_is_handed_over_in_its_order_until_it_was_handled() {
    let f = fixture(QueueLimits::default());
    let (queue, handle) = f.consumed("q", ConsumerSettings::default()).await;
    handle.send(vec![message("a"), message("b")]).await.unwrap();
    handle.send(vec![message("c")]).await.unwrap();
    let first = f.lease(&queue, 2).await;
    assert_eq!(texts(&first), ["a", "b"]);
    assert_eq!((first[0].attempts, first[0].content_type), (1, ContentType::Text));
    assert_eq!(first[0].sent_ms, f.clock.now().unix_millis());
    assert_ne!(first[0].id, first[1].id);
    let second = f.lease(&queue, 2).await;
    assert_eq!(texts(&second), ["c"], "nobody is given what another one has");
    let settled = f.settle(&queue, &first, Settlement::Ack).await;
    assert_eq!(settled, Settled { acked: 2, ..Settled::default() });
    let settled = f.settle(&queue, &first, Settlement::Ack).await;
    assert_eq!(settled, Settled { unknown: 2, ..Settled::default() }, "they are gone");
    assert_eq!(f.waiting(&queue).await, 1);
    f.hand.advance(Duration::from_secs(99));
    assert_eq!(f.lease(&queue, 9).await, []);
    f.hand.advance(Duration::from_secs(1));
    let third = f.lease(&queue, 9).await;
    assert_eq!((texts(&third), third[0].attempts), (vec!["c".to_owned()], 2), "its lease is over");
    let settled = f.settle(&queue, &second, Settlement::Ack).await;
    assert_eq!(settled.unknown, 1, "a lease that is over settles nothing");
    let settled = f.settle(&queue, &third, Settlement::Ack).await;
    assert_eq!((settled.acked, f.waiting(&queue).await), (1, 0));
}

#[tokio::test]
async fn a_message_comes_again_as_often_as_it_may_and_then_goes_to_the_dead_letters() {
    let f = fixture(QueueLimits::default());
    let settings =
        ConsumerSettings { max_retries: Some(2), retry_delay: Some(5), ..ConsumerSettings::default() };
    let (queue, handle) = f.consumed("q", settings).await;
    let wanted = ConsumerWanted { dead_letters: Some(name("dead")), ..worker(settings) };
    let consumer = f.queues.queue(&queue.id).await.unwrap().consumer.unwrap();
    f.queues.set_consumer(&queue.id, Some(&consumer.id), wanted).await.unwrap();
    let dead = f.queues.named(&name("dead")).await.unwrap();
    handle.send(vec![message("a"), message("b")]).await.unwrap();
    for attempt in 1..=3 {
        let leased = f.lease(&queue, 9).await;
        assert_eq!((texts(&leased), leased[0].attempts), (vec!["a".to_owned(), "b".to_owned()], attempt));
        let settled = f.settle(&queue, &leased, again()).await;
        let expected = if attempt < 3 {
            Settled { retried: 2, ..Settled::default() }
        } else {
            Settled { dead: 2, ..Settled::default() }
        };
        assert_eq!(settled, expected);
        assert_eq!(f.lease(&queue, 9).await, [], "it stays away for a while");
        f.hand.advance(Duration::from_secs(5));
    }
    assert_eq!((f.waiting(&queue).await, f.waiting(&dead).await), (0, 2));
    let found = f.queues.peek(&dead.id, 10).await.unwrap();
    assert_eq!((texts(&found), found[0].attempts), (vec!["a".to_owned(), "b".to_owned()], 0));
    assert_eq!(f.queues.dead_letters_of(&dead.name, 9).await.unwrap(), std::slice::from_ref(&queue.name));

    // Without such a queue it is dropped; and what nobody spoke of counts as a try, too.
    let none = ConsumerSettings { max_retries: Some(0), ..ConsumerSettings::default() };
    let (other, handle) = f.consumed("other", none).await;
    handle.send(vec![message("x")]).await.unwrap();
    assert_eq!(f.lease(&other, 9).await.len(), 1);
    f.hand.advance(Duration::from_secs(100));
    let now = f.clock.now().unix_millis();
    let lease = Lease { holder: Holder::Pull, messages: 9, bytes: 9, until: now + 1, now };
    let handed = f.queues.lease(&other.id, lease).await.unwrap();
    assert_eq!((handed.messages.len(), handed.over.dropped, f.waiting(&other).await), (0, 1, 0));
}

#[tokio::test]
async fn what_was_not_begun_is_not_counted() {
    let f = fixture(QueueLimits::default());
    let settings = ConsumerSettings { max_retries: Some(0), ..ConsumerSettings::default() };
    let (queue, handle) = f.consumed("q", settings).await;
    handle.send(vec![message("a")]).await.unwrap();
    for _ in 0..5 {
        let leased = f.lease(&queue, 9).await;
        assert_eq!(leased[0].attempts, 1);
        f.settle(&queue, &leased, Settlement::Release(Duration::from_secs(1))).await;
        f.hand.advance(Duration::from_secs(1));
    }
    assert_eq!(f.waiting(&queue).await, 1);
}

#[tokio::test]
async fn delays_are_the_message_s_or_the_binding_s_or_the_queue_s() {
    let f = fixture(QueueLimits::default());
    let (queue, _) = f.consumed("q", ConsumerSettings::default()).await;
    let change = QueueChange { delivery_delay: Some(10), ..QueueChange::default() };
    f.queues.change(&queue.id, change).await.unwrap();
    let plain = f.queues.handle(&queue.name, None);
    let delayed = f.queues.handle(&queue.name, Some(20));
    plain.send(vec![message("queue"), NewMessage { delay: Some(0), ..message("now") }]).await.unwrap();
    delayed.send(vec![message("binding"), NewMessage { delay: Some(30), ..message("own") }]).await.unwrap();
    let mut came = Vec::new();
    for _ in 0..4 {
        came.push(texts(&f.lease(&queue, 9).await));
        f.hand.advance(Duration::from_secs(10));
    }
    assert_eq!(came, [["now"], ["queue"], ["binding"], ["own"]]);
    let far = NewMessage { delay: Some(86_401), ..message("far") };
    assert!(matches!(plain.send(vec![far]).await, Err(QueueError::Invalid(_))));
}

#[tokio::test]
async fn a_batch_is_due_when_it_is_full_or_has_waited() {
    let f = fixture(QueueLimits::default());
    let settings = ConsumerSettings {
        batch_size: Some(2),
        max_wait_time_ms: Some(5_000),
        ..ConsumerSettings::default()
    };
    let (queue, handle) = f.consumed("q", settings).await;
    let due = async || f.queues.due(&queue.id).await.unwrap().unwrap().at;
    let now = f.clock.now().unix_millis();
    assert_eq!(due().await, None);
    handle.send(vec![message("a")]).await.unwrap();
    assert_eq!(due().await, Some(now + 5_000));
    handle.send(vec![NewMessage { delay: Some(3), ..message("b") }]).await.unwrap();
    assert_eq!(due().await, Some(now + 3_000), "it is full then");
    handle.send(vec![message("c")]).await.unwrap();
    assert_eq!(due().await, Some(now));
    let leased = f.lease(&queue, 2).await;
    assert_eq!(due().await, Some(now + 8_000), "what is handed over counts when it is there again");
    let paused = QueueChange { delivery_paused: Some(true), ..QueueChange::default() };
    f.queues.change(&queue.id, paused).await.unwrap();
    assert_eq!(due().await, None);
    assert_eq!(f.lease(&queue, 9).await, []);
    f.settle(&queue, &leased, Settlement::Ack).await;
    assert_eq!(f.waiting(&queue).await, 1, "what was handed over before is settled");
}

#[tokio::test]
async fn a_batch_ends_before_it_has_more_bytes_than_it_may() {
    let f = fixture(QueueLimits::default());
    let (queue, handle) = f.consumed("q", ConsumerSettings::default()).await;
    let long = "x".repeat(600);
    handle
        .send(vec![message(&long), message(&long), message("y"), message(&"z".repeat(2_000))])
        .await
        .unwrap();
    assert_eq!(f.lease(&queue, 9).await.len(), 1);
    assert_eq!(texts(&f.lease(&queue, 9).await), [long, "y".to_owned()]);
    assert_eq!(f.lease(&queue, 9).await[0].body.len(), 2_000, "one goes whatever its size");
}

#[tokio::test]
async fn whoever_pulls_has_a_consumer_of_that_kind() {
    let f = fixture(QueueLimits::default());
    let queue = f.queues.create(&name("q"), &QueueChange::default()).await.unwrap();
    f.queues.handle(&queue.name, None).send(vec![message("a")]).await.unwrap();
    assert!(matches!(f.queues.pull(&queue.id, None, None).await, Err(QueueError::NotPulled(_))));
    let settings = ConsumerSettings { visibility_timeout_ms: Some(2_000), ..ConsumerSettings::default() };
    let wanted = ConsumerWanted { kind: ConsumerKind::Pull, settings, dead_letters: None };
    let (_, consumer) = f.queues.set_consumer(&queue.id, None, wanted.clone()).await.unwrap();
    let taken = f.queues.set_consumer(&queue.id, None, wanted.clone()).await;
    assert!(matches!(taken, Err(QueueError::ConsumerTaken { .. })));
    assert!(matches!(f.queues.pull(&queue.id, Some(101), None).await, Err(QueueError::Invalid(_))));
    let pulled = f.queues.pull(&queue.id, None, None).await.unwrap().messages;
    assert_eq!(texts(&pulled), ["a"]);
    // Its lease outlives the process, unlike those of scripts.
    let f = f.reopened();
    assert!(f.queues.pull(&queue.id, None, None).await.unwrap().messages.is_empty());
    f.hand.advance(Duration::from_secs(2));
    let again = f.queues.pull(&queue.id, None, Some(0)).await.unwrap().messages;
    assert_eq!(again[0].attempts, 2);
    let paused = QueueChange { delivery_paused: Some(true), ..QueueChange::default() };
    f.queues.change(&queue.id, paused).await.unwrap();
    assert!(matches!(f.queues.pull(&queue.id, None, None).await, Err(QueueError::Paused(_))));
    f.queues.remove_consumer(&queue.id, &consumer.id).await.unwrap();
    assert!(matches!(f.queues.pull(&queue.id, None, None).await, Err(QueueError::NotPulled(_))));
}

#[tokio::test]
async fn what_a_process_had_handed_to_scripts_is_there_at_the_next_start() {
    let f = fixture(QueueLimits::default());
    let (queue, handle) = f.consumed("q", ConsumerSettings::default()).await;
    handle.send(vec![message("a"), message("b")]).await.unwrap();
    assert_eq!(f.lease(&queue, 1).await.len(), 1);
    let f = f.reopened();
    let leased = f.lease(&queue, 9).await;
    assert_eq!(texts(&leased), ["a", "b"]);
    assert_eq!((leased[0].attempts, leased[1].attempts), (2, 1), "that it was handed over counts");
}

#[tokio::test]
async fn two_queues_never_see_each_other_and_a_lease_is_of_its_queue() {
    let f = fixture(QueueLimits::default());
    let (one, first) = f.consumed("one", ConsumerSettings::default()).await;
    let (other, _) = f.consumed("other", ConsumerSettings::default()).await;
    first.send(vec![message("a")]).await.unwrap();
    assert_eq!(f.lease(&other, 9).await, []);
    let leased = f.lease(&one, 9).await;
    assert_eq!(f.settle(&other, &leased, Settlement::Ack).await.unknown, 1);
    let guessed = LeaseId { token: leased[0].lease.token ^ 1, ..leased[0].lease };
    let settled = f.queues.settle(&one.id, vec![(guessed, Settlement::Ack)]).await.unwrap();
    assert_eq!(settled.unknown, 1);
    f.queues.delete(&one.id).await.unwrap();
    assert!(matches!(first.send(vec![message("b")]).await, Err(QueueError::NameNotFound(_))));
    assert!(matches!(f.queues.backlog(&one.id).await, Err(QueueError::NotFound(_))));
    let (again, _) = f.consumed("one", ConsumerSettings::default()).await;
    assert_eq!(f.lease(&again, 9).await, [], "a queue of the same name begins empty");
    assert_eq!(f.queues.sweep().await.unwrap(), 2, "a message, and the note that there was one");
}

#[tokio::test]
async fn a_queue_that_was_emptied_begins_anew_with_its_consumer_and_who_is_bound() {
    let f = fixture(QueueLimits::default());
    let (queue, handle) = f.consumed("q", ConsumerSettings::default()).await;
    f.queues.bind(&queue.name, "front").await.unwrap();
    handle.send(vec![message("a"), message("b")]).await.unwrap();
    let leased = f.lease(&queue, 1).await;
    assert_eq!(f.queues.purge(&queue.id).await.unwrap(), 2);
    assert_eq!(f.queues.purge(&queue.id).await.unwrap(), 0);
    assert_eq!(f.settle(&queue, &leased, again()).await.unknown, 1, "what was handed over is gone as well");
    handle.send(vec![message("c")]).await.unwrap();
    // Neither a queue that is made nor one that is deleted has to do with what is left of it.
    let (other, to_other) = f.consumed("other", ConsumerSettings::default()).await;
    to_other.send(vec![message("d")]).await.unwrap();
    assert_eq!(f.queues.sweep().await.unwrap(), 4, "two messages, and the notes of both times");
    assert_eq!(
        (texts(&f.lease(&queue, 9).await), texts(&f.lease(&other, 9).await)),
        (vec!["c".to_owned()], vec!["d".to_owned()])
    );
    f.queues.delete(&queue.id).await.unwrap();
    let (last, to_last) = f.consumed("last", ConsumerSettings::default()).await;
    to_last.send(vec![message("e")]).await.unwrap();
    f.queues.sweep().await.unwrap();
    assert_eq!((f.waiting(&other).await, texts(&f.lease(&last, 9).await)), (1, vec!["e".to_owned()]));
    assert_eq!(f.queues.bound(&queue.id, None, 9).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn what_is_too_old_goes_and_what_is_over_a_quota_is_refused_whole() {
    let limits = QueueLimits { messages: 3, bytes: 10, queues: 2, ..QueueLimits::default() };
    let f = fixture(limits);
    let (queue, handle) = f.consumed("q", ConsumerSettings::default()).await;
    let change = QueueChange { retention: Some(60), ..QueueChange::default() };
    f.queues.change(&queue.id, change).await.unwrap();
    handle.send(vec![message("a"), message("b")]).await.unwrap();
    let over = handle.send(vec![message("c"), message("d")]).await;
    assert!(matches!(over, Err(QueueError::Quota { limit: "queue_messages", most: 3, .. })));
    let over = handle.send(vec![message("123456789")]).await;
    assert!(matches!(over, Err(QueueError::Quota { limit: "queue_bytes", .. })));
    assert_eq!(f.waiting(&queue).await, 2);
    f.hand.advance(Duration::from_secs(60));
    assert_eq!(f.lease(&queue, 9).await, [], "nobody is given what is too old");
    handle.send(vec![message("e")]).await.unwrap();
    f.hand.advance(Duration::from_secs(60));
    assert_eq!((f.queues.sweep().await.unwrap(), f.waiting(&queue).await), (1, 0));
    assert_eq!(f.queues.backlog(&queue.id).await.unwrap().bytes, 0);
    f.queues.create(&name("second"), &QueueChange::default()).await.unwrap();
    let third = f.queues.create(&name("third"), &QueueChange::default()).await;
    assert!(matches!(third, Err(QueueError::Quota { limit: "queues", .. })));
}

#[tokio::test]
async fn messages_and_settings_have_bounds() {
    let f = fixture(QueueLimits::default());
    let (queue, handle) = f.consumed("q", ConsumerSettings::default()).await;
    let of = |bytes: usize| NewMessage { body: Bytes::from(vec![0; bytes]), ..NewMessage::default() };
    handle.send(vec![of(128 << 10)]).await.unwrap();
    let large = handle.send(vec![of((128 << 10) + 1)]).await;
    assert!(matches!(large, Err(QueueError::TooLarge { what: "the message", .. })));
    let large = handle.send(vec![of(100 << 10), of(100 << 10), of(100 << 10)]).await;
    assert!(matches!(large, Err(QueueError::TooLarge { what: "the batch", .. })));
    assert!(matches!(handle.send(vec![of(1); 101]).await, Err(QueueError::Invalid(_))));
    assert_eq!(f.waiting(&queue).await, 1);
    let short = QueueChange { retention: Some(59), ..QueueChange::default() };
    let refused = f.queues.change(&queue.id, short).await.unwrap_err().to_string();
    assert_eq!(
        refused,
        "message_retention_period is 59, and must be from 60 to 1209600; give another number"
    );
    let consumer = f.queues.queue(&queue.id).await.unwrap().consumer.unwrap();
    for settings in [
        ConsumerSettings { batch_size: Some(0), ..ConsumerSettings::default() },
        ConsumerSettings { max_retries: Some(101), ..ConsumerSettings::default() },
        ConsumerSettings { max_wait_time_ms: Some(60_001), ..ConsumerSettings::default() },
        ConsumerSettings { visibility_timeout_ms: Some(1_000), ..ConsumerSettings::default() },
    ] {
        let set = f.queues.set_consumer(&queue.id, Some(&consumer.id), worker(settings)).await;
        assert!(matches!(set, Err(QueueError::Settings { of_consumer: true, .. })), "{settings:?}");
    }
    let own = ConsumerWanted { dead_letters: Some(name("q")), ..worker(ConsumerSettings::default()) };
    let set = f.queues.set_consumer(&queue.id, Some(&consumer.id), own).await;
    assert!(matches!(set, Err(QueueError::Settings { of_consumer: true, .. })));
    assert_eq!(f.queues.queue(&queue.id).await.unwrap().consumer, Some(consumer));
}

#[tokio::test]
async fn scripts_are_noted_and_follow_their_namespace() {
    let f = fixture(QueueLimits::default());
    let (queue, _) = f.consumed("q", ConsumerSettings::default()).await;
    f.queues.bind(&queue.name, "production/b").await.unwrap();
    f.queues.bind(&queue.name, "other/b").await.unwrap();
    f.queues.rebind("production/", "renamed/").await.unwrap();
    f.queues.move_consumers("production/", "renamed/").await.unwrap();
    let bound = f.queues.bound(&queue.id, None, 9).await.unwrap();
    assert_eq!(bound, ["other/b", "production/b", "renamed/b"]);
    let consumed = f.queues.consumed("renamed/", None, 9).await.unwrap();
    assert_eq!(consumed[0].consumer.as_ref().unwrap().kind, ConsumerKind::Worker("renamed/a".to_owned()));
    assert_eq!(f.queues.forget("renamed/").await.unwrap(), 1);
    assert_eq!(f.queues.queue(&queue.id).await.unwrap().consumer, None);
    assert!(f.queues.stirred().await.contains(&queue.id), "whoever delivers is told of the changes");
}
