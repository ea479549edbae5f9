//! The shapes in which clients send a component, and what is refused.

use bytes::Bytes;
use http::Method;
use serde_json::json;
use wasmyard_api::multipart;
use wasmyard_namespaces::bundle::{self, Bundle, PartKind};

use crate::common::{Api, CORE_MODULE, Form, NAMESPACES, PLATFORM, SCRIPT, component};

const METADATA: &[u8] = br#"{"main_module":"worker.wasm","bindings":[{"type":"plain_text","name":"GREETING","text":"hi"}],"tags":["b","a"]}"#;

async fn api() -> Api {
    let api = Api::new().await;
    api.with_namespace().await;
    api
}

/// Sends a form that must be taken, and looks at what became of it.
async fn taken(form: Form) {
    let api = api().await;
    let uploaded = api
        .form(Method::PUT, &format!("{SCRIPT}?excludeScript=true&bindings_inherit=strict"), form)
        .await
        .result();
    assert_eq!(uploaded["id"], "customer-a");
    assert_eq!(uploaded["startup_time_ms"], 7);
    let key = "production/customer-a";
    let settings = api.get(&format!("{SCRIPT}/settings")).await.result();
    assert_eq!(
        settings["bindings"],
        json!([{"type": "plain_text", "name": "GREETING", "text": "hi"}]),
        "{key}"
    );
    assert_eq!(settings["tags"], json!(["a", "b"]));
    let content = api
        .raw(
            api.request(Method::GET, &format!("{SCRIPT}/content"))
                .header("accept", "application/wasm")
                .body(axum::body::Body::empty())
                .unwrap(),
        )
        .await;
    assert_eq!(content.body, component("x"));
}

#[tokio::test]
async fn wrangler_sends_metadata_first_without_type_and_names_the_part_after_the_module() {
    taken(
        Form::new()
            .part("form-data; name=\"metadata\"", None, METADATA)
            .part(
                "form-data; name=\"worker.wasm\"; filename=\"worker.wasm\"",
                Some("application/wasm"),
                &component("x"),
            )
            .part(
                "form-data; name=\"worker.wasm.map\"; filename=\"worker.wasm.map\"",
                Some("application/source-map"),
                b"{}",
            ),
    )
    .await;
}

#[tokio::test]
async fn wrangler_writes_a_leading_dot_when_it_bundles() {
    taken(Form::new().part("form-data; name=\"metadata\"", None, METADATA).part(
        "form-data; name=\"./worker.wasm\"; filename=\"./worker.wasm\"",
        Some("application/wasm"),
        &component("x"),
    ))
    .await;
}

#[tokio::test]
async fn the_python_sdk_sends_metadata_last_and_calls_every_part_files() {
    taken(
        Form::new()
            .part(
                "form-data; name=\"files\"; filename=\"worker.wasm\"",
                Some("application/octet-stream"),
                &component("x"),
            )
            .part("form-data; name=\"metadata\"", Some("application/json"), METADATA),
    )
    .await;
}

#[tokio::test]
async fn the_typescript_sdk_sends_metadata_as_a_file_and_a_stray_part() {
    taken(
        Form::new()
            .part("form-data; name=\"dispatch_namespace\"", None, b"production")
            .part("form-data; name=\"metadata\"; filename=\"metadata\"", Some("application/json"), METADATA)
            .part(
                "form-data; name=\"files\"; filename=\"worker.wasm\"",
                Some("application/wasm"),
                &component("x"),
            ),
    )
    .await;
}

#[tokio::test]
async fn example_platforms_send_a_metadata_file_and_an_arbitrary_part_name() {
    taken(
        Form::new()
            .part(
                "form-data; name=\"metadata\"; filename=\"metadata.json\"",
                Some("application/json"),
                METADATA,
            )
            .part(
                "form-data; name=\"script\"; filename=\"worker.wasm\"",
                Some("application/javascript+module"),
                &component("x"),
            ),
    )
    .await;
}

