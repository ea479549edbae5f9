//! `caches`: what each call gives, that nobody finds what another script keeps, and what becomes of it.

use serde_json::{Value, json};

use super::{get, serving};
use crate::support::origin::Origin;
use crate::support::{NAMESPACES, Server, Site, eventually, script_path};

const SCRIPT: &str = include_str!("cache.js");

const CONFIG: &str = r#"
    [limits]
    cpu_ms = 10000
    subrequests = 60
    [namespaces.production]
    [namespaces.trusted]
    trusted_workers = true
    [namespaces.closed]
    capabilities = { deny = ["wasmyard:platform/cache"] }
    [scripts.worker]
    main = "worker.js"
    [[routes]]
    pattern = "a.test/*"
    script = "worker"
    [[routes]]
    pattern = "*.production.test/*"
    namespace = "production"
    [[routes]]
    pattern = "*.trusted.test/*"
    namespace = "trusted"
    [[routes]]
    pattern = "*.closed.test/*"
    namespace = "closed"
"#;

async fn served() -> Server {
    serving(&[("worker.js", SCRIPT)], CONFIG).await
}

async fn said(server: &Server, host: &str, path: &str) -> Value {
    let answer = get(server, host, path).await;
    assert_eq!(answer.status, 200, "{path}: {}\n{}", answer.text(), server.log());
    serde_json::from_slice(&answer.body).unwrap()
}

