//! The rules, by the sections of RFC 9111 and RFC 9110 that they are from.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers as well")]

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use wasmyard_cache::CACHE_API;
use wasmyard_cache::rules::{self, Kept, Left, Part, Vary};

/// Sun, 06 Nov 1994 08:49:37 GMT, in milliseconds.
const NOW: u64 = 784_111_777_000;
const DATE: &str = "date: Sun, 06 Nov 1994 08:49:37 GMT";

/// Fields from lines.
fn fields(lines: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn put(request: &[&str], status: u16, response: &[&str]) -> Result<Kept, Left> {
    let status = StatusCode::from_u16(status).unwrap();
    rules::store(&Method::GET, &fields(request), status, &fields(response), NOW, &CACHE_API)
}

fn seconds(of: Result<Kept, Left>) -> Result<(u64, u64), Left> {
    of.map(|kept| (kept.age.as_secs(), kept.lifetime.as_secs()))
}

#[test]
fn what_may_be_kept() {
    let told = |what| Err(Left::Told(what));
    let fresh = Ok((0, 60));
    for (section, status, response, expected) in [
        ("3", 200, vec!["cache-control: max-age=60"], fresh.clone()),
        ("3", 500, vec!["cache-control: max-age=60"], fresh.clone()),
        ("3", 206, vec!["cache-control: max-age=60"], Err(Left::Status(206))),
        ("4.3.4", 304, vec!["cache-control: max-age=60"], Err(Left::Status(304))),
        ("3", 103, vec!["cache-control: max-age=60"], Err(Left::Status(103))),
        ("5.2.2.5", 200, vec!["cache-control: no-store, max-age=60"], told("no-store")),
        ("5.2", 200, vec!["cache-control: max-age=60", "cache-control: No-Store"], told("no-store")),
        ("5.2.2.3", 200, vec!["cache-control: no-store, must-understand, max-age=60"], fresh.clone()),
        (
            "5.2.2.3",
            299,
            vec!["cache-control: must-understand, max-age=60"],
            told("must-understand, of a status that is not known"),
        ),
        ("5.2.2.7", 200, vec!["cache-control: private, max-age=60"], told("private")),
        ("5.2.2.7", 200, vec!["cache-control: private=\"x-a\", max-age=60"], fresh.clone()),
        ("5.2.2.4", 200, vec!["cache-control: no-cache, max-age=60"], told("no-cache")),
        ("5.2.2.4", 200, vec!["cache-control: no-cache=\"x-a, x-b\", max-age=60"], fresh.clone()),
        // Within a quoted string there is no directive.
        ("5.2", 200, vec!["cache-control: x=\"no-store, private\", max-age=60"], fresh.clone()),
        ("5.2", 200, vec!["cache-control: x=\"\\\", no-store\", max-age=60"], fresh.clone()),
        ("4.1", 200, vec!["cache-control: max-age=60", "vary: accept, *"], Err(Left::VariesByAll)),
        ("product", 200, vec!["cache-control: max-age=60", "set-cookie: a=b"], Err(Left::Cookie)),
        ("product", 200, vec!["cache-control: max-age=60, private=Set-Cookie", "set-cookie: a=b"], fresh),
    ] {
        assert_eq!(
            seconds(put(&[], status, &response)),
            expected,
            "section {section}: {status} {response:?}"
        );
    }
    let post = rules::store(
        &Method::POST,
        &HeaderMap::new(),
        StatusCode::OK,
        &fields(&["cache-control: max-age=60"]),
        NOW,
        &CACHE_API,
    );
    assert_eq!(post, Err(Left::Method));
}

/// Section 3.5.
#[test]
fn answers_to_requests_with_credentials_are_kept_where_they_say_so() {
    let request = ["authorization: Basic YTpi"];
    for (control, is_kept) in [
        ("max-age=60", false),
        ("max-age=60, public", true),
        ("s-maxage=60", true),
        ("max-age=60, must-revalidate", true),
        ("max-age=60, proxy-revalidate", false),
    ] {
        let kept = put(&request, 200, &[&format!("cache-control: {control}")]);
        assert_eq!(kept.is_ok(), is_kept, "{control}: {kept:?}");
        assert!(is_kept || kept == Err(Left::Authorized));
    }
}

/// Section 4.2.1.
#[test]
fn for_how_long_a_response_is_fresh() {
    let hour = "expires: Sun, 06 Nov 1994 09:49:37 GMT";
    for (status, response, lifetime) in [
        (200, vec!["cache-control: s-maxage=10, max-age=20", hour], Some(10)),
        (200, vec!["cache-control: max-age=20", hour], Some(20)),
        (200, vec![hour], Some(3_600)),
        (200, vec![hour, "date: Sun, 06 Nov 1994 08:39:37 GMT"], Some(4_200)),
        // The first of several; a quoted number is one (section 5.2); more than a cache counts to is that much (1.2.2).
        (200, vec!["cache-control: max-age=5, max-age=6"], Some(5)),
        (200, vec!["cache-control: max-age=\"7\""], Some(7)),
        (200, vec!["cache-control: max-age=99999999999999999999"], Some(1 << 31)),
        // What is no number, or no date, is stale.
        (200, vec!["cache-control: max-age=1.5"], None),
        (200, vec!["cache-control: max-age=-1"], None),
        (200, vec!["cache-control: max-age"], None),
        (200, vec!["cache-control: s-maxage=x, max-age=20"], None),
        (200, vec!["expires: 0"], None),
        (200, vec!["cache-control: max-age=0"], None),
        // Three forms of dates (RFC 9110, section 5.6.7).
        (200, vec!["expires: Sunday, 06-Nov-94 09:49:37 GMT"], Some(3_600)),
        (200, vec!["expires: Sun Nov  6 09:49:37 1994"], Some(3_600)),
        // The product's times.
        (200, vec![], Some(7_200)),
        (301, vec![], Some(7_200)),
        (302, vec![], Some(1_200)),
        (404, vec!["cache-control: public"], Some(180)),
        (500, vec![], None),
        (204, vec![], None),
    ] {
        let found = put(&[], status, &response).ok().map(|kept| kept.lifetime.as_secs());
        assert_eq!(found, lifetime, "{status} {response:?}");
    }
    assert_eq!(put(&[], 500, &[]), Err(Left::Unsaid(500)));
}

/// Section 4.2.3.
#[test]
fn how_old_a_response_is_when_it_comes() {
    let old = "date: Sun, 06 Nov 1994 08:48:37 GMT";
    for (response, age) in [
        (vec![], 0),
        (vec![DATE], 0),
        (vec![old], 60),
        (vec![old, "age: 30"], 60),
        (vec![old, "age: 90"], 90),
        (vec!["age: 90"], 90),
        (vec!["age: soon"], 0),
        // A clock that is ahead makes nothing younger.
        (vec!["date: Sun, 06 Nov 1994 10:49:37 GMT"], 0),
    ] {
        assert_eq!(rules::age(&fields(&response), NOW).as_secs(), age, "{response:?}");
        let mut response = response;
        response.push("cache-control: max-age=91");
        assert_eq!(put(&[], 200, &response).unwrap().age.as_secs(), age);
    }
    let stale = put(&[], 200, &["cache-control: max-age=60", old]);
    assert_eq!(stale, Err(Left::Stale { lifetime: 60, age: 60 }));
}

/// Section 3.1.
#[test]
fn fields_of_connections_and_those_that_are_named_are_not_kept() {
    let response = [
        "cache-control: max-age=60, private=\"X-Mine, x-own\", no-cache=\"x-fresh\"",
        "connection: x-hop, close",
        "x-hop: 1",
        "x-mine: 1",
        "x-own: 1",
        "x-fresh: 1",
        "age: 3",
        "content-length: 9",
        "keep-alive: 1",
        "proxy-authenticate: Basic",
        "transfer-encoding: chunked",
        "cf-cache-status: MISS",
        "x-kept: 1",
        "x-kept: 2",
    ];
    let kept = put(&[], 200, &response).unwrap();
    let names: Vec<String> =
        kept.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    assert_eq!(names, [response[0], "x-kept: 1", "x-kept: 2"]);
}

/// Section 4.1.
#[test]
fn requests_are_told_apart_by_the_fields_that_a_response_varies_by() {
    let Vary::By(names) = rules::vary(&fields(&["vary: Accept-Language, accept", "vary: accept, bad name"]))
    else {
        panic!("it varies by fields");
    };
    assert_eq!(names, ["accept", "accept-language"]);
    assert_eq!(rules::vary(&fields(&["vary: accept,*"])), Vary::ByAll);
    assert_eq!(rules::vary(&HeaderMap::new()), Vary::By(Vec::new()));
    let selected = |lines: &[&str]| rules::selected(&fields(lines), &names);
    let same = [
        vec!["accept: a, b", "accept-language: fr"],
        vec!["accept:  a ,b", "accept-language: fr", "x-other: 1"],
        vec!["accept-language: fr", "accept: a", "accept: b"],
    ];
    for lines in &same {
        assert_eq!(selected(lines), selected(&same[0]), "{lines:?}");
    }
    let others = [
        vec!["accept: b, a", "accept-language: fr"],
        vec!["accept: a, b"],
        vec!["accept: a, b", "accept-language: "],
        vec!["accept: a, b, fr"],
        vec!["accept-language: fr"],
        vec![],
    ];
    for (index, lines) in others.iter().enumerate() {
        assert_ne!(selected(lines), selected(&same[0]), "{lines:?}");
        for other in &others[index + 1..] {
            assert_ne!(selected(lines), selected(other), "{lines:?} and {other:?}");
        }
    }
}

/// RFC 9110, sections 13 and 14; RFC 9111, section 4.3.2.
#[test]
fn how_a_kept_response_answers_a_request() {
    use Part::{NotModified, OutOfRange, Whole};
    let range = |first, length| Part::Range { first, length };
    let tagged = ["etag: \"a,b\"", "last-modified: Sun, 06 Nov 1994 08:49:37 GMT"];
    let weak = ["etag: W/\"a\""];
    let bare = [];
    for (section, kept, request, expected) in [
        ("13.1.2", &tagged[..], vec!["if-none-match: \"a,b\""], NotModified),
        ("13.1.2", &tagged, vec!["if-none-match: \"x\", W/\"a,b\""], NotModified),
        ("13.1.2", &tagged, vec!["if-none-match: \"x\"", "if-none-match: \"a,b\""], NotModified),
        ("13.1.2", &tagged, vec!["if-none-match: *"], NotModified),
        ("13.1.2", &bare, vec!["if-none-match: *"], NotModified),
        ("13.1.2", &tagged, vec!["if-none-match: \"a\""], Whole),
        ("13.1.2", &bare, vec!["if-none-match: \"a\""], Whole),
        ("8.8.3.2", &weak, vec!["if-none-match: \"a\""], NotModified),
        ("13.1.3", &tagged, vec!["if-modified-since: Sun, 06 Nov 1994 08:49:37 GMT"], NotModified),
        ("13.1.3", &tagged, vec!["if-modified-since: Sun, 06 Nov 1994 08:49:36 GMT"], Whole),
        ("13.1.3", &tagged, vec!["if-modified-since: yesterday"], Whole),
        ("13.1.3", &bare, vec!["if-modified-since: Sun, 06 Nov 1994 08:49:37 GMT"], Whole),
        // Where there are tags, the date is not asked.
        (
            "13.2.2",
            &tagged,
            vec!["if-none-match: \"x\"", "if-modified-since: Sun, 06 Nov 1994 08:49:37 GMT"],
            Whole,
        ),
        // These are for origins.
        ("4.3.2", &tagged, vec!["if-match: \"x\""], Whole),
        ("14.1.2", &tagged, vec!["range: bytes=0-4"], range(0, 5)),
        ("14.1.2", &tagged, vec!["range: bytes=5-"], range(5, 5)),
        ("14.1.2", &tagged, vec!["range: Bytes = 9-99"], range(9, 1)),
        ("14.1.2", &tagged, vec!["range: bytes=-3"], range(7, 3)),
        ("14.1.2", &tagged, vec!["range: bytes=-99"], range(0, 10)),
        ("14.1.2", &tagged, vec!["range: bytes=10-"], OutOfRange),
        ("14.1.2", &tagged, vec!["range: bytes=-0"], OutOfRange),
        ("14.1.2", &tagged, vec!["range: bytes=99999999999999999999-"], OutOfRange),
        ("14.2", &tagged, vec!["range: bytes=4-2"], Whole),
        ("14.2", &tagged, vec!["range: bytes=-"], Whole),
        ("14.2", &tagged, vec!["range: bytes=0-1,3-4"], Whole),
        ("14.2", &tagged, vec!["range: lines=0-1"], Whole),
        ("13.1.5", &tagged, vec!["range: bytes=0-4", "if-range: \"a,b\""], range(0, 5)),
        ("13.1.5", &tagged, vec!["range: bytes=0-4", "if-range: \"x\""], Whole),
        ("13.1.5", &weak, vec!["range: bytes=0-4", "if-range: W/\"a\""], Whole),
        ("13.1.5", &tagged, vec!["range: bytes=0-4", "if-range: Sun, 06 Nov 1994 08:49:37 GMT"], range(0, 5)),
        ("13.1.5", &tagged, vec!["range: bytes=0-4", "if-range: Sun, 06 Nov 1994 08:49:38 GMT"], Whole),
        // A condition goes before a range.
        ("13.2.2", &tagged, vec!["range: bytes=0-4", "if-none-match: \"a,b\""], NotModified),
    ] {
        let part = rules::choose(&fields(&request), StatusCode::OK, &fields(kept), 10);
        assert_eq!(part, expected, "section {section}: {kept:?} {request:?}");
    }
    // Neither conditions nor ranges are for other statuses.
    for (status, line) in [(404, "if-none-match: *"), (404, "range: bytes=0-4"), (203, "range: bytes=0-4")] {
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(rules::choose(&fields(&[line]), status, &fields(&tagged), 10), Whole, "{status} {line}");
    }
    assert_eq!(rules::choose(&fields(&["range: bytes=0-"]), StatusCode::OK, &fields(&[]), 0), OutOfRange);
}

#[test]
fn what_the_heads_of_answers_say() {
    let kept = fields(&["content-type: text/plain", "etag: \"a\"", "cache-control: max-age=60"]);
    let head = |part, status| {
        let (status, headers) = rules::head(part, status, &kept, 10, Duration::from_millis(5_999));
        let mut lines: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        lines.sort();
        (status.as_u16(), lines.join("\n"))
    };
    let common =
        "age: 5\ncache-control: max-age=60\ncontent-length: 10\ncontent-type: text/plain\netag: \"a\"";
    assert_eq!(head(Part::Whole, StatusCode::OK), (200, common.to_owned()));
    assert_eq!(head(Part::Whole, StatusCode::NOT_FOUND), (404, common.to_owned()));
    let (status, lines) = head(Part::Whole, StatusCode::NO_CONTENT);
    assert!(status == 204 && !lines.contains("content-length"), "{lines}");
    let (status, lines) = head(Part::Range { first: 2, length: 3 }, StatusCode::OK);
    assert!(status == 206 && lines.contains("content-length: 3\ncontent-range: bytes 2-4/10\n"), "{lines}");
    assert_eq!(
        head(Part::NotModified, StatusCode::OK),
        (304, "age: 5\ncache-control: max-age=60\netag: \"a\"".to_owned())
    );
    let (status, lines) = head(Part::OutOfRange, StatusCode::OK);
    assert!(status == 416 && lines.contains("content-range: bytes */10"), "{lines}");
}
