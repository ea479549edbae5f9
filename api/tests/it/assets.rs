//! Uploads of assets: the three steps as clients send them.

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{Method, Request};
use serde_json::{Map, Value, json};
use wasmyard_namespaces::{AssetContent, Digest, ScriptKey};

use crate::common::{Answer, Api, Form, NAMESPACES, PLATFORM, SCRIPT, component};

mod refused;

const UPLOAD: &str = "/client/v4/accounts/acc1/workers/assets/upload?base64=true";
const SITE: [(&str, &str); 4] = [
    ("/404.html", "nf\n"),
    ("/about/index.html", "<h1>about</h1>\n"),
    ("/index.html", "<h1>home</h1>\n"),
    ("/style.css", "body{}\n"),
];

async fn api() -> Api {
    let api = Api::new().await;
    api.with_namespace().await;
    api
}

/// As the seed's example makes it: the first half of a SHA-256.
fn hash(content: &str) -> String {
    Digest::of(content.as_bytes()).to_string()[..32].to_owned()
}

fn manifest(files: &[(&str, &str)]) -> Value {
    let entries = files
        .iter()
        .map(|(path, content)| ((*path).to_owned(), json!({"hash": hash(content), "size": content.len()})));
    json!({ "manifest": entries.collect::<Map<String, Value>>() })
}

async fn begin(api: &Api, script: &str, files: &[(&str, &str)]) -> (String, Vec<Vec<String>>) {
    let begun = api.post(&format!("{script}/assets-upload-session"), &manifest(files)).await.result();
    let jwt = begun["jwt"].as_str().unwrap().to_owned();
    (jwt, serde_json::from_value(begun["buckets"].clone()).unwrap())
}

async fn send(api: &Api, token: &str, form: Vec<u8>) -> Answer {
    let request = Request::builder()
        .method(Method::POST)
        .uri(UPLOAD)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", Form::CONTENT_TYPE);
    api.raw(request.body(Body::from(form)).unwrap()).await
}

/// A part as wrangler sends it.
fn part(form: Form, content: &str, content_type: &str) -> Form {
    let hash = hash(content);
    let disposition = format!("form-data; name=\"{hash}\"; filename=\"{hash}\"");
    form.part(&disposition, Some(content_type), BASE64.encode(content).as_bytes())
}

fn contents(contents: &[&str]) -> Vec<u8> {
    contents.iter().fold(Form::new(), |form, content| part(form, content, type_of(content))).end()
}

/// As wrangler tells it: by the name of the file that has the content.
fn type_of(content: &str) -> &'static str {
    match SITE.iter().find(|(_, known)| *known == content) {
        Some((path, _)) if path.ends_with(".css") => "text/css; charset=utf-8",
        Some(_) | None => "text/html; charset=utf-8",
    }
}

/// The envelope of a success, with its status.
fn taken(answer: &Answer, status: u16) -> Value {
    let envelope = answer.json();
    assert_eq!((answer.status.as_u16(), &envelope["success"]), (status, &json!(true)), "{envelope}");
    envelope["result"].clone()
}

async fn completed(api: &Api, script: &str, files: &[(&str, &str)]) -> String {
    let (jwt, buckets) = begin(api, script, files).await;
    let mut last = jwt;
    for bucket in &buckets {
        let wanted: Vec<&str> = bucket
            .iter()
            .map(|wanted| files.iter().find(|(_, content)| hash(content) == *wanted).unwrap().1)
            .collect();
        let answer = send(api, &last, contents(&wanted)).await;
        if let Some(jwt) = taken(&answer, answer.status.as_u16())["jwt"].as_str() {
            last = jwt.to_owned();
        }
    }
    last
}

async fn deploy(api: &Api, script: &str, metadata: &Value) -> Answer {
    let form = Form::new().part("form-data; name=\"metadata\"", None, metadata.to_string().as_bytes());
    api.form(Method::PUT, script, form).await
}

fn key() -> ScriptKey {
    ScriptKey::user("production".parse().unwrap(), "customer-a".parse().unwrap())
}

