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
    crate::store::contract::run(|| {
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
    assert!(matches!(SqliteStore::open(directory.path()), Err(StoreError::Locked { .. })));
    drop(store);
    open(&directory);
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
    let reader = file::open_reader(&directory.path().join("registry.sqlite")).unwrap();
    for query in [SCAN, COUNT] {
        let explain = format!("EXPLAIN QUERY PLAN {}", query.replace("?3", "10"));
        let plan: String = reader.query_row(&explain, params!["a", "b"], |row| row.get(3)).unwrap();
        assert!(plan.starts_with("SEARCH") && plan.contains("key>? AND key<?"), "{plan}");
    }
    drop(store);
}
