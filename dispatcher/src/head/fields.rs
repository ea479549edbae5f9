//! Fields that do not pass: those for one connection, those that only claim who the visitor is, and in trailers those that
//! belong in a head.

use http::header::{self, HeaderMap, HeaderName};
use http_body::Body as _;
use wasmyard_runtime::Body;
use wasmyard_runtime::body::inspected;

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
///
/// With `_` in place of `-` as well: whoever hands fields on as variables of the environment (RFC 3875 section 4.1.18) takes
/// the two for the same.
fn is_about_the_client(name: &HeaderName) -> bool {
    let name = name.as_str();
    if name.contains('_') { says_who(&name.replace('_', "-")) } else { says_who(name) }
}

fn says_who(name: &str) -> bool {
    matches!(
        name,
        "cf-connecting-ip"
            | "cf-connecting-ipv6"
            | "cf-pseudo-ipv4"
            | "cf-ray"
            | "cf-visitor"
            | "cf-worker"
            | "fastly-client-ip"
            | "forwarded"
            | "true-client-ip"
            | "x-client-ip"
            | "x-cluster-client-ip"
            | "x-forwarded"
            | "x-forwarded-for"
            | "x-forwarded-host"
            | "x-forwarded-port"
            | "x-forwarded-proto"
            | "x-forwarded-scheme"
            | "x-forwarded-ssl"
            | "x-original-forwarded-for"
            | "x-original-url"
            | "x-real-ip"
            | "x-rewrite-url"
    ) || name.starts_with("cf-ip")
}

/// Fields that mean something only in a head (RFC 9110 section 6.5.1): how a message is framed and routed, who asks, what
/// the content is, and what is to be done with it. Whoever merges trailers into the head would take them for the head's.
fn is_for_heads(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "age"
            | "authorization"
            | "cache-control"
            | "content-encoding"
            | "content-length"
            | "content-range"
            | "content-type"
            | "cookie"
            | "date"
            | "expect"
            | "expires"
            | "host"
            | "location"
            | "max-forwards"
            | "pragma"
            | "range"
            | "retry-after"
            | "set-cookie"
            | "trailer"
            | "vary"
            | "warning"
            | "www-authenticate"
    )
}

/// The body with [`clean_trailers`].
pub(crate) fn with_clean_trailers(body: Body) -> Body {
    if body.is_end_stream() {
        return body;
    }
    inspected(body, |frame, _| {
        if let Some(Ok(frame)) = frame
            && let Some(trailers) = frame.trailers_mut()
        {
            clean_trailers(trailers);
        }
    })
}

/// Takes out of trailers what may not be there, in whichever direction they go.
pub(crate) fn clean_trailers(trailers: &mut HeaderMap) {
    strip(trailers, |name| is_hop_by_hop(name) || is_about_the_client(name) || is_for_heads(name));
}

/// Takes out what is not for whoever answers, and what only claims to say who the visitor is.
pub(crate) fn clean(headers: &mut HeaderMap) {
    strip(headers, |name| is_hop_by_hop(name) || is_about_the_client(name) || *name == header::HOST);
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
        // Where both are there, it is the coding that says where the body ends (RFC 9112, 6.3): the length is not to
        // be passed on.
        if *name == header::TRANSFER_ENCODING {
            headers.remove(header::CONTENT_LENGTH);
        }
    }
}
