//! Objects: a component that keeps files in a bucket, and the commands for whoever is at a terminal.

use http::Method;
use serde_json::Value;

use crate::support::{Answer, Server, Site, body, guest, request};

fn config() -> String {
    format!(
        r#"
        [limits]
        cpu_ms = 10000
        [scripts.files]
        {}
        r2_buckets = [{{ binding = "FILES", bucket_name = "files" }}]
        [[routes]]
        pattern = "*/*"
        script = "files"
        "#,
        guest::main("r2")
    )
}

async fn ask(server: &Server, method: Method, path: &str, content: &str) -> Answer {
    let request = request(method, "a.test", path).header("content-type", "text/x-own");
    server.send(request.body(body(content.to_owned())).unwrap()).await
}

#[tokio::test]
async fn a_component_keeps_files_that_pass_in_pieces() {
    let server = Server::serving(&config()).await;
    let content = "0123456789".repeat(50_000);
    let put = ask(&server, Method::PUT, "/pets/cat.txt", &content).await;
    assert_eq!((put.status, put.text().len()), (200, 32), "{}", put.text());
    let got = ask(&server, Method::GET, "/pets/cat.txt", "").await;
    assert_eq!((got.status, got.text() == content), (200, true));
    assert_eq!(got.headers["content-type"], "text/x-own");
    assert_eq!(ask(&server, Method::GET, "/", "").await.text(), "pets/\n");
    assert_eq!(ask(&server, Method::GET, "/?prefix=pets/", "").await.text(), "pets/cat.txt\n");
    assert_eq!(ask(&server, Method::DELETE, "/pets/cat.txt", "").await.status, 204);
    assert_eq!(ask(&server, Method::GET, "/pets/cat.txt", "").await.status, 404);
}

#[tokio::test]
async fn buckets_and_objects_at_the_terminal() {
    let site = Site::new("");
    let server = site.serve().await;
    let url = server.api().url.clone();
    let run = async |words: &[&str]| {
        let done = site.run(&[words, &["--api-url", &url]].concat()).await;
        (done.status.success(), String::from_utf8(done.stdout).unwrap())
    };
    site.write("cat.txt", "purr");
    assert!(run(&["r2", "bucket", "create", "pets"]).await.0);
    assert!(run(&["r2", "bucket", "list"]).await.1.contains("pets"));
    assert!(
        run(&["r2", "object", "put", "pets", "a/cat", "cat.txt", "--content-type", "text/x-own"]).await.0
    );
    let listed: Value =
        serde_json::from_str(&run(&["r2", "object", "list", "pets", "--json"]).await.1).unwrap();
    assert_eq!(
        (&listed[0]["key"], &listed[0]["http_metadata"]["contentType"]),
        (&"a/cat".into(), &"text/x-own".into())
    );
    assert!(run(&["r2", "object", "get", "pets", "a/cat", "again.txt"]).await.0);
    assert_eq!(std::fs::read_to_string(site.path("again.txt")).unwrap(), "purr");
    assert!(!run(&["r2", "object", "get", "pets", "nobody", "again.txt"]).await.0);
    assert!(!run(&["r2", "bucket", "delete", "pets"]).await.0, "it holds an object");
    assert!(run(&["r2", "object", "delete", "pets", "a/cat"]).await.0);
    assert!(run(&["r2", "bucket", "delete", "pets"]).await.0);
    let key: Value = serde_json::from_str(&run(&["r2", "key", "--json"]).await.1).unwrap();
    assert_eq!(key["secret_access_key"].as_str().unwrap().len(), 64);
}
