//! Names that no zone may claim, as the operator lists them.
//!
//! Owns the grammar of an entry and what it covers. A name is looked for with one step for each of its labels, however long the
//! list is.

use std::collections::HashSet;
use std::sync::Arc;

use crate::domain::{Domain, DomainError};

/// Names that no zone may claim. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockedNames {
    /// Each with all names below it.
    whole: Arc<HashSet<Domain>>,
    /// Only the names below these.
    below: Arc<HashSet<Domain>>,
}

impl BlockedNames {
    /// Reads entries: `evil.example` is that name and all below it, `*.evil.example` only those below it.
    ///
    /// # Errors
    /// The place of the first entry that is none, and [`DomainError`].
    pub fn parse<'t>(
        entries: impl IntoIterator<Item = &'t str>,
    ) -> Result<BlockedNames, (usize, DomainError)> {
        let (mut whole, mut below) = (HashSet::new(), HashSet::new());
        for (place, entry) in entries.into_iter().enumerate() {
            let (into, name) = match entry.strip_prefix("*.") {
                Some(name) => (&mut below, name),
                None => (&mut whole, entry),
            };
            into.insert(Domain::from_any_alphabet(name).map_err(|error| (place, error))?);
        }
        Ok(BlockedNames { whole: Arc::new(whole), below: Arc::new(below) })
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.below.is_empty()
    }

    /// Whether a name may not be claimed. `name` is lower-case; the `*.` of a wildcard counts as a label.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        if self.is_empty() {
            return false;
        }
        let mut names =
            std::iter::successors(Some(name), |name| name.split_once('.').map(|(_, above)| above));
        names.any(|above| self.whole.contains(above) || (above != name && self.below.contains(above)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_covers_whole_labels_below_it() {
        let blocked = BlockedNames::parse(["bank.example", "*.gov.example", "bücher.example"]).unwrap();
        for name in
            ["bank.example", "login.bank.example", "*.bank.example", "a.gov.example", "xn--bcher-kva.example"]
        {
            assert!(blocked.contains(name), "{name}");
        }
        for name in ["mybank.example", "example", "gov.example", "bank.example.net"] {
            assert!(!blocked.contains(name), "{name}");
        }
        assert!(BlockedNames::default().is_empty() && !BlockedNames::default().contains("bank.example"));
        assert_eq!(BlockedNames::parse(["good.example", "a..b"]).unwrap_err().0, 1);
    }
}