async fn deploy(server: &Server, namespace: &str, script: &str) {
    let path = format!("{NAMESPACES}/{namespace}/scripts/{script}");
    let reply = server.api().javascript(&path, SCRIPT).await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

#[tokio::test]
async fn a_response_is_kept_with_its_head_until_it_is_deleted() {
    let server = served().await;
    let head = json!({
        "cf-cache-status": "HIT", "age": "0", "content-length": "5", "content-type": "text/plain;charset=UTF-8",
        "etag": "\"1\"", "x-mine": "é",
    });
    let found = json!([200, head, "hello"]);
    let expected = json!([true, true, true, found, found, true, true, false, true]);
    assert_eq!(said(&server, "a.test", "/whole").await, expected);
    assert_eq!(said(&server, "a.test", "/methods").await[0], json!(true));
    let left = json!([false, false, false, false, false, false, true, true, true, true]);
    assert_eq!(said(&server, "a.test", "/left").await, left);
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_in_the_products_words() {
    let server = served().await;
    let said_of = said(&server, "a.test", "/refused").await;
    let expected = json!([
        "TypeError: Cannot cache response to non-GET request.",
        "TypeError: Cannot cache response to a range request (206 Partial Content).",
        "TypeError: Cannot cache response with 'Vary: *' header.",
        "TypeError: Cache is unable to store an error response",
        "TypeError: Failed to execute 'put' on 'Cache': parameter 2 is not of type 'Response'.",
        "TypeError: Invalid URL: nowhere",
        "TypeError: Invalid URL. Cache API keys must be fully-qualified, valid URLs.",
        "TypeError: Body has already been used. It can only be used once. Use tee() first if you need to read it twice.",
        "Error: The 'ignoreSearch' field on 'CacheQueryOptions' is not implemented.",
        "TypeError: Cache name is too long.",
        [],
        [],
        "TypeError: Illegal constructor",
        "nothing: undefined",
        true,
    ]);
    assert_eq!(said_of, expected);
    let top = said(&server, "a.test", "/top").await;
    assert!(top[0].as_str().unwrap().contains("Disallowed operation called within global scope"), "{top}");
    assert_eq!(
        top.as_array().unwrap()[1..],
        [json!("[object CacheStorage]"), json!("[object Cache]"), json!("function"), json!("function")]
    );
}

#[tokio::test]
async fn requests_find_what_fits_them_whole_or_in_part() {
    let server = served().await;
    let varied = json!(["fr", "en", null, true, true]);
    assert_eq!(said(&server, "a.test", "/varies").await, varied);
    let head = |more: Value| {
        let mut head = json!({"cf-cache-status": "HIT", "age": "0", "etag": "\"1\""});
        head.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        head
    };
    let text = "text/plain;charset=UTF-8";
    let out_of_range =
        json!({"cf-cache-status": "HIT", "age": "0", "content-length": "0", "content-range": "bytes */10"});
    let expected = json!([
        [304, head(json!({})), ""],
        [304, head(json!({})), ""],
        [
            206,
            head(json!({"content-length": "3", "content-range": "bytes 2-4/10", "content-type": text})),
            "234"
        ],
        [416, out_of_range, ""],
        [200, head(json!({"content-length": "10", "content-type": text})), "0123456789"],
    ]);
    assert_eq!(said(&server, "a.test", "/parts").await, expected);
}

#[tokio::test]
async fn bodies_stream_in_and_out_and_one_that_breaks_off_is_not_kept() {
    let origin = Origin::start().await;
    let server = serving(&[("worker.js", SCRIPT)], &format!("{CONFIG}\n{}", origin.egress())).await;
    let expected = json!(["3000000", 3_000_000, 2_000_000, 300_000, true, "Error: no more", true]);
    assert_eq!(said(&server, "a.test", "/streams").await, expected);
    let path = format!("/origin?from={}", origin.url("/hello"));
    assert_eq!(said(&server, "a.test", &path).await, json!(["fetched"]));
    let seen = origin.seen().len();
    let kept = get(&server, "a.test", &path).await;
    assert_eq!((kept.status, kept.header("cf-cache-status")), (200, "HIT"));
    assert_eq!(origin.seen().len(), seen, "nobody asks the origin again");
    // More than the script has memory for, since it is only handed on.
    assert_eq!(said(&server, "a.test", "/large?pieces=1500").await, json!(["put"]));
    let large = get(&server, "a.test", "/large").await;
    assert_eq!((large.body.len(), large.header("content-length")), (150_000_000, "150000000"));
    assert!(
        large
            .body
            .chunks(100_000)
            .enumerate()
            .all(|(at, piece)| piece.iter().all(|byte| usize::from(*byte) == 65 + at % 26))
    );
}

#[tokio::test]
async fn every_script_has_its_own_and_the_default_one_where_it_is_trusted() {
    let server = served().await;
    for (namespace, script) in [
        ("production", "one"),
        ("production", "two"),
        ("trusted", "one"),
        ("trusted", "two"),
        ("closed", "one"),
    ] {
        deploy(&server, namespace, script).await;
    }
    let hosts =
        ["a.test", "one.production.test", "two.production.test", "one.trusted.test", "two.trusted.test"];
    for host in hosts {
        assert_eq!(said(&server, host, "/found").await, json!([null]), "{host}");
        said(&server, host, &format!("/keep?text={host}")).await;
    }
    for host in hosts {
        assert_eq!(said(&server, host, "/found").await, json!([host]));
    }
    let hit = json!(
        "nothing: [200,{\"cf-cache-status\":\"HIT\",\"age\":\"0\",\"content-length\":\"1\",\"content-type\":\"text/plain;charset=UTF-8\"},\"x\"]"
    );
    for host in ["a.test", "one.trusted.test"] {
        let expected = json!(["nothing: undefined", hit, "nothing: true", true]);
        assert_eq!(said(&server, host, "/default").await, expected, "{host}");
    }
    let refused = "Error: caches.default is not there for the scripts of a namespace that is not trusted; use \
                   caches.open(name), which is this script's own";
    let expected = json!([refused, refused, refused, true]);
    assert_eq!(said(&server, "one.production.test", "/default").await, expected);
    let closed = get(&server, "one.closed.test", "/found").await;
    assert_eq!(closed.status, 500, "{}", closed.text());
    server.noted("its namespace's capabilities do not allow it wasmyard:platform/cache").await;
}

#[tokio::test]
async fn calls_count_as_subrequests() {
    let server = served().await;
    let counted = said(&server, "a.test", "/count").await;
    assert_eq!(counted[0], 60, "{counted}");
    assert_eq!(counted[1], "Error: Too many subrequests by single Worker invocation.");
}

#[tokio::test]
async fn what_is_kept_outlives_versions_and_restarts_and_goes_with_the_script() {
    let site = Site::new(CONFIG);
    site.write("worker.js", SCRIPT);
    let server = site.serve().await;
    let folders = || {
        let cache = std::fs::read_dir(site.data().join("cache")).unwrap();
        cache.filter(|entry| entry.as_ref().unwrap().file_name() != "drafts").count()
    };
    for script in ["one", "two"] {
        deploy(&server, "production", script).await;
        said(&server, &format!("{script}.production.test"), "/keep?text=kept").await;
    }
    deploy(&server, "production", "one").await;
    assert_eq!(said(&server, "one.production.test", "/found").await, json!(["kept"]), "by a new version");
    server.kill().await;
    let server = site.serve().await;
    assert_eq!(said(&server, "one.production.test", "/found").await, json!(["kept"]), "after a kill");
    assert_eq!(folders(), 2);
    assert_eq!(server.api().delete(&script_path("one")).await.status, 200);
    eventually("the disk has it no longer", async || (folders() == 1).then_some(())).await;
    deploy(&server, "production", "one").await;
    assert_eq!(
        said(&server, "one.production.test", "/found").await,
        json!([null]),
        "another one of the name"
    );
    assert_eq!(said(&server, "two.production.test", "/found").await, json!(["kept"]));
    // What was missed is found at the next start.
    server.kill().await;
    let stranger = site.data().join("cache/3f2504e04f8941d39a0c0305e82c3301");
    std::fs::create_dir(&stranger).unwrap();
    std::fs::write(stranger.join("name"), "production/one").unwrap();
    let server = site.serve().await;
    eventually("it is gone", async || (!stranger.exists()).then_some(())).await;
    assert_eq!(said(&server, "two.production.test", "/found").await, json!(["kept"]));
    let reply = server.api().delete(&script_path("two")).await;
    assert_eq!(reply.status, 200);
    eventually("nothing is left", async || (folders() == 0).then_some(())).await;
}
