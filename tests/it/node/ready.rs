//! Code that is not ready: after an upgrade of the engine, or where the folder of compiled code was removed.

use http::Method;
use serde_json::{Value, json};

use crate::support::{Server, Site, body, eventually, guest, request, script_path, wat};

const CONFIG: &str = r#"
[namespaces.production]
[[routes]]
pattern = "*.apps.test/*"
namespace = "production"
"#;

/// Ends a server, removes what was compiled, and starts anew: the list of what was used last stays, and the node's key.
async fn start_without_code(site: &Site, mut server: Server) -> Server {
    server.terminate();
    server.ended().await;
    for entry in std::fs::read_dir(site.data().join("artifacts")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            std::fs::remove_dir_all(path).unwrap();
        }
    }
    site.serve().await
}

/// Makes what is on disk look as an older build of the JavaScript engine left it: the engine's own code is not there, and scripts
/// have memory that names another one.
fn as_an_older_engine_left_it(site: &Site) {
    let artifacts = site.data().join("artifacts");
    let key: [u8; 32] = std::fs::read(artifacts.join("node.key")).unwrap().try_into().unwrap();
    let engine = wasmyard_namespaces::Digest::of(&guest::javascript_engine());
    let (mut engines, mut scripts) = (0, 0);
    for folder in std::fs::read_dir(&artifacts).unwrap().map(Result::unwrap) {
        let fingerprint = folder.file_name().into_string().unwrap();
        if !folder.path().is_dir() {
            continue;
        }
        for file in std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path()) {
            let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
            if name == engine.to_string() {
                std::fs::remove_file(&file).unwrap();
                engines += 1;
                continue;
            }
            let mut delta = std::fs::read(&file).unwrap();
            assert_eq!(&delta[8..40], engine.as_bytes(), "a script's memory names its engine");
            delta[8..40].fill(7);
            delta.truncate(delta.len() - 32);
            let digest: wasmyard_namespaces::Digest = name.parse().unwrap();
            let mut mac = blake3::Hasher::new_keyed(&key);
            mac.update(fingerprint.as_bytes()).update(digest.as_bytes()).update(&delta);
            delta.extend_from_slice(mac.finalize().as_bytes());
            std::fs::write(&file, delta).unwrap();
            scripts += 1;
        }
    }
    assert_eq!((engines, scripts), (1, 2));
}

/// How often the log says that a script is compiled.
fn compilations(server: &Server, script: &str) -> usize {
    let log = server.log();
    let of_script =
        |line: &&str| line.contains("\"compiling\"") && line.contains(&format!("\"production/{script}\""));
    log.lines().filter(of_script).count()
}

#[tokio::test]
async fn what_is_missing_after_a_start_is_compiled_though_nobody_asks_for_it() {
    let site = Site::with_own_artifacts(CONFIG);
    let server = site.serve().await;
    for name in ["first", "last"] {
        server.api().deploy(name, wat::answer(name)).await.result();
        assert_eq!(server.get(&format!("{name}.apps.test"), "/").await.text(), name);
    }
    let server = start_without_code(&site, server).await;
    server.noted("compiled what was missing").await;
    let log = server.log();
    let at = |name: &str| log.find(&format!("\"production/{name}\"")).unwrap();
    assert!(at("last") < at("first"), "what was used last comes first: {log}");
    for name in ["first", "last"] {
        assert_eq!(server.get(&format!("{name}.apps.test"), "/").await.text(), name);
        assert_eq!(compilations(&server, name), 1);
    }
}

#[tokio::test]
async fn a_visitor_is_told_to_come_again_while_code_is_compiled_and_it_goes_on_without_any() {
    let site = Site::with_own_artifacts(CONFIG);
    let server = site.serve().await;
    let branch = "local.get 0 if local.get 1 local.get 0 i32.add local.set 1 end ";
    // Several of them, so that it takes longer than a visitor is kept waiting, also where nothing else is done.
    let slow = format!("(func (param i32) (result i32) (local i32) {}local.get 1)", branch.repeat(3_000));
    let slow = slow.repeat(8);
    server.api().deploy("slow", wat::answers_after(&slow, "")).await.result();
    let server = start_without_code(&site, server).await;
    let visit = || {
        let asked = request(Method::GET, "slow.apps.test", "/").header("accept", "application/json");
        server.send(asked.body(body("")).unwrap())
    };
    let told = visit().await;
    assert_eq!((told.status, told.header("retry-after")), (503, "2"));
    let told: Value = serde_json::from_str(told.text()).unwrap();
    assert_eq!(
        (&told["error"]["code"], &told["error"]["reason"]),
        (&json!(2012), &json!("being_made_ready"))
    );
    eventually("its answer", || async { (visit().await.status == 200).then_some(()) }).await;
    assert_eq!(compilations(&server, "slow"), 1, "each visitor joined it: {}", server.log());
}

#[tokio::test]
async fn the_first_visitor_after_another_engine_of_javascript_came_is_served() {
    let site = Site::with_own_artifacts(CONFIG);
    let mut server = site.serve().await;
    for name in ["first", "last"] {
        let source = format!("export default {{ fetch: () => new Response('{name}') }}");
        server.api().javascript(&script_path(name), &source).await.result();
        assert_eq!(server.get(&format!("{name}.apps.test"), "/").await.text(), name);
    }
    server.terminate();
    server.ended().await;
    as_an_older_engine_left_it(&site);
    let server = site.serve().await;
    // It takes seconds, and whoever asks meanwhile is told.
    assert_eq!(server.api().open("/health/ready").await.0, 503, "{}", server.log());
    let answer = server.get("first.apps.test", "/").await;
    assert_eq!((answer.status, answer.text()), (200, "first"), "{}", server.log());
    assert_eq!(server.api().open("/health/ready").await.0, 200);
    // Nobody asks for this one: what has memory of another engine is missing as well.
    server.noted("compiled what was missing").await;
    assert_eq!(compilations(&server, "last"), 1, "{}", server.log());
    assert_eq!(server.get("last.apps.test", "/").await.text(), "last");
    assert_eq!([compilations(&server, "first"), compilations(&server, "last")], [1, 1]);
    let log = server.log();
    let at = |text: &str| log.find(text).unwrap();
    assert!(at("compiling the JavaScript engine") < at("\"production/first\""), "{log}");
}
