//! The head of a visitor's request, made safe to pass on: one host that everything agrees on, no fields
//! that are meant for one hop only (RFC 9110 section 7.6.1), and, for scripts, the client's address as the listener
//! saw it instead of what the client claims.

mod fields;

use std::net::IpAddr;
use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Uri, Version, request};
use wasmyard_listener::Client;

use crate::visit::{Visit, VisitLog};

pub(crate) use fields::{clean, clean_trailers, strip_hop_by_hop, with_clean_trailers};

/// What is wrong with a head. The texts go to the visitor.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum BadHead {
    #[error("the request names no host; send a Host header")]
    NoHost,
    #[error("the request has more than one Host header")]
    SeveralHosts,
    #[error("the Host header is not a valid host name")]
    InvalidHost,
    #[error("the Host header and the request target name different hosts")]
    HostsDiffer,
    #[error("CONNECT is not supported")]
    Connect,
    #[error("the port beside the host is not a number up to 65535")]
    InvalidPort,
    #[error("the request target is not a path, nor an http or https URL")]
    InvalidTarget,
    #[error("the body's transfer coding is not supported; send it as chunked and nothing else")]
    TransferCoding,
}

const CF_CONNECTING_IP: HeaderName = HeaderName::from_static("cf-connecting-ip");
const CF_RAY: HeaderName = HeaderName::from_static("cf-ray");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Reads the head of a visitor's request: from here on there is one host, and no field that only claims something.
pub(crate) fn read<B>(request: Request<B>, client: Client, log: &Arc<VisitLog>) -> Result<Visit<B>, BadHead> {
    let (mut head, body) = request.into_parts();
    let host = prepare(&mut head, client.secure)?;
    log.asked_for(&host);
    Ok(Visit::new(head, body, client, host, log))
}

/// Checks the head, cleans it, makes its URI absolute, and returns the host: lower case, without port.
fn prepare(head: &mut request::Parts, secure: bool) -> Result<Arc<str>, BadHead> {
    if head.method == http::Method::CONNECT {
        return Err(BadHead::Connect);
    }
    target(head)?;
    transfer_coding(&head.headers)?;
    let authority = authority(head)?;
    let host = hostname(authority.host())?;
    port(&authority)?;
    clean(&mut head.headers);
    join_cookies(&mut head.headers);

    let mut uri = http::uri::Parts::default();
    uri.scheme = Some(if secure { Scheme::HTTPS } else { Scheme::HTTP });
    uri.authority = Some(authority);
    uri.path_and_query = Some(match head.uri.path_and_query() {
        Some(path) if path.as_str().starts_with('/') => path.clone(),
        // `OPTIONS *`, or an absolute target without a path.
        _ => PathAndQuery::from_static("/"),
    });
    head.uri = Uri::from_parts(uri).map_err(|_| BadHead::InvalidHost)?;
    Ok(host)
}

/// Puts in what we know of the visitor, for the script that is to answer. The URI is absolute.
pub(crate) fn introduce(head: &mut request::Parts, client: IpAddr, ray_id: &str) {
    let secure = head.uri.scheme() == Some(&Scheme::HTTPS);
    let headers = &mut head.headers;
    if let Ok(address) = HeaderValue::try_from(client.to_string()) {
        headers.insert(CF_CONNECTING_IP, address.clone());
        headers.insert(X_FORWARDED_FOR, address);
    }
    let proto = if secure { "https" } else { "http" };
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(proto));
    if let Ok(ray_id) = HeaderValue::from_str(ray_id) {
        headers.insert(CF_RAY, ray_id);
    }
}

/// Refuses targets that another reader may take for something else: `*` for anything but OPTIONS, a host alone, a URL of
/// another scheme (RFC 9112 section 3.2).
fn target(head: &request::Parts) -> Result<(), BadHead> {
    let known = match (head.uri.scheme_str(), head.uri.authority()) {
        (Some(scheme), Some(_)) => matches!(scheme, "http" | "https"),
        (None, Some(_)) => matches!(head.version, Version::HTTP_2 | Version::HTTP_3),
        _ => head.uri.path() != "*" || head.method == http::Method::OPTIONS,
    };
    if known { Ok(()) } else { Err(BadHead::InvalidTarget) }
}

/// Refuses a body in a coding that nobody here takes off: it would be handed on as something that it is not.
fn transfer_coding(headers: &HeaderMap) -> Result<(), BadHead> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else { return Ok(()) };
    let alone = codings.next().is_none() && coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    if alone { Ok(()) } else { Err(BadHead::TransferCoding) }
}

