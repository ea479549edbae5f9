//! What the service over the embedded store promises: rules, isolation, expiry, pages, quotas, and that nothing which
//! was answered for is lost.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers as well")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use wasmyard_kv::limits::{MAX_KEY_BYTES, MAX_VALUE_BYTES};
use wasmyard_kv::{Expiry, Kv, KvError, KvHandle, KvLimits, ListOptions, NewValue, PutOptions, SqliteKv};
use wasmyard_model::{Clock, ClockHand, KvNamespaceId, Timestamp};

const ALL: u64 = u64::MAX;

struct Fixture {
    folder: tempfile::TempDir,
    kv: Kv,
    hand: ClockHand,
    clock: Clock,
}

fn over(folder: &Path, clock: &Clock, limits: KvLimits) -> Kv {
    Kv::new(Arc::new(SqliteKv::open(folder).unwrap()), clock.clone(), limits)
}

fn fixture(limits: KvLimits) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let began: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
    let (clock, hand) = Clock::by_hand(began);
    Fixture { kv: over(folder.path(), &clock, limits), folder, hand, clock }
}

async fn namespace(kv: &Kv, title: &str) -> KvHandle {
    kv.handle(&kv.create(title).await.unwrap().id)
}

async fn put(handle: &KvHandle, key: &str, value: &str) -> Result<(), KvError> {
    handle.put(key, Bytes::copy_from_slice(value.as_bytes()), PutOptions::default()).await
}

async fn get(handle: &KvHandle, key: &str) -> Option<String> {
    let found = handle.get(key, ALL).await.unwrap();
    found.map(|found| String::from_utf8(found.value.to_vec()).unwrap())
}

async fn names(handle: &KvHandle, prefix: &str) -> Vec<String> {
    let options = ListOptions { prefix: prefix.to_owned(), ..ListOptions::default() };
    handle.list(options).await.unwrap().keys.into_iter().map(|key| key.name).collect()
}

fn ttl(seconds: u64) -> PutOptions {
    PutOptions { expiry: Expiry { at: None, ttl: Some(seconds) }, metadata: None }
}

#[tokio::test]
async fn what_is_put_is_found_with_all_that_belongs_to_it() {
    let f = fixture(KvLimits::default());
    let kv = namespace(&f.kv, "one").await;
    let options = PutOptions { metadata: Some("{\"a\":1}".to_owned()), ..ttl(120) };
    kv.put("some key/å", Bytes::from_static(&[0, 255, 1]), options).await.unwrap();
    let found = kv.get("some key/å", ALL).await.unwrap().unwrap();
    assert_eq!(found.value.as_ref(), [0, 255, 1]);
    assert_eq!(found.metadata.as_deref(), Some("{\"a\":1}"));
    assert_eq!(found.expires, Some(f.clock.now().unix_seconds() + 120));
    let listed = kv.list(ListOptions::default()).await.unwrap().keys;
    assert_eq!((listed[0].name.as_str(), listed[0].expires), ("some key/å", found.expires));
    assert_eq!(listed[0].metadata, found.metadata);
    put(&kv, "some key/å", "new").await.unwrap();
    let found = kv.get("some key/å", ALL).await.unwrap().unwrap();
    assert_eq!((found.metadata, found.expires), (None, None), "a put leaves nothing of what was there");
    kv.delete("some key/å").await.unwrap();
    kv.delete("some key/å").await.unwrap();
    assert_eq!(get(&kv, "some key/å").await, None);
}

