//! What is refused at upload: with which code, in which words, and that nothing of it stays.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::support::{NAMESPACES, Server, Site, guest, script_path, wat};

const CONFIG: &str =
    "[namespaces.production]\n[[routes]]\npattern = \"*.apps.test/*\"\nnamespace = \"production\"\n";

/// A server, and what its data directory holds.
struct Fresh {
    site: Site,
    server: Server,
}

impl Fresh {
    async fn start() -> Fresh {
        let site = Site::with_own_artifacts(CONFIG);
        let server = site.serve().await;
        Fresh { site, server }
    }

    /// Blobs and compiled code, by path: all that an upload could leave behind beside its record.
    fn stored(&self) -> BTreeSet<PathBuf> {
        let mut files = BTreeSet::new();
        for folder in ["blobs", "artifacts"] {
            collect(&self.site.data().join(folder), &mut files);
        }
        files
    }

    /// Uploads, expects the refusal, and checks that all is as before. Returns the message.
    async fn refused(&self, metadata: &Value, component: Vec<u8>, status: u16, code: u32) -> String {
        let before = self.stored();
        let path = script_path("shop");
        let message =
            self.server.api().upload(&path, metadata, component).await.refused(status, code).to_owned();
        assert_eq!(self.stored(), before, "something was left behind: {message}");
        self.server.api().get(&path).await.refused(404, 10092);
        assert_eq!(self.server.get("shop.apps.test", "/").await.status, 404);
        message
    }

    async fn refused_component(&self, component: Vec<u8>) -> String {
        self.refused(&json!({"main_module": "worker.wasm"}), component, 400, 10021).await
    }
}

fn collect(folder: &Path, files: &mut BTreeSet<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            collect(&entry.path(), files);
        } else {
            files.insert(entry.path());
        }
    }
}

#[track_caller]
fn assert_names(message: &str, expected: &[&str]) {
    for text in expected {
        assert!(message.contains(text), "{text:?} is not in {message:?}");
    }
}

#[tokio::test]
async fn what_is_no_component_is_refused_with_the_rule_that_it_breaks() {
    let fresh = Fresh::start().await;
    let javascript = b"export default { fetch() {} }".to_vec();
    assert_names(&fresh.refused_component(javascript).await, &["worker.wasm", "\\0asm", "JavaScript"]);
    assert_names(&fresh.refused_component(Vec::new()).await, &["\\0asm"]);
    let core = fresh.refused_component(wat::core_module()).await;
    assert_names(&core, &["core WebAssembly module", "wasm32-wasip2"]);
    let unknown = fresh.refused_component(b"\0asm\x02\0\0\0".to_vec()).await;
    assert_names(&unknown, &["02 00 00 00", "0d 00 01 00"]);
    let half = guest::bytes("hello");
    assert_names(&fresh.refused_component(half[..half.len() / 2].to_vec()).await, &["not valid"]);
    let mut damaged = guest::bytes("hello");
    let middle = damaged.len() / 2;
    damaged[middle..middle + 64].fill(0xff);
    assert_names(&fresh.refused_component(damaged).await, &["not valid"]);
}

#[tokio::test]
async fn a_component_that_cannot_be_run_here_is_refused_by_what_it_lacks_or_wants() {
    let fresh = Fresh::start().await;
    let empty = fresh.refused_component(wat::empty_component()).await;
    assert_names(&empty, &["wasi:http/incoming-handler", "wasi:http/proxy"]);
    let import = fresh.refused_component(wat::unknown_import()).await;
    assert_names(&import, &["acme:vault/door", "wasmyard:platform"]);
    let other = fresh.refused_component(wat::wasi_0_3()).await;
    assert_names(
        &other,
        &["imports wasi:http/types@0.3.0", "WASI version 0.2", "wasm32-wasip2", "wasmyard wit"],
    );
    let trap = fresh.refused_component(wat::traps_at_start()).await;
    assert_names(&trap, &["start-up"]);
}

#[tokio::test]
async fn a_component_over_64_mib_is_refused_as_too_large() {
    let fresh = Fresh::start().await;
    let mut large = wat::answer("large");
    large.resize((64 << 20) + 1, 0);
    let message = fresh.refused(&json!({"main_module": "worker.wasm"}), large, 413, 10027).await;
    assert_names(&message, &["67108865", "67108864"]);
    // So is a body that says nothing of its length and never ends.
    let endless = futures::stream::iter((0..80).map(|_| Ok::<_, std::io::Error>(vec![0_u8; 1 << 20])));
    let api = fresh.server.api();
    let request =
        api.request(reqwest::Method::PUT, &script_path("shop")).header("content-type", "application/wasm");
    match request.body(reqwest::Body::wrap_stream(endless)).send().await {
        Ok(answer) => assert_eq!(answer.status(), 413),
        // The server may hang up on whoever goes on sending.
        Err(error) => assert!(error.is_request() || error.is_body(), "{error:?}"),
    }
    api.get(&script_path("shop")).await.refused(404, 10092);
}

