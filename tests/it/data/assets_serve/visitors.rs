//! Who gets which file, over real sockets.

use http::Method;
use serde_json::json;

use super::{deploy, example};
use crate::support::{Server, body, eventually, guest, request, script_path};

const PAGE: &str = "text/html; charset=utf-8";

/// A namespace that is reached by host name, and through a dispatcher by another one.
async fn platform() -> Server {
    let config = format!(
        "[limits]\ncpu_ms = 10000\n[namespaces.production]\n\
         [scripts.dispatcher]\n{}\n\
         bindings = [{{ type = \"dispatch_namespace\", name = \"DISPATCHER\", namespace = \"production\" }}]\n\
         [[routes]]\npattern = \"*.apps.test/*\"\nnamespace = \"production\"\n\
         [[routes]]\npattern = \"*.dispatched.test/*\"\nscript = \"dispatcher\"\n",
        guest::main("dispatcher_subdomain")
    );
    Server::serving(&config).await
}

#[tokio::test]
async fn files_are_served_by_route_and_through_a_dispatcher_and_no_script_runs_for_them() {
    let server = platform().await;
    let files: [super::File<'_>; 2] =
        [("/index.html", b"<h1>shop</h1>", PAGE), ("/a b.txt", b"text", "text/plain")];
    deploy(&server.api(), &script_path("shop"), &files, json!({}), Some(guest::bytes("hello"))).await;
    for host in ["shop.apps.test", "shop.dispatched.test"] {
        let page = server.get(host, "/").await;
        assert_eq!(
            (page.status, page.text(), page.header("content-type")),
            (200, "<h1>shop</h1>", PAGE),
            "{host}"
        );
        assert_eq!(page.header("content-length"), "13");
        let text = server.get(host, "/a%20b.txt").await;
        assert_eq!((text.status, text.text()), (200, "text"), "{host}");
        let moved = server.get(host, "/index.html?q=1").await;
        assert_eq!((moved.status, moved.header("location")), (307, "/?q=1"), "{host}");
        let known = request(Method::GET, host, "/").header("if-none-match", page.header("etag"));
        assert_eq!(server.send(known.body(body("")).unwrap()).await.status, 304, "{host}");
        let part = request(Method::GET, host, "/").header("range", "bytes=1-2").body(body("")).unwrap();
        let part = server.send(part).await;
        assert_eq!(
            (part.status, part.text(), part.header("content-range")),
            (206, "h1", "bytes 1-2/13"),
            "{host}"
        );
        let head = server.send(request(Method::HEAD, host, "/").body(body("")).unwrap()).await;
        assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, "13", 0), "{host}");
        let posted = server.send(request(Method::POST, host, "/").body(body("x")).unwrap()).await;
        assert_eq!(posted.status, 405, "{host}");
    }
    assert_eq!(server.total(r#"wasmyard_invocations_total{kind="user",outcome="ok"}"#).await, 0.0);
    // What is no file is the script's.
    let answer = server.get("shop.apps.test", "/elsewhere").await;
    assert_eq!(answer.text(), "Hello from Wasmyard!\n");
    assert_eq!(server.total(r#"wasmyard_invocations_total{kind="user",outcome="ok"}"#).await, 1.0);
}

#[tokio::test]
async fn a_script_of_files_alone_answers_everything_and_a_new_version_is_seen_at_once() {
    let server = platform().await;
    let api = server.api();
    let config = json!({ "not_found_handling": "single-page-application" });
    deploy(&api, &script_path("spa"), &[("/index.html", b"one", PAGE)], config.clone(), None).await;
    assert_eq!(server.get("spa.apps.test", "/deep/link").await.text(), "one");
    deploy(&api, &script_path("spa"), &[("/index.html", b"two", PAGE)], config, None).await;
    assert_eq!(server.get("spa.apps.test", "/deep/link").await.text(), "two");
    deploy(&api, &script_path("spa"), &[("/a.html", b"a", PAGE)], json!({}), None).await;
    let missing = server.get("spa.apps.test", "/deep/link").await;
    assert_eq!((missing.status, missing.text()), (404, ""));
}

#[tokio::test]
async fn variants_are_negotiated_over_the_wire() {
    let server = platform().await;
    let page = "<p>All work and no play makes Jack a dull boy.</p>\n".repeat(400);
    deploy(&server.api(), &script_path("site"), &[("/index.html", page.as_bytes(), PAGE)], json!({}), None)
        .await;
    let accepting = |encoding: &'static str| {
        let request = request(Method::GET, "site.apps.test", "/").header("accept-encoding", encoding);
        server.send(request.body(body("")).unwrap())
    };
    let small = eventually("a brotli variant", || async {
        Some(accepting("br, gzip;q=0.5").await).filter(|answer| answer.header("content-encoding") == "br")
    })
    .await;
    assert!(small.body.len() < page.len() / 10, "{}", small.body.len());
    assert_eq!(small.header("vary"), "accept-encoding");
    let plain = accepting("identity").await;
    assert_eq!((plain.text(), plain.header("vary")), (page.as_str(), "accept-encoding"));
    assert_ne!(plain.header("etag"), small.header("etag"));
}

#[tokio::test]
async fn a_large_file_streams_whole() {
    let server = platform().await;
    let content: Vec<u8> = (0..6u32 << 20).map(|n| (n >> 7) as u8 ^ n as u8).collect();
    deploy(&server.api(), &script_path("site"), &[("/film.mp4", &content, "video/mp4")], json!({}), None)
        .await;
    for _ in 0..2 {
        let answer = server.get("site.apps.test", "/film.mp4").await;
        assert!(answer.status == 200 && answer.body == content);
    }
    let mut connection = crate::support::Connection::http2(server.visitors).await;
    assert!(connection.get("site.apps.test", "/film.mp4").await.body == content);
}

#[tokio::test]
async fn the_example_site_does_what_its_page_says() {
    let server = example("static-site", json!({ "not_found_handling": "404-page" }), None).await;
    let get = |path: &'static str| server.get("app.localhost", path);
    assert!(get("/").await.text().contains("A small site"));
    assert!(get("/about").await.text().contains("About"));
    for (path, status, location) in [
        ("/about.html", 307, "/about"),
        ("/blog", 307, "/blog/"),
        ("/posts/first", 301, "/blog/first"),
        ("/on/2024/first", 302, "/blog/first?year=2024"),
    ] {
        let answer = get(path).await;
        assert_eq!((answer.status, answer.header("location")), (status, location), "{path}");
    }
    let lost = get("/blog/nothing").await;
    assert!(lost.status == 404 && lost.text().contains("No such post"));
    assert!(get("/latest").await.text().contains("The first post"));
    let style = get("/style.css").await;
    assert_eq!(style.header("cache-control"), "public, max-age=600");
    assert_eq!(style.header("x-content-type-options"), "nosniff");
    assert_eq!(get("/_headers").await.status, 404, "rules are not files");
}