#[tokio::test]
async fn two_namespaces_never_see_each_other() {
    let f = fixture(KvLimits::default());
    let (one, other) = (namespace(&f.kv, "one").await, namespace(&f.kv, "other").await);
    put(&one, "key", "of one").await.unwrap();
    assert_eq!(get(&other, "key").await, None);
    put(&other, "key", "of the other").await.unwrap();
    put(&other, "key2", "x").await.unwrap();
    assert_eq!(get(&one, "key").await.as_deref(), Some("of one"));
    assert_eq!(names(&one, "").await, ["key"]);
    one.delete("key").await.unwrap();
    assert_eq!(get(&other, "key").await.as_deref(), Some("of the other"));
    f.kv.delete(other.id()).await.unwrap();
    assert!(matches!(other.get("key", ALL).await, Err(KvError::NamespaceNotFound(_))));
    assert!(matches!(put(&other, "key", "x").await, Err(KvError::NamespaceNotFound(_))));
    assert!(matches!(other.list(ListOptions::default()).await, Err(KvError::NamespaceNotFound(_))));
    let again = namespace(&f.kv, "other").await;
    assert_eq!(names(&again, "").await, [""; 0], "a namespace of the same title begins empty");
    assert_eq!(f.kv.sweep().await.unwrap(), 3, "two entries, and the note that there were some");
}

#[tokio::test]
async fn what_expires_is_gone_at_its_moment_and_swept_later() {
    let f = fixture(KvLimits { keys: 2, ..KvLimits::default() });
    let kv = namespace(&f.kv, "one").await;
    kv.put("short", Bytes::from_static(b"x"), ttl(60)).await.unwrap();
    put(&kv, "stays", "y").await.unwrap();
    f.hand.advance(Duration::from_secs(59));
    assert_eq!(get(&kv, "short").await.as_deref(), Some("x"));
    f.hand.advance(Duration::from_secs(1));
    assert_eq!(get(&kv, "short").await, None);
    assert_eq!(names(&kv, "").await, ["stays"]);
    assert!(matches!(put(&kv, "third", "z").await, Err(KvError::Quota { limit: "kv_keys", most: 2, .. })));
    assert_eq!(f.kv.sweep().await.unwrap(), 1);
    put(&kv, "third", "z").await.unwrap();
}

#[tokio::test]
async fn a_list_goes_page_by_page_in_the_order_of_bytes() {
    let f = fixture(KvLimits::default());
    let kv = namespace(&f.kv, "one").await;
    let keys = ["a", "a/1", "a/10", "a/2", "a/å", "b", "\u{10ffff}"];
    kv.put_all(keys.iter().map(|key| NewValue { key: (*key).to_owned(), ..NewValue::default() }).collect())
        .await
        .unwrap();
    assert_eq!(names(&kv, "").await, keys);
    assert_eq!(names(&kv, "a/").await, ["a/1", "a/10", "a/2", "a/å"]);
    assert_eq!(names(&kv, "\u{10ffff}").await, ["\u{10ffff}"]);
    assert_eq!(names(&kv, "c").await, [""; 0]);
    let mut found = Vec::new();
    let mut cursor = None;
    loop {
        let options = ListOptions { prefix: "a".to_owned(), cursor, limit: Some(2) };
        let page = kv.list(options).await.unwrap();
        assert!(page.keys.len() <= 2);
        found.extend(page.keys.into_iter().map(|key| key.name));
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
        // What goes between two pages does not matter to the next.
        kv.delete("a/10").await.unwrap();
    }
    assert_eq!(found, ["a", "a/1", "a/2", "a/å"]);
    for bad in [
        ListOptions { limit: Some(0), ..ListOptions::default() },
        ListOptions { limit: Some(1_001), ..ListOptions::default() },
        ListOptions { cursor: Some("no".to_owned()), ..ListOptions::default() },
    ] {
        assert!(matches!(kv.list(bad).await, Err(KvError::Invalid(_))));
    }
}