#[tokio::test]
async fn curl_keeps_the_local_file_name() {
    taken(Form::new().part("form-data; name=\"metadata\"", Some("application/json"), METADATA).part(
        "form-data; name=\"worker.wasm\"; filename=\"hello_world.wasm\"",
        Some("application/octet-stream"),
        &component("x"),
    ))
    .await;
}

#[tokio::test]
async fn curl_can_send_the_module_without_a_file_name() {
    taken(Form::new().part("form-data; name=\"metadata\"", None, METADATA).part(
        "form-data; name=\"worker.wasm\"",
        None,
        &component("x"),
    ))
    .await;
}

#[tokio::test]
async fn the_component_can_come_by_itself() {
    let api = api().await;
    let uploaded = api.send(Method::PUT, SCRIPT, "application/wasm", component("x")).await.result();
    assert_eq!((&uploaded["main_module"], &uploaded["size"]), (&json!("customer-a.wasm"), &json!(9)));
}

#[tokio::test]
async fn an_upload_answers_what_clients_read() {
    let api = api().await;
    let metadata = json!({"main_module": "worker.wasm", "compatibility_date": "2026-01-31", "placement": {"mode": "smart"},
        "annotations": {"workers/message": "m1"}, "limits": {"cpu_ms": 20}});
    let answer = api.upload(SCRIPT, &metadata, &component("x")).await;
    let note = answer.json()["messages"][0].clone();
    assert!(
        note["message"].as_str().unwrap().contains("placement") && note["code"].as_u64().unwrap() >= 1000
    );
    let first = answer.result();
    for field in ["etag", "deployment_id", "created_on", "modified_on", "tag"] {
        assert!(first[field].as_str().is_some_and(|text| !text.is_empty()), "{field}");
    }
    assert_eq!(first["limits"], json!({"cpu_ms": 20}));
    let second = api.upload(SCRIPT, &metadata, &component("y")).await.result();
    assert_eq!(second["version_number"], 2);
    assert_eq!(second["tag"], first["tag"]);
    assert_ne!((&second["deployment_id"], &second["etag"]), (&first["deployment_id"], &first["etag"]));
}

#[tokio::test]
async fn secrets_and_variables_are_kept_as_asked() {
    let api = api().await;
    let first = json!({"main_module": "w.wasm", "bindings": [
        {"type": "secret_text", "name": "KEY", "text": "hunter2"},
        {"type": "plain_text", "name": "A", "text": "1"},
        {"type": "plain_text", "name": "B", "text": "2"}]});
    api.upload(SCRIPT, &first, &component("x")).await.result();
    let second = json!({"main_module": "w.wasm", "keep_bindings": ["secret_text", "secret_key"], "bindings": [
        {"type": "inherit", "name": "C", "old_name": "A"}, {"type": "plain_text", "name": "B", "text": "3"}]});
    api.upload(SCRIPT, &second, &component("x")).await.result();
    let bindings = api.get(&format!("{SCRIPT}/bindings")).await;
    assert!(!String::from_utf8_lossy(&bindings.body).contains("hunter2"));
    assert_eq!(
        bindings.result(),
        json!([
        {"type": "plain_text", "name": "B", "text": "3"},
        {"type": "plain_text", "name": "C", "text": "1"},
        {"type": "secret_text", "name": "KEY"}])
    );
    // An upload that does not say what it keeps keeps secrets and nothing else.
    api.upload(SCRIPT, &json!({"main_module": "w.wasm"}), &component("x")).await.result();
    let secret = json!([{"type": "secret_text", "name": "KEY"}]);
    assert_eq!(api.get(&format!("{SCRIPT}/bindings")).await.result(), secret);
    // One that says that it keeps nothing drops them too.
    let none = json!({"main_module": "w.wasm", "keep_bindings": []});
    api.upload(SCRIPT, &none, &component("x")).await.result();
    assert_eq!(api.get(&format!("{SCRIPT}/bindings")).await.result(), json!([]));
}

