//! The head of a visitor's request, made safe to pass on: one host that everything agrees on, no fields
//! that are meant for one hop only (RFC 9110 section 7.6.1), and, for scripts, the client's address as the listener
//! saw it instead of what the client claims.

use std::net::IpAddr;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Uri, Version, request};

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
}

/// Fields that concern one connection only.
fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Fields that say who the visitor is: ours to set, never to be believed.
fn is_about_the_client(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "cf-connecting-ip"
            | "cf-connecting-ipv6"
            | "cf-ray"
            | "cf-worker"
            | "forwarded"
            | "true-client-ip"
            | "x-forwarded-for"
            | "x-forwarded-host"
            | "x-forwarded-proto"
            | "x-real-ip"
    )
}

const CF_CONNECTING_IP: HeaderName = HeaderName::from_static("cf-connecting-ip");
const CF_RAY: HeaderName = HeaderName::from_static("cf-ray");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Checks the head, cleans it, makes its URI absolute, and returns the host: lower case, without port.
pub(crate) fn prepare(head: &mut request::Parts, secure: bool) -> Result<String, BadHead> {
    if head.method == http::Method::CONNECT {
        return Err(BadHead::Connect);
    }
    let authority = authority(head)?;
    let host = hostname(authority.host())?;
    clean(&mut head.headers);

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

/// Takes out what is not for whoever answers, and what only claims to say who the visitor is.
pub(crate) fn clean(headers: &mut HeaderMap) {
    strip(headers, |name| is_hop_by_hop(name) || is_about_the_client(name) || *name == header::HOST);
}

/// Puts in what we know of the visitor, for the script that is to answer.
pub(crate) fn introduce(headers: &mut HeaderMap, secure: bool, client: IpAddr, ray_id: &str) {
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

/// Removes what is meant for one hop only, and what `Connection` names as such.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    strip(headers, is_hop_by_hop);
}

/// Removes these fields, and those that `Connection` names. Most heads have none: one look at each name.
fn strip(headers: &mut HeaderMap, goes: impl Fn(&HeaderName) -> bool) {
    let named = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok());
    let going: Vec<HeaderName> = headers.keys().filter(|name| goes(name)).cloned().chain(named).collect();
    for name in &going {
        headers.remove(name);
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
pub(crate) fn hostname(host: &str) -> Result<String, BadHead> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    if let Some(address) = inside {
        // An IPv6 literal in its one spelling.
        let address: std::net::Ipv6Addr = address.parse().map_err(|_| BadHead::InvalidHost)?;
        return Ok(format!("[{address}]"));
    }
    let valid = !host.is_empty()
        && host.len() <= 253
        && host.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        });
    if valid { Ok(host.to_ascii_lowercase()) } else { Err(BadHead::InvalidHost) }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use http::Request;

    use super::*;

    fn prepared(request: http::request::Builder) -> Result<(request::Parts, String), BadHead> {
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        let host = prepare(&mut head, false)?;
        introduce(&mut head.headers, false, IpAddr::V4(Ipv4Addr::LOCALHOST), "ray");
        Ok((head, host))
    }

    #[test]
    fn the_host_is_lower_case_without_port_or_trailing_dot() {
        let (head, host) =
            prepared(Request::get("/a?b").header("host", "Customer-A.Example.COM.:8787")).unwrap();
        assert_eq!(host, "customer-a.example.com");
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
        assert_eq!(prepared(request).unwrap().1, "a.test");
    }

    #[test]
    fn one_ipv6_literal_has_one_spelling() {
        let (_, host) = prepared(Request::get("/").header("host", "[0:0::1]:80")).unwrap();
        assert_eq!(host, "[::1]");
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