#[tokio::test]
async fn limits_are_refused_by_their_names() {
    let f = fixture(KvLimits { bytes: 10, namespaces: 2, ..KvLimits::default() });
    let kv = namespace(&f.kv, "one").await;
    let long = "k".repeat(MAX_KEY_BYTES + 1);
    assert!(matches!(put(&kv, &long, "").await, Err(KvError::TooLarge { what: "the key", .. })));
    let large = Bytes::from(vec![0; MAX_VALUE_BYTES + 1]);
    let refused = kv.put("k", large, PutOptions::default()).await;
    assert!(matches!(refused, Err(KvError::TooLarge { what: "the value", .. })));
    put(&kv, "k", "123456789").await.unwrap();
    assert!(matches!(put(&kv, "l", "1").await, Err(KvError::Quota { limit: "kv_bytes", most: 10, .. })));
    put(&kv, "k", "12345678").await.unwrap();
    put(&kv, "l", "").await.unwrap();
    let several = [("a", "1"), ("l", "")].map(|(key, value)| NewValue {
        key: key.to_owned(),
        value: Bytes::from_static(value.as_bytes()),
        ..NewValue::default()
    });
    assert!(matches!(kv.put_all(several.to_vec()).await, Err(KvError::Quota { .. })));
    assert_eq!(names(&kv, "").await, ["k", "l"], "all or none");
    assert!(matches!(kv.get("k", 7).await, Err(KvError::NoRoom { size: 8, room: 7 })));
    f.kv.create("two").await.unwrap();
    assert!(matches!(f.kv.create("three").await, Err(KvError::Quota { limit: "kv_namespaces", .. })));
}

#[tokio::test]
async fn numbers_are_counted_and_nothing_else_is() {
    let f = fixture(KvLimits { bytes: 40, ..KvLimits::default() });
    let kv = namespace(&f.kv, "one").await;
    assert_eq!((kv.increment("n", 2).await.unwrap(), kv.increment("n", 40).await.unwrap()), (2, 42));
    assert_eq!(get(&kv, "n").await.as_deref(), Some("42"));
    // Expiry and metadata stay; what has expired is none.
    let options = PutOptions { metadata: Some("1".to_owned()), ..ttl(60) };
    kv.put("n", Bytes::from_static(b"7"), options).await.unwrap();
    kv.increment("n", 1).await.unwrap();
    let found = kv.get("n", ALL).await.unwrap().unwrap();
    let then = f.clock.now().unix_seconds() + 60;
    assert_eq!(
        (&found.value[..], found.metadata.as_deref(), found.expires),
        (&b"8"[..], Some("1"), Some(then))
    );
    f.hand.advance(Duration::from_secs(60));
    assert_eq!(kv.increment("n", 1).await.unwrap(), 1);
    assert_eq!(kv.get("n", ALL).await.unwrap().unwrap().expires, None);
    for bad in ["", "-1", "+", "1.0", "x", "99999999999999999999", "00000000000000000000000001"] {
        put(&kv, "n", bad).await.unwrap();
        assert!(matches!(kv.increment("n", 1).await, Err(KvError::Invalid(_))), "{bad}");
        assert_eq!(get(&kv, "n").await.as_deref(), Some(bad));
    }
    put(&kv, "n", "18446744073709551615").await.unwrap();
    let beyond = kv.increment("n", 1).await.unwrap_err();
    assert!(beyond.to_string().contains("beyond 64 bits"), "{beyond}");
    assert!(matches!(kv.increment("m", u64::MAX).await, Err(KvError::Quota { limit: "kv_bytes", .. })));
    f.kv.delete(kv.id()).await.unwrap();
    assert!(matches!(kv.increment("n", 1).await, Err(KvError::NamespaceNotFound(_))));
}

#[tokio::test]
async fn titles_are_unique_and_can_change() {
    let f = fixture(KvLimits::default());
    let one = f.kv.create("one").await.unwrap();
    assert!(matches!(f.kv.create("one").await, Err(KvError::TitleTaken { .. })));
    assert_eq!(f.kv.titled("one").await.unwrap(), one);
    let two = f.kv.titled("two").await.unwrap();
    assert!(matches!(f.kv.rename(&two.id, "one").await, Err(KvError::TitleTaken { .. })));
    f.kv.rename(&one.id, "a").await.unwrap();
    let titles: Vec<_> =
        f.kv.namespaces(None, 10).await.unwrap().into_iter().map(|found| found.title).collect();
    assert_eq!(titles, ["a", "two"]);
    assert_eq!(f.kv.namespaces(Some("a"), 1).await.unwrap(), [two]);
    assert_eq!(f.kv.count().await.unwrap(), 2);
    for bad in ["", " ", "a\nb"] {
        assert!(matches!(f.kv.create(bad).await, Err(KvError::Invalid(_))), "{bad:?}");
    }
    let nobody = KvNamespaceId::parse("nobody").unwrap();
    assert!(matches!(f.kv.rename(&nobody, "x").await, Err(KvError::NamespaceNotFound(_))));
    assert!(matches!(f.kv.delete(&nobody).await, Err(KvError::NamespaceNotFound(_))));
}

