//! Conditions, ranges and negotiation together, as rows of a request and its answer.

use http::Request;
use wasmyard_namespaces::assets::ContentType;
use wasmyard_namespaces::digest::Digest;

use super::*;

const HASH: &str = "0123456789abcdef0123456789abcdef";

fn entry(size: u64) -> AssetEntry {
    AssetEntry {
        hash: HASH.parse().unwrap(),
        size,
        digest: Digest::of(b""),
        content_type: ContentType::parse("text/html; charset=utf-8").ok(),
    }
}

/// A page of 10,000 bytes whose brotli variant has 2,000 and gzip variant 3,000.
fn answer(request: http::request::Builder) -> Reply {
    answer_with(request, 200, false)
}

fn answer_with(request: http::request::Builder, status: u16, immutable: bool) -> Reply {
    let (head, ()) = request.body(()).unwrap().into_parts();
    let entry = entry(10_000);
    let variants = Variants::default().with(Encoding::Br, 2_000).with(Encoding::Gzip, 3_000);
    reply(&Found { entry: &entry, status, immutable, variants }, &head.method, &head.headers)
}

fn header<'r>(reply: &'r Reply, name: &str) -> &'r str {
    reply.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[test]
fn a_file_comes_with_its_tag_type_length_and_rule_for_caches() {
    let reply = answer(Request::get("/"));
    assert_eq!(
        (reply.status, &reply.body, reply.encoding, reply.size),
        (StatusCode::OK, &Body::Whole, None, 10_000)
    );
    for (name, expected) in [
        ("etag", format!("\"{HASH}\"").as_str()),
        ("content-type", "text/html; charset=utf-8"),
        ("content-length", "10000"),
        ("cache-control", "public, max-age=0, must-revalidate"),
        ("accept-ranges", "bytes"),
        ("vary", "accept-encoding"),
        ("content-encoding", ""),
        ("last-modified", ""),
    ] {
        assert_eq!(header(&reply, name), expected, "{name}");
    }
    let head = answer(Request::head("/"));
    assert_eq!((&head.body, header(&head, "content-length")), (&Body::None, "10000"));
    let with_credentials = answer(Request::get("/").header("authorization", "x"));
    assert_eq!(header(&with_credentials, "cache-control"), "");
    let part = answer(Request::get("/").header("range", "bytes=0-0"));
    assert_eq!(header(&part, "cache-control"), "");
    let immutable = answer_with(Request::get("/"), 200, true);
    assert_eq!(header(&immutable, "cache-control"), "public, max-age=31536000, immutable");
}

#[test]
fn types_and_the_lack_of_one_are_passed_on() {
    let untyped = AssetEntry { content_type: None, ..entry(10_000) };
    let found = Found { entry: &untyped, status: 200, immutable: false, variants: Variants::default() };
    let reply = reply(&found, &Method::GET, &HeaderMap::new());
    assert!(!reply.headers.contains_key("content-type"));
    assert!(!reply.headers.contains_key("vary"), "there will never be variants of it");
}

#[test]
fn the_variant_that_is_wanted_most_is_given_under_a_tag_of_its_own() {
    let reply = answer(Request::get("/").header("accept-encoding", "gzip, br"));
    assert_eq!((reply.encoding, reply.size), (Some(Encoding::Br), 2_000));
    assert_eq!(header(&reply, "etag"), format!("\"{HASH}-br\""));
    assert_eq!((header(&reply, "content-encoding"), header(&reply, "content-length")), ("br", "2000"));
    let reply = answer(Request::get("/").header("accept-encoding", "identity;q=0, zstd"));
    assert_eq!((reply.status, header(&reply, "vary")), (StatusCode::NOT_ACCEPTABLE, "accept-encoding"));
}

#[test]
fn what_the_visitor_has_is_not_sent_again() {
    let none_match = |value: String, accept: &str| {
        answer(Request::get("/").header("if-none-match", value).header("accept-encoding", accept))
    };
    for (tag, accept, answered) in [
        (format!("\"{HASH}\""), "identity", format!("\"{HASH}\"")),
        (format!("W/\"{HASH}\""), "identity", format!("\"{HASH}\"")),
        (format!("\"{HASH}-br\""), "br", format!("\"{HASH}-br\"")),
        // It has the content in another coding: the answer is about that one.
        (format!("\"{HASH}\""), "br", format!("\"{HASH}\"")),
        (format!("\"x\", \"{HASH}-gzip\""), "br", format!("\"{HASH}-gzip\"")),
        ("*".to_owned(), "br", format!("\"{HASH}-br\"")),
    ] {
        let reply = none_match(tag.clone(), accept);
        assert_eq!((reply.status, &reply.body), (StatusCode::NOT_MODIFIED, &Body::None), "{tag}");
        assert_eq!(header(&reply, "etag"), answered, "{tag}");
        assert_eq!(header(&reply, "cache-control"), "public, max-age=0, must-revalidate");
        assert_eq!((header(&reply, "vary"), header(&reply, "content-length")), ("accept-encoding", ""));
    }
    assert_eq!(none_match("\"other\"".to_owned(), "br").status, StatusCode::OK);
    let since = answer(Request::get("/").header("if-modified-since", "Sat, 29 Oct 2094 19:43:31 GMT"));
    assert_eq!(since.status, StatusCode::OK, "files have no date");
    let head = answer(Request::head("/").header("if-none-match", "*"));
    assert_eq!(head.status, StatusCode::NOT_MODIFIED);
    let gone = answer(Request::get("/").header("if-match", "\"other\""));
    assert_eq!(gone.status, StatusCode::PRECONDITION_FAILED);
    // Conditions go before ranges.
    let both = answer(Request::get("/").header("if-none-match", "*").header("range", "bytes=0-1"));
    assert_eq!(both.status, StatusCode::NOT_MODIFIED);
}

