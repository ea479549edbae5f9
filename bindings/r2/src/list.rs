//! Lists: objects in the order of their keys' bytes, and what their keys begin with up to a delimiter.

use crate::checksum::{from_hex, hex};
use crate::error::R2Error;
use crate::limits::{MAX_KEY_BYTES, MAX_LIST};
use crate::object::Object;

/// Which objects are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// Those whose keys begin with this.
    pub prefix: String,
    /// Keys that have this behind the prefix are listed once, up to it.
    pub delimiter: Option<String>,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// The keys after this one; a cursor goes before it.
    pub start_after: Option<String>,
    /// How many at most, common prefixes included; [`MAX_LIST`] where none is given.
    pub limit: Option<usize>,
}

/// One page of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The objects.
    pub objects: Vec<Object>,
    /// What keys begin with that have the delimiter, each once, up to and with it.
    pub prefixes: Vec<String>,
    /// Where the next page begins; none on the last.
    pub cursor: Option<String>,
}

/// Where a list goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// At the beginning.
    Start,
    /// After this key.
    Key(String),
    /// After all keys that begin with this.
    Prefix(String),
}

/// What is read from the index.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) prefix: String,
    pub(crate) delimiter: Option<String>,
    pub(crate) place: Place,
    pub(crate) limit: usize,
}

impl ListOptions {
    /// What is to be read.
    pub(crate) fn resolve(self) -> Result<Wanted, R2Error> {
        for (what, text) in [("prefix", Some(&self.prefix)), ("delimiter", self.delimiter.as_ref())] {
            if text.is_some_and(|text| text.len() > MAX_KEY_BYTES) {
                return Err(R2Error::Invalid(format!(
                    "{what} has more than {MAX_KEY_BYTES} bytes, the most of a key; make it shorter"
                )));
            }
        }
        let limit = self.limit.unwrap_or(MAX_LIST);
        if !(1..=MAX_LIST).contains(&limit) {
            return Err(R2Error::Invalid(format!(
                "limit is {limit}, and must be from 1 to {MAX_LIST}; give another number"
            )));
        }
        let place = match (self.cursor.filter(|cursor| !cursor.is_empty()), self.start_after) {
            (Some(cursor), _) => Place::of_cursor(&cursor).ok_or_else(|| {
                R2Error::Invalid(
                    "the cursor is none that a list of this bucket ended with; begin without one".to_owned(),
                )
            })?,
            (None, Some(key)) => Place::Key(key),
            (None, None) => Place::Start,
        };
        let delimiter = self.delimiter.filter(|delimiter| !delimiter.is_empty());
        Ok(Wanted { prefix: self.prefix, delimiter, place, limit })
    }
}

impl Page {
    /// The key, or what keys begin with, behind which the next page begins.
    #[must_use]
    pub fn last(&self) -> Option<String> {
        match Place::of_cursor(self.cursor.as_deref()?)? {
            Place::Start => None,
            Place::Key(text) | Place::Prefix(text) => Some(text),
        }
    }
}

/// The cursor that leads behind a text which [`Page::last`] gave: behind all keys that begin with it up to a delimiter, if there is
/// one in it behind the prefix.
#[must_use]
pub fn behind(text: &str, prefix: &str, delimiter: Option<&str>) -> Option<String> {
    let delimiter = delimiter.filter(|delimiter| !delimiter.is_empty());
    let common = text.strip_prefix(prefix).zip(delimiter).and_then(|(rest, delimiter)| {
        let end = prefix.len() + rest.find(delimiter)? + delimiter.len();
        text.get(..end).map(str::to_owned)
    });
    common.map_or_else(|| Place::Key(text.to_owned()), Place::Prefix).to_cursor()
}

impl Place {
    /// In digits, so that it passes through any URL.
    pub(crate) fn to_cursor(&self) -> Option<String> {
        match self {
            Place::Start => None,
            Place::Key(key) => Some(format!("k{}", hex(key.as_bytes()))),
            Place::Prefix(prefix) => Some(format!("p{}", hex(prefix.as_bytes()))),
        }
    }

    fn of_cursor(cursor: &str) -> Option<Place> {
        if cursor.len() > 1 + 2 * MAX_KEY_BYTES {
            return None;
        }
        let text = |digits: &str| String::from_utf8(from_hex(digits)?).ok();
        match cursor.split_at_checked(1)? {
            ("k", digits) => text(digits).map(Place::Key),
            ("p", digits) => text(digits).map(Place::Prefix),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_place() {
        for place in [Place::Key("some key/å".to_owned()), Place::Prefix("k".repeat(MAX_KEY_BYTES))] {
            assert_eq!(Place::of_cursor(&place.to_cursor().unwrap()).as_ref(), Some(&place));
        }
        for bad in ["", "x61", "k6", "kzz", "kff", "å", &format!("k{}", "61".repeat(MAX_KEY_BYTES + 1))] {
            assert_eq!(Place::of_cursor(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_marker_leads_behind_what_keys_have_in_common() {
        let place = |text, prefix, delimiter| Place::of_cursor(&behind(text, prefix, delimiter).unwrap());
        let (key, common) = (
            |text: &str| Some(Place::Key(text.to_owned())),
            |text: &str| Some(Place::Prefix(text.to_owned())),
        );
        assert_eq!(place("a/b", "", None), key("a/b"));
        assert_eq!(place("a/b", "", Some("/")), common("a/"));
        assert_eq!(place("a/", "a", Some("/")), common("a/"));
        assert_eq!(place("a/b", "a/", Some("/")), key("a/b"));
        assert_eq!(place("b/c", "a/", Some("/")), key("b/c"));
    }

    #[test]
    fn a_limit_has_bounds() {
        let limit = |limit| ListOptions { limit: Some(limit), ..ListOptions::default() }.resolve();
        assert_eq!(limit(1).unwrap().limit, 1);
        assert!(matches!(limit(0), Err(R2Error::Invalid(_))));
        assert!(matches!(limit(MAX_LIST + 1), Err(R2Error::Invalid(_))));
    }
}
