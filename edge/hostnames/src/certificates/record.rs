//! A certificate as it is kept: public parts as they are, private keys sealed.
//!
//! Owns the form of a record. A key is sealed for the name, the form and the very leaf that it belongs to: a row that was
//! swapped for another one, or put together from two, does not open. Reading is bounded, because a file can be damaged in
//! any way.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer,
};
use wasmyard_model::ids::CertificatePackId;
use zeroize::Zeroizing;

use super::names::{are_for, names_of};
use crate::installation::InstallationKey;
use crate::name::{LONGEST, ServedName};

/// The version of the form below.
const FORM: u8 = 1;
/// Each of a record's certificates is for another kind of key.
pub(crate) const MOST_LEAVES: usize = 2;
/// More than any authority puts between its root and a leaf.
pub(crate) const MOST_INTERMEDIATES: usize = 8;
/// A certificate for a few hundred names.
pub(crate) const LARGEST_CERTIFICATE: usize = 32 << 10;
/// A key of RSA with 8,192 bits has 4.7 KB.
const LARGEST_SEALED: usize = 8 << 10;

/// What names an intermediate certificate: SHA-256 over it.
pub type CertificateDigest = [u8; 32];

/// A record as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Which installation's key it is sealed with.
    pub key_id: [u8; 8],
    /// Whose it is.
    pub owner: Owner,
    /// A certificate for each kind of key: at least one.
    pub leaves: Vec<Leaf>,
}

/// Whose a record is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// A name's own: it goes when the name is served no more.
    Name(ServedName),
    /// A pack's: it stays whether any name is served with it or not.
    Pack(CertificatePackId),
}

impl Owner {
    /// One text for each. No name has a colon.
    fn text(&self) -> String {
        match self {
            Self::Name(name) => name.as_str().to_owned(),
            Self::Pack(pack) => format!("{PACK}{pack}"),
        }
    }

    fn read(text: &str) -> Option<Self> {
        match text.strip_prefix(PACK) {
            Some(pack) => CertificatePackId::parse(pack).ok().map(Self::Pack),
            None => ServedName::parse(text).ok().filter(|name| name.as_str() == text).map(Self::Name),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text())
    }
}

/// What the text of a pack begins with.
const PACK: &str = "pack:";

/// One certificate of a record.
#[derive(Clone, PartialEq, Eq)]
pub struct Leaf {
    /// What kind of key it is for.
    pub kind: KeyKind,
    /// The certificate, as DER.
    pub certificate: Vec<u8>,
    /// What stands between it and a root, the nearest first.
    pub intermediates: Vec<CertificateDigest>,
    /// Its private key.
    pub sealed: Vec<u8>,
}

/// Kinds of keys, as far as a choice among them has to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// On an elliptic curve: a signature costs next to nothing.
    Elliptic,
    /// RSA: for clients that know nothing else.
    Rsa,
}

/// A record that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damaged {
    /// Its bytes are none of a record's.
    #[error("it is damaged")]
    Form,
    /// It was sealed by another installation.
    #[error("it was sealed with another installation's key")]
    OtherKey,
    /// The seal is broken: something of it was changed, or belongs to another name.
    #[error("its seal is broken: it was changed, or is another name's")]
    Seal,
}

impl Record {
    /// Reads a record.
    ///
    /// # Errors
    /// [`Damaged::Form`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Damaged> {
        Self::read(bytes).ok_or(Damaged::Form)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        if byte(&mut rest)? != FORM {
            return None;
        }
        let key_id = *array(&mut rest)?;
        let length = usize::from(byte(&mut rest)?);
        let text = std::str::from_utf8(take(&mut rest, length, LONGEST)?).ok()?;
        let owner = Owner::read(text)?;
        let count = usize::from(byte(&mut rest)?);
        if count == 0 || count > MOST_LEAVES {
            return None;
        }
        let leaves = (0..count).map(|_| Leaf::read(&mut rest)).collect::<Option<Vec<_>>>()?;
        rest.is_empty().then_some(Self { key_id, owner, leaves })
    }

    /// The names that it may be found by: its own, or all that the certificates of a pack are for.
    pub(crate) fn names(&self) -> Box<[ServedName]> {
        match (&self.owner, self.leaves.split_first()) {
            (Owner::Name(name), _) => Box::new([name.clone()]),
            (Owner::Pack(_), Some((first, others))) => {
                let mut names = names_of(&first.certificate);
                for other in others {
                    let others = names_of(&other.certificate);
                    names.retain(|name| are_for(&others, name));
                }
                names.into()
            }
            (Owner::Pack(_), None) => Box::default(),
        }
    }

    /// Whether a name may be served with it.
    pub(crate) fn is_for(&self, name: &ServedName) -> bool {
        match &self.owner {
            Owner::Name(own) => own == name,
            Owner::Pack(_) => self.leaves.iter().all(|leaf| are_for(&names_of(&leaf.certificate), name)),
        }
    }

    /// The record as bytes; none if it does not fit into the form.
    #[must_use]
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let mut bytes = vec![FORM];
        bytes.extend(self.key_id);
        let owner = self.owner.text();
        bytes.push(u8::try_from(owner.len()).ok()?);
        bytes.extend(owner.as_bytes());
        bytes.push(u8::try_from(self.leaves.len()).ok().filter(|count| usize::from(*count) <= MOST_LEAVES)?);
        for leaf in &self.leaves {
            leaf.write(&mut bytes)?;
        }
        Some(bytes)
    }
}

