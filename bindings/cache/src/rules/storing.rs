//! Whether a response is kept, and what of it (RFC 9111, section 3).

use std::time::Duration;

use http::header::{
    AGE, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{Method, StatusCode};

use super::directives::{Directives, Scope};
use super::freshness::{Unsaid, age, lifetime};
use super::vary::{Vary, vary};

/// What a cache holds beside the RFC.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// For how long a response is fresh that does not say so.
    pub unsaid: Unsaid,
    /// Whether a response that sets cookies is kept.
    pub keeps_cookies: bool,
}

/// A response that may be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its fields, without those that belong to a connection, that say how old it is, and that are not to be kept.
    pub headers: HeaderMap,
    /// How old it is already.
    pub age: Duration,
    /// Up to which age it may be used.
    pub lifetime: Duration,
    /// By which fields of a request it was chosen, in lower case, sorted.
    pub vary: Vec<HeaderName>,
}

/// Why a response is not kept. Safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Left {
    /// The method has no rules here.
    #[error("the request's method is not GET")]
    Method,
    /// The status says that this is no whole response, or nothing is known of it.
    #[error("a response with status {0} is not kept")]
    Status(u16),
    /// `Cache-Control` says so.
    #[error("its Cache-Control says {0}")]
    Told(&'static str),
    /// It sets a cookie.
    #[error("it has a Set-Cookie field; remove it, or set Cache-Control: private=Set-Cookie")]
    Cookie,
    /// It answers a request with credentials.
    #[error(
        "its request has an Authorization field, and its Cache-Control has none of public, s-maxage and must-revalidate"
    )]
    Authorized,
    /// It says that it fits no other request.
    #[error("its Vary field is *")]
    VariesByAll,
    /// It was stale when it came.
    #[error("it is stale already: fresh for {lifetime} s, and {age} s old")]
    Stale {
        /// For how long it is fresh, in seconds.
        lifetime: u64,
        /// How old it is, in seconds.
        age: u64,
    },
    /// Neither it nor its status says for how long it is fresh.
    #[error(
        "it does not say for how long it is fresh, and nothing is assumed for status {0}; set Cache-Control: max-age"
    )]
    Unsaid(u16),
    /// It is larger than it may be; the text says what.
    #[error("{what} is larger than {most} bytes")]
    TooLarge {
        /// Its head or its body.
        what: &'static str,
        /// How large it may be.
        most: u64,
    },
    /// There was no room for it, or the disk failed.
    #[error("there is no room for it")]
    NoRoom,
}

/// What becomes of a response to a request at this moment, in milliseconds since 1970.
///
/// # Errors
/// [`Left`]: why it may not be kept.
pub fn store(
    method: &Method,
    request: &HeaderMap,
    status: StatusCode,
    headers: &HeaderMap,
    now: u64,
    policy: &Policy,
) -> Result<Kept, Left> {
    if method != Method::GET {
        return Err(Left::Method);
    }
    // Neither one that is not final, nor a part, nor one that is about what a cache has (sections 3, 3.3 and 4.3.4).
    if status.is_informational() || matches!(status, StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED) {
        return Err(Left::Status(status.as_u16()));
    }
    let directives = Directives::of(headers);
    allowed(status, &directives, request)?;
    let vary = match vary(headers) {
        Vary::By(names) => names,
        Vary::ByAll => return Err(Left::VariesByAll),
    };
    let headers_kept = kept(headers, &directives);
    if headers_kept.contains_key(SET_COOKIE) && !policy.keeps_cookies {
        return Err(Left::Cookie);
    }
    let lifetime = lifetime(status, headers, &directives, now, policy.unsaid);
    let lifetime = lifetime.ok_or(Left::Unsaid(status.as_u16()))?;
    let age = age(headers, now);
    if age >= lifetime {
        return Err(Left::Stale { lifetime: lifetime.as_secs(), age: age.as_secs() });
    }
    Ok(Kept { headers: headers_kept, age, lifetime, vary })
}

fn allowed(status: StatusCode, directives: &Directives, request: &HeaderMap) -> Result<(), Left> {
    // Who understands the status need not heed `no-store` beside `must-understand` (section 5.2.2.3).
    if directives.must_understand {
        if !is_understood(status) {
            return Err(Left::Told("must-understand, of a status that is not known"));
        }
    } else if directives.no_store {
        return Err(Left::Told("no-store"));
    }
    if directives.private == Scope::Whole {
        return Err(Left::Told("private"));
    }
    // It could be kept, and never used without asking its origin, which nobody does here (section 5.2.2.4).
    if directives.no_cache == Scope::Whole {
        return Err(Left::Told("no-cache"));
    }
    let shared =
        directives.public || directives.must_revalidate || directives.s_maxage != super::Seconds::Absent;
    if request.contains_key(AUTHORIZATION) && !shared {
        return Err(Left::Authorized);
    }
    Ok(())
}

/// Whether RFC 9110 says what caches do with the status.
fn is_understood(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200..=206 | 300..=305 | 307 | 308 | 400..=417 | 421 | 422 | 426 | 500..=505)
}

/// What is kept of the fields (section 3.1).
fn kept(headers: &HeaderMap, directives: &Directives) -> HeaderMap {
    let mut kept = headers.clone();
    let named: Vec<String> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(',').map(|name| name.trim().to_ascii_lowercase()))
        .collect();
    let fields = directives.private.fields().iter().chain(directives.no_cache.fields());
    for name in named.iter().chain(fields) {
        kept.remove(name.as_str());
    }
    for name in [
        CONNECTION,
        PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
        AGE,
        CONTENT_LENGTH,
    ] {
        kept.remove(name);
    }
    for name in ["keep-alive", "proxy-authentication-info", "proxy-connection", super::CACHE_STATUS] {
        kept.remove(name);
    }
    kept
}
