//! Tests of [`super`]: the contract, and what only a file can do.

use std::sync::Arc;

use tempfile::TempDir;

use super::*;

fn open(directory: &TempDir) -> SqliteStore {
    SqliteStore::open(directory.path()).unwrap()
}

#[tokio::test]
async fn keeps_the_contract_of_stores() {
    let directories = std::sync::Mutex::new(Vec::new());
    crate::contract::run(|| {
        let directory = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(open(&directory));
        directories.lock().unwrap().push(directory);
        std::future::ready(store)
    })
    .await;
}

#[tokio::test]
async fn what_was_appended_is_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    let revision = store.append(&[], &[Write::put("a", "1")]).await.unwrap();
    drop(store);
    let store = open(&directory);
    assert_eq!(store.revision().await.unwrap(), revision);
    assert_eq!(*store.watch().borrow(), revision);
    assert_eq!(store.get("a").await.unwrap().unwrap().value, "1");
    assert_eq!(store.changes_since(0, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_copy_taken_while_it_is_open_holds_every_acknowledged_append() {
    // What a killed process leaves: the files as they are, the log not folded in, nothing closed.
    let (live, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(&live);
    for n in 0..50 {
        store.append(&[], &[Write::put(format!("k{n}"), vec![7; 3_000])]).await.unwrap();
    }
    for name in ["registry.sqlite", "registry.sqlite-wal"] {
        std::fs::copy(live.path().join(name), copy.path().join(name)).unwrap();
    }
    let reopened = open(&copy);
    assert_eq!(reopened.count("k").await.unwrap(), 50);
    assert_eq!(reopened.revision().await.unwrap(), 50);
}

#[tokio::test]
async fn a_torn_log_loses_only_its_end() {
    let (live, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(&live);
    for n in 0..20 {
        store.append(&[], &[Write::put(format!("k{n}"), vec![7; 3_000])]).await.unwrap();
    }
    std::fs::copy(live.path().join("registry.sqlite"), copy.path().join("registry.sqlite")).unwrap();
    let log = std::fs::read(live.path().join("registry.sqlite-wal")).unwrap();
    std::fs::write(copy.path().join("registry.sqlite-wal"), &log[..log.len() - 100]).unwrap();
    let reopened = open(&copy);
    let revision = reopened.revision().await.unwrap();
    assert!((1..20).contains(&revision), "{revision}");
    assert_eq!(reopened.count("k").await.unwrap(), revision);
    assert_eq!(reopened.changes_since(0, 100).await.unwrap().len() as u64, revision);
}

#[tokio::test]
async fn a_directory_has_one_owner() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    let locked = |directory: &TempDir| SqliteStore::open(directory.path()).unwrap_err();
    let refused = locked(&directory);
    assert!(matches!(refused, StoreError::Locked { .. }) && refused.cause() == Cause::InUse);
    // Whatever file somebody takes away: the lock is on what cannot be taken away.
    for file in std::fs::read_dir(directory.path()).unwrap() {
        let file = file.unwrap();
        if !file.file_name().to_string_lossy().starts_with("registry.sqlite") {
            std::fs::remove_file(file.path()).unwrap();
        }
    }
    assert!(matches!(locked(&directory), StoreError::Locked { .. }));
    drop(store);
    open(&directory);
}

/// What a killed process leaves of a store with some changes: a database, its log, and the mark.
async fn left_behind(changes: u32) -> TempDir {
    let (live, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(&live);
    for n in 0..changes {
        store.append(&[], &[Write::put(format!("k{n}"), vec![7; 3_000])]).await.unwrap();
    }
    for name in ["registry.sqlite", "registry.sqlite-wal", "revision"] {
        std::fs::copy(live.path().join(name), copy.path().join(name)).unwrap();
    }
    copy
}

fn refused_as_damaged(directory: &TempDir) -> String {
    let refused = SqliteStore::open(directory.path()).unwrap_err();
    assert_eq!(refused.cause(), Cause::Damaged, "{refused}");
    refused.to_string()
}

#[tokio::test]
async fn a_log_that_lost_acknowledged_changes_is_refused_and_left_as_it_is() {
    let whole = left_behind(20).await;
    drop(open(&whole));
    for damage in ["flip", "cut", "remove"] {
        let directory = left_behind(20).await;
        let log = directory.path().join("registry.sqlite-wal");
        let mut bytes = std::fs::read(&log).unwrap();
        let middle = bytes.len() / 2;
        match damage {
            "flip" => bytes[middle] ^= 1,
            "cut" => bytes.truncate(bytes.len() - 100),
            _ => bytes.clear(),
        }
        match damage {
            "remove" => std::fs::remove_file(&log).unwrap(),
            _ => std::fs::write(&log, &bytes).unwrap(),
        }
        let text = refused_as_damaged(&directory);
        assert!(damage == "remove" || text.contains("change 20 was recorded as durable"), "{damage}: {text}");
        if damage != "remove" {
            assert_eq!(std::fs::read(&log).unwrap(), bytes, "{damage}: what is left of the log stays");
        }
        refused_as_damaged(&directory);
        // The operator takes what is left, by taking the record of what there was away.
        if damage != "remove" {
            std::fs::remove_file(directory.path().join("revision")).unwrap();
            let store = open(&directory);
            let revision = store.revision().await.unwrap();
            assert!((1..20).contains(&revision), "{damage}: {revision}");
            assert_eq!(store.count("k").await.unwrap(), revision);
        }
    }
}

#[tokio::test]
async fn a_database_that_was_cut_is_never_taken_for_a_smaller_one() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    for n in 0..20 {
        store.append(&[], &[Write::put(format!("k{n}"), vec![7; 3_000])]).await.unwrap();
    }
    store.close().await;
    drop(store);
    let file = directory.path().join("registry.sqlite");
    let whole = std::fs::read(&file).unwrap();
    for len in (0..whole.len()).step_by(1_500) {
        std::fs::write(&file, &whole[..len]).unwrap();
        let refused = SqliteStore::open(directory.path()).unwrap_err();
        assert_eq!(refused.cause(), Cause::Damaged, "{len} of {} bytes: {refused}", whole.len());
    }
    std::fs::remove_file(&file).unwrap();
    let text = refused_as_damaged(&directory);
    assert!(text.contains("missing") && text.contains("change 20"), "{text}");
    assert!(!file.exists(), "nothing is made anew");
    std::fs::write(&file, &whole).unwrap();
    assert_eq!(open(&directory).count("k").await.unwrap(), 20);
}

#[tokio::test]
async fn a_page_that_is_not_what_it_was_is_found_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    for n in 0..200 {
        store.append(&[], &[Write::put(format!("k{n}"), vec![7; 300])]).await.unwrap();
    }
    store.close().await;
    drop(store);
    let file = directory.path().join("registry.sqlite");
    let mut bytes = std::fs::read(&file).unwrap();
    let page = bytes.len() / 4_096 / 2 * 4_096;
    bytes[page..page + 4_096].fill(0xff);
    std::fs::write(&file, &bytes).unwrap();
    refused_as_damaged(&directory);
}

#[tokio::test]
async fn a_mark_of_another_registry_is_told() {
    let (one, two) = (left_behind(3).await, left_behind(2).await);
    std::fs::copy(two.path().join("revision"), one.path().join("revision")).unwrap();
    assert!(refused_as_damaged(&one).contains("revision"));
}

#[tokio::test]
async fn what_is_closed_is_whole_without_its_log() {
    let (directory, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(&directory);
    for n in 0..50 {
        store.append(&[], &[Write::put(format!("k{n}"), vec![7; 3_000])]).await.unwrap();
    }
    store.get("k1").await.unwrap();
    store.close().await;
    let log = directory.path().join("registry.sqlite-wal");
    assert_eq!(std::fs::metadata(&log).map_or(0, |found| found.len()), 0);
    assert!(matches!(store.append(&[], &[Write::put("late", "1")]).await, Err(StoreError::Closed)));
    std::fs::copy(directory.path().join("registry.sqlite"), copy.path().join("registry.sqlite")).unwrap();
    assert_eq!(open(&copy).count("k").await.unwrap(), 50);
}

#[test]
fn a_file_that_cannot_be_made_says_why() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("file"), "").unwrap();
    let refused = SqliteStore::open(&directory.path().join("file")).unwrap_err();
    let text = refused.to_string();
    assert!(text.contains("make the data directory: ") && text.contains("os error"), "{text}");
}

#[test]
fn another_format_is_refused_with_its_number() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(&directory));
    let file = Connection::open(directory.path().join("registry.sqlite")).unwrap();
    file.pragma_update(None, "user_version", 1).unwrap();
    drop(file);
    let refused = SqliteStore::open(directory.path()).unwrap_err();
    assert!(refused.to_string().contains("has format 1, this program reads format 3"), "{refused}");
    assert_eq!(refused.cause(), Cause::Format);
}

