//! A name's keys in memory, ready to sign handshakes with.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{NamedGroup, SignatureScheme};

use super::pair::{Pair, PairError};
use super::record::KeyKind;
use crate::name::ServedName;

/// What an entry weighs beside its certificates.
const BASE_BYTES: usize = 1 << 10;
/// What a key of RSA, once it has signed, weighs.
const RSA_BYTES: usize = 8 << 10;

/// The keys of one name, or of several that share them.
pub(crate) struct Kept {
    /// The names that it may be found by.
    pub(crate) names: Box<[ServedName]>,
    /// For whoever can: signing with it costs a fifteenth of what RSA does.
    elliptic: Option<Arc<CertifiedKey>>,
    rsa: Option<Late>,
    weight: usize,
}

/// A key that is made when the first client needs it: parsing it costs ten times what all the rest of a name does.
pub(crate) struct Late {
    make: Box<dyn Fn() -> Option<CertifiedKey> + Send + Sync>,
    made: OnceLock<Option<Arc<CertifiedKey>>>,
}

impl Late {
    pub(crate) fn new(make: impl Fn() -> Option<CertifiedKey> + Send + Sync + 'static) -> Self {
        Self { make: Box::new(make), made: OnceLock::new() }
    }

    fn key(&self) -> Option<Arc<CertifiedKey>> {
        self.made.get_or_init(|| (self.make)().map(Arc::new)).clone()
    }

    #[cfg(test)]
    pub(crate) fn is_made(&self) -> bool {
        self.made.get().is_some()
    }
}

impl Kept {
    pub(crate) fn new(
        names: Box<[ServedName]>,
        elliptic: Option<CertifiedKey>,
        rsa: Option<Late>,
        leaf_bytes: usize,
    ) -> Self {
        let leaf_bytes = leaf_bytes + names.iter().map(|name| 32 + name.as_str().len()).sum::<usize>();
        let weight = BASE_BYTES + leaf_bytes + if rsa.is_some() { RSA_BYTES } else { 0 };
        Self { names, elliptic: elliptic.map(Arc::new), rsa, weight }
    }

    /// The keys of pairs that were just read.
    pub(crate) fn of(names: Box<[ServedName]>, pairs: &[Pair]) -> Result<Self, PairError> {
        let of = |kind| pairs.iter().find(|pair| pair.kind == kind);
        let elliptic = of(KeyKind::Elliptic).map(Pair::certified).transpose()?;
        let rsa = match of(KeyKind::Rsa).cloned() {
            None => None,
            Some(pair) => {
                let late = Late::new(move || pair.certified().ok());
                late.key().ok_or(PairError::Kind)?;
                Some(late)
            }
        };
        Ok(Self::new(names, elliptic, rsa, 0))
    }

    /// Bytes of memory, nearly.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    #[cfg(test)]
    pub(crate) fn late(&self) -> Option<&Late> {
        self.rsa.as_ref()
    }
}

impl ResolvesServerCert for Kept {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let fitting = self.elliptic.as_ref().filter(|key| {
            let scheme = key.key.choose_scheme(hello.signature_schemes()).map(|signer| signer.scheme());
            scheme.is_some_and(|scheme| has_curve(&hello, scheme))
        });
        match (fitting, &self.rsa) {
            (Some(key), _) => Some(Arc::clone(key)),
            (None, Some(rsa)) => rsa.key(),
            (None, None) => self.elliptic.clone(),
        }
    }
}

/// Whether a client knows the curve that a signature is on. Up to TLS 1.2 it says so among the groups that it exchanges
/// keys with (RFC 8422 section 5.1), from 1.3 on in the scheme itself.
fn has_curve(hello: &ClientHello<'_>, scheme: SignatureScheme) -> bool {
    let speaks_tls13 = hello.cipher_suites().iter().any(|suite| u16::from(*suite) >> 8 == 0x13);
    let curve = match scheme {
        SignatureScheme::ECDSA_NISTP256_SHA256 => NamedGroup::secp256r1,
        SignatureScheme::ECDSA_NISTP384_SHA384 => NamedGroup::secp384r1,
        SignatureScheme::ECDSA_NISTP521_SHA512 => NamedGroup::secp521r1,
        _ => return true,
    };
    speaks_tls13 || hello.named_groups().is_none_or(|groups| groups.contains(&curve))
}

impl fmt::Debug for Kept {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Kept").field("names", &self.names).finish_non_exhaustive()
    }
}
