//! The answer to a request for a file: which representation, which part of it, and under which head.
//!
//! Owns what HTTP says about conditions, ranges and negotiation (RFC 9110), in the order it says it. What is
//! decided here names a representation; fetching its bytes comes after.

use std::ops::Range;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use wasmyard_namespaces::assets::{AssetEntry, Encoding};

use super::accept::{Choice, Wishes};
use super::compress::{self, Variants};
use super::range::{self, Asked};
use super::validators::{Known, Tag, held_whole, known, part_held};

const REVALIDATE: HeaderValue = HeaderValue::from_static("public, max-age=0, must-revalidate");
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const BY_ENCODING: HeaderValue = HeaderValue::from_static("accept-encoding");
const BYTES: HeaderValue = HeaderValue::from_static("bytes");
const CF_CACHE_STATUS: HeaderName = HeaderName::from_static("cf-cache-status");

/// A file that was found, and how it is to be served.
pub(super) struct Found<'f> {
    pub(super) entry: &'f AssetEntry,
    /// 200, or 404 for the page that stands in.
    pub(super) status: u16,
    /// Whether its name changes with its content.
    pub(super) immutable: bool,
    /// The variants that are ready.
    pub(super) variants: Variants,
}

/// What the visitor is given of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// Nothing, or nothing but the head.
    None,
    /// All bytes of the representation.
    Whole,
    /// One range.
    Part(Range<u64>),
    /// Several ranges, each under a head of its own.
    Parts(Multipart),
}

/// Ranges as `multipart/byteranges`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Multipart {
    /// The head of each part, and its bytes.
    pub(super) parts: Vec<(Bytes, Range<u64>)>,
    /// What comes after the last.
    pub(super) end: Bytes,
}

/// A head, and what is to follow it.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
    /// Of this representation.
    pub(super) encoding: Option<Encoding>,
    /// Bytes of that representation.
    pub(super) size: u64,
}

/// Decides.
pub(super) fn reply(found: &Found<'_>, method: &Method, asked: &HeaderMap) -> Reply {
    let wishes = Wishes::of(asked);
    let wants_part = found.status == 200 && *method == Method::GET && asked.contains_key(header::RANGE);
    let part_of = if wants_part { representation_for_parts(found, &wishes, asked) } else { None };
    let choice = match part_of {
        Some(None) => Choice::Identity,
        Some(Some(encoding)) => Choice::Encoded(encoding),
        None => wishes.choose(found.variants.iter()),
    };
    let encoding = match choice {
        Choice::Identity => None,
        Choice::Encoded(encoding) => Some(encoding),
        Choice::Nothing => return found.bare(StatusCode::NOT_ACCEPTABLE),
    };
    let tag = Tag { hash: found.entry.hash, encoding };
    if found.status == 200 {
        if !held_whole(asked, tag) {
            return found.bare(StatusCode::PRECONDITION_FAILED);
        }
        match known(asked, tag) {
            Some(Known::Tag(theirs)) => return found.not_modified(theirs, asked),
            Some(Known::Any) => return found.not_modified(tag, asked),
            None => {}
        }
    }
    let size = encoding.and_then(|encoding| found.variants.size(encoding)).unwrap_or(found.entry.size);
    let wanted = match asked.get(header::RANGE).and_then(|field| field.to_str().ok()) {
        Some(field) if part_of.is_some() => range::asked(field, size),
        _ => Asked::Whole,
    };
    found.content(tag, size, wanted, method, asked)
}

/// The representation that ranges are counted in; none where the whole is to be given.
fn representation_for_parts(
    found: &Found<'_>,
    wishes: &Wishes,
    asked: &HeaderMap,
) -> Option<Option<Encoding>> {
    let encoding = match part_held(asked) {
        Err(()) => return None,
        // Who does not say which one it holds a part of is given parts of the file itself.
        Ok(None) => None,
        Ok(Some(tag)) if tag.hash == found.entry.hash => tag.encoding,
        Ok(Some(_)) => return None,
    };
    let acceptable = match encoding {
        None => wishes.identity(),
        Some(encoding) => wishes.of_coding(encoding) > 0 && found.variants.size(encoding).is_some(),
    };
    acceptable.then_some(encoding)
}