#[test]
fn the_page_for_what_is_missing_is_never_unmodified_nor_in_parts() {
    let request =
        || Request::get("/").header("if-none-match", format!("\"{HASH}\"")).header("range", "bytes=0-1");
    let reply = answer_with(request(), 404, true);
    assert_eq!((reply.status, &reply.body), (StatusCode::NOT_FOUND, &Body::Whole));
    assert_eq!(header(&reply, "accept-ranges"), "");
    let reply = answer_with(Request::get("/"), 404, true);
    assert_eq!(header(&reply, "cache-control"), "public, max-age=0, must-revalidate");
}

#[test]
fn parts_are_of_the_file_itself_unless_the_visitor_holds_a_part_of_a_variant() {
    let part = |if_range: Option<String>, accept: &str| {
        let mut request =
            Request::get("/").header("range", "bytes=100-199").header("accept-encoding", accept);
        if let Some(if_range) = if_range {
            request = request.header("if-range", if_range);
        }
        let reply = answer(request);
        (reply.status.as_u16(), reply.encoding, header(&reply, "content-range").to_owned())
    };
    let (plain, br) = (format!("\"{HASH}\""), format!("\"{HASH}-br\""));
    let of_file = (206, None, "bytes 100-199/10000".to_owned());
    let of_br = (206, Some(Encoding::Br), "bytes 100-199/2000".to_owned());
    let whole_br = (200, Some(Encoding::Br), String::new());
    assert_eq!(part(None, "br"), of_file);
    assert_eq!(part(None, "br, identity;q=0"), whole_br);
    assert_eq!(part(Some(plain.clone()), "br"), of_file);
    assert_eq!(part(Some(br.clone()), "br"), of_br);
    assert_eq!(part(Some(br), "gzip").0, 200, "it no longer takes what it has a part of");
    assert_eq!(part(Some(format!("\"{HASH}-zstd\"")), "zstd, br"), whole_br, "that variant is not there");
    assert_eq!(part(Some(format!("W/{plain}")), "br"), whole_br);
    assert_eq!(part(Some("\"other\"".to_owned()), "br"), whole_br);
    assert_eq!(part(Some("Sat, 29 Oct 1994 19:43:31 GMT".to_owned()), "br"), whole_br);
}

#[test]
fn parts_have_their_own_status_length_and_head() {
    let range = |field: &str| answer(Request::get("/").header("range", field));
    let one = range("bytes=9990-");
    assert_eq!((one.status, &one.body), (StatusCode::PARTIAL_CONTENT, &Body::Part(9_990..10_000)));
    assert_eq!(header(&one, "content-length"), "10");
    assert_eq!(header(&one, "content-type"), "text/html; charset=utf-8");

    let none = range("bytes=10000-");
    assert_eq!((none.status, &none.body), (StatusCode::RANGE_NOT_SATISFIABLE, &Body::None));
    assert_eq!((header(&none, "content-range"), header(&none, "content-length")), ("bytes */10000", "0"));

    let two = range("bytes=0-9,5000-5009");
    let Body::Parts(Multipart { parts, end }) = &two.body else { panic!("{:?}", two.body) };
    assert_eq!(two.status, StatusCode::PARTIAL_CONTENT);
    let boundary = header(&two, "content-type").strip_prefix("multipart/byteranges; boundary=").unwrap();
    let expected = format!(
        "\r\n--{boundary}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-range: bytes 0-9/10000\r\n\r\n"
    );
    assert_eq!((&parts[0].0[..], &parts[0].1), (expected.as_bytes(), &(0..10)));
    assert_eq!(&end[..], format!("\r\n--{boundary}--\r\n").as_bytes());
    let bytes: usize = parts.iter().map(|(head, _)| head.len() + 10).sum::<usize>() + end.len();
    assert_eq!(header(&two, "content-length"), bytes.to_string());

    // Ranges are for GET only, and what is not understood gives the whole.
    assert_eq!(answer(Request::head("/").header("range", "bytes=0-1")).status, StatusCode::OK);
    assert_eq!(range("bytes=x").status, StatusCode::OK);
    assert_eq!(range("lines=1-2").status, StatusCode::OK);
}

#[test]
fn names_that_change_with_their_content_are_told_apart() {
    for name in [
        "/app.3f9a2c1b.js",
        "/assets/index-B8wTJk2p.css",
        "/main.0123456789abcdef.chunk.js",
        "/x_1a2b3c4d.png",
    ] {
        assert!(is_fingerprinted(name), "{name}");
    }
    for name in [
        "/app.js",
        "/3f9a2c1b.js",
        "/app.3f9a2c1b",
        "/app-20240131.js",
        "/bootstrap-datepicker.js",
        "/app.3f9a2c1.js",
        "/a.3f9a2c1b/app.js",
        "/",
        "",
    ] {
        assert!(!is_fingerprinted(name), "{name}");
    }
}
