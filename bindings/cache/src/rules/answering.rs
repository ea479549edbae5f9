//! How a kept response answers a request: whole, in part, or by saying that the client has it (RFC 9111, section 4; RFC 9110,
//! sections 13 and 14).

use std::time::Duration;

use http::header::{
    ACCEPT_RANGES, AGE, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, HeaderMap, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED, RANGE,
};
use http::{HeaderName, StatusCode};

use super::freshness::{date, moment};

/// What a request is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of the body.
    Whole,
    /// The client has it.
    NotModified,
    /// So many bytes, from this one on.
    Range {
        /// The first byte.
        first: u64,
        /// How many.
        length: u64,
    },
    /// No byte that was asked for is there.
    OutOfRange,
}

/// Chooses by the fields of a request. `length` is that of the body.
#[must_use]
pub fn choose(request: &HeaderMap, status: StatusCode, headers: &HeaderMap, length: u64) -> Part {
    // Other responses are not subject to conditions (RFC 9110, section 13.2.1), and only this one has ranges (section 14.2).
    if status.is_success() && has_it(request, headers) {
        return Part::NotModified;
    }
    if status != StatusCode::OK {
        return Part::Whole;
    }
    match request.get(RANGE).and_then(|value| value.to_str().ok()) {
        Some(range) if still_the_same(request, headers) => part(range, length),
        _ => Part::Whole,
    }
}

/// The head of an answer: status and fields, with its age and, but where no body follows, its length.
#[must_use]
pub fn head(
    part: Part,
    status: StatusCode,
    headers: &HeaderMap,
    length: u64,
    age: Duration,
) -> (StatusCode, HeaderMap) {
    let mut fields = headers.clone();
    fields.insert(AGE, HeaderValue::from(age.as_secs()));
    let text = |text: String| HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""));
    match part {
        Part::Whole => {
            if !has_no_body(status) {
                fields.insert(CONTENT_LENGTH, HeaderValue::from(length));
            }
            (status, fields)
        }
        Part::Range { first, length: taken } => {
            let last = first.saturating_add(taken).saturating_sub(1);
            fields.insert(CONTENT_RANGE, text(format!("bytes {first}-{last}/{length}")));
            fields.insert(CONTENT_LENGTH, HeaderValue::from(taken));
            (StatusCode::PARTIAL_CONTENT, fields)
        }
        Part::NotModified => {
            without(&mut fields, [CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, CONTENT_RANGE]);
            (StatusCode::NOT_MODIFIED, fields)
        }
        Part::OutOfRange => {
            without(&mut fields, [CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, ETAG, LAST_MODIFIED]);
            fields.insert(CONTENT_RANGE, text(format!("bytes */{length}")));
            fields.insert(CONTENT_LENGTH, HeaderValue::from(0));
            fields.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
            (StatusCode::RANGE_NOT_SATISFIABLE, fields)
        }
    }
}

fn without<const N: usize>(fields: &mut HeaderMap, names: [HeaderName; N]) {
    for name in names {
        fields.remove(name);
    }
}

/// Whether a response of this status has no body by itself.
fn has_no_body(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT)
}

/// Whether the client has what is kept, by the conditions that a cache judges: `If-None-Match`, and where that is not there
/// `If-Modified-Since` (RFC 9111, section 4.3.2; RFC 9110, section 13.2.2).
fn has_it(request: &HeaderMap, headers: &HeaderMap) -> bool {
    if request.contains_key(IF_NONE_MATCH) {
        let kept = headers.get(ETAG).map(|tag| weak(tag.as_bytes()));
        let asked = request.get_all(IF_NONE_MATCH);
        return asked.iter().any(|list| {
            let list = list.as_bytes().trim_ascii();
            list == b"*" || kept.is_some_and(|kept| tags(list).any(|tag| weak(tag) == kept))
        });
    }
    match (date(headers, &LAST_MODIFIED), date(request, &IF_MODIFIED_SINCE)) {
        (Some(changed), Some(known)) => changed <= known,
        _ => false,
    }
}

/// A tag for the weak comparison (RFC 9110, section 8.8.3.2).
fn weak(tag: &[u8]) -> &[u8] {
    let tag = tag.trim_ascii();
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

/// The tags of a list; a comma within quotes is the tag's own.
fn tags(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    list.split(move |byte| {
        quoted ^= *byte == b'"';
        *byte == b',' && !quoted
    })
    .map(<[u8]>::trim_ascii)
    .filter(|tag| !tag.is_empty())
}

/// Whether the range is of what is kept, by `If-Range` (RFC 9110, section 13.1.5): the strong comparison of tags, or the very
/// date.
fn still_the_same(request: &HeaderMap, headers: &HeaderMap) -> bool {
    let Some(condition) = request.get(IF_RANGE) else { return true };
    let condition = condition.as_bytes().trim_ascii();
    if condition.starts_with(b"\"") || condition.starts_with(b"W/") {
        let kept = headers.get(ETAG).map(|tag| tag.as_bytes().trim_ascii());
        return !condition.starts_with(b"W/") && kept == Some(condition);
    }
    let asked = std::str::from_utf8(condition).ok().and_then(moment);
    asked.is_some() && asked == date(headers, &LAST_MODIFIED)
}

/// One range of bytes (RFC 9110, section 14.1.2). What is none, and more than one, is passed over, as section 14.2 allows.
fn part(range: &str, length: u64) -> Part {
    let set = range.trim().split_once('=').filter(|(unit, _)| unit.trim().eq_ignore_ascii_case("bytes"));
    let Some((from, to)) = set.and_then(|(_, set)| set.trim().split_once('-')) else { return Part::Whole };
    let number = |text: &str| match text.trim() {
        "" => Ok(None),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok(Some(digits.parse().unwrap_or(u64::MAX)))
        }
        _ => Err(()),
    };
    let (first, last) = match (number(from), number(to)) {
        (Ok(Some(first)), Ok(None)) => (first, u64::MAX),
        (Ok(Some(first)), Ok(Some(last))) if first <= last => (first, last),
        // So many at the end.
        (Ok(None), Ok(Some(0))) => return Part::OutOfRange,
        (Ok(None), Ok(Some(most))) => (length.saturating_sub(most), u64::MAX),
        _ => return Part::Whole,
    };
    if first >= length {
        return Part::OutOfRange;
    }
    Part::Range { first, length: last.min(length - 1) - first + 1 }
}
