//! Static files as visitors get them: through routes, through a dispatcher, beside a script, and in a browser.
//! How they are uploaded is not the concern of these tests.

mod binding;
mod browser;
mod visitors;

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Api, Server, guest, script_path, within};

/// The files of an example, and perhaps a component, as the script that answers for `app.localhost`.
async fn example(name: &str, mut config: Value, component: Option<Vec<u8>>) -> Server {
    let server = Server::serving(
        "[limits]\ncpu_ms = 10000\n[namespaces.production]\n\
         [[routes]]\npattern = \"*.localhost/*\"\nnamespace = \"production\"\n",
    )
    .await;
    let mut found = Vec::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name).join("public");
    collect(&folder, "", &mut found);
    // Rules travel beside the files.
    found.retain(|(path, content)| {
        let rules = matches!(path.as_str(), "/_headers" | "/_redirects");
        if rules {
            config[&path[1..]] = json!(String::from_utf8_lossy(content));
        }
        !rules
    });
    let files: Vec<File<'_>> =
        found.iter().map(|(path, content)| (path.as_str(), content.as_slice(), kind(path))).collect();
    deploy(&server.api(), &script_path("app"), &files, config, component).await;
    server
}

fn collect(folder: &Path, under: &str, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{under}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            collect(&entry.path(), &path, found);
        } else {
            found.push((path, std::fs::read(entry.path()).unwrap()));
        }
    }
}

fn kind(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        _ => "text/plain; charset=utf-8",
    }
}

/// `examples/spa-with-api`, as its `wasmyard.toml` has it.
async fn single_page_application() -> Server {
    let config = json!({
        "not_found_handling": "single-page-application",
        "run_worker_first": ["/api/*", "/members/*"],
        "immutable_fingerprinted": true,
    });
    example("spa-with-api", config, Some(guest::bytes("spa_with_api"))).await
}

/// A file of an upload: path, content, type.
type File<'f> = (&'f str, &'f [u8], &'f str);

/// Uploads files and makes them the script's, with a component if there is one. The path is the script's.
async fn deploy(api: &Api, path: &str, files: &[File<'_>], config: Value, component: Option<Vec<u8>>) {
    let manifest: serde_json::Map<String, Value> = files
        .iter()
        .map(|(path, content, _)| ((*path).to_owned(), json!({"hash": hash(content), "size": content.len()})))
        .collect();
    let session = api.post(&format!("{path}/assets-upload-session"), &json!({ "manifest": manifest })).await;
    let mut token = session.result()["jwt"].as_str().unwrap().to_owned();
    for bucket in session.result()["buckets"].as_array().unwrap() {
        let mut form = reqwest::multipart::Form::new();
        for wanted in bucket.as_array().unwrap() {
            let wanted = wanted.as_str().unwrap().to_owned();
            let (_, content, kind) = files.iter().find(|(_, content, _)| hash(content) == wanted).unwrap();
            let part = reqwest::multipart::Part::text(base64(content)).file_name(wanted.clone());
            form = form.part(wanted, part.mime_str(kind).unwrap());
        }
        let upload = format!("{}/client/v4/accounts/0/workers/assets/upload?base64=true", api.url);
        let sent = reqwest::Client::builder().no_proxy().build().unwrap().post(upload).bearer_auth(&token);
        let answer: Value =
            within("an upload", sent.multipart(form).send()).await.unwrap().json().await.unwrap();
        assert_eq!(answer["success"], json!(true), "{answer}");
        if let Some(completion) = answer["result"]["jwt"].as_str().filter(|token| !token.is_empty()) {
            token = completion.to_owned();
        }
    }
    let mut metadata = json!({ "assets": { "jwt": token, "config": config } });
    let bindings = json!([{ "type": "assets", "name": "ASSETS" }]);
    match component {
        Some(component) => {
            metadata["main_module"] = json!("worker.wasm");
            metadata["bindings"] = bindings;
            api.upload(path, &metadata, component).await.result();
        }
        None => {
            let form = reqwest::multipart::Form::new().text("metadata", metadata.to_string());
            api.form(path, form).await.result();
        }
    }
}

/// Any 32 hex digits that go with the content will do.
fn hash(content: &[u8]) -> String {
    let (mut low, mut high) = (0xcbf2_9ce4_8422_2325_u64, 0x9e37_79b9_7f4a_7c15_u64);
    for byte in content {
        low = (low ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        high = high.rotate_left(5) ^ low;
    }
    format!("{low:016x}{high:016x}")
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().fold(0u32, |bits, byte| (bits << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}