impl Leaf {
    /// Seals a key for its certificate and owner.
    pub(crate) fn sealed(
        key: &InstallationKey,
        owner: &Owner,
        kind: KeyKind,
        certificate: &CertificateDer<'_>,
        intermediates: Vec<CertificateDigest>,
        private: &PrivateKeyDer<'_>,
    ) -> Option<Self> {
        let tag = match private {
            PrivateKeyDer::Pkcs1(_) => 1,
            PrivateKeyDer::Sec1(_) => 2,
            PrivateKeyDer::Pkcs8(_) => 8,
            _ => return None,
        };
        let mut plain = Zeroizing::new(Vec::with_capacity(1 + private.secret_der().len()));
        plain.push(tag);
        plain.extend_from_slice(private.secret_der());
        let sealed = key.seal(&belongs_to(owner, kind, certificate), &plain)?;
        Some(Self { kind, certificate: certificate.to_vec(), intermediates, sealed })
    }

    /// Opens the key.
    pub(crate) fn open(
        &self,
        key: &InstallationKey,
        owner: &Owner,
    ) -> Result<PrivateKeyDer<'static>, Damaged> {
        let belongs = belongs_to(owner, self.kind, &self.certificate);
        let plain = key.open(&belongs, &self.sealed).ok_or(Damaged::Seal)?;
        match plain.split_first() {
            Some((1, der)) => Ok(PrivatePkcs1KeyDer::from(der.to_vec()).into()),
            Some((2, der)) => Ok(PrivateSec1KeyDer::from(der.to_vec()).into()),
            Some((8, der)) => Ok(PrivatePkcs8KeyDer::from(der.to_vec()).into()),
            Some(_) | None => Err(Damaged::Form),
        }
    }

    fn read(rest: &mut &[u8]) -> Option<Self> {
        let kind = match byte(rest)? {
            0 => KeyKind::Elliptic,
            1 => KeyKind::Rsa,
            _ => return None,
        };
        let certificate = counted(rest, LARGEST_CERTIFICATE)?;
        let count = usize::from(byte(rest)?);
        if count > MOST_INTERMEDIATES {
            return None;
        }
        let intermediates = (0..count).map(|_| array(rest).copied()).collect::<Option<Vec<_>>>()?;
        let sealed = counted(rest, LARGEST_SEALED)?;
        Some(Self { kind, certificate, intermediates, sealed })
    }

    fn write(&self, bytes: &mut Vec<u8>) -> Option<()> {
        bytes.push(match self.kind {
            KeyKind::Elliptic => 0,
            KeyKind::Rsa => 1,
        });
        put_counted(bytes, &self.certificate, LARGEST_CERTIFICATE)?;
        let count = u8::try_from(self.intermediates.len()).ok()?;
        bytes.push(count);
        bytes.extend(self.intermediates.iter().flatten());
        if usize::from(count) > MOST_INTERMEDIATES {
            return None;
        }
        put_counted(bytes, &self.sealed, LARGEST_SEALED)
    }
}

/// What a key is sealed for.
fn belongs_to(owner: &Owner, kind: KeyKind, certificate: &[u8]) -> Vec<u8> {
    let owner = owner.text();
    let mut bytes = b"certificate".to_vec();
    bytes.extend([FORM, kind as u8]);
    bytes.extend((owner.len() as u64).to_be_bytes());
    bytes.extend(owner.as_bytes());
    bytes.extend(digest(&SHA256, certificate).as_ref());
    bytes
}

fn byte(rest: &mut &[u8]) -> Option<u8> {
    let (first, others) = rest.split_first()?;
    *rest = others;
    Some(*first)
}