#[tokio::test]
async fn a_binding_with_nothing_to_inherit_is_left_out_or_refused() {
    let api = api().await;
    let metadata = json!({"main_module": "w.wasm", "bindings": [{"type": "inherit", "name": "GONE"}]});
    let before = api.stored().await;
    let message = api
        .upload(&format!("{SCRIPT}?bindings_inherit=strict"), &metadata, &component("x"))
        .await
        .refused(400, 10057);
    assert!(message.contains("GONE"), "{message}");
    assert_eq!(api.stored().await, before);
    api.upload(&format!("{SCRIPT}?bindings_inherit=lax"), &metadata, &component("x"))
        .await
        .refused(400, 10004);
    api.upload(SCRIPT, &metadata, &component("x")).await.result();
    assert_eq!(api.get(&format!("{SCRIPT}/bindings")).await.result(), json!([]));
}

#[tokio::test]
async fn tags_stay_when_an_upload_has_none() {
    let api = api().await;
    api.upload(SCRIPT, &json!({"main_module": "w.wasm", "tags": ["blue"]}), &component("x")).await.result();
    api.upload(SCRIPT, &json!({"main_module": "w.wasm"}), &component("y")).await.result();
    assert_eq!(api.get(&format!("{SCRIPT}/tags")).await.result(), json!(["blue"]));
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_by_name_before_it_costs_anything() {
    let api = api().await;
    let before = api.stored().await;
    let good = component("x");
    let nine: Vec<String> = (0..9).map(|n| format!("t{n}")).collect();
    for (metadata, named) in [
        (json!({}), "main_module"),
        (json!({"main_module": "other.wasm"}), "other.wasm"),
        (json!({"main_module": 5}), "integer"),
        (json!([]), "JSON object"),
        (json!({"main_module": "worker.wasm", "main_modul": 1}), "main_modul"),
        (json!({"main_module": "worker.wasm", "assets": {}}), "assets"),
        (
            json!({"main_module": "worker.wasm", "bindings": [{"type": "vectorize", "name": "B", "index_name": "x"}]}),
            "vectorize",
        ),
        (
            json!({"main_module": "worker.wasm", "bindings": [{"type": "kv_namespace", "name": "KV", "namespace_id": "x"}]}),
            "no KV namespace \"x\"",
        ),
        (
            json!({"main_module": "worker.wasm", "bindings": [{"type": "plain_text", "name": "1A", "text": "x"}]}),
            "1A",
        ),
        (json!({"main_module": "worker.wasm", "bindings": [{"type": "plain_text", "name": "A"}]}), "text"),
        (
            json!({"main_module": "worker.wasm", "bindings": [{"type": "assets", "name": "A"}, {"type": "assets", "name": "A"}]}),
            "twice",
        ),
        (json!({"main_module": "worker.wasm", "tags": ["a,b"]}), "a,b"),
        (json!({"main_module": "worker.wasm", "tags": nine}), "9 tags"),
        (json!({"main_module": "worker.wasm", "limits": {"cpu_ms": 999_999_999}}), "cpu_ms"),
        (json!({"main_module": "worker.wasm", "limits": {"cpu": 1}}), "cpu"),
        (json!({"main_module": "worker.wasm", "compatibility_date": "soon"}), "soon"),
    ] {
        let form =
            Form::new().part("form-data; name=\"metadata\"", None, metadata.to_string().as_bytes()).part(
                "form-data; name=\"worker.wasm\"; filename=\"worker.wasm\"",
                Some("application/wasm"),
                &good,
            );
        let message = api.form(Method::PUT, SCRIPT, form).await.refused(400, 10021);
        assert!(message.contains(named), "{metadata}: {message}");
    }
    assert_eq!(api.checker.calls.load(std::sync::atomic::Ordering::SeqCst), 0);
    assert_eq!(api.stored().await, before);
}

#[tokio::test]
async fn a_refused_component_stores_nothing() {
    let api = api().await;
    let before = api.stored().await;
    let metadata = json!({"main_module": "worker.wasm"});
    let message = api.upload(SCRIPT, &metadata, CORE_MODULE).await.refused(400, 10021);
    assert_eq!(message, "A core module is not a component.");
    let message = api.upload(SCRIPT, &metadata, &component("too large")).await.refused(413, 10027);
    assert_eq!(message, "The compiled code is too large.");
    let message = api.upload(SCRIPT, &metadata, &component("failed")).await.refused(500, 10002);
    assert!(!message.contains("secret"), "{message}");
    assert_eq!(api.stored().await, before);
    api.get(SCRIPT).await.refused(404, 10092);
}

#[tokio::test]
async fn the_files_of_a_script_are_taken_as_they_are_and_come_back_so() {
    let api = api().await;
    let source = b"import page from './page.html'; export default { fetch() { return new Response(page) } }";
    let form = || {
        Form::new()
            .part("form-data; name=\"metadata\"", None, br#"{"main_module":"index.js","bindings":[]}"#)
            .part("form-data; name=\"page.html\"; filename=\"page.html\"", Some("text/plain"), b"<p>")
            .part(
                "form-data; name=\"add.wasm\"; filename=\"add.wasm\"",
                Some("application/wasm"),
                CORE_MODULE,
            )
            .part(
                "form-data; name=\"index.js\"; filename=\"index.js\"",
                Some("application/javascript+module"),
                source,
            )
            .part(
                "form-data; name=\"index.js.map\"; filename=\"index.js.map\"",
                Some("application/source-map"),
                b"{}",
            )
    };
    let first = api.form(Method::PUT, SCRIPT, form()).await.result();
    assert_eq!((&first["startup_time_ms"], &first["etag"].is_string()), (&json!(3), &true));
    let again = api.form(Method::PUT, SCRIPT, form()).await.result();
    assert_eq!(first["etag"], again["etag"], "the same files are the same script");
    let content = api.get(&format!("{SCRIPT}/content")).await;
    let text = String::from_utf8_lossy(&content.body).into_owned();
    let (main, page) = (text.find("name=\"index.js\"").unwrap(), text.find("name=\"page.html\"").unwrap());
    assert!(main < page && !text.contains("source-map"), "the main file is the first: {text}");
    assert!(text.contains("Content-Type: application/javascript+module\r\n\r\nimport page from"), "{text}");
    assert!(text.contains("Content-Type: text/plain\r\n\r\n<p>\r\n"), "{text}");
    assert!(text.contains("Content-Type: application/wasm\r\n\r\n\0asm"), "{text}");
}

#[tokio::test]
async fn what_is_neither_a_component_nor_a_script_is_refused_with_a_way_out() {
    let api = api().await;
    let form = |main: &str, parts: &[(&str, &str, &[u8])]| {
        let metadata = json!({ "main_module": main }).to_string();
        parts.iter().fold(
            Form::new().part("form-data; name=\"metadata\"", None, metadata.as_bytes()),
            |form, (name, kind, bytes)| {
                form.part(&format!("form-data; name=\"{name}\"; filename=\"{name}\""), Some(kind), bytes)
            },
        )
    };
    const MODULE: &str = "application/javascript+module";
    for (form, named) in [
        (form("a.js", &[("a.js", MODULE, b""), ("data.zip", "application/zip", b"PK")]), "data.zip"),
        (form("worker.wasm", &[("worker.wasm", "application/wasm", b"(component)")]), "\\0asm"),
        (form("worker.wasm", &[("worker.wasm", "application/wasm", b"")]), "JavaScript"),
        (form("a.txt", &[("a.txt", "text/plain", b"a")]), "\\0asm"),
        (form("a.js", &[("a.js", MODULE, b""), ("b\u{7}.js", MODULE, b"")]), "control characters"),
    ] {
        let message = api.form(Method::PUT, SCRIPT, form).await.refused(400, 10021);
        assert!(message.contains(named), "{message}");
    }
    // A script in the older syntax has no files beside it.
    let service_worker = Form::new()
        .part("form-data; name=\"metadata\"", None, br#"{"body_part":"sw.js"}"#)
        .part("form-data; name=\"sw.js\"; filename=\"sw.js\"", Some("application/javascript"), b"")
        .part("form-data; name=\"b.js\"; filename=\"b.js\"", Some("application/javascript"), b"");
    assert!(api.form(Method::PUT, SCRIPT, service_worker).await.refused(400, 10021).contains("b.js"));
    assert_eq!(api.checker.calls.load(std::sync::atomic::Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_file_that_would_be_lost_is_refused() {
    let api = api().await;
    let script =
        bundle::Part { name: "a.js".to_owned(), kind: PartKind::Module, bytes: Bytes::from_static(b"") };
    let whole = Bundle::new(vec![script]).unwrap().written();
    let form = Form::new()
        .part("form-data; name=\"metadata\"", None, br#"{"main_module":"a.js"}"#)
        .part("form-data; name=\"a.js\"; filename=\"a.js\"", None, &whole)
        .part("form-data; name=\"data.bin\"; filename=\"data.bin\"", None, b"x");
    assert!(api.form(Method::PUT, SCRIPT, form).await.refused(400, 10021).contains("data.bin"));
}

#[tokio::test]
async fn what_is_no_upload_is_refused() {
    let api = api().await;
    let no_metadata = Form::new().part("form-data; name=\"worker.wasm\"", None, &component("x"));
    assert!(api.form(Method::PUT, SCRIPT, no_metadata).await.refused(400, 10021).contains("metadata"));
    let bad_json =
        Form::new().part("form-data; name=\"metadata\"", None, b"{").part("form-data; name=\"w\"", None, b"");
    api.form(Method::PUT, SCRIPT, bad_json).await.refused(400, 10006);
    api.put(SCRIPT, &json!({"metadata": {"main_module": "worker.wasm"}})).await.refused(415, 10001);
    api.send(Method::PUT, SCRIPT, "multipart/form-data", "x").await.refused(400, 10006);
    api.send(Method::PUT, SCRIPT, Form::CONTENT_TYPE, "x").await.refused(400, 10006);
}

#[tokio::test]
async fn names_and_namespaces_are_checked_before_the_body_is_read() {
    let api = api().await;
    let metadata = json!({"main_module": "worker.wasm"});
    let at = |namespace: &str, script: &str| format!("{NAMESPACES}/{namespace}/scripts/{script}");
    let message = api.upload(&at("nowhere", "a"), &metadata, &component("x")).await.refused(404, 100_119);
    assert!(message.contains("nowhere"), "{message}");
    let message =
        api.upload(&at("production", "Not.Good"), &metadata, &component("x")).await.refused(400, 10004);
    assert!(message.contains("Not.Good"), "{message}");
    api.upload(&at("UPPER", "a"), &metadata, &component("x")).await.refused(400, 10004);
}

#[tokio::test]
async fn a_platform_script_is_uploaded_in_the_same_way() {
    let api = api().await;
    let metadata = json!({"main_module": "d.wasm", "bindings": [
        {"type": "dispatch_namespace", "name": "DISPATCHER", "namespace": "production",
         "outbound": {"worker": {"service": "out"}, "params": [{"name": "customer"}]}}]});
    let uploaded = api.upload(PLATFORM, &metadata, &component("d")).await.result();
    assert_eq!(uploaded["id"], "dispatcher");
    let settings = api.get(&format!("{PLATFORM}/settings")).await.result();
    assert_eq!(settings["bindings"], metadata["bindings"]);
}

/// A form of a main module and a component, as wrangler sends it.
fn carried(main: &str, text: &[u8], component_part: &str, bytes: &[u8]) -> Form {
    let metadata = json!({"main_module": main}).to_string();
    let file = |name: &str| format!("form-data; name=\"{name}\"; filename=\"{name}\"");
    Form::new()
        .part("form-data; name=\"metadata\"", None, metadata.as_bytes())
        .part(&file("shim.js"), Some("application/javascript+module"), text)
        .part(&file(component_part), Some("application/wasm"), bytes)
}

/// The files of a script, as `content` gives them.
async fn files(api: &Api) -> Vec<(String, Vec<u8>)> {
    let answer = api.get(&format!("{SCRIPT}/content")).await;
    let boundary = multipart::boundary(answer.headers["content-type"].to_str().unwrap()).unwrap().unwrap();
    let parts = multipart::parse(&answer.body, &boundary, 8).unwrap();
    parts.into_iter().map(|part| (part.name, part.content.to_vec())).collect()
}

#[tokio::test]
async fn a_main_module_that_only_passes_a_component_on_deploys_the_component_and_is_kept() {
    let api = api().await;
    let shim = b"// src/shim.js\nimport { default as default2 } from \"./0a1b-worker.wasm\";\nexport {\n  default2 as default\n};\n";
    let form = carried("shim.js", shim, "./0a1b-worker.wasm", &component("x"));
    let uploaded = api.form(Method::PUT, SCRIPT, form).await.result();
    assert_eq!((&uploaded["main_module"], &uploaded["size"]), (&json!("shim.js"), &json!(9)));
    let kept = [("shim.js".to_owned(), shim.to_vec()), ("0a1b-worker.wasm".to_owned(), component("x"))];
    assert_eq!(files(&api).await, kept);
    let bare = api.request(Method::GET, &format!("{SCRIPT}/content")).header("accept", "application/wasm");
    assert_eq!(api.raw(bare.body(axum::body::Body::empty()).unwrap()).await.body, component("x"));
    // Other files beside the same component are another content.
    let form = carried(
        "shim.js",
        b"export { default } from './0a1b-worker.wasm'",
        "0a1b-worker.wasm",
        &component("x"),
    );
    assert_ne!(api.form(Method::PUT, SCRIPT, form).await.result()["etag"], uploaded["etag"]);
}

#[tokio::test]
async fn a_main_module_that_is_the_component_keeps_what_comes_with_it() {
    let api = api().await;
    let form =
        carried("worker.wasm", b"export { default } from './worker.wasm'", "worker.wasm", &component("x"));
    api.form(Method::PUT, SCRIPT, form).await.result();
    let names: Vec<_> = files(&api).await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["worker.wasm", "shim.js"]);
    // The next one comes alone, and so it stays.
    api.upload(SCRIPT, &json!({"main_module": "worker.wasm"}), &component("x")).await.result();
    assert_eq!(files(&api).await.len(), 1);
}

#[tokio::test]
async fn javascript_that_does_more_with_a_component_is_told_what_it_can_do() {
    let api = api().await;
    let before = api.stored().await;
    let script = b"import worker from './worker.wasm'; export default { fetch: () => worker };";
    let form = carried("shim.js", script, "worker.wasm", &component("x"));
    let message = api.form(Method::PUT, SCRIPT, form).await.refused(400, 10021);
    assert!(
        message.contains("\"worker.wasm\" is a component") && message.contains("service binding"),
        "{message}"
    );
    assert_eq!(api.stored().await, before);
    // A module is imported as it always was.
    let form = carried("shim.js", script, "worker.wasm", CORE_MODULE);
    api.form(Method::PUT, SCRIPT, form).await.result();
    assert_eq!(files(&api).await.len(), 2);
}
