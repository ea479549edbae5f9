//! The store: what it gives back after whatever happened to its files, and what it never gives.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers as well"
)]

#[path = "store/full.rs"]
mod full;
#[path = "store/killed.rs"]
mod killed;
#[path = "store/model.rs"]
mod model;

use std::path::{Path, PathBuf};

use bytes::Bytes;
use uuid::Uuid;
use wasmyard_cache::CacheLimits;
use wasmyard_cache::store::{EntryKey, OwnerId, Space, Store, Stored};
use wasmyard_model::Clock;

const MIB: u64 = 1 << 20;

fn owner(number: u8) -> OwnerId {
    OwnerId(Uuid::from_bytes([number; 16]))
}

fn at(number: u8) -> EntryKey {
    EntryKey::first([number; 16])
}

/// The same resource's entry for others.
fn variant(number: u8, variant: u8) -> EntryKey {
    EntryKey { primary: [number; 16], variant: [variant; 8] }
}

fn limits(disk_bytes: u64) -> CacheLimits {
    CacheLimits { disk_bytes, script_bytes: disk_bytes, memory_bytes: MIB, ..CacheLimits::default() }
}

async fn opened(folder: &Path, limits: CacheLimits) -> Store {
    let store = Store::open(folder, Clock::system(), limits).unwrap();
    store.loaded().await;
    store
}

async fn put(space: &Space, at: EntryKey, body: impl Into<Bytes>) -> bool {
    let meta = Bytes::from(format!("meta of {at:?}"));
    space.put(at, Bytes::from_static(b"key"), meta, body.into()).await
}

/// The same in pieces.
async fn stream(space: &Space, at: EntryKey, body: &[u8], piece: usize) -> bool {
    let mut writing = space.begin().await.unwrap();
    for piece in body.chunks(piece) {
        if !writing.write(Bytes::copy_from_slice(piece)).await {
            break;
        }
    }
    writing.commit(at, Bytes::from_static(b"key"), Bytes::from(format!("meta of {at:?}"))).await
}

/// All of a body; none where there is none, an error where it breaks off.
async fn get(space: &Space, at: EntryKey) -> Option<Result<Vec<u8>, ()>> {
    let found = space.get(at, Bytes::from_static(b"key")).await?;
    assert_eq!(found.meta, format!("meta of {at:?}"));
    Some(read(found.body).await)
}

async fn read(body: Stored) -> Result<Vec<u8>, ()> {
    match body {
        Stored::Whole(bytes) => Ok(bytes.to_vec()),
        Stored::File(mut reader) => {
            let mut whole = Vec::new();
            while let Some(bytes) = reader.next().await.map_err(drop)? {
                assert!(!bytes.is_empty());
                whole.extend_from_slice(&bytes);
            }
            Ok(whole)
        }
    }
}

/// Bytes that say where they are.
fn body(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index / 7 % 251) as u8).collect()
}

/// The files of entries.
fn files(folder: &Path) -> Vec<PathBuf> {
    let owners = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let all = owners.filter(|path| path.file_name().unwrap() != "drafts");
    let mut files: Vec<PathBuf> = all
        .flat_map(|owner| std::fs::read_dir(owner).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap() != "name")
        .collect();
    files.sort();
    files
}

/// Waits for what is done in the background.
async fn drafts_are_gone(folder: &Path) {
    while std::fs::read_dir(folder.join("drafts")).unwrap().next().is_some() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn entries_of_every_size_come_back_whole_and_in_part_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let sizes = [0, 1, 65_535, 65_536, 65_537, 262_144, 262_145, 1_000_000];
    for restarted in [false, true] {
        let store = opened(folder.path(), limits(64 * MIB)).await;
        let space = store.space(owner(1), "a");
        for (number, size) in (0..).zip(sizes) {
            if !restarted {
                assert!(stream(&space, at(number), &body(size), 50_000).await);
                assert!(put(&space, at(number + 100), body(size)).await);
            }
            for number in [number, number + 100] {
                assert_eq!(get(&space, at(number)).await, Some(Ok(body(size))), "{size}");
                let found = space.get(at(number), Bytes::from_static(b"key")).await.unwrap();
                let (first, length) = (size as u64 / 3, size as u64 / 2);
                let part = read(found.body.part(first, length)).await.unwrap();
                assert_eq!(part, body(size)[first as usize..(first + length) as usize], "{size}");
            }
        }
        assert!(get(&space, at(99)).await.is_none());
        let of_another = store.space(owner(2), "b");
        assert!(get(&of_another, at(1)).await.is_none(), "another owner has nothing");
        let other_key = space.get(at(1), Bytes::from_static(b"other")).await;
        assert!(other_key.is_none(), "nor has another key, whatever it is named");
    }
}