fn array<'b, const N: usize>(rest: &mut &'b [u8]) -> Option<&'b [u8; N]> {
    let (first, others) = rest.split_first_chunk()?;
    *rest = others;
    Some(first)
}

fn take<'b>(rest: &mut &'b [u8], length: usize, most: usize) -> Option<&'b [u8]> {
    let (first, others) = rest.split_at_checked(length).filter(|_| length <= most)?;
    *rest = others;
    Some(first)
}

fn counted(rest: &mut &[u8], most: usize) -> Option<Vec<u8>> {
    let length = usize::from(u16::from_be_bytes(*array(rest)?));
    Some(take(rest, length, most)?.to_vec())
}

fn put_counted(bytes: &mut Vec<u8>, content: &[u8], most: usize) -> Option<()> {
    let length = u16::try_from(content.len()).ok().filter(|length| usize::from(*length) <= most)?;
    bytes.extend(length.to_be_bytes());
    bytes.extend(content);
    Some(())
}

impl fmt::Debug for Record {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Record").field("owner", &self.owner).field("leaves", &self.leaves).finish()
    }
}

impl fmt::Debug for Leaf {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Leaf").field("kind", &self.kind).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(name: &str, key: &InstallationKey) -> Record {
        let owner = Owner::Name(ServedName::parse(name).unwrap());
        let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(b"private".to_vec()));
        let certificate = CertificateDer::from(b"certificate".to_vec());
        let leaf = |kind| Leaf::sealed(key, &owner, kind, &certificate, vec![[7; 32]; 2], &private).unwrap();
        Record {
            key_id: key.id(),
            leaves: vec![leaf(KeyKind::Elliptic), leaf(KeyKind::Rsa)],
            owner: owner.clone(),
        }
    }

    #[test]
    fn a_record_comes_back_whole_and_no_other_bytes_are_one() {
        let key = InstallationKey::of(&[1; 32]).unwrap();
        let record = record("shop.test", &key);
        let bytes = record.to_bytes().unwrap();
        assert!(!bytes.windows(7).any(|bytes| bytes == b"private"));
        assert_eq!(Record::parse(&bytes).unwrap(), record);
        for leaf in &record.leaves {
            assert_eq!(leaf.open(&key, &record.owner).unwrap().secret_der(), b"private");
        }
        for length in 0..bytes.len() {
            assert_eq!(Record::parse(&bytes[..length]), Err(Damaged::Form), "{length}");
        }
        assert_eq!(Record::parse(&[bytes.as_slice(), &[0]].concat()), Err(Damaged::Form));
    }

    #[test]
    fn a_key_opens_for_its_name_its_leaf_and_its_installation_alone() {
        let key = InstallationKey::of(&[1; 32]).unwrap();
        let (mine, other) = (record("shop.test", &key), record("other.test", &key));
        assert_eq!(mine.leaves[0].open(&key, &other.owner), Err(Damaged::Seal));
        assert_eq!(
            mine.leaves[0].open(&InstallationKey::of(&[2; 32]).unwrap(), &mine.owner),
            Err(Damaged::Seal)
        );
        let mut swapped = mine.leaves[0].clone();
        swapped.certificate = b"another's".to_vec();
        assert_eq!(swapped.open(&key, &mine.owner), Err(Damaged::Seal));
        let mut moved = mine.leaves[0].clone();
        moved.sealed.clone_from(&mine.leaves[1].sealed);
        assert_eq!(moved.open(&key, &mine.owner), Err(Damaged::Seal), "sealed for the other kind");
    }

    #[test]
    fn nothing_of_a_key_prints() {
        let key = InstallationKey::of(&[1; 32]).unwrap();
        let shown = format!("{:?}", record("shop.test", &key));
        assert!(shown.contains("shop.test") && !shown.contains("sealed"), "{shown}");
    }

    proptest! {
        #[test]
        fn reading_ends_for_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            if let Ok(record) = Record::parse(&bytes) {
                prop_assert_eq!(record.to_bytes().unwrap(), bytes);
            }
        }

        #[test]
        fn a_changed_bit_is_never_another_key(at in 0usize..4_000, bit in 0u8..8) {
            let key = InstallationKey::of(&[1; 32]).unwrap();
            let mut bytes = record("shop.test", &key).to_bytes().unwrap();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            if let Ok(record) = Record::parse(&bytes) {
                for leaf in &record.leaves {
                    if let Ok(opened) = leaf.open(&key, &record.owner) {
                        prop_assert_eq!(opened.secret_der(), b"private");
                    }
                }
            }
        }
    }
}
