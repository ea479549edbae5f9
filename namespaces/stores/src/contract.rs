//! The one test-suite that any store must pass.
//!
//! Owns the meaning of [`Store`] in the form of assertions. Never knows which store it runs:
//! call [`run`] with a function that makes an empty one.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "this is a test-suite: a wrong answer is to end it, at the line that shows which"
)]

use std::future::Future;
use std::sync::Arc;

use super::{Change, Expected, MAX_KEY_BYTES, Precondition, Store, StoreError, Write};

type Shared = Arc<dyn Store>;

/// Runs every case, each with a store of its own.
///
/// # Panics
/// At the first case that the store does not pass.
pub async fn run<F: Future<Output = Shared>>(make: impl Fn() -> F) {
    begins_empty(make().await).await;
    counts_revisions(make().await).await;
    writes_all_or_nothing(make().await).await;
    preconditions_are_per_key(make().await).await;
    refuses_misuse(make().await).await;
    gets_many(make().await).await;
    scans_in_bytewise_order(make().await).await;
    counts_by_prefix(make().await).await;
    tells_changes_whole(make().await).await;
    forgets_what_is_compacted(make().await).await;
    tells_watchers(make().await).await;
    lets_one_of_many_win(make().await).await;
    keeps_values_as_they_are(make().await).await;
}

async fn begins_empty(store: Shared) {
    assert_eq!(store.revision().await.unwrap(), 0);
    assert_eq!(store.get("a").await.unwrap(), None);
    assert_eq!(store.scan("", None, 10).await.unwrap(), []);
    assert_eq!(store.count("").await.unwrap(), 0);
    assert_eq!(store.changes_since(0, 10).await.unwrap(), []);
    assert_eq!(*store.watch().borrow(), 0);
}

async fn counts_revisions(store: Shared) {
    assert_eq!(store.append(&[], &[Write::put("a", "1")]).await.unwrap(), 1);
    assert_eq!(store.append(&[], &[Write::put("b", "1"), Write::put("c", "1")]).await.unwrap(), 2);
    assert_eq!(store.append(&[], &[Write::delete("a")]).await.unwrap(), 3);
    assert_eq!(store.append(&[], &[Write::delete("never")]).await.unwrap(), 4);
    assert_eq!(store.revision().await.unwrap(), 4);
    assert_eq!(store.get("a").await.unwrap(), None);
    let entry = store.get("c").await.unwrap().unwrap();
    assert_eq!((entry.key.as_str(), &entry.value[..], entry.revision), ("c", &b"1"[..], 2));
}

async fn writes_all_or_nothing(store: Shared) {
    store.append(&[], &[Write::put("a", "1"), Write::put("b", "1")]).await.unwrap();
    let preconditions = [Precondition::unchanged("a", 1), Precondition::absent("b")];
    let refused = store.append(&preconditions, &[Write::put("a", "2"), Write::put("c", "2")]).await;
    assert!(matches!(refused, Err(StoreError::Conflict { key }) if key == "b"));
    assert_eq!(store.revision().await.unwrap(), 1);
    assert_eq!(store.get("a").await.unwrap().unwrap().revision, 1);
    assert_eq!(store.get("c").await.unwrap(), None);
    assert_eq!(store.changes_since(1, 10).await.unwrap(), []);
}

async fn preconditions_are_per_key(store: Shared) {
    store.append(&[], &[Write::put("a", "1")]).await.unwrap();
    store.append(&[], &[Write::put("b", "1")]).await.unwrap();
    let unchanged = [Precondition::unchanged("a", 1)];
    assert_eq!(store.append(&unchanged, &[Write::put("a", "2")]).await.unwrap(), 3);
    assert!(matches!(
        store.append(&unchanged, &[Write::put("a", "3")]).await,
        Err(StoreError::Conflict { key }) if key == "a"
    ));
    store.append(&[], &[Write::delete("a")]).await.unwrap();
    assert!(store.append(&[Precondition::unchanged("a", 3)], &[Write::put("x", "1")]).await.is_err());
    let as_read = Precondition::as_read("a", None);
    assert_eq!(as_read.expected, Expected::Absent);
    assert_eq!(store.append(&[as_read], &[Write::put("a", "4")]).await.unwrap(), 5);
}