#[tokio::test]
async fn who_is_bound_is_noted() {
    let f = fixture(KvLimits::default());
    let kv = namespace(&f.kv, "one").await;
    for script in ["b", "a", "b"] {
        f.kv.bind(kv.id(), script).await.unwrap();
    }
    assert_eq!(f.kv.bound(kv.id(), None, 10).await.unwrap(), ["a", "b"]);
    f.kv.unbind(kv.id(), "a").await.unwrap();
    assert_eq!(f.kv.bound(kv.id(), None, 10).await.unwrap(), ["b"]);
    f.kv.bind(kv.id(), "old/x").await.unwrap();
    f.kv.rebind("old/", "new/").await.unwrap();
    assert_eq!(f.kv.bound(kv.id(), Some("b"), 10).await.unwrap(), ["new/x", "old/x"]);
    let nobody = KvNamespaceId::parse("nobody").unwrap();
    assert!(matches!(f.kv.bind(&nobody, "a").await, Err(KvError::NamespaceNotFound(_))));
}

/// The files as they are on the disk while the store runs: what a process that was killed leaves behind.
#[tokio::test]
async fn what_was_answered_for_outlives_a_process_that_is_killed() {
    let f = fixture(KvLimits::default());
    let kv = namespace(&f.kv, "one").await;
    for round in 0..20 {
        let key = format!("key {round}");
        put(&kv, &key, "x").await.unwrap();
        let left = tempfile::tempdir().unwrap();
        for file in ["kv.sqlite", "kv.sqlite-wal"] {
            std::fs::copy(f.folder.path().join(file), left.path().join(file)).unwrap();
        }
        let after = over(left.path(), &f.clock, KvLimits::default());
        assert_eq!(names(&after.handle(kv.id()), "").await.len(), round + 1);
    }
    f.kv.close().await;
    let log = std::fs::metadata(f.folder.path().join("kv.sqlite-wal")).map_or(0, |log| log.len());
    assert_eq!(log, 0, "after the end everything is in the file");
}

#[tokio::test]
async fn many_writers_at_once_lose_nothing_and_are_counted() {
    let f = fixture(KvLimits { keys: 200, waiting_per_namespace: 400, ..KvLimits::default() });
    let kv = namespace(&f.kv, "one").await;
    let writers = (0..250).map(|number| {
        let kv = kv.clone();
        tokio::spawn(async move { put(&kv, &format!("{number:03}"), "x").await.is_ok() })
    });
    let mut done = 0;
    for writer in writers.collect::<Vec<_>>() {
        done += usize::from(writer.await.unwrap());
    }
    assert_eq!(done, 200, "as many as the limit says");
    assert_eq!(names(&kv, "").await.len(), 200);
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_is_finished_and_holds_its_place_until_then() {
    let limits = KvLimits { at_once_per_namespace: 1, waiting_per_namespace: 0, ..KvLimits::default() };
    let f = fixture(limits);
    let kv = namespace(&f.kv, "one").await;
    let mut left = 0;
    // Each is begun and left. Whether a place is free for the next is up to the store; what was begun is done.
    for n in 0..50 {
        let (key, large) = (n.to_string(), Bytes::from(vec![0; 1 << 20]));
        let mut put = Box::pin(kv.put(&key, large, PutOptions::default()));
        let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(put.as_mut().poll(cx))).await;
        left += usize::from(polled.is_pending());
        tokio::task::yield_now().await;
    }
    assert!(left > 0);
    let listed = loop {
        match kv.list(ListOptions::default()).await {
            Err(KvError::Busy { .. }) => tokio::task::yield_now().await,
            listed => break listed.unwrap().keys.len(),
        }
    };
    assert_eq!(listed, left);
}

