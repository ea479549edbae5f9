//! What authorities of certificates ask for over plain HTTP, answered by the platform itself: the authority sees that the name
//! leads here, whoever the requests of it go to.
//!
//! Looks into memory alone: a stranger asks for any token as often as they like. Whatever is not a token that somebody waits
//! with is a path like any other, so that a customer's own server can still have certificates of its own.

use http::header::{self, HeaderValue};
use http::{Method, Response};
use wasmyard_namespaces::registry::Registry;
use wasmyard_runtime::{Body, body};

use crate::visit::Visit;

/// RFC 8555 section 8.3.
const PATH: &str = "/.well-known/acme-challenge/";

/// The answer for an authority, if that is what is asked for.
pub(crate) fn answer<B>(registry: &Registry, visit: &Visit<B>) -> Option<Response<Body>> {
    let token = visit.head.uri.path().strip_prefix(PATH)?;
    if !matches!(visit.head.method, Method::GET | Method::HEAD) {
        return None;
    }
    let shown = registry.challenge(&visit.host, token)?;
    let mut response = Response::new(body::full(shown));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Some(response)
}
