//! The forms of a request's path: as browsers would have sent it, decoded, and in the one encoding that a file is
//! served at. Routes, rules and files all compare the decoded form, so that no spelling of a path leads around a
//! rule for it.

use std::borrow::Cow;

use crate::assets::rules::percent_encoded;

/// The path that routes and rules are chosen by: normalized, decoded, and no slash twice. `/x/../%61dmin//a` is
/// `/admin/a` (RFC 3986, sections 6.2.2.2 and 6.2.2.3). A path in this form already is not copied.
#[must_use]
pub fn routed(path: &str) -> Cow<'_, str> {
    match normalized(path) {
        Cow::Borrowed(path) => decoded(path),
        Cow::Owned(path) => Cow::Owned(decoded(&path).into_owned()),
    }
}

/// The path as a browser would have sent it: no `.` and `..` segments, no backslashes, and what may not stand
/// in a path escaped. A path that breaks none of these rules is not copied.
#[must_use]
pub fn normalized(path: &str) -> Cow<'_, str> {
    let path = percent_encoded(path);
    if !path.contains('\\') && !path.split('/').any(is_dots) {
        return path;
    }
    let path = path.replace('\\', "/");
    let mut segments: Vec<&str> = Vec::new();
    let mut folder = true;
    for segment in path.split('/').skip(1) {
        folder = is_dots(segment);
        match dots(segment) {
            Some(1) => {}
            Some(_) => {
                segments.pop();
            }
            None => segments.push(segment),
        }
    }
    let mut normalized = String::with_capacity(path.len());
    for segment in &segments {
        normalized.push('/');
        normalized.push_str(segment);
    }
    if folder || segments.is_empty() {
        normalized.push('/');
    }
    Cow::Owned(normalized)
}

pub(crate) fn is_dots(segment: &str) -> bool {
    dots(segment).is_some()
}

/// One for a segment that means "here", two for one that means "up".
fn dots(segment: &str) -> Option<usize> {
    let mut rest = segment;
    let mut count = 0;
    while !rest.is_empty() {
        rest = rest.strip_prefix('.').or_else(|| {
            let escaped = rest.get(..3).filter(|start| start.eq_ignore_ascii_case("%2e"));
            escaped.and_then(|_| rest.get(3..))
        })?;
        count += 1;
    }
    matches!(count, 1 | 2).then_some(count)
}

/// The path that files are looked up by: every segment decoded, where that is possible, and no slash twice.
#[must_use]
pub fn decoded(path: &str) -> Cow<'_, str> {
    if !path.contains('%') && !path.contains("//") {
        return Cow::Borrowed(path);
    }
    let mut out = String::with_capacity(path.len());
    for (place, segment) in path.split('/').enumerate() {
        if place > 0 {
            push_path(&mut out, "/");
        }
        match decoded_segment(segment) {
            Some(segment) => push_path(&mut out, &segment),
            None => push_path(&mut out, segment),
        }
    }
    Cow::Owned(out)
}

/// A slash that was escaped is one like any other, and never the second in a row.
fn push_path(out: &mut String, text: &str) {
    for character in text.chars() {
        if character != '/' || !out.ends_with('/') {
            out.push(character);
        }
    }
}

/// None: an escape is broken, or what it stands for is no text; then the segment counts as it is.
pub(crate) fn decoded_segment(segment: &str) -> Option<Cow<'_, str>> {
    if !segment.contains('%') {
        return Some(Cow::Borrowed(segment));
    }
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    loop {
        rest = match rest {
            [] => return String::from_utf8(bytes).ok().map(Cow::Owned),
            [b'%', high, low, more @ ..] => {
                let digit =
                    |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                bytes.push(digit(*high)? * 16 + digit(*low)?);
                more
            }
            [b'%', ..] => return None,
            [byte, more @ ..] => {
                bytes.push(*byte);
                more
            }
        };
    }
}

/// A decoded path in the one encoding that its file is served at: everything escaped but letters, digits,
/// slashes and `-_.!~*'()`.
#[must_use]
pub fn canonical(path: &str) -> Cow<'_, str> {
    if path.bytes().all(stays) {
        return Cow::Borrowed(path);
    }
    let mut out = String::with_capacity(path.len() + 16);
    for byte in path.bytes() {
        if stays(byte) {
            out.push(char::from(byte));
        } else {
            const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                out.push(DIGITS.get(usize::from(digit)).copied().map_or('0', char::from));
            }
        }
    }
    Cow::Owned(out)
}

fn stays(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'/' | b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_are_normalized_as_browsers_do() {
        for (sent, expected) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/../../etc/passwd", "/etc/passwd"),
            ("/a/..", "/"),
            ("/a/b/..", "/a/"),
            ("/a/%2e%2E/b", "/b"),
            ("/a/.%2e/b", "/b"),
            ("/a/.", "/a/"),
            ("/a\\b", "/a/b"),
            ("/a/..\\b", "/b"),
            ("/...", "/..."),
            ("/.well-known/x", "/.well-known/x"),
            ("/a//b", "/a//b"),
            ("/caf\u{e9}", "/caf%C3%A9"),
            ("/a\"b", "/a%22b"),
            ("/a%20b", "/a%20b"),
        ] {
            assert_eq!(normalized(sent), expected, "{sent}");
        }
    }

    #[test]
    fn segments_are_decoded_one_by_one_and_slashes_collapse() {
        for (path, expected) in [
            ("/a%20b", "/a b"),
            ("/a%2Fb", "/a/b"),
            ("//a///b/", "/a/b/"),
            ("/%2F%2Fevil.example", "/evil.example"),
            ("/100%", "/100%"),
            ("/100%/a%20b", "/100%/a b"),
            ("/%zz%20", "/%zz%20"),
            ("/%ff", "/%ff"),
            ("/%E2%82%AC", "/\u{20ac}"),
            ("/%2520", "/%20"),
        ] {
            assert_eq!(decoded(path), expected, "{path}");
        }
    }

    #[test]
    fn every_spelling_of_a_path_is_routed_alike() {
        for sent in [
            "/admin/a b",
            "/x/../admin/a%20b",
            "/./admin/a%20b",
            "/x/%2e%2E/admin/a%20b",
            "/%2e/admin/a%20b",
            "/x\\..\\admin/a%20b",
            "/admin\\a%20b",
            "//admin//a%20b",
            "/%61dmin/a%20b",
            "/admin%2fa%20b",
            "/admin%2Fa%20b",
            "/x/..//admin/a%20b",
        ] {
            assert_eq!(routed(sent), "/admin/a b", "{sent}");
        }
        assert!(matches!(routed("/a/b.txt"), Cow::Borrowed("/a/b.txt")));
    }

    #[test]
    fn one_encoding_is_canonical() {
        assert_eq!(canonical("/a b/\u{20ac}"), "/a%20b/%E2%82%AC");
        assert_eq!(canonical("/-_.!~*'()"), "/-_.!~*'()");
        assert_eq!(canonical("/@|%\\"), "/%40%7C%25%5C");
    }

    proptest! {
        /// A redirect to the canonical form must not be answered with another redirect.
        #[test]
        fn the_canonical_form_is_a_fixed_point(path in "/[ -~\u{e9}\u{20ac}/%]{0,40}") {
            let once = canonical(&decoded(&normalized(&path))).into_owned();
            let twice = canonical(&decoded(&normalized(&once))).into_owned();
            prop_assert_eq!(once, twice);
        }
    }
}