impl Found<'_> {
    fn content(&self, tag: Tag, size: u64, wanted: Asked, method: &Method, asked: &HeaderMap) -> Reply {
        let mut headers = self.head(tag, asked);
        if let Some(kind) = self.content_type() {
            headers.insert(header::CONTENT_TYPE, kind);
        }
        if let Some(encoding) = tag.encoding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding.as_str()));
        }
        let mut status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        if status == StatusCode::OK {
            headers.insert(header::ACCEPT_RANGES, BYTES);
        }
        let (length, body) = match wanted {
            Asked::Whole => (size, Body::Whole),
            Asked::Unsatisfiable => {
                status = StatusCode::RANGE_NOT_SATISFIABLE;
                headers.remove(header::CONTENT_TYPE);
                headers.remove(header::CONTENT_ENCODING);
                insert(&mut headers, header::CONTENT_RANGE, format!("bytes */{size}"));
                (0, Body::None)
            }
            Asked::Parts(mut parts) => {
                status = StatusCode::PARTIAL_CONTENT;
                match parts.pop() {
                    Some(part) if parts.is_empty() => {
                        insert(&mut headers, header::CONTENT_RANGE, content_range(&part, size));
                        (part.end - part.start, Body::Part(part))
                    }
                    last => {
                        parts.extend(last);
                        let (length, body) = multipart(parts, size, &mut headers);
                        (length, Body::Parts(body))
                    }
                }
            }
        };
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        let body = if *method == Method::HEAD { Body::None } else { body };
        Reply { status, headers, body, encoding: tag.encoding, size }
    }

    fn not_modified(&self, tag: Tag, asked: &HeaderMap) -> Reply {
        let headers = self.head(tag, asked);
        self.without_body(StatusCode::NOT_MODIFIED, headers)
    }

    fn bare(&self, status: StatusCode) -> Reply {
        let mut headers = HeaderMap::new();
        if self.varies() {
            headers.insert(header::VARY, BY_ENCODING);
        }
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(0));
        self.without_body(status, headers)
    }

    fn without_body(&self, status: StatusCode, headers: HeaderMap) -> Reply {
        Reply { status, headers, body: Body::None, encoding: None, size: self.entry.size }
    }

    /// What every answer about the file has.
    fn head(&self, tag: Tag, asked: &HeaderMap) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(10);
        if let Some(tag) = tag.value() {
            headers.insert(header::ETAG, tag);
        }
        // Shared caches must not keep what was asked for with credentials, nor parts for the whole.
        if !asked.contains_key(header::AUTHORIZATION) && !asked.contains_key(header::RANGE) {
            let immutable = self.immutable && self.status == 200;
            headers.insert(header::CACHE_CONTROL, if immutable { IMMUTABLE } else { REVALIDATE });
        }
        if self.varies() {
            headers.insert(header::VARY, BY_ENCODING);
        }
        headers
    }

    /// Also before the variants are there: a cache that keeps this answer must know.
    fn varies(&self) -> bool {
        compress::is_worthwhile(self.entry)
    }

    fn content_type(&self) -> Option<HeaderValue> {
        HeaderValue::from_maybe_shared(self.entry.content_type.as_ref()?.bytes()).ok()
    }
}

/// Says whether the bytes came from memory.
pub(super) fn name_cache(headers: &mut HeaderMap, hit: bool) {
    headers.insert(CF_CACHE_STATUS, HeaderValue::from_static(if hit { "HIT" } else { "MISS" }));
}

fn content_range(part: &Range<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", part.start, part.end.saturating_sub(1))
}

fn multipart(parts: Vec<Range<u64>>, size: u64, headers: &mut HeaderMap) -> (u64, Multipart) {
    // Not a secret, but nothing that a file could hold by design.
    let boundary = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = if kind.is_empty() { String::new() } else { format!("content-type: {kind}\r\n") };
    let mut length = 0;
    let parts: Vec<(Bytes, Range<u64>)> = parts
        .into_iter()
        .map(|part| {
            let range = content_range(&part, size);
            let head = format!("\r\n--{boundary}\r\n{kind}content-range: {range}\r\n\r\n");
            length += head.len() as u64 + (part.end - part.start);
            (Bytes::from(head), part)
        })
        .collect();
    let end = Bytes::from(format!("\r\n--{boundary}--\r\n"));
    insert(headers, header::CONTENT_TYPE, format!("multipart/byteranges; boundary={boundary}"));
    (length + end.len() as u64, Multipart { parts, end })
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

/// Whether a file's name says that it is of this content only: `app.3f9a2c1b.js`, `index-B8wTJk2p.css`. One word
/// of it, neither the first nor the ending, has eight characters or more, with letters and digits among them.
pub(super) fn is_fingerprinted(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let mut words = name.split(['.', '-', '_']).skip(1).peekable();
    while let Some(word) = words.next() {
        let fits = (8..=64).contains(&word.len())
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && word.bytes().any(|byte| byte.is_ascii_digit())
            && word.bytes().any(|byte| byte.is_ascii_alphabetic());
        if fits && words.peek().is_some() {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests;