async fn refuses_misuse(store: Shared) {
    let misuse = |result| matches!(result, Err(StoreError::Misuse { .. }));
    assert!(misuse(store.append(&[], &[]).await));
    assert!(misuse(store.append(&[], &[Write::put("a", "1"), Write::delete("a")]).await));
    assert!(misuse(store.append(&[], &[Write::put("", "1")]).await));
    assert!(misuse(store.append(&[], &[Write::put("k".repeat(MAX_KEY_BYTES + 1), "1")]).await));
    assert!(misuse(store.append(&[Precondition::absent("")], &[Write::put("a", "1")]).await));
    assert_eq!(store.append(&[], &[Write::put("k".repeat(MAX_KEY_BYTES), "1")]).await.unwrap(), 1);
}

async fn gets_many(store: Shared) {
    store.append(&[], &[Write::put("a", "1"), Write::put("b", "2"), Write::put("c", "3")]).await.unwrap();
    store.append(&[], &[Write::delete("b"), Write::put("c", "4")]).await.unwrap();
    let keys = ["c", "nowhere", "b", "a"].map(str::to_owned);
    let found = store.get_many(&keys).await.unwrap();
    let found: Vec<_> =
        found.iter().map(|entry| (entry.key.as_str(), &entry.value[..], entry.revision)).collect();
    assert_eq!(found, [("c", &b"4"[..], 2), ("a", &b"1"[..], 1)]);
    assert_eq!(store.get_many(&[]).await.unwrap(), []);
}

async fn scans_in_bytewise_order(store: Shared) {
    let keys = ["a", "a/", "a/1", "a/10", "a/2", "a/B", "a/a", "a/\u{e9}", "a/\u{10FFFF}", "a0", "b/1"];
    for key in keys.iter().rev() {
        store.append(&[], &[Write::put(*key, "v")]).await.unwrap();
    }
    let names = |entries: Vec<super::Entry>| entries.into_iter().map(|e| e.key).collect::<Vec<_>>();
    assert_eq!(names(store.scan("", None, 100).await.unwrap()), keys);
    assert_eq!(names(store.scan("a/", None, 100).await.unwrap()), keys[1..9]);
    assert_eq!(names(store.scan("a/", None, 3).await.unwrap()), keys[1..4]);
    assert_eq!(names(store.scan("a/", Some("a/10"), 3).await.unwrap()), keys[4..7]);
    assert_eq!(names(store.scan("a/", Some("a/1x"), 2).await.unwrap()), keys[4..6]);
    assert_eq!(names(store.scan("a/", Some("A"), 2).await.unwrap()), keys[1..3]);
    assert_eq!(names(store.scan("a/", Some("b"), 100).await.unwrap()), [""; 0]);
    assert_eq!(names(store.scan("a/", None, 0).await.unwrap()), [""; 0]);
    assert_eq!(names(store.scan("c", None, 100).await.unwrap()), [""; 0]);
    for (prefix, after, limit) in
        [("", None, 100), ("a/", Some("a/10"), 3), ("a/", Some("A"), 2), ("a/", None, 0), ("c", None, 100)]
    {
        let scanned = names(store.scan(prefix, after, limit).await.unwrap());
        assert_eq!(store.keys(prefix, after, limit).await.unwrap(), scanned, "{prefix} {after:?} {limit}");
    }
    let from_the_end = async |prefix: &str, before: Option<&str>, limit: usize| {
        let mut found = names(store.scan_back(prefix, before, limit).await.unwrap());
        found.reverse();
        found
    };
    assert_eq!(from_the_end("", None, 100).await, keys);
    assert_eq!(from_the_end("a/", None, 100).await, keys[1..9]);
    assert_eq!(from_the_end("a/", None, 3).await, keys[6..9]);
    assert_eq!(from_the_end("a/", Some("a/2"), 2).await, keys[2..4]);
    assert_eq!(from_the_end("a/", Some("a/1x"), 2).await, keys[2..4]);
    assert_eq!(from_the_end("a/", Some("A"), 2).await, [""; 0]);
    assert_eq!(from_the_end("a/", Some("b"), 2).await, keys[7..9]);
    assert_eq!(from_the_end("a/", None, 0).await, [""; 0]);
    assert_eq!(from_the_end("c", None, 100).await, [""; 0]);
}

async fn counts_by_prefix(store: Shared) {
    let writes: Vec<Write> = (0..25).map(|n| Write::put(format!("n/{n}"), "v")).collect();
    store.append(&[], &writes).await.unwrap();
    store.append(&[], &[Write::put("m", "v"), Write::put("n0", "v"), Write::delete("n/3")]).await.unwrap();
    assert_eq!(store.count("n/").await.unwrap(), 24);
    assert_eq!(store.count("").await.unwrap(), 26);
    assert_eq!(store.count("z").await.unwrap(), 0);
}

