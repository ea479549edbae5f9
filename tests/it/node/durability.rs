//! kill -9 at any moment: what was acknowledged is there, whole; what was not is there whole or not at all.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use wasmyard_namespaces::Digest;

use crate::support::{Api, Server, Site, eventually, script_path, wat, within};

const ROUNDS: u32 = 50;
const SCRIPTS: [&str; 4] = ["a", "b", "c", "d"];

const CONFIG: &str = r#"
[limits]
cpu_ms = 10000
[namespaces.production]
[[routes]]
pattern = "*.apps.test/*"
namespace = "production"
"#;

/// How far uploads of one script have come: version `n` is a component that answers `NAME n`.
#[derive(Clone, Default)]
struct Progress {
    tried: Arc<AtomicU64>,
    acknowledged: Arc<AtomicU64>,
    /// How many were acknowledged.
    answers: Arc<AtomicU64>,
}

fn text(script: &str, version: u64) -> String {
    format!("{script} {version}")
}

/// Uploads one version after the other until the server is gone.
async fn upload_until_killed(api: Api, script: &'static str, progress: Progress) {
    loop {
        let version = progress.tried.fetch_add(1, Ordering::SeqCst) + 1;
        match api.try_deploy(script, wat::answer(&text(script, version))).await {
            Some(200) => {
                progress.acknowledged.store(version, Ordering::SeqCst);
                progress.answers.fetch_add(1, Ordering::SeqCst);
            }
            Some(status) => panic!("{script}: upload {version} was refused with {status}"),
            None => return,
        }
    }
}

/// What serves must be the last acknowledged version, or a later one that was under way; whole in either case.
async fn check(server: &Server, script: &'static str, progress: &Progress) {
    let (acknowledged, tried) =
        (progress.acknowledged.load(Ordering::SeqCst), progress.tried.load(Ordering::SeqCst));
    let answer = server.get(&format!("{script}.apps.test"), "/").await;
    let Some(content) = server.api().content(script).await else {
        assert_eq!(acknowledged, 0, "{script}: version {acknowledged} was acknowledged and is gone");
        assert_eq!(answer.status, 404, "{script}");
        return;
    };
    assert_eq!(answer.status, 200, "{script}: {}", answer.text());
    let version: u64 = answer.text().strip_prefix(script).unwrap().trim().parse().unwrap();
    assert!((acknowledged..=tried).contains(&version), "{script}: {version} not in {acknowledged}..={tried}");
    assert_eq!(
        content,
        wat::answer(&text(script, version)),
        "{script}: the component is not what was uploaded"
    );
    // What was under way and arrived counts from now on.
    progress.acknowledged.store(version, Ordering::SeqCst);
}

/// Every blob holds what its name says.
fn check_blobs(folder: &Path) -> usize {
    let mut checked = 0;
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            checked += check_blobs(&entry.path());
            continue;
        }
        let parent = folder.file_name().unwrap().to_string_lossy().into_owned();
        let name = parent + &entry.file_name().to_string_lossy();
        // Anything else is a file on its way to such a name, which nobody reads.
        if let Ok(digest) = name.parse::<Digest>() {
            assert_eq!(Digest::of(&std::fs::read(entry.path()).unwrap()), digest, "{:?}", entry.path());
            checked += 1;
        }
    }
    checked
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_upload_survives_fifty_kills_and_none_is_half_there() {
    let site = Site::with_own_artifacts(CONFIG);
    let progress: HashMap<&str, Progress> = SCRIPTS.map(|script| (script, Progress::default())).into();
    let random = RandomState::new();
    for round in 0..ROUNDS {
        let server = site.serve().await;
        for script in SCRIPTS {
            check(&server, script, &progress[script]).await;
        }
        let uploads: Vec<_> = SCRIPTS
            .map(|script| tokio::spawn(upload_until_killed(server.api(), script, progress[script].clone())))
            .into();
        let begun: u64 = progress.values().map(|progress| progress.answers.load(Ordering::SeqCst)).sum();
        let some = || {
            let now: u64 = progress.values().map(|progress| progress.answers.load(Ordering::SeqCst)).sum();
            std::future::ready((now - begun >= u64::from(round % 4)).then_some(()))
        };
        eventually("some uploads are acknowledged", some).await;
        // A random moment, which is the point: in the middle of whatever the server does.
        tokio::time::sleep(Duration::from_millis(random.hash_one(round) % 40)).await;
        server.kill().await;
        for upload in uploads {
            within("the end of an upload", upload).await.unwrap();
        }
    }
    let server = site.serve().await;
    let mut acknowledged = 0;
    for script in SCRIPTS {
        check(&server, script, &progress[script]).await;
        acknowledged += progress[script].acknowledged.load(Ordering::SeqCst);
    }
    assert!(
        acknowledged > u64::from(ROUNDS),
        "only {acknowledged} uploads: the kills came too early to matter"
    );
    let blobs = check_blobs(&site.data().join("blobs"));
    assert!(blobs >= SCRIPTS.len(), "{blobs} blobs");
}

