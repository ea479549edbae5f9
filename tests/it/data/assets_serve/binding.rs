//! The `ASSETS` binding: a script fetches its own files.

use http::Method;
use serde_json::json;

use super::{deploy, single_page_application};
use crate::support::{Server, body, guest, request, script_path};

const PLANS: &str = "The plans of the members.\n";

#[tokio::test]
async fn the_example_gives_members_their_files_and_everybody_the_page() {
    let server = single_page_application().await;
    let with_cookie = |path: &str| {
        let request = request(Method::GET, "app.localhost", path).header("cookie", "a=b; member=yes");
        server.send(request.body(body("")).unwrap())
    };
    let stranger = server.get("app.localhost", "/members/plans.txt").await;
    assert_eq!((stranger.status, stranger.text()), (401, "For members only.\n"));
    let member = with_cookie("/members/plans.txt").await;
    assert_eq!((member.status, member.text(), member.header("cache-control")), (200, PLANS, "private"));
    // What the assets make of a request is what the script gets: here, the page for what is not there.
    assert!(with_cookie("/members/missing").await.text().contains("<title>Notes</title>"));
    assert_eq!(server.get("app.localhost", "/api/notes/7").await.text(), "{\"id\":7,\"text\":\"Note 7\"}\n");
    let deep = server.get("app.localhost", "/notes/7").await;
    assert!(deep.status == 200 && deep.text().contains("<title>Notes</title>"));
    let program = server.get("app.localhost", "/app.3f9a2c1b.js").await;
    assert_eq!(program.header("cache-control"), "public, max-age=31536000, immutable");
}

#[tokio::test]
async fn a_script_reaches_its_own_files_only_and_pays_for_each_fetch() {
    let config = "[limits]\ncpu_ms = 10000\n[namespaces.production]\n[[routes]]\npattern = \"*.apps.test/*\"\nnamespace = \"production\"\n";
    let server = Server::serving(config).await;
    let api = server.api();
    let always = json!({ "run_worker_first": true });
    let member = |host: &'static str, path: &'static str| {
        let request = request(Method::GET, host, path).header("cookie", "member=yes");
        server.send(request.body(body("")).unwrap())
    };
    let guard = || Some(guest::bytes("spa_with_api"));
    let (one, two): (&[u8], &[u8]) = (b"file of one", b"file of two");
    deploy(&api, &script_path("one"), &[("/secret.txt", one, "text/plain")], always.clone(), guard()).await;
    deploy(&api, &script_path("two"), &[("/other.txt", two, "text/plain")], always, guard()).await;
    assert_eq!(member("one.apps.test", "/secret.txt").await.text(), "file of one");
    assert_eq!(member("two.apps.test", "/other.txt").await.text(), "file of two");
    assert_eq!(member("two.apps.test", "/secret.txt").await.status, 404, "another script's file");

    // Without the binding there is no way to them, even for their own script.
    let metadata = json!({ "main_module": "worker.wasm", "keep_assets": true });
    api.upload(&script_path("one"), &metadata, guest::bytes("spa_with_api")).await.result();
    let refused = member("one.apps.test", "/missing.txt").await;
    assert_eq!(refused.status, 500);
    server
        .logged("what was missing", |line| {
            line.to_string().contains("no binding named \\\"ASSETS\\\"")
                || line.to_string().contains("ASSETS")
        })
        .await;
}

#[tokio::test]
async fn a_fetch_over_the_limit_of_subrequests_is_an_error_that_the_script_sees_and_survives() {
    let config = "[limits]\ncpu_ms = 10000\n[namespaces.production.limits]\nsubrequests = 2\n\
                  [[routes]]\npattern = \"*.apps.test/*\"\nnamespace = \"production\"\n";
    let server = Server::serving(config).await;
    let first = json!({ "run_worker_first": ["/files"] });
    let file: (&str, &[u8], &str) = ("/file.txt", b"content", "text/plain");
    deploy(&server.api(), &script_path("own"), &[file], first, Some(guest::bytes("probe"))).await;
    let (fine, over) = ("file 200 content\n", "file ExceededSubrequests(");
    for (times, target, expected) in [
        (1, true, vec![fine, "target 200\n"]),
        // Whatever it is spent on, the budget is one.
        (2, true, vec![fine, fine, "target "]),
        (2, false, vec![fine, fine]),
        (4, false, vec![fine, fine, over, over]),
    ] {
        let mut asked = request(Method::GET, "own.apps.test", &format!("/files?times={times}"));
        if target {
            asked = asked.header("x-target", "http://own.apps.test/file.txt");
        }
        let answer = server.send(asked.body(body("")).unwrap()).await;
        let told: Vec<&str> = answer.text().split_inclusive('\n').collect();
        assert_eq!((answer.status, told.len()), (200, expected.len()), "{}", answer.text());
        for (line, expected) in told.iter().zip(&expected) {
            assert!(line.starts_with(expected), "{times}: {line}");
            assert_eq!(!line.contains("200"), line.contains("subrequests"), "a refusal says why: {line}");
        }
    }
    // A visitor's own request for the file is nobody's subrequest.
    assert_eq!(server.get("own.apps.test", "/file.txt").await.text(), "content");
}
