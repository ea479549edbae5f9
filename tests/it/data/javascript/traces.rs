//! Stack traces, told by the files that were written.

use http::Method;
use reqwest::multipart::{Form, Part};
use serde_json::Value;

use super::get;
use crate::support::{PLATFORM_SCRIPTS, Server, Site, body, eventually, request};

/// Says of every place of the second line that it was row 12, column 8 of `src/shop.ts`.
const MAP: &str = r#"{"version":3,"sources":["../src/shop.ts"],"sourcesContent":["mine alone"],"names":[],"mappings":";AAWO"}"#;
const PLACE: &str = "src/shop.ts:12:8";
const CONFIG: &str = "[[routes]]\npattern = \"*/*\"\nscript = \"shop\"\n";

/// As wrangler sends it.
fn form(source: &str) -> Form {
    let part = |text: &str, name: &'static str, kind| {
        Part::text(text.to_owned()).file_name(name).mime_str(kind).unwrap()
    };
    Form::new()
        .text("metadata", r#"{"main_module":"index.js"}"#)
        .part("index.js", part(source, "index.js", "application/javascript+module"))
        .part("index.js.map", part(MAP, "index.js.map", "application/source-map"))
}

/// What the log says of places in the script's files.
fn frames(server: &Server) -> Vec<String> {
    let text = |line: &str| {
        let line: Value = serde_json::from_str(line).ok()?;
        let text = line["message"].as_str()?;
        (text.trim_start().starts_with("at ") && !text.contains("eval_script")).then(|| text.to_owned())
    };
    server.log().lines().filter_map(text).collect()
}

#[tokio::test]
async fn the_log_shows_where_an_error_was_written_and_lines_keep_their_order() {
    let server = Server::serving(CONFIG).await;
    let throws = "export default {\n fetch() { console.log('before'); console.error(new Error('no')); console.log('after'); throw new Error('gone'); } };\n//# sourceMappingURL=index.js.map\n";
    let path = format!("{PLATFORM_SCRIPTS}/shop");
    server.api().form(&path, form(throws)).await.result();
    assert_eq!(get(&server, "a.test", "/").await.status, 500);
    let ended =
        server.logged("the end", |line| line["outcome"].is_string() && line["script"] == "shop").await;
    assert_eq!(ended["script"], "shop");
    let frames = frames(&server);
    assert_eq!(frames.len(), 2, "{}", server.log());
    for frame in frames {
        assert!(frame.contains(PLACE) && !frame.contains("index.js"), "{frame}: {}", server.log());
    }
    let log = server.log();
    let at = |text: &str| log.find(text).unwrap_or_else(|| panic!("{text}: {log}"));
    assert!(at("\"before\"") < at("Error: no") && at("Error: no") < at(PLACE), "{log}");
    assert!(at(PLACE) < at("\"after\"") && at("\"after\"") < at("Error: gone"), "{log}");
    assert!(!log.contains("mine alone"), "nobody is shown the source");
    // A script without a map has the places that it has.
    let plain = "export default {\n fetch() { throw new Error('plain'); } };\n";
    server.api().javascript(&path, plain).await.result();
    get(&server, "a.test", "/").await;
    server
        .logged("its frame", |line| {
            line["message"].as_str().is_some_and(|text| text.contains("worker.js:2:"))
        })
        .await;
}

#[tokio::test]
async fn whoever_uploads_or_develops_reads_where_a_top_level_was_written_that_throws() {
    let throws = "export default {};\nthrow new Error('at the top');\n//# sourceMappingURL=index.js.map\n";
    let server = Server::serving(CONFIG).await;
    let refused = server.api().form(&format!("{PLATFORM_SCRIPTS}/shop"), form(throws)).await;
    assert_eq!(refused.status, 400);
    assert!(refused.envelope.to_string().contains(PLACE), "{}", refused.envelope);

    let site = Site::new(&format!("[scripts.shop]\nmain = \"dist/index.js\"\n{CONFIG}"));
    site.write("dist/index.js", throws);
    site.write("dist/index.js.map", MAP);
    let server = site.dev().await;
    eventually("the page with the error", || async {
        let asked = request(Method::GET, "a.test", "/").header("accept", "text/html");
        let page = server.send(asked.body(body("")).unwrap()).await;
        page.text().contains(PLACE).then_some(())
    })
    .await;
    // An inline map says the same.
    let map = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, MAP);
    let inside = format!(
        "export default {{\n fetch() {{ throw new Error('inside'); }} }};\n//# sourceMappingURL=data:application/json;base64,{map}\n"
    );
    site.write("dist/index.js", inside);
    eventually("its answer", || async { (get(&server, "a.test", "/").await.status == 500).then_some(()) })
        .await;
    server.noted(&format!("at fetch ({PLACE})")).await;
}
