//! Buckets that a script is bound to: what each call of the binding gives, and that nobody reaches a bucket of another.

use http::Method;
use serde_json::{Value, json};

use super::{get, serving};
use crate::support::{PLATFORM_SCRIPTS, Server, body, request};

const SCRIPT: &str = include_str!("r2.js");
const BUCKETS: &str = "/client/v4/accounts/0/r2/buckets";

const CONFIG: &str = r#"
    [limits]
    cpu_ms = 10000
    subrequests = 60
    [scripts.worker]
    main = "worker.js"
    r2_buckets = [{ binding = "B", bucket_name = "of-worker" }]
    [scripts.other]
    main = "worker.js"
    bindings = [{ type = "r2_bucket", name = "B", bucket_name = "of-other" }]
    [[routes]]
    pattern = "a.test/*"
    script = "worker"
    [[routes]]
    pattern = "b.test/*"
    script = "other"
"#;

async fn served() -> Server {
    serving(&[("worker.js", SCRIPT)], CONFIG).await
}

async fn said(server: &Server, path: &str) -> Value {
    let answer = get(server, "a.test", path).await;
    assert_eq!(answer.status, 200, "{path}: {}\n{}", answer.text(), server.log());
    serde_json::from_slice(&answer.body).unwrap()
}

#[tokio::test]
async fn an_object_comes_back_with_all_that_was_put_beside_it() {
    let server = served().await;
    let object = json!({
        "key": "a/å b", "size": 5, "etag": "5d41402abc4b2a76b9719d911017c592",
        "httpEtag": "\"5d41402abc4b2a76b9719d911017c592\"", "version": "string", "uploaded": true,
        "httpMetadata": {"contentType": "text/plain", "cacheExpiry": "1970-01-02T00:00:00.000Z"},
        "customMetadata": {"by": "me"}, "storageClass": "Standard",
        "checksums": {
            "md5": "5d41402abc4b2a76b9719d911017c592", "sha1": "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"
        },
    });
    let mut got = object.clone();
    got["range"] = json!({"offset": 0, "length": 5});
    let headers = json!([["content-type", "text/plain"], ["expires", "Fri, 02 Jan 1970 00:00:00 GMT"]]);
    let expected = json!([object, got, "hello", true, headers, object, null, null]);
    assert_eq!(said(&server, "/whole").await, expected);
    let values = json!([
        "text",
        "buffer",
        "ab",
        "blob",
        "",
        "body",
        "put: the value is a string, an ArrayBuffer, a view of one, a Blob, a ReadableStream or null.",
        "SyntaxError"
    ]);
    assert_eq!(said(&server, "/values").await, values);
}

#[tokio::test]
async fn contents_stream_in_and_out() {
    let server = served().await;
    let used =
        "Body has already been used. It can only be used once. Use tee() first if you need to read it twice.";
    assert_eq!(said(&server, "/streams").await, json!([1_000_000, 1_000_000, 74, true, used]));
    assert_eq!(said(&server, "/breaks").await, json!(["no more", null]));
    let content = "0123456789".repeat(100_000);
    let sent = request(Method::POST, "a.test", "/take").body(body(content.clone())).unwrap();
    assert_eq!(server.send(sent).await.text(), "1000000");
    let answer = get(&server, "a.test", "/send?key=taken").await;
    assert_eq!((answer.status, answer.text() == content), (200, true));
    // The API has what the script put, and a range of it.
    let path = format!("{BUCKETS}/of-worker/objects/taken");
    let ranged = server.api().request(Method::GET, &path).header("range", "bytes=-4").send().await.unwrap();
    assert_eq!((ranged.status().as_u16(), ranged.text().await.unwrap()), (206, "6789".to_owned()));
}

