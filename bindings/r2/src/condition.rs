//! Conditions: whether an object is as somebody believes. The rules are those of RFC 9110, section 13, as the product reads
//! them: of an etag and a date that say the same, the etag decides.

use crate::object::Object;

/// What must hold of an object. Nothing must hold of [`Condition::default`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// Its etag is one of these; `*` is any. Nothing where the list is empty.
    pub etag_matches: Vec<String>,
    /// Its etag is none of these; `*` is any.
    pub etag_does_not_match: Vec<String>,
    /// It was put before this moment, in milliseconds since 1970.
    pub uploaded_before: Option<u64>,
    /// It was put after this moment, in milliseconds since 1970.
    pub uploaded_after: Option<u64>,
    /// Whether moments are compared by whole seconds, as header fields have them.
    pub seconds_granularity: bool,
}

impl Condition {
    /// Whether nothing must hold.
    #[must_use]
    pub fn is_none(&self) -> bool {
        let none = Condition { seconds_granularity: self.seconds_granularity, ..Condition::default() };
        *self == none
    }

    /// Whether it holds of what is there.
    #[must_use]
    pub fn holds(&self, object: Option<&Object>) -> bool {
        let Some(object) = object else {
            return self.etag_matches.is_empty() && self.uploaded_after.is_none();
        };
        let is_one = |etags: &[String]| etags.iter().any(|etag| etag == "*" || bare(etag) == object.etag);
        let matches = is_one(&self.etag_matches);
        if !self.etag_matches.is_empty() && !matches {
            return false;
        }
        let differs = !is_one(&self.etag_does_not_match);
        if !self.etag_does_not_match.is_empty() && !differs {
            return false;
        }
        let moment = |time: u64| if self.seconds_granularity { time / 1_000 } else { time };
        let uploaded = moment(object.uploaded);
        // With seconds, what was put within the second of the date is not after it, and may be before it.
        let before = self.uploaded_before.is_none_or(|date| {
            matches || uploaded < moment(date) || (self.seconds_granularity && uploaded == moment(date))
        });
        let after = self
            .uploaded_after
            .is_none_or(|date| (!self.etag_does_not_match.is_empty() && differs) || uploaded > moment(date));
        before && after
    }
}

/// An etag without its quotes and without what says that it is weak.
fn bare(etag: &str) -> &str {
    let etag = etag.strip_prefix("W/").unwrap_or(etag);
    etag.strip_prefix('"').and_then(|etag| etag.strip_suffix('"')).unwrap_or(etag)
}

/// The etags of a header field such as `If-Match`.
#[must_use]
pub fn etags_of_field(field: &str) -> Vec<String> {
    let mut etags = Vec::new();
    let mut rest = field.trim();
    while !rest.is_empty() {
        let quoted = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"');
        let end = match quoted {
            // A comma within quotes is the etag's own.
            Some(inside) => (rest.len() - inside.len()) + inside.find('"').map_or(inside.len(), |at| at + 1),
            None => rest.find(',').unwrap_or(rest.len()),
        };
        let (etag, after) = rest.split_at(end);
        if !etag.trim().is_empty() {
            etags.push(etag.trim().to_owned());
        }
        rest = after.trim_start().trim_start_matches(',').trim_start();
    }
    etags
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::Checksums;
    use crate::object::Metadata;

    fn object() -> Object {
        Object {
            key: "k".to_owned(),
            version: "v".to_owned(),
            size: 1,
            etag: "abc".to_owned(),
            uploaded: 10_500,
            metadata: Metadata::default(),
            checksums: Checksums::default(),
        }
    }

    fn holds(change: impl FnOnce(&mut Condition)) -> (bool, bool) {
        let mut condition = Condition::default();
        change(&mut condition);
        (condition.holds(Some(&object())), condition.holds(None))
    }

    fn etags(text: &str) -> Vec<String> {
        etags_of_field(text)
    }

    #[test]
    fn etags_are_compared_however_they_are_written() {
        assert_eq!(holds(|_| {}), (true, true));
        for (written, there) in
            [("abc", true), ("\"abc\"", true), ("x, W/\"abc\"", true), ("*", true), ("x", false)]
        {
            assert_eq!(holds(|it| it.etag_matches = etags(written)), (there, false), "{written}");
            assert_eq!(holds(|it| it.etag_does_not_match = etags(written)), (!there, true), "{written}");
        }
        assert_eq!(etags(" \"a,b\" ,c"), ["\"a,b\"", "c"]);
        assert_eq!(etags("\"open"), ["\"open"]);
    }

    #[test]
    fn dates_are_compared_by_milliseconds_or_by_seconds() {
        let before = |date, by_seconds| {
            holds(|it| (it.uploaded_before, it.seconds_granularity) = (Some(date), by_seconds))
        };
        assert_eq!(before(10_501, false), (true, true));
        assert_eq!(before(10_500, false), (false, true));
        assert_eq!(before(10_000, true), (true, true), "within the same second");
        let after = |date, by_seconds| {
            holds(|it| (it.uploaded_after, it.seconds_granularity) = (Some(date), by_seconds))
        };
        assert_eq!(after(10_499, false), (true, false));
        assert_eq!(after(10_000, true), (false, false), "within the same second");
    }

    #[test]
    fn an_etag_decides_before_a_date() {
        assert!(holds(|it| (it.etag_matches, it.uploaded_before) = (etags("abc"), Some(1))).0);
        assert!(holds(|it| (it.etag_does_not_match, it.uploaded_after) = (etags("x"), Some(99_000))).0);
        assert!(!holds(|it| (it.etag_does_not_match, it.uploaded_after) = (etags("abc"), Some(1))).0);
    }
}