#[tokio::test]
async fn the_last_put_is_what_is_there_and_what_is_removed_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path(), limits(64 * MIB)).await;
    let space = store.space(owner(1), "a");
    put(&space, at(1), "one").await;
    let large = body(1_000_000);
    put(&space, at(1), large.clone()).await;
    let reading = space.get(at(1), Bytes::from_static(b"key")).await.unwrap();
    put(&space, at(1), "three").await;
    assert_eq!(get(&space, at(1)).await, Some(Ok(b"three".to_vec())));
    assert_eq!(read(reading.body).await, Ok(large), "who reads an entry reads it to its end");
    put(&space, variant(1, 1), "of others").await;
    assert!(space.remove([1; 16]).await, "there was another one");
    assert!(get(&space, at(1)).await.is_none() && get(&space, variant(1, 1)).await.is_none());
    assert!(!space.remove([1; 16]).await);
    // A new first entry makes the others nobody's.
    put(&space, at(1), "one").await;
    put(&space, variant(1, 1), "of others").await;
    put(&space, at(1), "two").await;
    assert!(get(&space, variant(1, 1)).await.is_none());
    assert_eq!(files(folder.path()).len(), 1);
    assert_eq!(store.held().2, 1);
}

#[tokio::test]
async fn what_is_not_finished_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path(), limits(64 * MIB)).await;
    let space = store.space(owner(1), "a");
    let mut writing = space.begin().await.unwrap();
    assert!(writing.write(Bytes::from(body(1_000_000))).await);
    assert!(store.held().0 >= 1_000_000, "what is written counts");
    drop(writing);
    drafts_are_gone(folder.path()).await;
    assert_eq!(store.held(), (0, 0, 0));
    // Nor does what was under way when the process ended.
    std::fs::write(folder.path().join("drafts/left"), "over").unwrap();
    drop((space, store));
    opened(folder.path(), limits(64 * MIB)).await;
    drafts_are_gone(folder.path()).await;
}

#[tokio::test]
async fn a_file_that_was_changed_anywhere_or_cut_off_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path(), limits(64 * MIB)).await;
    put(&store.space(owner(1), "a"), at(1), "what was kept").await;
    drop(store);
    let [path] = &files(folder.path())[..] else { panic!("one file") };
    let whole = std::fs::read(path).unwrap();
    let mut broken: Vec<Vec<u8>> = (0..whole.len()).map(|length| whole[..length].to_vec()).collect();
    broken.extend((0..whole.len()).map(|index| {
        let mut changed = whole.clone();
        changed[index] ^= 0x40;
        changed
    }));
    broken.push([&whole[..], &[0]].concat());
    broken.push(vec![0; whole.len()]);
    for broken in broken {
        std::fs::write(path, &broken).unwrap();
        let store = opened(folder.path(), limits(64 * MIB)).await;
        let space = store.space(owner(1), "a");
        assert!(get(&space, at(1)).await.is_none());
        assert!(!path.exists(), "it is removed");
        assert!(put(&space, at(1), "anew").await && get(&space, at(1)).await.is_some());
    }
}

#[tokio::test]
async fn a_large_body_that_was_damaged_before_the_start_is_not_there_and_one_damaged_later_breaks_off() {
    let folder = tempfile::tempdir().unwrap();
    let damage = |path: &Path| {
        let mut bytes = std::fs::read(path).unwrap();
        bytes[500_000] ^= 1;
        std::fs::write(path, bytes).unwrap();
    };
    let store = opened(folder.path(), limits(64 * MIB)).await;
    put(&store.space(owner(1), "a"), at(1), body(1_000_000)).await;
    let path = files(folder.path()).remove(0);
    drop(store);
    damage(&path);
    let store = opened(folder.path(), limits(64 * MIB)).await;
    let space = store.space(owner(1), "a");
    assert!(get(&space, at(1)).await.is_none());
    put(&space, at(1), body(1_000_000)).await;
    damage(&path);
    assert_eq!(get(&space, at(1)).await, Some(Err(())), "no byte of it is other than what was put");
    assert!(get(&space, at(1)).await.is_none());
}

#[tokio::test]
async fn a_flood_of_one_owner_leaves_all_of_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path(), limits(4 * MIB)).await;
    let (quiet, flood) = (store.space(owner(1), "quiet"), store.space(owner(2), "flood"));
    for number in 0..20 {
        assert!(put(&quiet, at(number), body(60_000)).await);
    }
    for round in 0..4 {
        for number in 0..100 {
            assert!(put(&flood, variant(number, round + 1), body(60_000)).await);
        }
        assert!(stream(&flood, at(200), &body(2_000_000), 100_000).await);
        assert!(store.held().0 <= 4 * MIB && store.held().1 <= MIB);
    }
    for number in 0..20 {
        assert_eq!(get(&quiet, at(number)).await, Some(Ok(body(60_000))), "{number}");
    }
    let on_disk: u64 = files(folder.path()).iter().map(|path| path.metadata().unwrap().len()).sum();
    assert!(on_disk <= 4 * MIB, "{on_disk}");
    assert_eq!(files(folder.path()).len(), store.held().2, "the books are those of the disk");
    // What is found at a start is within the bounds, too, and those of smaller ones.
    drop((quiet, flood, store));
    let store = opened(folder.path(), limits(MIB)).await;
    assert!(store.held().0 <= MIB);
    assert_eq!(files(folder.path()).len(), store.held().2);
}

