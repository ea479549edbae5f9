//! Which names are served at all: the one question that a stranger may ask fifty thousand times a second.
//!
//! Owns a table of 16 bytes for each name, in memory: a keyed hash of the name, and where its certificate is. The key is
//! the installation's, so that nobody can look for names that meet in one hash. The record carries the name itself; who
//! reads it compares.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{PoisonError, RwLock};

use siphasher::sip::SipHasher13;
use wasmyard_listener::tls::Found;

use crate::name::{LONGEST, ServedName};

/// How many of a name's ancestors are asked for as zones.
const MOST_STEPS: usize = 8;

const ID_BITS: u32 = 40;
const GROUP_BITS: u32 = 16;
/// The largest number of a row.
pub(crate) const LARGEST_ID: u64 = (1 << ID_BITS) - 1;

/// What a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A host, or a wildcard for one label.
    Host = 0,
    /// A zone: all names below it that have no certificate of their own are served with its.
    Zone = 1,
}

/// Where a name's certificate is, how it is served, and what it is: 40, 16 and 8 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry(u64);

impl Entry {
    pub(crate) fn new(id: u64, group: u16, kind: Kind) -> Option<Self> {
        let kind = kind as u64;
        (id <= LARGEST_ID).then_some(Self(id << (GROUP_BITS + 8) | u64::from(group) << 8 | kind))
    }

    fn id(self) -> u64 {
        self.0 >> (GROUP_BITS + 8)
    }

    fn group(self) -> u16 {
        // The bits of one group, and no more.
        u16::try_from(self.0 >> 8 & u64::from(u16::MAX)).unwrap_or_default()
    }

    fn is_zone(self) -> bool {
        self.0 & 0xff == Kind::Zone as u64
    }

    fn found(self) -> Found {
        Found { certificate: self.id(), group: self.group() }
    }
}

/// Passes on what is a hash already.
#[derive(Debug, Default)]
pub(crate) struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Only whole numbers are looked up; anything else still spreads.
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

type Table = HashMap<u64, Entry, BuildHasherDefault<Identity>>;

/// The names that are served.
pub(crate) struct Claimed {
    hasher: SipHasher13,
    table: RwLock<Table>,
}

impl Claimed {
    /// An empty table with room for so many, whose hashes depend on a secret.
    pub(crate) fn new(secret: &[u8; 32], room: usize) -> Self {
        let mut key = [0; 16];
        key.iter_mut().zip(secret).for_each(|(to, from)| *to = *from);
        let table = Table::with_capacity_and_hasher(room, BuildHasherDefault::default());
        Self { hasher: SipHasher13::new_with_key(&key), table: RwLock::new(table) }
    }

    /// The hash that stands for a name.
    pub(crate) fn hash(&self, name: &str) -> u64 {
        self.hasher.hash(name.as_bytes())
    }

    pub(crate) fn claim(&self, hash: u64, entry: Entry) {
        self.table.write().unwrap_or_else(PoisonError::into_inner).insert(hash, entry);
    }

    pub(crate) fn release(&self, hash: u64) {
        self.table.write().unwrap_or_else(PoisonError::into_inner).remove(&hash);
    }

