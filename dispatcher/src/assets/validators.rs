//! Entity tags and the conditions that visitors attach to them: `If-None-Match`, `If-Range`.
//!
//! The tag of a file is its hash in the manifest; an encoded variant has the coding's name behind it. Files
//! have no date, so nothing is made of `If-Modified-Since`.

use http::header::{self, HeaderMap, HeaderValue};
use wasmyard_namespaces::assets::{AssetHash, Encoding};

/// The entity tag of one representation of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) hash: AssetHash,
    pub(super) encoding: Option<Encoding>,
}

/// As in `ETag`.
impl std::fmt::Display for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.encoding {
            None => write!(f, "\"{}\"", self.hash),
            Some(encoding) => write!(f, "\"{}-{}\"", self.hash, encoding.as_str()),
        }
    }
}

impl Tag {
    pub(super) fn value(self) -> Option<HeaderValue> {
        use std::fmt::Write as _;
        // Two quotes, 32 digits, a hyphen and a coding.
        let mut text = String::with_capacity(40);
        write!(text, "{self}").ok()?;
        HeaderValue::try_from(text).ok()
    }

    /// Reads what stands between the quotes.
    fn parse(text: &str) -> Option<Tag> {
        let (hash, encoding) = match text.split_once('-') {
            None => (text, None),
            Some((hash, coding)) => {
                (hash, Some(Encoding::ALL.into_iter().find(|encoding| encoding.as_str() == coding)?))
            }
        };
        let tag = Tag { hash: hash.parse().ok()?, encoding };
        // Only the one spelling that we send.
        (tag.to_string().trim_matches('"') == text).then_some(tag)
    }
}

/// What `If-None-Match` says about a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// The visitor has this representation of it.
    Tag(Tag),
    /// The visitor wants nothing if there is anything: `*`.
    Any,
}

/// Whether the visitor has a file already. Weak comparison, so every representation of the content counts; of
/// several that the visitor has, the one that it would be given now is preferred.
pub(super) fn known(headers: &HeaderMap, current: Tag) -> Option<Known> {
    let mut best = None;
    for value in headers.get_all(header::IF_NONE_MATCH) {
        let text = value.to_str().ok()?.trim();
        if text == "*" {
            return Some(Known::Any);
        }
        for (_, tag) in tags(text) {
            match Tag::parse(tag) {
                Some(tag) if tag == current => return Some(Known::Tag(tag)),
                Some(tag) if tag.hash == current.hash => best = best.or(Some(Known::Tag(tag))),
                _ => {}
            }
        }
    }
    best
}

/// Whether `If-Match`, where it is there, names the file as it is. Strong comparison.
pub(super) fn held_whole(headers: &HeaderMap, current: Tag) -> bool {
    let mut values = headers.get_all(header::IF_MATCH).iter().peekable();
    values.peek().is_none()
        || values.any(|value| {
            let text = value.to_str().unwrap_or_default().trim();
            text == "*"
                || tags(text)
                    .any(|(weak, tag)| !weak && Tag::parse(tag).is_some_and(|tag| tag.hash == current.hash))
        })
}

/// Which representation a visitor holds a part of. `Err`: its `If-Range` names none of ours, or only weakly, or
/// a date, so that only the whole will do. `Ok(None)`: there is no condition.
pub(super) fn part_held(headers: &HeaderMap) -> Result<Option<Tag>, ()> {
    let Some(value) = headers.get(header::IF_RANGE) else { return Ok(None) };
    let text = value.to_str().map_err(|_| ())?.trim();
    match tags(text).collect::<Vec<_>>().as_slice() {
        [(false, tag)] => Tag::parse(tag).map(Some).ok_or(()),
        _ => Err(()),
    }
}

