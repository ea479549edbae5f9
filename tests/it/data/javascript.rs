//! Scripts written in JavaScript.

mod apis;
mod cache;
mod hostile;
mod keys;
mod kv;
mod r2;
mod rpc;
mod seeds;
mod traces;
mod wasm;
mod web;

use http::Method;
use reqwest::multipart::{Form, Part};
use serde_json::json;

use crate::support::{Answer, PLATFORM_SCRIPTS, Server, Site, body, request};

/// A folder with JavaScript files, each a script, and a configuration.
async fn serving(files: &[(&str, &str)], config: &str) -> Server {
    let site = Site::new(config);
    for (name, source) in files {
        site.write(name, source);
    }
    site.serve().await
}

async fn get(server: &Server, host: &str, path: &str) -> Answer {
    server.send(request(Method::GET, host, path).body(body("")).unwrap()).await
}

/// A server with one script, on every host.
async fn alone(source: &str) -> Server {
    serving(
        &[("worker.js", source)],
        r#"
        [limits]
        cpu_ms = 10000
        [scripts.worker]
        main = "worker.js"
        [[routes]]
        pattern = "*/*"
        script = "worker"
        "#,
    )
    .await
}

#[tokio::test]
async fn a_script_that_throws_at_its_top_level_is_refused_with_what_it_says() {
    let server = alone("export default { fetch: () => new Response('before') }").await;
    let api = server.api();
    let path = format!("{PLATFORM_SCRIPTS}/worker");
    let upload = |source: &'static str| api.javascript(&path, source);
    for (source, told) in [
        ("throw new RangeError('boom at the top'); export default {}", "RangeError: boom at the top"),
        ("import './missing.js'; export default { fetch() {} }", "No such module \"./missing.js\""),
        ("export default { fetch() {} ", "SyntaxError"),
        ("export const x = 1", "no handler"),
        (
            "await new Promise(() => {}); export default { fetch() {} }",
            "Top-level await in module is unsettled",
        ),
        (
            "crypto.randomUUID(); export default { fetch() {} }",
            "Disallowed operation called within global scope",
        ),
        ("for (;;) {}", "top level takes more than 1000 ms of CPU time"),
        ("globalThis.a = new Uint8Array(40 << 20).fill(1); export default { fetch() {} }", "are allowed"),
        ("globalThis.a = []; for (;;) a.push(new Uint8Array(1 << 20).fill(1))", "memory"),
    ] {
        let reply = upload(source).await;
        assert_eq!(reply.status, 400, "{source}: {}", reply.envelope);
        assert!(
            reply.envelope.to_string().contains(&told.replace('"', "\\\"")),
            "{source}: {}",
            reply.envelope
        );
    }
    assert_eq!(get(&server, "a.test", "/").await.text(), "before", "what is refused changes nothing");
    let reply =
        upload("addEventListener('fetch', (event) => event.respondWith(new Response('older syntax')))").await;
    assert_eq!(reply.status, 200, "{}", reply.envelope);
    assert_eq!(get(&server, "a.test", "/").await.text(), "older syntax");
}

/// One instance's memory holds nothing of another's, whichever script and whatever became of it.
#[tokio::test]
async fn nothing_of_a_request_is_left_for_the_next() {
    let planted = r"
        let kept = 'empty';
        export default {
          async fetch(request) {
            const path = new URL(request.url).pathname;
            const before = [kept, globalThis.leak ?? 'none', Object.prototype.leak ?? 'none', [].leak ?? 'none'].join();
            kept = 'SECRET-' + path;
            globalThis.leak = kept;
            Object.prototype.leak = kept;
            Array.prototype.leak = kept;
            Promise.prototype.then = new Proxy(Promise.prototype.then, {});
            if (path === '/throw') throw new Error(kept);
            if (path === '/never') await new Promise(() => {});
            if (path === '/fill') { const all = []; for (let i = 0; i < 200; i++) all.push('SECRET'.repeat(1000) + i); }
            return new Response(before);
          },
        };
    ";
    let server = alone(planted).await;
    for path in ["/", "/throw", "/never", "/fill", "/", "/fill", "/"] {
        let answer = get(&server, "a.test", path).await;
        if answer.status == 200 {
            assert_eq!(answer.text(), "empty,none,none,none", "{path}");
        }
        assert!(!answer.text().contains("SECRET"), "{path}: {}", answer.text());
    }
}

/// As wrangler sends a project: a form that names the script, and questions about workers.dev behind it.
#[tokio::test]
async fn a_script_in_the_older_syntax_comes_in_a_form_and_has_its_variables_as_globals() {
    let server = alone("export default { fetch: () => new Response('before') }").await;
    let api = server.api();
    let path = format!("{PLATFORM_SCRIPTS}/worker");
    let form = |metadata: serde_json::Value, files: &[(&'static str, &'static str)]| {
        let mut form = Form::new().text("metadata", metadata.to_string());
        for (name, source) in files {
            let part = Part::text(*source).file_name(*name).mime_str("application/javascript").unwrap();
            form = form.part(*name, part);
        }
        form
    };
    let older = "addEventListener('fetch', (event) => event.respondWith(new Response(`${event.request.method} ${GREETING}`)))";
    let greeting = json!([{"type": "plain_text", "name": "GREETING", "text": "older"}]);
    let metadata = json!({"body_part": "sw.js", "bindings": greeting});
    api.form(&path, form(metadata, &[("sw.js", older)])).await.result();
    assert_eq!(get(&server, "a.test", "/").await.text(), "GET older");
    for (metadata, files, says) in [
        (json!({"body_part": "sw.js"}), &[("sw.js", older), ("b.js", "1")][..], "imports nothing"),
        (json!({"body_part": "sw.js", "main_module": "sw.js"}), &[("sw.js", older)], "body_part"),
        (json!({"body_part": "other.js"}), &[("sw.js", older)], "other.js"),
    ] {
        let refused = api.form(&path, form(metadata, files)).await;
        assert!(refused.refused(400, 10021).contains(says), "{}", refused.envelope);
    }
    assert_eq!(get(&server, "a.test", "/").await.text(), "GET older", "what was refused changes nothing");

    let off = json!({"enabled": false, "previews_enabled": false});
    assert_eq!(*api.get(&format!("{path}/subdomain")).await.result(), off);
    let asked = api.post(&format!("{path}/subdomain"), &json!({"enabled": true})).await;
    assert_eq!(*asked.result(), off);
    assert!(
        asked.envelope["messages"][0]["message"].as_str().unwrap().contains("route"),
        "{}",
        asked.envelope
    );
    api.get(&format!("{PLATFORM_SCRIPTS}/nobody/subdomain")).await.refused(404, 10007);
    let workers = PLATFORM_SCRIPTS.trim_end_matches("/scripts");
    assert!(api.get(&format!("{workers}/subdomain")).await.result()["subdomain"].is_string());
    let worker = api.get(&format!("{workers}/workers/worker")).await.result().clone();
    assert_eq!((&worker["name"], &worker["subdomain"]), (&json!("worker"), &off));
}