/// Refuses a port that is none. Nothing behind the colon is the default one.
fn port(authority: &Authority) -> Result<(), BadHead> {
    let fits = match authority.as_str().strip_prefix(authority.host()) {
        Some("") => true,
        Some(rest) => rest.strip_prefix(':').is_some_and(|port| {
            let digits = port.bytes().all(|byte| byte.is_ascii_digit());
            digits && (port.is_empty() || port.parse::<u16>().is_ok())
        }),
        None => false,
    };
    if fits { Ok(()) } else { Err(BadHead::InvalidPort) }
}

/// Makes one field of several: HTTP/2 lets a client send its cookies apart, and nobody behind it knows that
/// (RFC 9113 section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut cookies = headers.get_all(header::COOKIE).iter();
    let (Some(first), Some(second)) = (cookies.next(), cookies.next()) else { return };
    let mut joined = first.as_bytes().to_vec();
    for cookie in std::iter::once(second).chain(cookies) {
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(cookie.as_bytes());
    }
    if let Ok(joined) = HeaderValue::from_bytes(&joined) {
        headers.insert(header::COOKIE, joined);
    }
}

/// The host that the request is for: the target's and the Host header's, which must agree.
fn authority(head: &request::Parts) -> Result<Authority, BadHead> {
    let mut hosts = head.headers.get_all(header::HOST).iter();
    let field = hosts.next();
    if hosts.next().is_some() {
        return Err(BadHead::SeveralHosts);
    }
    let field = match field {
        None => None,
        Some(value) => Some(Authority::try_from(value.as_bytes()).map_err(|_| BadHead::InvalidHost)?),
    };
    let authority = match (head.uri.authority(), field) {
        (Some(target), Some(field)) if !target.as_str().eq_ignore_ascii_case(field.as_str()) => {
            return Err(BadHead::HostsDiffer);
        }
        (Some(target), _) => target.clone(),
        (None, Some(field)) => field,
        (None, None) => return Err(BadHead::NoHost),
    };
    // RFC 9112 section 3.2: HTTP/1.1 requires the field even beside an absolute target.
    if head.version == Version::HTTP_11 && !head.headers.contains_key(header::HOST) {
        return Err(BadHead::NoHost);
    }
    if authority.as_str().contains('@') {
        return Err(BadHead::InvalidHost);
    }
    Ok(authority)
}