    pub(crate) fn len(&self) -> usize {
        self.table.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// What a step of [`steps`] leads to.
    pub(crate) fn at(&self, step: &Step<'_>) -> Option<Found> {
        let hash = match step {
            Step::Exact(name) | Step::Zone(name) => self.hash(name),
            Step::Wildcard(name) => self.hash(name.as_str()),
        };
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let entry = table.get(&hash).copied()?;
        (!matches!(step, Step::Zone(_)) || entry.is_zone()).then(|| entry.found())
    }
}

/// A name under which another one's certificate may be.
#[expect(
    clippy::large_enum_variant,
    reason = "on the stack for a moment: a box would be an allocation a question"
)]
pub(crate) enum Step<'n> {
    /// Itself.
    Exact(&'n str),
    /// `*.` and what is above it.
    Wildcard(Wildcard),
    /// What is above it, or above that.
    Zone(&'n str),
}

/// `*.` and a name, on the stack.
pub(crate) struct Wildcard {
    bytes: [u8; 2 + LONGEST],
    length: usize,
}

impl Wildcard {
    fn above(parent: &str) -> Option<Self> {
        let mut bytes = [0; 2 + LONGEST];
        let (star, rest) = bytes.split_first_chunk_mut::<2>()?;
        *star = *b"*.";
        rest.get_mut(..parent.len())?.copy_from_slice(parent.as_bytes());
        Some(Self { bytes, length: 2 + parent.len() })
    }

    pub(crate) fn as_str(&self) -> &str {
        self.bytes.get(..self.length).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

/// Where to look for a name, in this order: itself, the wildcard beside it, and its ancestors as zones.
pub(crate) fn steps(name: &str) -> impl Iterator<Item = Step<'_>> {
    let name = Some(name).filter(|name| name.len() <= LONGEST);
    let above = name.and_then(parent);
    let wildcard = above.and_then(Wildcard::above);
    let ancestors = std::iter::successors(above, |above| parent(above)).take(MOST_STEPS);
    let own = name.map(Step::Exact).into_iter().chain(wildcard.map(Step::Wildcard));
    own.chain(ancestors.map(Step::Zone))
}

/// What is above a name.
fn parent(name: &str) -> Option<&str> {
    name.split_once('.').map(|(_, parent)| parent).filter(|parent| !parent.is_empty())
}

/// Whether a certificate that was claimed for `claimed` is for `name` by one of the [`steps`]: what stands between a name
/// whose hash is another's, and that one's certificate.
pub(crate) fn leads_to(name: &str, claimed: &ServedName) -> bool {
    steps(name).any(|step| match step {
        Step::Exact(name) | Step::Zone(name) => name == claimed.as_str(),
        Step::Wildcard(name) => name.as_str() == claimed.as_str(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claimed(names: &[(&str, u64, Kind)]) -> Claimed {
        let claimed = Claimed::new(&[3; 32], 0);
        for (name, id, kind) in names {
            claimed.claim(claimed.hash(name), Entry::new(*id, 5, *kind).unwrap());
        }
        claimed
    }

    fn found(claimed: &Claimed, name: &str) -> Option<u64> {
        let found = steps(name).find_map(|step| claimed.at(&step))?;
        assert_eq!(found.group, 5);
        Some(found.certificate)
    }

    #[test]
    fn exact_comes_before_wildcard_before_zone() {
        let claimed = claimed(&[
            ("zone.test", 1, Kind::Zone),
            ("*.zone.test", 2, Kind::Host),
            ("a.zone.test", 3, Kind::Host),
            ("customer.test", 4, Kind::Host),
        ]);
        for (name, id) in [
            ("zone.test", Some(1)),
            ("a.zone.test", Some(3)),
            ("b.zone.test", Some(2)),
            ("x.b.zone.test", Some(1)),
            ("x.a.zone.test", Some(1)),
            ("customer.test", Some(4)),
            ("x.customer.test", None),
            ("test", None),
            ("", None),
            (".", None),
            ("..", None),
            (".zone.test", Some(2)),
        ] {
            assert_eq!(found(&claimed, name), id, "{name}");
        }
    }

    #[test]
    fn so_many_ancestors_are_looked_at_and_no_more() {
        let claimed = claimed(&[("zone.test", 1, Kind::Zone)]);
        assert_eq!(found(&claimed, &format!("{}zone.test", "a.".repeat(8))), Some(1));
        assert_eq!(found(&claimed, &format!("{}zone.test", "a.".repeat(9))), None);
        let long = format!("{}zone.test", "a".repeat(250) + ".");
        assert_eq!(steps(&long).count(), 0);
        assert_eq!(steps(&"a.".repeat(126)).count(), 2 + MOST_STEPS);
    }

    #[test]
    fn hashes_depend_on_the_installation() {
        let (one, two) = (Claimed::new(&[1; 32], 0), Claimed::new(&[2; 32], 0));
        assert_ne!(one.hash("shop.test"), two.hash("shop.test"));
        assert_eq!(one.hash("shop.test"), Claimed::new(&[1; 32], 0).hash("shop.test"));
    }

    #[test]
    fn an_entry_gives_back_what_was_put_in() {
        for id in [0, 1, LARGEST_ID] {
            for group in [0, 1, u16::MAX] {
                for kind in [Kind::Host, Kind::Zone] {
                    let entry = Entry::new(id, group, kind).unwrap();
                    assert_eq!((entry.id(), entry.group(), entry.is_zone()), (id, group, kind == Kind::Zone));
                }
            }
        }
        assert!(Entry::new(LARGEST_ID + 1, 0, Kind::Host).is_none());
    }

    #[test]
    fn what_leads_to_a_name_is_told_from_what_does_not() {
        let served = |name| ServedName::parse(name).unwrap();
        assert!(leads_to("a.b.test", &served("a.b.test")));
        assert!(leads_to("a.b.test", &served("*.b.test")));
        assert!(leads_to("a.b.test", &served("b.test")), "as a zone");
        assert!(!leads_to("a.b.test", &served("c.test")));
        assert!(!leads_to("b.test", &served("a.b.test")));
    }
}
