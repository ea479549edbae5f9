//! What changes in the folder is served as soon as it is ready; until then, and when it is broken, what was there.

use http::Method;

use crate::support::{Answer, Server, Site, body, eventually, request, wat};

const HOST: &str = "any.test";

/// One script, made by copying `src/in.wasm` to `out.wasm`.
const BUILT: &str = r#"
[limits]
cpu_ms = 10000
[scripts.site]
main = "out.wasm"
build = { command = "cp src/in.wasm out.wasm", watch = ["src"] }
[[routes]]
pattern = "*/*"
script = "site"
"#;

async fn browsed(server: &Server) -> Answer {
    let request = request(Method::GET, HOST, "/").header("accept", "text/html,application/xhtml+xml");
    server.send(request.body(body("")).unwrap()).await
}

/// Waits for an answer with this text. Until it comes there may be `before`, and nothing else.
async fn becomes(server: &Server, before: &str, text: &str) {
    eventually(text, || async {
        let answer = server.get(HOST, "/").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!([before, text].contains(&answer.text()), "{:?}", answer.text());
        (answer.text() == text).then_some(())
    })
    .await;
}

/// Waits for the first version: before it is deployed there is none.
async fn serves(server: &Server, text: &str) {
    eventually(text, || async { (server.get(HOST, "/").await.text() == text).then_some(()) }).await;
}

#[tokio::test]
async fn a_changed_component_is_served_without_a_gap() {
    let site = Site::new(
        "[limits]\ncpu_ms = 10000\n[scripts.site]\nmain = \"site.wasm\"\n[[routes]]\npattern = \"*/*\"\nscript = \"site\"\n",
    );
    site.write("site.wasm", wat::answer("one"));
    let server = site.dev().await;
    serves(&server, "one").await;
    site.write("site.wasm", wat::answer("two"));
    becomes(&server, "one", "two").await;
    // In place, as a linker writes: half of it may be seen, and must not be served.
    let three = wat::answer("three");
    let mut file = std::fs::File::create(site.path("site.wasm")).unwrap();
    for part in three.chunks(three.len() / 4) {
        std::io::Write::write_all(&mut file, part).unwrap();
        assert!(["two", "three"].contains(&server.get(HOST, "/").await.text()));
    }
    becomes(&server, "two", "three").await;
}

#[tokio::test]
async fn until_there_is_a_first_version_everybody_is_told_that_it_is_being_built() {
    let waits = BUILT.replace("cp src", "while ! test -e go; do sleep 0.05; done; cp src");
    let site = Site::new(&waits);
    site.write("src/in.wasm", wat::answer("one"));
    let server = site.dev().await;
    let told = server.get(HOST, "/").await;
    assert_eq!((told.status, told.header("retry-after")), (503, "1"));
    assert!(told.text().starts_with("site is being built, since "), "{}", told.text());
    let page = browsed(&server).await;
    assert_eq!((page.status, page.header("content-type")), (503, "text/html; charset=utf-8"));
    assert!(page.text().contains("http-equiv=\"refresh\""), "{}", page.text());
    assert_eq!(server.api().open("/health/ready").await.0, 503, "who waits for it waits for the scripts");
    site.write("go", "");
    let ready = async || (server.api().open("/health/ready").await.0 == 200).then_some(());
    eventually("it is ready", ready).await;
    assert_eq!(server.get(HOST, "/").await.text(), "one");
}

#[tokio::test]
async fn a_changed_source_is_built_and_served() {
    let site = Site::new(BUILT);
    site.write("src/in.wasm", wat::answer("one"));
    let server = site.dev().await;
    serves(&server, "one").await;
    site.write("src/in.wasm", wat::answer("two"));
    becomes(&server, "one", "two").await;
    server.noted("[site] building: cp src/in.wasm out.wasm").await;
}

#[tokio::test]
async fn a_broken_build_is_shown_in_the_browser_and_the_terminal_while_the_last_good_version_serves() {
    let site = Site::new(BUILT);
    site.write("src/in.wasm", wat::answer("good"));
    let server = site.dev().await;
    serves(&server, "good").await;
    assert_eq!(browsed(&server).await.text(), "good", "a browser sees the site while all is well");

    std::fs::remove_file(site.path("src/in.wasm")).unwrap();
    let page = eventually("the error page", || async {
        let page = browsed(&server).await;
        (page.status == 500).then_some(page)
    })
    .await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(page.text().contains("src/in.wasm"), "what `cp` said: {}", page.text());
    server.noted("[site] build failed: the last good version goes on serving").await;
    let other = server.get(HOST, "/").await;
    assert_eq!((other.status, other.text()), (200, "good"));

    site.write("src/in.wasm", wat::core_module());
    eventually("the refusal", || async {
        browsed(&server).await.text().contains("core WebAssembly module").then_some(())
    })
    .await;
    assert_eq!(server.get(HOST, "/").await.text(), "good");
    site.write("src/in.wasm", wat::wasi_0_3());
    eventually("the refusal of another WASI", || async {
        browsed(&server).await.text().contains("imports wasi:http/types@0.3.0").then_some(())
    })
    .await;

    site.write("src/in.wasm", wat::answer("repaired"));
    becomes(&server, "good", "repaired").await;
    let page = browsed(&server).await;
    assert_eq!((page.status, page.text()), (200, "repaired"), "the error page is gone");
}

#[tokio::test]
async fn a_changed_configuration_adds_and_removes_scripts_and_routes() {
    let script = |name: &str| format!("[scripts.{name}]\nmain = \"{name}.wasm\"\n");
    let route = |name: &str| format!("[[routes]]\npattern = \"{name}.test/*\"\nscript = \"{name}\"\n");
    let config = |names: &[&str]| {
        let scripts: String = names.iter().map(|name| script(name)).collect();
        format!(
            "[limits]\ncpu_ms = 10000\n{scripts}{}",
            names.iter().map(|name| route(name)).collect::<String>()
        )
    };
    let site = Site::new(&config(&["one"]));
    for name in ["one", "two"] {
        site.write(&format!("{name}.wasm"), wat::answer(name));
    }
    let server = site.dev().await;
    let answers = async |host: &str, text: &str| {
        eventually(text, || async { (server.get(host, "/").await.text() == text).then_some(()) }).await;
    };
    answers("one.test", "one").await;
    assert_eq!(server.get("two.test", "/").await.status, 404);

    site.write("wasmyard.toml", config(&["one", "two"]));
    answers("two.test", "two").await;

    site.write("wasmyard.toml", "[scripts.one]\nmian = \"one.wasm\"\n");
    server.noted("the configuration before stays in force").await;
    assert_eq!(server.get("two.test", "/").await.text(), "two");

    site.write("wasmyard.toml", config(&["two"]));
    eventually("one is gone", || async { (server.get("one.test", "/").await.status == 404).then_some(()) })
        .await;
    assert_eq!(server.get("two.test", "/").await.text(), "two");
}