async fn tells_changes_whole(store: Shared) {
    store.append(&[], &[Write::put("a", "1"), Write::put("b", "1"), Write::put("c", "1")]).await.unwrap();
    store.append(&[], &[Write::delete("b"), Write::put("a", "2")]).await.unwrap();
    store.append(&[], &[Write::put("d", "1")]).await.unwrap();
    let change = |revision, key: &str, deleted| Change { revision, key: key.to_owned(), deleted };
    let all = [
        change(1, "a", false),
        change(1, "b", false),
        change(1, "c", false),
        change(2, "b", true),
        change(2, "a", false),
        change(3, "d", false),
    ];
    assert_eq!(store.changes_since(0, 100).await.unwrap(), all);
    assert_eq!(store.changes_since(1, 100).await.unwrap(), all[3..]);
    assert_eq!(store.changes_since(3, 100).await.unwrap(), []);
    // A page may be longer than asked for, never shorter than one revision.
    for limit in [0, 1, 2, 3] {
        assert_eq!(store.changes_since(0, limit).await.unwrap(), all[..3], "limit {limit}");
    }
    for limit in [4, 5] {
        assert_eq!(store.changes_since(0, limit).await.unwrap(), all[..5], "limit {limit}");
    }
}

async fn forgets_what_is_compacted(store: Shared) {
    for n in 0..6 {
        store.append(&[], &[Write::put(format!("k{}", n % 2), "v")]).await.unwrap();
    }
    store.compact(4).await.unwrap();
    assert!(matches!(store.changes_since(2, 10).await, Err(StoreError::Compacted { asked: 2, oldest: 3 })));
    assert_eq!(store.changes_since(3, 10).await.unwrap().len(), 3);
    assert_eq!(store.count("k").await.unwrap(), 2);
    // Going back does nothing; neither does going beyond the end lose revisions to come.
    store.compact(1).await.unwrap();
    assert!(store.changes_since(2, 10).await.is_err());
    store.compact(1_000).await.unwrap();
    assert_eq!(store.append(&[], &[Write::put("k", "v")]).await.unwrap(), 7);
    assert_eq!(store.changes_since(6, 10).await.unwrap().len(), 1);
}

async fn tells_watchers(store: Shared) {
    let mut watcher = store.watch();
    let appended = store.append(&[], &[Write::put("a", "1")]).await.unwrap();
    assert_eq!(*watcher.wait_for(|revision| *revision >= appended).await.unwrap(), appended);
    assert_eq!(store.changes_since(0, 10).await.unwrap().len(), 1);
    assert_eq!(*store.watch().borrow(), appended);
}

async fn lets_one_of_many_win(store: Shared) {
    store.append(&[], &[Write::put("shared", "0")]).await.unwrap();
    let tasks: Vec<_> = (0..32)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let own = format!("own/{n}");
                // Keys of one's own never conflict, whatever the others do.
                store.append(&[Precondition::absent(own.clone())], &[Write::put(own, "v")]).await.unwrap();
                let unchanged = [Precondition::unchanged("shared", 1)];
                store.append(&unchanged, &[Write::put("shared", format!("{n}"))]).await.is_ok()
            })
        })
        .collect();
    let mut winners = 0;
    for task in tasks {
        winners += usize::from(task.await.unwrap());
    }
    assert_eq!(winners, 1);
    assert_eq!(store.count("own/").await.unwrap(), 32);
    assert_eq!(store.revision().await.unwrap(), 34);
}

async fn keeps_values_as_they_are(store: Shared) {
    let large: Vec<u8> = (0..2 << 20).map(|n: u32| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
    let odd = "a/\0/'\"%_\u{1F980}";
    let writes = [Write::put("empty", ""), Write::put("large", large.clone()), Write::put(odd, vec![0, 255])];
    store.append(&[], &writes).await.unwrap();
    assert_eq!(store.get("empty").await.unwrap().unwrap().value, "");
    assert_eq!(store.get("large").await.unwrap().unwrap().value, large);
    assert_eq!(store.get(odd).await.unwrap().unwrap().value, vec![0, 255]);
    assert_eq!(store.scan("a/\0", None, 10).await.unwrap().len(), 1);
    assert_eq!(store.changes_since(0, 10).await.unwrap()[2].key, odd);
}