/// The host in the form that routes are kept in.
pub(crate) fn hostname(host: &str) -> Result<Arc<str>, BadHead> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    if let Some(address) = inside {
        // An IPv6 literal in its one spelling.
        let address: std::net::Ipv6Addr = address.parse().map_err(|_| BadHead::InvalidHost)?;
        return Ok(Arc::from(format!("[{address}]")));
    }
    let valid = !host.is_empty()
        && host.len() <= 253
        && host.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        });
    match valid {
        true if host.bytes().any(|byte| byte.is_ascii_uppercase()) => {
            Ok(Arc::from(host.to_ascii_lowercase()))
        }
        true => Ok(Arc::from(host)),
        false => Err(BadHead::InvalidHost),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn prepared(request: http::request::Builder) -> Result<(request::Parts, Arc<str>), BadHead> {
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        let host = prepare(&mut head, false)?;
        introduce(&mut head, IpAddr::V4(Ipv4Addr::LOCALHOST), "ray");
        Ok((head, host))
    }

    #[test]
    fn the_host_is_lower_case_without_port_or_trailing_dot() {
        let (head, host) =
            prepared(Request::get("/a?b").header("host", "Customer-A.Example.COM.:8787")).unwrap();
        assert_eq!(&*host, "customer-a.example.com");
        assert_eq!(head.uri.to_string(), "http://Customer-A.Example.COM.:8787/a?b");
        assert!(!head.headers.contains_key("host"));
    }

    #[test]
    fn hosts_that_disagree_or_are_missing_are_refused() {
        let bad = |request| prepared(request).unwrap_err();
        assert_eq!(bad(Request::get("/")), BadHead::NoHost);
        assert_eq!(bad(Request::get("http://a.test/")), BadHead::NoHost);
        assert_eq!(bad(Request::get("/").header("host", "a").header("host", "a")), BadHead::SeveralHosts);
        assert_eq!(bad(Request::get("http://a.test/").header("host", "b.test")), BadHead::HostsDiffer);
        for host in ["a b", "a/b", "a..b", "", "u@h", "[::1", "[zz]", &"a".repeat(64)] {
            assert_eq!(bad(Request::get("/").header("host", host)), BadHead::InvalidHost, "{host:?}");
        }
        assert_eq!(bad(Request::connect("/").header("host", "a")), BadHead::Connect);
    }

    #[test]
    fn http2_needs_no_host_field() {
        let request = Request::get("http://a.test:1/").version(Version::HTTP_2);
        assert_eq!(&*prepared(request).unwrap().1, "a.test");
    }

    #[test]
    fn a_port_is_a_number_that_a_port_can_have() {
        for host in ["a:", "a:80", "a:08787", "A.:65535", "[::1]:80", "[::1]:"] {
            assert!(prepared(Request::get("/").header("host", host)).is_ok(), "{host}");
        }
        for host in ["a:65536", "a:99999999", "a:80a", "a:+80", "a:-1", "[::1]:65536", "a:abc"] {
            let refused = prepared(Request::get("/").header("host", host)).unwrap_err();
            assert!(matches!(refused, BadHead::InvalidPort | BadHead::InvalidHost), "{host}: {refused}");
        }
    }

    #[test]
    fn targets_that_are_no_path_and_no_url_are_refused() {
        let bad = |request: http::request::Builder| prepared(request.header("host", "a.test")).unwrap_err();
        assert_eq!(bad(Request::get("*")), BadHead::InvalidTarget);
        assert_eq!(bad(Request::get("a.test:80")), BadHead::InvalidTarget);
        assert_eq!(bad(Request::get("ftp://a.test/")), BadHead::InvalidTarget);
        assert!(prepared(Request::options("*").header("host", "a.test")).is_ok());
        assert!(prepared(Request::get("https://a.test/").header("host", "a.test")).is_ok());
    }

    #[test]
    fn a_body_comes_as_it_is_or_in_chunks() {
        for codings in [&["chunked"][..], &["Chunked"]] {
            assert!(sent_in(codings).is_ok(), "{codings:?}");
        }
        for codings in [&["gzip, chunked"][..], &["chunked, chunked"], &["gzip", "chunked"], &["identity"]] {
            assert_eq!(sent_in(codings).unwrap_err(), BadHead::TransferCoding, "{codings:?}");
        }
    }

    fn sent_in(codings: &[&str]) -> Result<(request::Parts, Arc<str>), BadHead> {
        let request = Request::post("/").header("host", "a");
        prepared(codings.iter().fold(request, |request, coding| request.header("transfer-encoding", *coding)))
    }

    #[test]
    fn cookies_that_came_apart_are_one_field() {
        let request = Request::get("/").header("host", "a");
        let apart = ["a=1", "session=xyz", "b=2"];
        let request = apart.iter().fold(request, |request, cookie| request.header("cookie", *cookie));
        let (head, _) = prepared(request).unwrap();
        let joined: Vec<_> = head.headers.get_all("cookie").iter().collect();
        assert_eq!(joined, ["a=1; session=xyz; b=2"]);
        let crumbs = (0..99).fold(Request::get("/").header("host", "a"), |request, crumb| {
            request.header("cookie", format!("c{crumb}={}", "x".repeat(100)))
        });
        let (head, _) = prepared(crumbs).unwrap();
        assert_eq!(head.headers.get_all("cookie").iter().count(), 1);
        assert!(head.headers["cookie"].to_str().unwrap().contains("; c98="));
    }

    #[test]
    fn one_ipv6_literal_has_one_spelling() {
        let (_, host) = prepared(Request::get("/").header("host", "[0:0::1]:80")).unwrap();
        assert_eq!(&*host, "[::1]");
    }

    #[test]
    fn what_a_client_claims_about_itself_is_replaced() {
        let request = Request::get("/")
            .header("host", "a")
            .header("x-forwarded-for", "6.6.6.6")
            .header("cf-connecting-ip", "6.6.6.6")
            .header("x-real-ip", "6.6.6.6")
            .header("forwarded", "for=6.6.6.6")
            .header("x-forwarded-proto", "https")
            .header("cf-ray", "forged");
        let (head, _) = prepared(request).unwrap();
        for (name, value) in &head.headers {
            assert!(!value.to_str().unwrap().contains("6.6.6.6"), "{name}");
        }
        assert_eq!(head.headers["x-forwarded-for"], "127.0.0.1");
        assert_eq!(head.headers["cf-connecting-ip"], "127.0.0.1");
        assert_eq!(head.headers["x-forwarded-proto"], "http");
        assert_eq!(head.headers["cf-ray"], "ray");
    }

    #[test]
    fn fields_for_one_hop_stay_on_that_hop() {
        let request = Request::get("/")
            .header("host", "a")
            .header("connection", "close, X-Secret-Hop")
            .header("x-secret-hop", "1")
            .header("keep-alive", "timeout=5")
            .header("te", "trailers")
            .header("transfer-encoding", "chunked")
            .header("upgrade", "websocket")
            .header("proxy-authorization", "x")
            .header("x-kept", "1");
        let (head, _) = prepared(request).unwrap();
        for gone in ["connection", "x-secret-hop", "keep-alive", "te", "transfer-encoding", "upgrade"] {
            assert!(!head.headers.contains_key(gone), "{gone}");
        }
        assert!(!head.headers.contains_key("proxy-authorization"));
        assert_eq!(head.headers["x-kept"], "1");
    }
}
