//! Real files, changed the way editors and compilers change them.

use std::fs;

use super::*;

fn key(name: &str) -> ScriptKey {
    ScriptKey::Platform(name.parse().unwrap())
}

struct Project {
    folder: tempfile::TempDir,
    watcher: Watcher,
}

impl Project {
    /// A project with a configuration, sources in `src`, and a component below `target`.
    async fn new(prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("wasmyard.toml"), "a").unwrap();
        fs::create_dir(folder.path().join("src")).unwrap();
        fs::write(folder.path().join("src/lib.rs"), "a").unwrap();
        prepare(folder.path());
        let interest = |change, path: &str, deep| Interest { change, path: folder.path().join(path), deep };
        let interests = vec![
            interest(Change::Config, "wasmyard.toml", false),
            interest(Change::Sources(key("a")), "src", true),
            interest(Change::Main(key("a")), "target/release/a.wasm", false),
        ];
        let watcher = Watcher::start(interests).await.unwrap();
        Self { folder, watcher }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    async fn next(&mut self) -> Vec<Change> {
        let changes = tokio::time::timeout(Duration::from_secs(10), self.watcher.next()).await;
        changes.expect("a change should have been told").unwrap().into_iter().collect()
    }

    /// Changes the configuration and waits until that is told: everything that was told before it is
    /// everything that there was to tell.
    async fn told_before_the_configuration(&mut self) -> Vec<Change> {
        fs::write(self.path("wasmyard.toml"), format!("{:?}", Instant::now())).unwrap();
        let mut told = Vec::new();
        loop {
            told.extend(self.next().await);
            if let Some(at) = told.iter().position(|change| *change == Change::Config) {
                told.remove(at);
                return told;
            }
        }
    }
}

#[tokio::test]
async fn writing_a_source_is_told_once() {
    let mut project = Project::new(|_| ()).await;
    fs::write(project.path("src/lib.rs"), "b").unwrap();
    fs::write(project.path("src/other.rs"), "b").unwrap();
    assert_eq!(project.next().await, [Change::Sources(key("a"))]);
    assert_eq!(project.told_before_the_configuration().await, []);
}

#[tokio::test]
async fn files_that_are_replaced_by_renaming_are_noticed_every_time() {
    let mut project = Project::new(|_| ()).await;
    for round in 0..3 {
        let beside = project.path(".wasmyard.toml.swp");
        fs::write(&beside, format!("round {round}")).unwrap();
        fs::rename(&beside, project.path("wasmyard.toml")).unwrap();
        assert_eq!(project.next().await, [Change::Config], "round {round}");
        let beside = project.path("src/lib.rs~");
        fs::write(&beside, format!("round {round}")).unwrap();
        fs::rename(&beside, project.path("src/lib.rs")).unwrap();
        assert_eq!(project.next().await, [Change::Sources(key("a"))], "round {round}");
    }
}

#[tokio::test]
async fn a_component_is_noticed_in_folders_that_come_and_go() {
    let mut project = Project::new(|_| ()).await;
    for round in 0..3 {
        fs::create_dir_all(project.path("target/release")).unwrap();
        fs::write(project.path("target/release/a.wasm"), format!("round {round}")).unwrap();
        let mut told = project.next().await;
        assert_eq!(told.pop(), Some(Change::Main(key("a"))), "made, round {round}");
        fs::remove_dir_all(project.path("target")).unwrap();
        // One batch or two, depending on when the pause falls; the last one sees it gone.
        assert_eq!(project.next().await, [Change::Main(key("a"))], "removed, round {round}");
        assert!(project.told_before_the_configuration().await.iter().all(|c| *c == Change::Main(key("a"))));
    }
}

#[tokio::test]
async fn a_component_that_is_replaced_is_noticed() {
    let mut project = Project::new(|root| {
        fs::create_dir_all(root.join("target/release")).unwrap();
        fs::write(root.join("target/release/a.wasm"), "one").unwrap();
    })
    .await;
    // What Cargo does: remove, then a hard link to what it built elsewhere.
    fs::create_dir_all(project.path("target/release/deps")).unwrap();
    fs::write(project.path("target/release/deps/a.wasm"), "two").unwrap();
    fs::remove_file(project.path("target/release/a.wasm")).unwrap();
    fs::hard_link(project.path("target/release/deps/a.wasm"), project.path("target/release/a.wasm")).unwrap();
    assert_eq!(project.next().await, [Change::Main(key("a"))]);
}