#[tokio::test]
async fn metadata_that_breaks_a_rule_is_refused_by_name() {
    let fresh = Fresh::start().await;
    let nine: Vec<String> = (0..9).map(|n| format!("t{n}")).collect();
    for (metadata, named) in [
        (json!({}), "main_module"),
        (json!({"main_module": "other.wasm"}), "other.wasm"),
        (json!({"main_module": "worker.wasm", "main_modul": 1}), "main_modul"),
        (json!({"main_module": "worker.wasm", "tags": nine}), "9 tags"),
        (json!({"main_module": "worker.wasm", "tags": ["a,b"]}), "a,b"),
        (json!({"main_module": "worker.wasm", "limits": {"cpu_ms": 0}}), "cpu_ms"),
        (
            json!({"main_module": "worker.wasm", "bindings": [{"type": "vectorize", "name": "B", "index_name": "x"}]}),
            "vectorize",
        ),
    ] {
        let message = fresh.refused(&metadata, wat::answer("x"), 400, 10021).await;
        assert_names(&message, &[named]);
    }
}

#[tokio::test]
async fn a_body_that_is_no_upload_is_refused() {
    let fresh = Fresh::start().await;
    let api = fresh.server.api();
    let module = || Part::bytes(wat::answer("x")).file_name("worker.wasm");
    let bad_json =
        Form::new().part("metadata", Part::text("{\"main_module\":")).part("worker.wasm", module());
    api.form(&script_path("shop"), bad_json).await.refused(400, 10006);
    let no_metadata = Form::new().part("worker.wasm", module());
    let refused = api.form(&script_path("shop"), no_metadata).await;
    assert_names(refused.refused(400, 10021), &["metadata"]);
    let no_module = Form::new().part("metadata", Part::text("{\"main_module\":\"worker.wasm\"}"));
    let refused = api.form(&script_path("shop"), no_module).await;
    assert_names(refused.refused(400, 10021), &["worker.wasm"]);
    api.put(&script_path("shop"), &json!({"main_module": "worker.wasm"})).await.refused(415, 10001);
    api.get(&script_path("shop")).await.refused(404, 10092);
}

#[tokio::test]
async fn names_that_name_nothing_have_their_codes() {
    let fresh = Fresh::start().await;
    let api = fresh.server.api();
    let upload =
        async |path: &str| api.upload(path, &json!({"main_module": "worker.wasm"}), wat::answer("x")).await;
    let nowhere = upload(&format!("{NAMESPACES}/nowhere/scripts/shop")).await;
    assert_names(nowhere.refused(404, 100_119), &["nowhere"]);
    assert_names(upload(&script_path("Shop.Name")).await.refused(400, 10004), &["Shop.Name"]);
    upload(&script_path(&"x".repeat(256))).await.refused(400, 10004);
    assert_names(upload(&format!("{NAMESPACES}/UPPER/scripts/shop")).await.refused(400, 10004), &["UPPER"]);
    let missing = api.get(&script_path("missing")).await;
    assert_names(missing.refused(404, 10092), &["missing", "production"]);
    api.delete(&script_path("missing")).await.refused(404, 10092);
    api.get(&format!("{NAMESPACES}/nowhere")).await.refused(404, 100_119);
    api.get("/client/v4/accounts/0/workers/nothing").await.refused(404, 7003);
}

#[tokio::test]
async fn a_refused_upload_leaves_the_version_that_serves() {
    let fresh = Fresh::start().await;
    let api = fresh.server.api();
    api.deploy("shop", wat::answer("good")).await.result();
    let before = fresh.stored();
    api.deploy("shop", wat::core_module()).await.refused(400, 10021);
    api.deploy("shop", wat::traps_at_start()).await.refused(400, 10021);
    assert_eq!(fresh.server.get("shop.apps.test", "/").await.text(), "good");
    assert_eq!(fresh.stored(), before);
    assert_eq!(api.get(&script_path("shop")).await.result()["script"]["version_number"], json!(1));
}

#[tokio::test]
async fn an_upload_that_breaks_off_changes_nothing() {
    let fresh = Fresh::start().await;
    let api = fresh.server.api();
    api.deploy("shop", wat::answer("good")).await.result();
    let before = fresh.stored();
    let half = futures::stream::iter([
        Ok(wat::answer("half")[..100].to_vec()),
        Err(std::io::Error::other("the uploader goes away")),
    ]);
    let request =
        api.request(reqwest::Method::PUT, &script_path("shop")).header("content-type", "application/wasm");
    assert!(request.body(reqwest::Body::wrap_stream(half)).send().await.is_err());
    // One more call on the same server, answered after it has seen the end of the other.
    assert_eq!(api.get(&script_path("shop")).await.result()["script"]["version_number"], json!(1));
    assert_eq!(fresh.server.get("shop.apps.test", "/").await.text(), "good");
    assert_eq!(fresh.stored(), before);
}
