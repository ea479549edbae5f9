//! A disk without room: what is deployed is served, what makes room is done, the rest is refused with a word, also
//! after a kill. And a data directory that was damaged: the start says what is wrong, and never begins anew.

use std::io::Write as _;

use crate::support::{Api, NAMESPACES, Server, Site, SmallDisk, eventually, script_path, wat};

const CONFIG: &str = r#"
[namespaces.production]
limits = { cpu_ms = 1000 }
[[routes]]
pattern = "*.apps.test/*"
namespace = "production"
"#;

const SCRIPTS: [&str; 5] = ["a", "b", "c", "d", "e"];

async fn deploy_all(api: &Api) {
    for script in SCRIPTS {
        api.deploy(script, wat::answer(script)).await.result();
    }
}

async fn serves(server: &Server, scripts: &[&str]) {
    for script in scripts {
        let answer = server.get(&format!("{script}.apps.test"), "/").await;
        assert_eq!((answer.status, answer.text()), (200, *script));
    }
}

/// Takes all room that there is.
fn fill(disk: &SmallDisk) {
    let mut file = std::fs::File::options().create(true).append(true).open(disk.path("filling")).unwrap();
    for size in [64 * 1_024, 512] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}

async fn ready(server: &Server) -> (u16, String) {
    server.api().open("/health/ready").await
}

/// A change that does not make room is refused in words that say why.
async fn refuses_changes(server: &Server) {
    let api = server.api();
    let new = serde_json::json!({"name": "another"});
    let refused = eventually("a refusal", async || {
        // What little room is left may take some changes yet.
        let reply = api.post(NAMESPACES, &new).await;
        let name = format!("{NAMESPACES}/another");
        if reply.status == 200 {
            api.delete(&name).await;
            return None;
        }
        Some(reply)
    })
    .await;
    assert!(refused.refused(503, 90008).contains("no room"), "{refused:?}");
    let upload = api.deploy("new", wat::answer("new")).await;
    assert!(upload.refused(503, 90008).contains("no room"), "{upload:?}");
    let (status, text) = ready(server).await;
    assert!(status == 200 && text.contains("the disk is full"), "{status} {text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_keeps_nobody_from_serving_deleting_and_starting() {
    let site = Site::with_own_artifacts(CONFIG);
    let disk = SmallDisk::mount(&site, "12m").await;
    let server = site.serve_on(&disk).await;
    deploy_all(&server.api()).await;
    serves(&server, &SCRIPTS).await;
    assert_eq!(ready(&server).await, (200, "ok\n".to_owned()));

    fill(&disk);
    refuses_changes(&server).await;
    serves(&server, &SCRIPTS).await;
    server.api().delete(&script_path("a")).await.result();
    fill(&disk);
    server.api().delete(&script_path("b")).await.result();
    fill(&disk);
    server.kill().await;

    let server = site.serve_on(&disk).await;
    assert!(server.log().contains("the disk of the data directory is full"), "{}", server.log());
    serves(&server, &SCRIPTS[2..]).await;
    for gone in ["a", "b"] {
        assert_eq!(server.get(&format!("{gone}.apps.test"), "/").await.status, 404);
    }
    refuses_changes(&server).await;
    server.api().delete(&script_path("c")).await.result();

    std::fs::remove_file(disk.path("filling")).unwrap();
    eventually("room", async || (ready(&server).await.1 == "ok\n").then_some(())).await;
    server.api().deploy("a", wat::answer("a")).await.result();
    serves(&server, &["a", "d", "e"]).await;
}

/// A folder whose server was killed after some deploys.
async fn killed() -> Site {
    let site = Site::new(CONFIG);
    let server = site.serve().await;
    deploy_all(&server.api()).await;
    server.kill().await;
    site
}

async fn refused_start(site: &Site) -> String {
    let ended = site.run(&["serve", "--listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0"]).await;
    assert_eq!(ended.status.code(), Some(1));
    String::from_utf8(ended.stderr).unwrap()
}

#[tokio::test]
async fn a_damaged_registry_is_refused_with_a_word_and_served_when_it_is_put_back() {
    let site = killed().await;
    let data = site.data();
    let log = data.join("registry.sqlite-wal");
    let whole = std::fs::read(&log).unwrap();

    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    std::fs::write(&log, &flipped).unwrap();
    let text = refused_start(&site).await;
    assert!(text.contains("was recorded as durable") && text.contains("restore"), "{text}");
    assert_eq!(std::fs::read(&log).unwrap(), flipped, "what is left is left");

    std::fs::remove_file(&log).unwrap();
    let text = refused_start(&site).await;
    assert!(text.contains("damaged") && text.contains("restore"), "{text}");

    // Never an empty registry beside blobs, even where nothing else is left.
    let database = std::fs::read(data.join("registry.sqlite")).unwrap();
    let mark = std::fs::read(data.join("revision")).unwrap();
    for file in ["registry.sqlite", "revision"] {
        std::fs::remove_file(data.join(file)).unwrap();
    }
    let text = refused_start(&site).await;
    assert!(text.contains("there are blobs beside it"), "{text}");

    std::fs::write(data.join("registry.sqlite"), database).unwrap();
    std::fs::write(data.join("revision"), mark).unwrap();
    std::fs::write(&log, whole).unwrap();
    serves(&site.serve().await, &SCRIPTS).await;
}

#[tokio::test]
async fn a_clean_stop_leaves_the_registry_whole_without_its_log() {
    let site = Site::new(CONFIG);
    let mut server = site.serve().await;
    deploy_all(&server.api()).await;
    server.terminate();
    assert!(server.ended().await.success());
    let log = site.data().join("registry.sqlite-wal");
    assert_eq!(std::fs::metadata(&log).map_or(0, |found| found.len()), 0);
    drop(std::fs::remove_file(&log));
    serves(&site.serve().await, &SCRIPTS).await;
}

#[tokio::test]
async fn the_hint_is_for_the_cause() {
    let site = Site::new(CONFIG);
    let mut server = site.serve().await;
    // After a clean end the file says by itself which format it has.
    server.terminate();
    assert!(server.ended().await.success());
    let other_format = with_format(&site, 1);
    let text = refused_start(&site).await;
    assert!(text.contains("format 1") && text.contains("the version of Wasmyard that wrote"), "{text}");
    other_format.restore();
    let _running = site.serve().await;
    let text = refused_start(&site).await;
    assert!(text.contains("in use by another process") && text.contains("--data"), "{text}");
}

/// The format number stands at a fixed place of the file's first page.
fn with_format(site: &Site, version: u32) -> Restore {
    let path = site.data().join("registry.sqlite");
    let before = std::fs::read(&path).unwrap();
    let mut changed = before.clone();
    changed[60..64].copy_from_slice(&version.to_be_bytes());
    std::fs::write(&path, changed).unwrap();
    Restore { path, before }
}

struct Restore {
    path: std::path::PathBuf,
    before: Vec<u8>,
}

impl Restore {
    fn restore(self) {
        std::fs::write(self.path, self.before).unwrap();
    }
}