#[tokio::test]
async fn ranges_conditions_and_checksums_are_kept() {
    let server = served().await;
    let ranges = json!([
        ["234", {"offset": 2, "length": 3}, 10], ["789", {"offset": 7, "length": 3}, 10],
        ["89", {"offset": 8, "length": 2}, 10], ["123", {"offset": 1, "length": 3}, 10],
        "get: the range begins at byte 10, and the object has 10 bytes; ask for a range within it (10039)",
    ]);
    assert_eq!(said(&server, "/ranges").await, ranges);
    assert_eq!(said(&server, "/conditions").await, json!([false, "c", false, "x", null, null, "x", false]));
    let checksums = said(&server, "/checksums").await;
    assert!(checksums[0].as_str().unwrap().contains("(10037)"), "{checksums}");
    assert_eq!(checksums[1], "put: md5 has 32 hexadecimal digits.");
    assert_eq!(checksums[2], "put: You cannot specify multiple hashing algorithms.");
    assert_eq!(checksums[3], Value::Null);
}

#[tokio::test]
async fn lists_and_uploads_in_parts() {
    let server = served().await;
    let lists = json!([["l/a"], ["l/b/"], true, ["l/c"], false, [["l/c", "l/c"]]]);
    assert_eq!(said(&server, "/lists").await, lists);
    let parts = said(&server, "/parts").await;
    let expected = json!([null, 5_442_880, true, {"contentType": "x/y"}, {"a": "b"}, [0, 65, 65]]);
    assert_eq!(parts.as_array().unwrap()[..6], expected.as_array().unwrap()[..]);
    assert!(parts[6].as_str().unwrap().contains("(10024)"), "{parts}");
    assert_eq!(parts[7], true);
    assert_eq!(parts[8], "uploadPart: the part's number is from 1 to 10000, and 0 was given.");
}

#[tokio::test]
async fn each_call_counts_and_none_reaches_another_bucket() {
    let server = served().await;
    let counted = said(&server, "/counted").await;
    assert_eq!(counted[0], 60);
    assert!(counted[1].as_str().unwrap().starts_with("head: "), "{counted}");
    said(&server, "/whole").await;
    let other = get(&server, "b.test", "/send?key=a/%C3%A5%20b").await;
    assert_eq!(other.status, 500, "the other script's bucket has no such object");
    let objects = server.api().get(&format!("{BUCKETS}/of-other/objects")).await;
    assert_eq!(*objects.result(), json!([]));
}

#[tokio::test]
async fn a_bucket_in_use_stays_and_an_upload_that_names_none_is_refused() {
    let server = served().await;
    let path = format!("{BUCKETS}/of-worker");
    let said = server.api().delete(&path).await.refused(409, 90015).to_owned();
    assert!(said.contains("\"B\"") && said.contains("worker"), "{said}");
    server.api().put(&format!("{path}/objects/k"), &json!("x")).await.result();
    let said = server.api().delete(&format!("{path}?force=true")).await.refused(409, 10008).to_owned();
    assert!(said.contains("holds 1 objects"), "{said}");
    server.api().post(BUCKETS, &json!({"name": "of-worker"})).await.refused(409, 10004);
    server.api().get(&format!("{BUCKETS}/nobody")).await.refused(404, 10006);
    let references = server.api().get(&format!("{PLATFORM_SCRIPTS}/worker/references")).await;
    assert_eq!(references.result()["r2_buckets"], json!([{"name": "B", "id": "of-worker"}]));
    // Not granted: not there. One that names a bucket which is not there: not deployed.
    let path = format!("{PLATFORM_SCRIPTS}/other");
    let declares = |name: &str| json!({"main_module": "worker.js", "bindings": [{"type": "r2_bucket", "name": "B", "bucket_name": name}]});
    let said =
        server.api().javascript_with(&path, &declares("nobody"), SCRIPT).await.refused(400, 10021).to_owned();
    assert!(said.contains("\"B\"") && said.contains("nobody"), "{said}");
    server.api().javascript(&path, SCRIPT).await.result();
    assert_eq!(get(&server, "b.test", "/what").await.text(), "undefined");
    server.api().javascript_with(&path, &declares("of-worker"), SCRIPT).await.result();
    assert_eq!(get(&server, "b.test", "/what").await.text(), "object");
}