/// The tags of a list: whether each is weak, and what stands between its quotes. Ends at the first mistake.
fn tags(text: &str) -> impl Iterator<Item = (bool, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (weak, quoted) = match rest.strip_prefix("W/") {
            Some(quoted) => (true, quoted),
            None => (false, rest),
        };
        let (tag, more) = quoted.strip_prefix('"')?.split_once('"')?;
        let more = more.trim_start_matches([' ', '\t']);
        if !more.is_empty() && !more.starts_with(',') {
            return None;
        }
        rest = more;
        Some((weak, tag))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HASH: &str = "0123456789abcdef0123456789abcdef";
    const OTHER: &str = "ffffffffffffffffffffffffffffffff";

    fn tag(encoding: Option<Encoding>) -> Tag {
        Tag { hash: HASH.parse().unwrap(), encoding }
    }

    fn headers(name: header::HeaderName, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    fn none_match(values: &[&str], current: Tag) -> Option<Known> {
        known(&headers(header::IF_NONE_MATCH, values), current)
    }

    #[test]
    fn tags_are_written_with_the_coding_behind_the_hash() {
        assert_eq!(tag(None).to_string(), format!("\"{HASH}\""));
        assert_eq!(tag(Some(Encoding::Br)).to_string(), format!("\"{HASH}-br\""));
    }

    #[test]
    fn every_form_of_if_none_match_is_understood() {
        let plain = tag(None);
        let known = Some(Known::Tag(plain));
        for (values, expected) in [
            (vec![format!("\"{HASH}\"")], known),
            (vec![format!("W/\"{HASH}\"")], known),
            (vec![format!("\"{OTHER}\", \"{HASH}\"")], known),
            (vec![format!("\"{OTHER}\",W/\"{HASH}\" , \"x\"")], known),
            (vec![format!("\"{OTHER}\""), format!("\"{HASH}\"")], known),
            (vec!["*".to_owned()], Some(Known::Any)),
            (vec![format!("\"{OTHER}\"")], None),
            (vec![HASH.to_owned()], None),
            (vec![format!("\"{HASH}")], None),
            (vec![format!("w/\"{HASH}\"")], None),
            (vec![format!("\"{}\"", HASH.to_uppercase())], None),
            (vec![format!("\"{HASH}-deflate\"")], None),
            (vec![format!("\"a\" \"{HASH}\"")], None),
            (vec![String::new()], None),
            (vec![], None),
        ] {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            assert_eq!(none_match(&values, plain), expected, "{values:?}");
        }
    }

    #[test]
    fn another_representation_of_the_same_content_is_known_too_and_the_current_one_is_preferred() {
        let (plain, br) = (tag(None), tag(Some(Encoding::Br)));
        assert_eq!(none_match(&[&format!("\"{HASH}\"")], br), Some(Known::Tag(plain)));
        assert_eq!(none_match(&[&format!("\"{HASH}\", \"{HASH}-br\"")], br), Some(Known::Tag(br)));
    }

    #[test]
    fn a_part_is_of_one_representation_and_weak_tags_and_dates_are_not_enough() {
        let held = |value: &str| part_held(&headers(header::IF_RANGE, &[value]));
        assert_eq!(part_held(&HeaderMap::new()), Ok(None));
        assert_eq!(held(&format!("\"{HASH}-gzip\"")), Ok(Some(tag(Some(Encoding::Gzip)))));
        assert_eq!(held(&format!("W/\"{HASH}\"")), Err(()));
        assert_eq!(held("Sat, 29 Oct 1994 19:43:31 GMT"), Err(()));
        assert_eq!(held("\"other\""), Err(()));
        assert_eq!(held(&format!("\"{HASH}\", \"{HASH}\"")), Err(()));
    }

    #[test]
    fn if_match_wants_the_content_as_it_is() {
        let held = |value: &str| held_whole(&headers(header::IF_MATCH, &[value]), tag(None));
        assert!(held_whole(&HeaderMap::new(), tag(None)));
        assert!(held("*") && held(&format!("\"{OTHER}\", \"{HASH}-br\"")));
        assert!(!held(&format!("W/\"{HASH}\"")) && !held(&format!("\"{OTHER}\"")) && !held(""));
    }

    proptest! {
        #[test]
        fn whatever_stands_in_the_field_is_survived(text in "[ -~]{0,200}") {
            none_match(&[&text], tag(None));
            part_held(&headers(header::IF_RANGE, &[&text])).ok();
        }

        #[test]
        fn a_tag_among_others_is_found(before in proptest::collection::vec("(W/)?\"[!#-~]{0,40}\"", 0..8)) {
            let mut list = before;
            list.push(tag(None).to_string());
            prop_assert_eq!(none_match(&[&list.join(", ")], tag(None)), Some(Known::Tag(tag(None))));
        }
    }
}