/// Path, content type and content of all that a script serves.
async fn served(api: &Api, key: &ScriptKey) -> Vec<(String, Option<String>, String)> {
    let script = api.registry.script(key).await.unwrap().unwrap();
    let assets = script.version.assets.clone().unwrap();
    let manifest = api.registry.manifest(&assets.manifest).await.unwrap();
    let mut served = Vec::new();
    for (path, entry) in manifest.iter() {
        let content = match api.registry.asset(&assets.scope, &entry.digest).await.unwrap() {
            AssetContent::Memory(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            AssetContent::File { .. } => unreachable!("there is no disk"),
        };
        served.push((path.to_owned(), entry.content_type.as_ref().map(ToString::to_string), content));
    }
    served
}

fn paths_and_contents(served: &[(String, Option<String>, String)]) -> Vec<(&str, &str)> {
    served.iter().map(|(path, _, content)| (path.as_str(), content.as_str())).collect()
}

#[tokio::test]
async fn wrangler_deploys_code_and_assets_and_then_only_what_changed() {
    let api = api().await;
    // Session: everything is asked for.
    let (session, buckets) = begin(&api, SCRIPT, &SITE).await;
    assert_eq!(session.split('.').count(), 3);
    let asked: Vec<String> = buckets.concat();
    assert_eq!(asked, SITE.map(|(_, content)| hash(content)));
    // One request for the bucket: done.
    let form = [
        ("nf\n", "text/html; charset=utf-8"),
        ("<h1>about</h1>\n", "text/html; charset=utf-8"),
        ("<h1>home</h1>\n", "text/html; charset=utf-8"),
        ("body{}\n", "text/css; charset=utf-8"),
    ]
    .iter()
    .fold(Form::new(), |form, (content, content_type)| part(form, content, content_type));
    let done = taken(&send(&api, &session, form.end()).await, 201);
    let completion = done["jwt"].as_str().unwrap();
    // The account script is asked for, and the script uploaded with its code.
    api.get("/client/v4/accounts/acc1/workers/scripts/customer-a/settings").await.refused(404, 10007);
    let metadata = json!({"main_module": "index.wasm", "bindings": [{"name": "ASSETS", "type": "assets"}],
        "compatibility_date": "2025-06-01", "compatibility_flags": [],
        "assets": {"jwt": completion, "config": {"html_handling": "auto-trailing-slash", "not_found_handling": "404-page",
            "run_worker_first": ["/api/*", "!/api/static/*"], "_redirects": "/old /new 302\n", "_headers": "/*\n  X-Test: 1\n"}}});
    let at = format!("{SCRIPT}?excludeScript=true&bindings_inherit=strict");
    let uploaded = api.upload(&at, &metadata, &component("x")).await.result();
    assert_eq!((&uploaded["has_assets"], &uploaded["has_modules"]), (&json!(true), &json!(true)));
    assert_eq!(uploaded["assets"]["files"], 4);
    assert_eq!(uploaded["assets"]["config"], metadata["assets"]["config"]);
    let now = served(&api, &key()).await;
    assert_eq!(paths_and_contents(&now), SITE);
    assert_eq!(now[3].1.as_deref(), Some("text/css; charset=utf-8"));
    let shown = api.get(SCRIPT).await.result();
    assert_eq!((&shown["script"]["has_assets"], &shown["script"]["etag"]), (&json!(true), &uploaded["etag"]));
    let bindings = api.get(&format!("{SCRIPT}/bindings")).await.result();
    assert_eq!(bindings, json!([{"name": "ASSETS", "type": "assets"}]));

    // Again: nothing is missing, and the session's token is the completion token.
    let (jwt, buckets) = begin(&api, SCRIPT, &SITE).await;
    assert_eq!(buckets, Vec::<Vec<String>>::new());
    let metadata = json!({"main_module": "index.wasm", "assets": {"jwt": jwt}});
    let again = api.upload(SCRIPT, &metadata, &component("x")).await.result();
    assert_eq!(again["assets"]["config"]["html_handling"], "auto-trailing-slash");
    // One file changed: it alone is asked for.
    let changed = [SITE[0], SITE[1], ("/index.html", "new"), SITE[3]];
    let (_, buckets) = begin(&api, SCRIPT, &changed).await;
    assert_eq!(buckets, [[hash("new")]]);
}

#[tokio::test]
async fn a_script_may_be_assets_alone() {
    let api = api().await;
    let jwt = completed(&api, SCRIPT, &SITE).await;
    let metadata = json!({"assets": {"jwt": jwt, "config": {"not_found_handling": "single-page-application"}},
        "compatibility_date": "2025-06-01", "compatibility_flags": []});
    let uploaded = deploy(&api, SCRIPT, &metadata).await.result();
    assert_eq!((&uploaded["has_assets"], &uploaded["has_modules"]), (&json!(true), &json!(false)));
    assert_eq!((&uploaded["size"], &uploaded["main_module"]), (&json!(0), &json!("")));
    assert_eq!(paths_and_contents(&served(&api, &key()).await), SITE);
    assert!(api.get(&format!("{SCRIPT}/content")).await.refused(400, 10021).contains("no component"));
}

#[tokio::test]
async fn platform_scripts_have_assets_too_in_a_scope_of_their_own() {
    let api = api().await;
    completed(&api, SCRIPT, &SITE).await;
    let (_, buckets) = begin(&api, PLATFORM, &SITE).await;
    assert_eq!(buckets.concat().len(), 4, "nothing of a namespace is shared with what is outside");
    let jwt = completed(&api, PLATFORM, &SITE).await;
    deploy(&api, PLATFORM, &json!({"assets": {"jwt": jwt}})).await.result();
    let platform = ScriptKey::Platform("dispatcher".parse().unwrap());
    assert_eq!(paths_and_contents(&served(&api, &platform).await), SITE);
    let versions = api.get(&format!("{PLATFORM}/versions")).await.result();
    assert_eq!(versions["items"][0]["resources"]["script"]["has_assets"], true);
    // Another namespace shares nothing either; another script of the same one shares all.
    api.post(NAMESPACES, &json!({"name": "staging"})).await.result();
    let at = |namespace: &str| format!("{NAMESPACES}/{namespace}/scripts/other");
    assert_eq!(begin(&api, &at("staging"), &SITE).await.1.concat().len(), 4);
    assert_eq!(begin(&api, &at("production"), &SITE).await.1.concat().len(), 0);
}

#[tokio::test]
async fn code_and_assets_stay_or_go_as_the_upload_says() {
    let api = api().await;
    let jwt = completed(&api, SCRIPT, &SITE).await;
    let config = json!({"html_handling": "none"});
    let metadata = json!({"main_module": "w.wasm", "assets": {"jwt": jwt, "config": config}});
    let first = api.upload(SCRIPT, &metadata, &component("x")).await.result();
    // New code, the same assets.
    let keep = json!({"main_module": "w.wasm", "keep_assets": true});
    let second = api.upload(SCRIPT, &keep, &component("y")).await.result();
    assert_eq!(second["assets"], first["assets"]);
    // The same assets served in another way.
    let other = json!({"main_module": "w.wasm", "keep_assets": true, "assets": {"config": {"html_handling": "drop-trailing-slash"}}});
    let third = deploy(&api, SCRIPT, &other).await.result();
    assert_eq!(third["assets"]["config"]["html_handling"], "drop-trailing-slash");
    assert_eq!((&third["size"], &third["has_modules"]), (&second["size"], &json!(true)));
    // New assets, the same code: named and not sent.
    let jwt = completed(&api, SCRIPT, &SITE[..1]).await;
    let fourth =
        deploy(&api, SCRIPT, &json!({"main_module": "w.wasm", "assets": {"jwt": jwt}})).await.result();
    assert_eq!((&fourth["assets"]["files"], &fourth["size"]), (&json!(1), &second["size"]));
    // Code by itself is replaced without touching the assets.
    let form = Form::new().part("form-data; name=\"metadata\"", None, br#"{"main_module":"w.wasm"}"#).part(
        "form-data; name=\"w.wasm\"; filename=\"w.wasm\"",
        None,
        &component("z"),
    );
    let replaced = api.form(Method::PUT, &format!("{SCRIPT}/content"), form).await.result();
    assert_eq!(replaced["assets"], fourth["assets"]);
    // Settings leave both alone.
    api.patch(&format!("{SCRIPT}/settings"), &json!({"tags": ["a"]})).await.result();
    assert_eq!(api.get(SCRIPT).await.result()["script"]["assets"], fourth["assets"]);
    // Nothing said: no assets.
    let last = api.upload(SCRIPT, &json!({"main_module": "w.wasm"}), &component("y")).await.result();
    assert_eq!((&last["has_assets"], last.get("assets")), (&json!(false), None));
}

#[tokio::test]
async fn contents_come_in_any_number_of_requests_at_the_same_time_and_in_any_shape() {
    let api = api().await;
    let (session, _) = begin(&api, SCRIPT, &SITE).await;
    // curl, as the seed shows it: a field without type; the name decides. Twice does not matter.
    for _ in 0..2 {
        let form = Form::new().part(
            &format!("form-data; name=\"{}\"", hash("body{}\n")),
            None,
            BASE64.encode("body{}\n").as_bytes(),
        );
        assert_eq!(taken(&send(&api, &session, form.end()).await, 202), json!({}));
    }
    // SDKs: no file name. Without a type, by wrangler's word for it; and with lines, as base64 writes them.
    let form = Form::new()
        .part(&format!("form-data; name=\"{}\"", hash("nf\n")), Some("application/null"), b"bmYK\n")
        .part("form-data; name=\"x\"; name*=ignored", None, b"");
    send(&api, &session, form.end()).await.refused(400, 90013);
    let both = futures::future::join(
        send(&api, &session, contents(&["<h1>about</h1>\n"])),
        send(&api, &session, contents(&["<h1>home</h1>\n"])),
    );
    let (one, other) = both.await;
    let jwts: Vec<Value> = [one, other].iter().map(|answer| answer.json()["result"]["jwt"].clone()).collect();
    let jwt = jwts.iter().find_map(Value::as_str).expect("whoever came last has the token");
    deploy(&api, SCRIPT, &json!({"assets": {"jwt": jwt}})).await.result();
    let types: Vec<_> =
        served(&api, &key()).await.into_iter().map(|(_, content_type, _)| content_type).collect();
    let html = Some("text/html; charset=utf-8".to_owned());
    assert_eq!(types, [None, html.clone(), html, Some("text/css; charset=utf-8".to_owned())]);
}

#[tokio::test]
async fn an_upload_that_was_cut_is_resumed_with_what_is_missing() {
    let api = api().await;
    let (session, _) = begin(&api, SCRIPT, &SITE).await;
    let whole = contents(&SITE.map(|(_, content)| content));
    let cut = whole.len() - 180;
    send(&api, &session, whole[..cut].to_vec()).await.refused(400, 10006);
    let (again, buckets) = begin(&api, SCRIPT, &SITE).await;
    let missing = buckets.concat();
    assert!((1..4).contains(&missing.len()), "{missing:?}");
    assert_eq!(missing.last(), Some(&hash("body{}\n")), "what was cut off is not there");
    let wanted: Vec<&str> =
        SITE.iter().map(|(_, content)| *content).filter(|content| missing.contains(&hash(content))).collect();
    let jwt = taken(&send(&api, &again, contents(&wanted)).await, 201)["jwt"].as_str().unwrap().to_owned();
    deploy(&api, SCRIPT, &json!({"assets": {"jwt": jwt}})).await.result();
    assert_eq!(paths_and_contents(&served(&api, &key()).await), SITE);
    // The session that was cut is whole by now as well, and its token good.
    assert!(taken(&send(&api, &session, contents(&["nf\n"])).await, 201)["jwt"].is_string());
}

#[tokio::test]
async fn the_largest_file_is_taken() {
    let api = api().await;
    let content = "x".repeat(25 << 20);
    let files = [("/large.bin", content.as_str())];
    let jwt = completed(&api, SCRIPT, &files).await;
    let uploaded = deploy(&api, SCRIPT, &json!({"assets": {"jwt": jwt}})).await.result();
    assert_eq!(uploaded["assets"]["bytes"], 25 << 20);
}

#[tokio::test]
async fn twenty_thousand_files_are_one_session() {
    let api = api().await;
    let names: Vec<String> = (0..20_000).map(|n| format!("/assets/{n:05}.js")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), name.as_str())).collect();
    let started = std::time::Instant::now();
    let (_, buckets) = begin(&api, SCRIPT, &files).await;
    println!("session of 20,000 files through the API: {:?}", started.elapsed());
    assert_eq!((buckets.len(), buckets.concat().len()), (80, 20_000));
}