/// Scripts that one call deletes.
const TOGETHER: usize = 40;
const DELETIONS: u32 = 12;

/// Where the scripts of the namespace are listed, and deleted together.
fn scripts() -> String {
    script_path("").trim_end_matches('/').to_owned()
}

/// The names in the namespace.
async fn listed(api: &Api) -> Vec<String> {
    let answer = api.get(&format!("{}?per_page=1000", scripts())).await;
    let rows = answer.result().as_array().unwrap();
    rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_that_one_call_deletes_are_all_there_or_all_gone_whenever_the_process_is_killed() {
    let site = Site::with_own_artifacts(CONFIG);
    let random = RandomState::new();
    let (mut whole, mut gone) = (0, 0);
    for round in 0..DELETIONS {
        let server = site.serve().await;
        let api = server.api();
        if listed(&api).await.is_empty() {
            for number in 0..TOGETHER {
                let path = script_path(&format!("script-{number}"));
                let metadata = serde_json::json!({"main_module": "worker.wasm", "tags": ["customer"]});
                api.upload(&path, &metadata, wat::answer("together")).await.result();
            }
        }
        let deletion = tokio::spawn({
            let api = server.api();
            async move { api.try_delete(&format!("{}?tags=customer:yes", scripts())).await }
        });
        // A random moment, which is the point: before, in the middle of, or after the write.
        tokio::time::sleep(Duration::from_micros(random.hash_one(round) % 12_000)).await;
        server.kill().await;
        let acknowledged = within("the end of the deletion", deletion).await.unwrap();
        assert!(matches!(acknowledged, None | Some(200)), "{acknowledged:?}");

        let server = site.serve().await;
        let left = listed(&server.api()).await.len();
        assert!(
            left == 0 || (left == TOGETHER && acknowledged.is_none()),
            "{left} are left, {acknowledged:?}"
        );
        let answer = server.get("script-7.apps.test", "/").await;
        assert_eq!(answer.status, if left == 0 { 404 } else { 200 }, "{}", answer.text());
        whole += u32::from(left > 0);
        gone += u32::from(left == 0);
        server.kill().await;
    }
    assert_eq!(whole + gone, DELETIONS);
}

#[tokio::test]
async fn two_servers_cannot_share_a_data_directory() {
    let site = Site::new(CONFIG);
    let _first = site.serve().await;
    let second = site.run(&["serve", "--listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0"]).await;
    assert_eq!(second.status.code(), Some(1));
    let text = String::from_utf8(second.stderr).unwrap();
    assert!(text.contains(".wasmyard") && text.contains("--data"), "{text}");
}

#[tokio::test]
async fn a_restart_keeps_scripts_routes_and_tags() {
    let site = Site::new(CONFIG);
    let server = site.serve().await;
    let api = server.api();
    let metadata = serde_json::json!({"main_module": "worker.wasm", "tags": ["paid"]});
    api.upload(&script_path("shop"), &metadata, wat::answer("shop")).await.result();
    api.upload("/client/v4/accounts/0/workers/scripts/front", &metadata, wat::answer("front")).await.result();
    let route = serde_json::json!({"pattern": "front.test/*", "script": "front"});
    api.post("/client/v4/accounts/0/workers/routes", &route).await.result();
    server.kill().await;

    let server = site.serve().await;
    assert_eq!(server.get("shop.apps.test", "/").await.text(), "shop");
    assert_eq!(server.get("front.test", "/").await.text(), "front");
    let tags = server.api().get(&format!("{}/tags", script_path("shop"))).await;
    assert_eq!(tags.result(), &serde_json::json!(["paid"]));
}