#[test]
fn a_file_of_another_program_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("registry.sqlite");
    let other = Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE theirs (x); PRAGMA user_version = 9;").unwrap();
    drop(other);
    let before = std::fs::read(&path).unwrap();
    assert!(matches!(SqliteStore::open(directory.path()), Err(StoreError::Format { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("data");
    let store = SqliteStore::open(&directory).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o077;
    for path in [directory.clone(), directory.join("registry.sqlite"), directory.join("registry.sqlite-wal")]
    {
        assert_eq!(mode(&path), 0, "{}", path.display());
    }
    drop(store);
}

#[tokio::test]
async fn appends_that_wait_together_are_all_answered() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    let appends = (0..300).map(|n| {
        let store = &store;
        async move {
            store
                .append(
                    &[Precondition::absent(format!("k{}", n % 200))],
                    &[Write::put(format!("k{}", n % 200), "v")],
                )
                .await
        }
    });
    let results = futures::future::join_all(appends).await;
    let conflicts = results.iter().filter(|r| matches!(r, Err(StoreError::Conflict { .. }))).count();
    let mut revisions: Vec<Revision> = results.into_iter().flatten().collect();
    revisions.sort_unstable();
    assert_eq!((revisions, conflicts), ((1..=200).collect(), 100));
}

#[test]
fn the_bound_of_a_prefix_is_the_first_text_after_it() {
    let text = |text: &str| Value::Text(text.to_owned());
    assert_eq!(upper_bound("a/"), text("a0"));
    assert_eq!(upper_bound("a\u{10FFFF}"), text("b"));
    assert_eq!(upper_bound("\u{D7FF}"), text("\u{E000}"));
    assert_eq!(upper_bound("\u{10FFFF}"), Value::Blob(Vec::new()));
    assert_eq!(upper_bound(""), Value::Blob(Vec::new()));
}

#[test]
fn the_index_ends_the_walk_of_a_prefix() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    let reader = wasmyard_sqlite::open_reader(&directory.path().join("registry.sqlite")).unwrap();
    for query in [SCAN, COUNT] {
        let explain = format!("EXPLAIN QUERY PLAN {}", query.replace("?3", "10"));
        let plan: String = reader.query_row(&explain, params!["a", "b"], |row| row.get(3)).unwrap();
        assert!(plan.starts_with("SEARCH") && plan.contains("key>? AND key<?"), "{plan}");
    }
    drop(store);
}
