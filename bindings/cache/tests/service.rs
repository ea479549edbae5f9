//! The caches of scripts: what is put is found for as long as it is fresh, by the requests that it fits, and by nobody else.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers as well"
)]

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use wasmyard_cache::{Answer, Cache, CacheError, CacheLimits, Caches, Left, Request, Stored};
use wasmyard_model::{Clock, ClockHand};

const ONE: &str = "11111111-1111-4111-8111-111111111111";
const OTHER: &str = "22222222-2222-4222-8222-222222222222";

fn fields(lines: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn request(url: &str, lines: &[&str]) -> Request {
    Request { method: Method::GET, url: url.to_owned(), headers: fields(lines) }
}

struct Node {
    caches: Caches,
    hand: ClockHand,
    _folder: tempfile::TempDir,
}

impl Node {
    fn new() -> Node {
        let (clock, hand) = Clock::by_hand("2026-01-02T03:04:05Z".parse().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let limits = CacheLimits { disk_bytes: 64 << 20, ..CacheLimits::default() };
        Node { caches: Caches::open(folder.path(), clock, limits).unwrap(), hand, _folder: folder }
    }

    fn cache(&self, script: &str, name: Option<&str>) -> Cache {
        self.caches.of(script, "a").unwrap().open(name).unwrap()
    }
}

async fn put(cache: &Cache, url: &str, asked: &[&str], response: &[&str], body: &str) -> Result<(), Left> {
    let storing = cache.storing(request(url, asked), StatusCode::OK, &fields(response)).unwrap();
    storing?.put(Bytes::from(body.to_owned())).await
}

async fn find(cache: &Cache, url: &str, asked: &[&str]) -> Option<Answer> {
    cache.resource(request(url, asked), false).unwrap().unwrap().find().await
}

/// Status, age and body.
async fn said(cache: &Cache, url: &str, asked: &[&str]) -> Option<(u16, String, String)> {
    let Answer { status, headers, body } = find(cache, url, asked).await?;
    assert_eq!(headers["cf-cache-status"], "HIT");
    let body = match body {
        Some(Stored::Whole(bytes)) => String::from_utf8(bytes.to_vec()).unwrap(),
        Some(Stored::File(_)) => "a file".to_owned(),
        None => "none".to_owned(),
    };
    Some((status.as_u16(), headers["age"].to_str().unwrap().to_owned(), body))
}

fn whole(age: &str, body: &str) -> Option<(u16, String, String)> {
    Some((200, age.to_owned(), body.to_owned()))
}

const URL: &str = "https://a.test/page?x=1";
const MINUTE: &[&str] = &["cache-control: max-age=60"];

#[tokio::test]
async fn a_response_is_there_until_it_is_stale() {
    let node = Node::new();
    let cache = node.cache(ONE, None);
    assert_eq!(said(&cache, URL, &[]).await, None);
    put(&cache, URL, &[], &["cache-control: max-age=60", "age: 10"], "hello").await.unwrap();
    assert_eq!(said(&cache, URL, &[]).await, whole("10", "hello"));
    node.hand.advance(Duration::from_millis(49_999));
    assert_eq!(said(&cache, URL, &[]).await, whole("59", "hello"));
    node.hand.advance(Duration::from_millis(1));
    assert_eq!(said(&cache, URL, &[]).await, None);
    assert_eq!(node.caches.store().held().2, 0, "what is stale is removed when it is met");
    assert_eq!(node.caches.hits_and_misses(), (2, 2));
    // One that is not kept leaves what is there.
    put(&cache, URL, &[], MINUTE, "two").await.unwrap();
    assert_eq!(put(&cache, URL, &[], &["cache-control: no-store"], "x").await, Err(Left::Told("no-store")));
    assert_eq!(said(&cache, URL, &[]).await, whole("0", "two"));
}

#[tokio::test]
async fn a_url_is_one_however_it_is_written_and_others_are_others() {
    let node = Node::new();
    let cache = node.cache(ONE, Some("c"));
    put(&cache, URL, &[], MINUTE, "hello").await.unwrap();
    for same in
        ["https://a.test/page?x=1#there", "HTTPS://A.TEST:443/page?x=1", "https://a.test/b/../page?x=1"]
    {
        assert!(find(&cache, same, &[]).await.is_some(), "{same}");
    }
    for other in [
        "http://a.test/page?x=1",
        "https://a.test/page?x=2",
        "https://a.test/page",
        "https://a.test:1/page?x=1",
    ] {
        assert!(find(&cache, other, &[]).await.is_none(), "{other}");
    }
    // Too long as it is given, and as it is written.
    let (long, escaped) = ("a".repeat(16 << 10), "é".repeat(3_000));
    let [long, escaped] = [long, escaped].map(|path| format!("https://a.test/{path}"));
    for bad in ["/page", "data:text/plain,a", "https://", &long, &escaped] {
        assert_eq!(cache.resource(request(bad, &[]), false).unwrap_err(), CacheError::Url, "{bad}");
    }
}

#[tokio::test]
async fn caches_of_other_names_and_other_scripts_have_nothing_of_it() {
    let node = Node::new();
    put(&node.cache(ONE, Some("c")), URL, &[], MINUTE, "hello").await.unwrap();
    for (script, name) in [(ONE, None), (ONE, Some("")), (ONE, Some("C")), (OTHER, Some("c")), (OTHER, None)]
    {
        let cache = node.cache(script, name);
        assert!(find(&cache, URL, &[]).await.is_none(), "{script} {name:?}");
        assert!(!cache.resource(request(URL, &[]), false).unwrap().unwrap().delete().await);
    }
    // No name and URL together are those of another name and URL.
    put(&node.cache(ONE, Some("ch")), "https://a.test/", &[], MINUTE, "one").await.unwrap();
    assert!(find(&node.cache(ONE, Some("c")), "https://a.test/", &[]).await.is_none());
    assert!(node.caches.of("a name", "a").is_none(), "what is no identifier has no caches");
    let long = node.caches.of(ONE, "a").unwrap().open(Some(&"n".repeat(1_024)));
    assert_eq!(long.unwrap_err().to_string(), "Cache name is too long.");
    node.caches.forget(ONE).await;
    assert!(find(&node.cache(ONE, Some("c")), URL, &[]).await.is_none());
}

/// RFC 9111, section 4.1.
#[tokio::test]
async fn responses_that_vary_are_found_by_what_they_vary_by() {
    let node = Node::new();
    let cache = node.cache(ONE, None);
    let varies = &["cache-control: max-age=60", "vary: Accept-Language"][..];
    let (english, french) = (&["accept-language: en"][..], &["accept-language: fr", "cookie: x"][..]);
    put(&cache, URL, english, varies, "hello").await.unwrap();
    assert_eq!(said(&cache, URL, french).await, None);
    put(&cache, URL, french, varies, "salut").await.unwrap();
    assert_eq!(said(&cache, URL, english).await, whole("0", "hello"));
    assert_eq!(said(&cache, URL, french).await, whole("0", "salut"));
    assert_eq!(said(&cache, URL, &[]).await, None);
    // What is deleted does not come back with one that varies by the same.
    let delete = async || cache.resource(request(URL, &[]), false).unwrap().unwrap().delete().await;
    assert!(delete().await && !delete().await);
    put(&cache, URL, french, varies, "salut").await.unwrap();
    assert_eq!(said(&cache, URL, english).await, None);
    // One that does not vary takes the place of all.
    put(&cache, URL, &[], MINUTE, "for all").await.unwrap();
    assert_eq!(said(&cache, URL, french).await, whole("0", "for all"));
    assert_eq!(node.caches.store().held().2, 1);
    // So does one that varies by something else.
    put(&cache, URL, &["accept: a"], &["cache-control: max-age=60", "vary: accept"], "a").await.unwrap();
    assert_eq!(said(&cache, URL, french).await, None);
    assert_eq!(said(&cache, URL, &["accept: a"]).await, whole("0", "a"));
    // However much a request has in a field.
    let long = format!("accept: {}", "a".repeat(500_000));
    put(&cache, URL, &[&long], &["cache-control: max-age=60", "vary: accept"], "long").await.unwrap();
    assert_eq!(said(&cache, URL, &[&long]).await, whole("0", "long"));
}

#[tokio::test]
async fn conditions_and_ranges_are_answered() {
    let node = Node::new();
    let cache = node.cache(ONE, None);
    put(&cache, URL, &[], &["cache-control: max-age=60", "etag: \"1\""], "0123456789").await.unwrap();
    let (status, _, body) = said(&cache, URL, &["if-none-match: \"1\""]).await.unwrap();
    assert_eq!((status, &*body), (304, "none"));
    let (status, _, body) = said(&cache, URL, &["range: bytes=3-5"]).await.unwrap();
    assert_eq!((status, &*body), (206, "345"));
    let answer = find(&cache, URL, &["range: bytes=10-"]).await.unwrap();
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["content-range"]),
        (416, &HeaderValue::from_static("bytes */10"))
    );
    assert!(answer.body.is_none());
}