#[tokio::test]
async fn new_folders_are_watched_too() {
    let mut project = Project::new(|_| ()).await;
    fs::create_dir_all(project.path("src/deep/deeper")).unwrap();
    assert_eq!(project.next().await, [Change::Sources(key("a"))]);
    fs::write(project.path("src/deep/deeper/new.rs"), "a").unwrap();
    assert_eq!(project.next().await, [Change::Sources(key("a"))]);
}

#[tokio::test]
async fn a_source_folder_may_be_removed_and_made_again() {
    let mut project = Project::new(|_| ()).await;
    fs::remove_dir_all(project.path("src")).unwrap();
    assert_eq!(project.next().await, [Change::Sources(key("a"))]);
    fs::create_dir(project.path("src")).unwrap();
    assert_eq!(project.next().await, [Change::Sources(key("a"))]);
    fs::write(project.path("src/lib.rs"), "b").unwrap();
    assert_eq!(project.next().await, [Change::Sources(key("a"))]);
}

#[tokio::test]
async fn what_tools_write_is_not_told() {
    let mut project = Project::new(|root| {
        fs::create_dir_all(root.join("src/target")).unwrap();
        fs::create_dir_all(root.join("src/.git")).unwrap();
    })
    .await;
    fs::write(project.path("src/target/x"), "a").unwrap();
    fs::write(project.path("src/.git/index"), "a").unwrap();
    fs::write(project.path("src/.lib.rs.swp"), "a").unwrap();
    fs::write(project.path("src/lib.rs~"), "a").unwrap();
    fs::create_dir_all(project.path("target/debug")).unwrap();
    fs::write(project.path("README.md"), "a").unwrap();
    assert_eq!(project.told_before_the_configuration().await, []);
}

#[tokio::test]
async fn reading_is_no_change() {
    let mut project = Project::new(|_| ()).await;
    fs::read(project.path("src/lib.rs")).unwrap();
    fs::read_dir(project.path("src")).unwrap().count();
    assert_eq!(project.told_before_the_configuration().await, []);
}

#[tokio::test]
async fn what_a_build_makes_among_the_sources_is_no_source() {
    let folder = tempfile::tempdir().unwrap();
    let watcher = Watcher::start(vec![
        Interest { change: Change::Sources(key("a")), path: folder.path().to_owned(), deep: true },
        Interest { change: Change::Main(key("a")), path: folder.path().join("a.wasm"), deep: false },
    ])
    .await
    .unwrap();
    let mut project = Project { folder, watcher };
    fs::write(project.path("a.wasm"), "a").unwrap();
    assert_eq!(project.next().await, [Change::Main(key("a"))]);
}

#[tokio::test]
async fn interests_can_be_exchanged() {
    let mut project = Project::new(|_| ()).await;
    let path = project.path("other.toml");
    project.watcher.watch(vec![Interest { change: Change::Config, path, deep: false }]).await.unwrap();
    fs::write(project.path("src/lib.rs"), "b").unwrap();
    fs::write(project.path("other.toml"), "b").unwrap();
    assert_eq!(project.next().await, [Change::Config]);
}

#[tokio::test]
async fn nothing_is_missed_while_interests_are_exchanged() {
    let mut project = Project::new(|_| ()).await;
    for round in 0..5 {
        let path = project.path("wasmyard.toml");
        fs::write(&path, format!("round {round}")).unwrap();
        project.watcher.watch(vec![Interest { change: Change::Config, path, deep: false }]).await.unwrap();
        assert_eq!(project.next().await, [Change::Config], "round {round}");
    }
}

#[tokio::test]
async fn a_writer_that_never_pauses_is_not_waited_for_for_ever() {
    let mut project = Project::new(|_| ()).await;
    let path = project.path("src/lib.rs");
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = std::sync::Arc::clone(&stop);
    let writer = std::thread::spawn(move || {
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            fs::write(&path, "x").unwrap();
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    let told = project.next().await;
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    writer.join().unwrap();
    assert_eq!(told, [Change::Sources(key("a"))]);
}
