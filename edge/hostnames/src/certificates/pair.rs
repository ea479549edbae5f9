//! A private key and the chain of certificates that it belongs to, as somebody brings them.
//!
//! Owns the checks of what is brought: that the files are what they say, that key and leaf belong together, which names
//! the leaf is for and how long it is valid. A handshake checks none of it again.

use std::sync::Arc;
use std::time::SystemTime;

use rustls::SignatureAlgorithm;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::names;
use super::record::{KeyKind, LARGEST_CERTIFICATE, MOST_INTERMEDIATES};
use crate::name::ServedName;

/// The most bytes of a file of certificates or of a key.
pub const LARGEST_FILE: usize = 256 << 10;

/// A private key with its chain.
#[derive(Clone)]
pub struct Pair {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) private: Arc<PrivateKeyDer<'static>>,
    pub(crate) kind: KeyKind,
    names: Vec<ServedName>,
    not_before: SystemTime,
    not_after: SystemTime,
}

/// What is wrong with a key or a chain. No text shows anything of a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PairError {
    /// Too large to be looked at.
    #[error("the {0} has more than 256 KiB")]
    TooLarge(&'static str),
    /// Not PEM, or broken.
    #[error("the chain holds no certificate in PEM form, or a broken one")]
    NoChain,
    /// More than anybody needs.
    #[error("the chain has more than {} certificates", MOST_INTERMEDIATES + 1)]
    LongChain,
    /// The leaf cannot be read.
    #[error("the first certificate of the chain cannot be read")]
    Leaf,
    /// It is for no name that can be served.
    #[error(
        "the first certificate of the chain is for no host name; is it the host's own, and not an authority's?"
    )]
    NoName,
    /// Not PEM, or none of the kinds.
    #[error("the key is no private key in PEM form (PKCS#8, PKCS#1 or SEC1, without a password)")]
    NoKey,
    /// A kind that nothing signs with.
    #[error(
        "the key is of a kind that is not served: P-256, P-384, P-521, Ed25519 and RSA from 2048 bits are"
    )]
    Kind,
    /// They do not belong together.
    #[error("the key is not the one of the first certificate of the chain")]
    Mismatch,
}

impl Pair {
    /// Reads a chain, the host's own certificate first, and its key, both in PEM form.
    ///
    /// # Errors
    /// [`PairError`].
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, PairError> {
        if chain.len() > LARGEST_FILE {
            return Err(PairError::TooLarge("chain"));
        }
        if key.len() > LARGEST_FILE {
            return Err(PairError::TooLarge("key"));
        }
        let mut certificates = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(chain) {
            certificates.push(certificate.map_err(|_| PairError::NoChain)?);
            if certificates.len() > MOST_INTERMEDIATES + 1 {
                return Err(PairError::LongChain);
            }
        }
        let private = PrivateKeyDer::from_pem_slice(key).map_err(|_| PairError::NoKey)?;
        Self::new(certificates, private)
    }

    /// Reads the chain of a client, its own certificate first, and its key, both in PEM form: the certificate may be for no name.
    ///
    /// # Errors
    /// [`PairError`].
    pub fn of_client(chain: &[u8], key: &[u8]) -> Result<Self, PairError> {
        match Self::from_pem(chain, key) {
            Err(PairError::NoName) => {}
            read => return read,
        }
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
        let private = PrivateKeyDer::from_pem_slice(key).map_err(|_| PairError::NoKey)?;
        Self::of_names(chain.map_err(|_| PairError::NoChain)?, private, |_| true)
    }

    /// Reads a chain in PEM form, the host's own certificate first, whose key is PKCS#8 in DER form.
    ///
    /// # Errors
    /// [`PairError`].
    pub fn with_pkcs8(chain: &[u8], key: &[u8]) -> Result<Self, PairError> {
        let certificates: Result<Vec<_>, _> =
            CertificateDer::pem_slice_iter(chain).take(MOST_INTERMEDIATES + 2).collect();
        let certificates = certificates.map_err(|_| PairError::NoChain)?;
        Self::new(certificates, PrivateKeyDer::Pkcs8(key.to_vec().into()))
    }

    /// Takes a chain, the host's own certificate first, and its key.
    ///
    /// # Errors
    /// [`PairError`].
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        private: PrivateKeyDer<'static>,
    ) -> Result<Self, PairError> {
        Self::of_names(chain, private, |names| !names.is_empty())
    }

    fn of_names(
        chain: Vec<CertificateDer<'static>>,
        private: PrivateKeyDer<'static>,
        enough: fn(&[ServedName]) -> bool,
    ) -> Result<Self, PairError> {
        if chain.len() > MOST_INTERMEDIATES + 1 || chain.iter().any(|one| one.len() > LARGEST_CERTIFICATE) {
            return Err(PairError::LongChain);
        }
        let leaf = chain.first().ok_or(PairError::NoChain)?;
        let (names, not_before, not_after) = names::read(leaf).ok_or(PairError::Leaf)?;
        if !enough(&names) {
            return Err(PairError::NoName);
        }
        let signing = rustls::crypto::aws_lc_rs::sign::any_supported_type(&private);
        let signing = signing.map_err(|_| PairError::Kind)?;
        let kind = match signing.algorithm() {
            SignatureAlgorithm::RSA => KeyKind::Rsa,
            _ => KeyKind::Elliptic,
        };
        CertifiedKey::new(chain.clone(), signing).keys_match().map_err(|_| PairError::Mismatch)?;
        Ok(Self { chain, private: Arc::new(private), kind, names, not_before, not_after })
    }

    /// The names that it is for.
    #[must_use]
    pub fn names(&self) -> &[ServedName] {
        &self.names
    }

    /// Whether it is for a name: itself, or by a wildcard, which stands for one label.
    #[must_use]
    pub fn is_for(&self, name: &ServedName) -> bool {
        names::are_for(&self.names, name)
    }

    /// Whether both have keys of one kind: a host has one certificate for each.
    #[must_use]
    pub fn is_of_the_kind_of(&self, other: &Self) -> bool {
        self.kind == other.kind
    }

    /// The kind of its key.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The host's own certificate and those above it, as DER.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// Until when it is valid.
    #[must_use]
    pub fn not_after(&self) -> SystemTime {
        self.not_after
    }

    /// From when on it is valid.
    #[must_use]
    pub fn not_before(&self) -> SystemTime {
        self.not_before
    }

    /// Whether two thirds of its life are over: certificates live for 6 days or for a year, so that no number of days
    /// is right for all.
    #[must_use]
    pub fn is_late(&self, now: SystemTime) -> bool {
        let life = self.not_after.duration_since(self.not_before).unwrap_or_default();
        self.not_after.duration_since(now).unwrap_or_default() < life / 3
    }

    /// The key and the chain, to sign with.
    pub(crate) fn certified(&self) -> Result<CertifiedKey, PairError> {
        certified(self.chain.clone(), &self.private).ok_or(PairError::Kind)
    }
}