#[tokio::test]
async fn what_is_larger_than_an_owners_part_or_than_one_entry_may_be_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let bounds = CacheLimits { script_bytes: MIB, entry_bytes: 900_000, ..limits(4 * MIB) };
    let store = opened(folder.path(), bounds).await;
    let space = store.space(owner(1), "a");
    for (length, is_kept) in [(900_000, true), (900_001, false), (2_000_000, false)] {
        put(&space, at(1), "older").await;
        assert_eq!(put(&space, at(1), body(length)).await, is_kept, "{length}");
        assert_eq!(
            get(&space, at(1)).await.is_some(),
            is_kept,
            "the older one is not what is meant any more"
        );
        put(&space, at(1), "older").await;
        assert_eq!(stream(&space, at(1), &body(length), 10_000).await, is_kept, "{length} in pieces");
        assert_eq!(get(&space, at(1)).await.is_some(), is_kept);
    }
    // Bodies that come at the same time have no more than one.
    let (mut one, mut other) = (space.begin().await.unwrap(), space.begin().await.unwrap());
    assert!(one.write(Bytes::from(body(600_000))).await);
    assert!(!other.write(Bytes::from(body(600_000))).await);
    drop((one, other));
    drafts_are_gone(folder.path()).await;
}

#[tokio::test]
async fn bodies_that_are_read_and_written_at_the_same_time_have_a_bound_and_one_more_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let bounds = CacheLimits { streams: 2, all_streams: 3, ..limits(64 * MIB) };
    let store = opened(folder.path(), bounds).await;
    let (one, other) = (store.space(owner(1), "a"), store.space(owner(2), "b"));
    put(&one, at(1), body(1_000_000)).await;
    put(&other, at(1), body(1_000_000)).await;
    let key = || Bytes::from_static(b"key");
    let held = (one.get(at(1), key()).await.unwrap(), one.begin().await.unwrap());
    assert!(one.get(at(1), key()).await.is_none() && one.begin().await.is_none());
    let of_other = other.get(at(1), key()).await.unwrap();
    assert!(other.begin().await.is_none(), "all places are taken");
    drop((held, of_other));
    assert!(one.get(at(1), key()).await.is_some());
}

#[tokio::test]
async fn an_owner_that_is_forgotten_has_nothing_at_once_and_keeps_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path(), limits(64 * MIB)).await;
    let (gone, other) = (store.space(owner(1), "a"), store.space(owner(2), "a"));
    for space in [&gone, &other] {
        put(space, at(1), "small").await;
        put(space, at(2), body(1_000_000)).await;
    }
    let names =
        |store: &Store| store.owners(Some("a")).into_iter().map(|(_, owner)| owner).collect::<Vec<_>>();
    assert_eq!(names(&store), [owner(1), owner(2)]);
    let mut writing = gone.begin().await.unwrap();
    writing.write(Bytes::from(body(400_000))).await;
    store.forget(owner(1)).await;
    assert!(get(&gone, at(1)).await.is_none() && get(&gone, at(2)).await.is_none());
    assert!(!put(&gone, at(1), "more").await);
    assert!(!writing.commit(at(3), Bytes::from_static(b"key"), Bytes::new()).await);
    drafts_are_gone(folder.path()).await;
    assert_eq!((files(folder.path()).len(), store.held().2), (2, 2));
    assert_eq!(get(&other, at(1)).await, Some(Ok(b"small".to_vec())));
    assert_eq!(names(&store), [owner(2)]);
    drop((gone, other, store));
    let store = opened(folder.path(), limits(64 * MIB)).await;
    assert_eq!(names(&store), [owner(2)], "the name is found again at the next start");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_who_put_read_and_remove_the_same_entries_see_whole_ones() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path(), limits(2 * MIB)).await;
    let mut tasks = Vec::new();
    for task in 0..8u8 {
        let space = store.space(owner(task % 2), "a");
        tasks.push(tokio::spawn(async move {
            for round in 0..60usize {
                let number = (round % 3) as u8;
                let length = [10, 100_000, 300_000][round % 3];
                match (usize::from(task) + round) % 5 {
                    0 => drop(put(&space, at(number), vec![task; length]).await),
                    1 => drop(stream(&space, at(number), &vec![task; length], 70_000).await),
                    2 if round % 4 == 0 => drop(space.remove([number; 16]).await),
                    _ => {
                        if let Some(Ok(body)) = get(&space, at(number)).await {
                            assert_eq!(body.len(), length);
                            assert!(body.iter().all(|byte| *byte == body[0]), "of one put alone");
                            assert_eq!(body[0] % 2, task % 2, "of the same owner's");
                        }
                    }
                }
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    drafts_are_gone(folder.path()).await;
    assert!(store.held().0 <= 2 * MIB);
    assert_eq!(files(folder.path()).len(), store.held().2);
}
