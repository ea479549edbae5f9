//! Filters over tags: `customer-1:yes,archived:no`.
//!
//! Owns the grammar of tag filters and the rule of matching. Never holds more terms than a script can have
//! a use for.

use std::fmt;
use std::str::FromStr;

use crate::name::{NameError, Tag};

/// Terms that must all hold: a tag is there (`yes`) or is not (`no`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagFilter {
    terms: Vec<(Tag, bool)>,
}

/// Most terms in a filter.
const MAX_TERMS: usize = 64;

/// A text that is no tag filter. Safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagFilterError {
    /// Nothing to filter by.
    #[error("the tag filter is empty; write it like customer-1:yes,archived:no")]
    Empty,
    /// A term without `:yes` or `:no` at its end.
    #[error(
        "the term \"{term}\" of the tag filter does not end in :yes or :no; write it like customer-1:yes"
    )]
    Value {
        /// The term, shortened.
        term: String,
    },
    /// More terms than allowed.
    #[error("the tag filter has more than 64 terms; ask in several requests")]
    TooMany,
    /// The same tag with both values: nothing could ever match.
    #[error("the tag filter asks for \"{tag}\" to be there and not to be there; keep one of the two")]
    Contradiction {
        /// The tag, shortened.
        tag: String,
    },
    /// A tag that breaks its own grammar.
    #[error(transparent)]
    Tag(#[from] NameError),
}

impl TagFilter {
    /// True when each term holds for these tags.
    #[must_use]
    pub fn matches(&self, tags: &[Tag]) -> bool {
        self.terms.iter().all(|(tag, wanted)| tags.contains(tag) == *wanted)
    }
}

impl FromStr for TagFilter {
    type Err = TagFilterError;

    fn from_str(text: &str) -> Result<TagFilter, TagFilterError> {
        let mut terms: Vec<(Tag, bool)> = Vec::new();
        if text.trim().is_empty() {
            return Err(TagFilterError::Empty);
        }
        for term in text.split(',') {
            if terms.len() == MAX_TERMS {
                return Err(TagFilterError::TooMany);
            }
            let error = || TagFilterError::Value { term: crate::name::shorten(term) };
            // The last colon: a tag may hold colons itself.
            let (tag, value) = term.rsplit_once(':').ok_or_else(error)?;
            let wanted = match value {
                "yes" => true,
                "no" => false,
                _ => return Err(error()),
            };
            let tag = Tag::parse(tag)?;
            match terms.iter().find(|(known, _)| *known == tag) {
                Some((_, known)) if *known == wanted => {}
                Some(_) => {
                    return Err(TagFilterError::Contradiction { tag: crate::name::shorten(tag.as_str()) });
                }
                None => terms.push((tag, wanted)),
            }
        }
        Ok(TagFilter { terms })
    }
}

impl fmt::Display for TagFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (tag, wanted)) in self.terms.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{tag}:{}", if *wanted { "yes" } else { "no" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tags(names: &[&str]) -> Vec<Tag> {
        names.iter().map(|name| Tag::parse(name).unwrap()).collect()
    }

    #[test]
    fn all_terms_must_hold() {
        let filter: TagFilter = "a:yes,b:no".parse().unwrap();
        assert!(filter.matches(&tags(&["a"])));
        assert!(filter.matches(&tags(&["a", "c"])));
        assert!(!filter.matches(&tags(&["a", "b"])));
        assert!(!filter.matches(&tags(&[])));
    }

    #[test]
    fn the_value_follows_the_last_colon() {
        let filter: TagFilter = "user:7:yes".parse().unwrap();
        assert!(filter.matches(&tags(&["user:7"])));
    }

    #[test]
    fn wrong_filters_say_what_is_wrong() {
        assert_eq!("".parse::<TagFilter>(), Err(TagFilterError::Empty));
        assert!(matches!("a".parse::<TagFilter>(), Err(TagFilterError::Value { .. })));
        assert!(matches!("a:true".parse::<TagFilter>(), Err(TagFilterError::Value { .. })));
        assert!(matches!("a:yes,".parse::<TagFilter>(), Err(TagFilterError::Value { .. })));
        assert!(matches!(":yes".parse::<TagFilter>(), Err(TagFilterError::Tag(_))));
        assert!(matches!("a:yes,a:no".parse::<TagFilter>(), Err(TagFilterError::Contradiction { .. })));
        let many: Vec<String> = (0..65).map(|n| format!("t{n}:yes")).collect();
        assert_eq!(many.join(",").parse::<TagFilter>(), Err(TagFilterError::TooMany));
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(
            terms in proptest::collection::btree_map("[a-z:]{1,8}", any::<bool>(), 1..8)
        ) {
            let terms = terms.into_iter().map(|(tag, wanted)| (Tag::parse(&tag).unwrap(), wanted)).collect();
            let filter = TagFilter { terms };
            prop_assert_eq!(filter.to_string().parse::<TagFilter>().unwrap(), filter);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[a-c:,&yesno]{0,30}|.{0,60}") {
            if let Ok(filter) = text.parse::<TagFilter>() {
                prop_assert_eq!(filter.to_string().parse::<TagFilter>().unwrap(), filter);
            }
        }
    }
}