/// A key and a chain that are known to belong together, to sign with.
pub(crate) fn certified(
    chain: Vec<CertificateDer<'static>>,
    private: &PrivateKeyDer<'_>,
) -> Option<CertifiedKey> {
    let signing = rustls::crypto::aws_lc_rs::sign::any_supported_type(private).ok()?;
    Some(CertifiedKey::new(chain, signing))
}

/// The same chain is for the same key.
impl PartialEq for Pair {
    fn eq(&self, other: &Self) -> bool {
        self.chain == other.chain
    }
}

impl Eq for Pair {}

impl std::fmt::Debug for Pair {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, names, not_after, .. } = self;
        let mut shown = formatter.debug_struct("Pair");
        shown.field("kind", kind).field("names", names).field("not_after", not_after).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};

    use super::*;

    fn made(names: &[&str], algorithm: &'static rcgen::SignatureAlgorithm) -> (String, String) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate_for(algorithm).unwrap();
        let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    #[test]
    fn a_chain_and_its_key_are_read_with_names_kind_and_life() {
        let (chain, key) = made(&["Shop.test", "*.shop.test"], &PKCS_ECDSA_P256_SHA256);
        let pair = Pair::from_pem(chain.replace('\n', "\r\n").as_bytes(), key.as_bytes()).unwrap();
        assert_eq!(pair.kind, KeyKind::Elliptic);
        let names: Vec<&str> = pair.names().iter().map(ServedName::as_str).collect();
        assert_eq!(names, ["shop.test", "*.shop.test"]);
        let is_for = |name| pair.is_for(&ServedName::parse(name).unwrap());
        assert!(is_for("shop.test") && is_for("a.shop.test") && is_for("*.shop.test"));
        assert!(!is_for("a.b.shop.test") && !is_for("other.test") && !is_for("*.a.shop.test"));
        assert!(pair.not_before() < pair.not_after());
        assert!(pair.is_late(pair.not_after()) && !pair.is_late(pair.not_before()));

        let (chain, key) = made(&["shop.test"], &PKCS_RSA_SHA256);
        assert_eq!(Pair::from_pem(chain.as_bytes(), key.as_bytes()).unwrap().kind, KeyKind::Rsa);
    }

    #[test]
    fn what_does_not_belong_together_is_refused_by_name() {
        let (chain, key) = made(&["shop.test"], &PKCS_ECDSA_P256_SHA256);
        let (other_chain, other_key) = made(&["other.test"], &PKCS_ECDSA_P256_SHA256);
        let error = |chain: &str, key: &str| Pair::from_pem(chain.as_bytes(), key.as_bytes()).unwrap_err();
        assert_eq!(error(&chain, &other_key), PairError::Mismatch);
        assert_eq!(error(&(other_chain.clone() + &chain), &key), PairError::Mismatch, "the leaf comes first");
        assert!(Pair::from_pem((chain.clone() + &other_chain).as_bytes(), key.as_bytes()).is_ok());
        assert_eq!(error("", &key), PairError::NoChain);
        assert_eq!(error(&chain, ""), PairError::NoKey);
        assert_eq!(error(&chain, &chain), PairError::NoKey);
        assert_eq!(error(&key, &key), PairError::NoChain);
        assert_eq!(error(&chain.repeat(10), &key), PairError::LongChain);
        assert_eq!(error(&" ".repeat(LARGEST_FILE + 1), &key), PairError::TooLarge("chain"));
        let broken = "-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n";
        assert_eq!(error(broken, &key), PairError::Leaf);
        let (nameless, key) = made(&[], &PKCS_ECDSA_P256_SHA256);
        assert_eq!(error(&nameless, &key), PairError::NoName);
        let of_client = |key: &str| Pair::of_client(nameless.as_bytes(), key.as_bytes());
        assert!(of_client(&key).unwrap().names().is_empty(), "a client needs none");
        assert_eq!(of_client(&other_key), Err(PairError::Mismatch));
    }

    #[test]
    fn a_key_does_not_print() {
        let (chain, key) = made(&["shop.test"], &PKCS_ECDSA_P256_SHA256);
        let shown = format!("{:?}", Pair::from_pem(chain.as_bytes(), key.as_bytes()).unwrap());
        assert!(shown.contains("shop.test") && !shown.contains("private"), "{shown}");
    }
}