#[tokio::test]
async fn files_of_others_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("kv.sqlite"), "not a database, and long enough to be read as one")
        .unwrap();
    assert!(matches!(SqliteKv::open(folder.path()), Err(KvError::Store { .. })));
}

#[tokio::test]
async fn a_store_that_there_is_no_room_for_is_opened_when_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let has_room = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let room = Arc::clone(&has_room);
    let open = move || match room.load(std::sync::atomic::Ordering::SeqCst) {
        true => SqliteKv::open(&path).map(|store| Arc::new(store) as _),
        false => Err(KvError::Full),
    };
    let kv = Kv::open(open, Clock::system(), KvLimits::default()).unwrap();
    assert!(matches!(kv.create("one").await, Err(KvError::Full)));
    kv.close().await;
    has_room.store(true, std::sync::atomic::Ordering::SeqCst);
    put(&namespace(&kv, "one").await, "k", "x").await.unwrap();
    let damaged = Kv::open(|| Err(KvError::store("open", "damaged")), Clock::system(), KvLimits::default());
    assert!(matches!(damaged, Err(KvError::Store { .. })));
}

#[derive(Clone, Debug)]
enum Step {
    Put(usize, u8, Option<u64>),
    Delete(usize),
    Wait(u64),
    Sweep,
    Reopen,
}

const KEYS: [&str; 6] = ["a", "a/b", "a/c", "b", "ab", "å"];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..KEYS.len(), any::<u8>(), proptest::option::of(60u64..200)).prop_map(|(k, v, t)| Step::Put(k, v, t)),
        2 => (0..KEYS.len()).prop_map(Step::Delete),
        2 => (1u64..150).prop_map(Step::Wait),
        1 => Just(Step::Sweep),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn it_is_a_map_whose_entries_expire(steps in proptest::collection::vec(step(), 1..30)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        runtime.block_on(async {
            let mut f = fixture(KvLimits::default());
            let id = f.kv.create("one").await.unwrap().id;
            let mut model: BTreeMap<&str, (u8, Option<u64>)> = BTreeMap::new();
            for step in steps {
                let kv = f.kv.handle(&id);
                let now = f.clock.now().unix_seconds();
                match step {
                    Step::Put(key, value, seconds) => {
                        let options = seconds.map_or_else(PutOptions::default, ttl);
                        kv.put(KEYS[key], Bytes::from(vec![value]), options).await.unwrap();
                        model.insert(KEYS[key], (value, seconds.map(|seconds| now + seconds)));
                    }
                    Step::Delete(key) => {
                        kv.delete(KEYS[key]).await.unwrap();
                        model.remove(KEYS[key]);
                    }
                    Step::Wait(seconds) => f.hand.advance(Duration::from_secs(seconds)),
                    Step::Sweep => drop(f.kv.sweep().await.unwrap()),
                    Step::Reopen => {
                        drop(kv);
                        f.kv.close().await;
                        f.kv = over(f.folder.path(), &f.clock, KvLimits::default());
                    }
                }
                let now = f.clock.now().unix_seconds();
                model.retain(|_, (_, expires)| expires.is_none_or(|expires| expires > now));
                let kv = f.kv.handle(&id);
                for key in KEYS {
                    let found = kv.get(key, ALL).await.unwrap().map(|found| (found.value[0], found.expires));
                    assert_eq!(found, model.get(key).copied(), "{key}");
                }
                for prefix in ["", "a", "a/"] {
                    let expected: Vec<_> = model.keys().filter(|key| key.starts_with(prefix)).copied().collect();
                    assert_eq!(names(&kv, prefix).await, expected);
                }
            }
        });
    }
}