#[tokio::test]
async fn what_the_product_refuses_is_refused_and_methods_can_be_ignored() {
    let node = Node::new();
    let cache = node.cache(ONE, None);
    let post = || Request { method: Method::POST, ..request(URL, &[]) };
    let refused = |request, status, lines: &[&str]| {
        let status = StatusCode::from_u16(status).unwrap();
        cache.storing(request, status, &fields(lines)).unwrap_err()
    };
    assert_eq!(refused(post(), 200, &[]), CacheError::Method);
    assert_eq!(refused(request(URL, &[]), 206, &[]), CacheError::Partial);
    assert_eq!(refused(request(URL, &[]), 200, &["vary: a, *"]), CacheError::VariesByAll);
    put(&cache, URL, &[], MINUTE, "hello").await.unwrap();
    assert!(cache.resource(post(), false).unwrap().is_none());
    let resource = cache.resource(post(), true).unwrap().unwrap();
    assert!(resource.find().await.is_some() && resource.delete().await);
    assert!(find(&cache, URL, &[]).await.is_none());
    let large = format!("x-large: {}", "a".repeat(128 << 10));
    let left = put(&cache, URL, &[], &["cache-control: max-age=60", &large], "x").await;
    assert_eq!(left, Err(Left::TooLarge { what: "its head", most: 128 << 10 }));
}

#[tokio::test]
async fn a_body_in_pieces_is_kept_when_it_is_whole() {
    let node = Node::new();
    let cache = node.cache(ONE, None);
    let begin = async || {
        let storing = cache.storing(request(URL, &[]), StatusCode::OK, &fields(MINUTE)).unwrap().unwrap();
        storing.begin().await.unwrap()
    };
    let mut left = begin().await;
    assert!(left.write(Bytes::from_static(b"half")).await);
    drop(left);
    assert!(find(&cache, URL, &[]).await.is_none());
    let mut incoming = begin().await;
    for _ in 0..10 {
        assert!(incoming.write(Bytes::from(vec![b'a'; 100_000])).await);
    }
    assert!(find(&cache, URL, &[]).await.is_none());
    incoming.finish().await.unwrap();
    let answer = find(&cache, URL, &["range: bytes=999999-"]).await.unwrap();
    assert_eq!(answer.headers["content-range"], "bytes 999999-999999/1000000");
    assert_eq!(answer.body.unwrap().length(), 1);
}
