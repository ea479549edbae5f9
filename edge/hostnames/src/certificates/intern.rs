//! Certificates of authorities, once each: a few hundred stand between all the roots and all the leaves of the world, so
//! that a chain in memory costs its leaf alone.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use aws_lc_rs::digest::{SHA256, digest};
use rustls::pki_types::CertificateDer;

use super::record::CertificateDigest;

/// So many are never given back. Further ones, which only somebody has who makes authorities by the hundred, cost their
/// own memory in each chain.
const MOST: usize = 512;

/// The certificates of authorities that were needed so far.
#[derive(Debug, Default)]
pub(crate) struct Authorities(RwLock<HashMap<CertificateDigest, &'static [u8]>>);

impl Authorities {
    /// The certificate of that digest, if it was needed before.
    pub(crate) fn get(&self, of: &CertificateDigest) -> Option<CertificateDer<'static>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.get(of).map(|bytes| CertificateDer::from_slice(bytes))
    }

    /// Keeps a certificate, if there is room; none if it is not the one of that digest.
    pub(crate) fn keep(&self, of: &CertificateDigest, bytes: Vec<u8>) -> Option<CertificateDer<'static>> {
        if digest_of(&bytes) != *of {
            return None;
        }
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = known.get(of) {
            return Some(CertificateDer::from_slice(bytes));
        }
        if known.len() >= MOST {
            return Some(CertificateDer::from(bytes));
        }
        let bytes: &'static [u8] = Vec::leak(bytes);
        known.insert(*of, bytes);
        Some(CertificateDer::from_slice(bytes))
    }
}

/// What a certificate is called by.
pub(crate) fn digest_of(bytes: &[u8]) -> CertificateDigest {
    let mut found = CertificateDigest::default();
    // Both have 32 bytes.
    found.iter_mut().zip(digest(&SHA256, bytes).as_ref()).for_each(|(to, from)| *to = *from);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_kept_once_and_not_without_end() {
        let authorities = Authorities::default();
        for number in 0..2 * MOST as u32 {
            let bytes = number.to_be_bytes().to_vec();
            let digest = digest_of(&bytes);
            assert!(authorities.get(&digest).is_none());
            assert_eq!(authorities.keep(&digest, bytes.clone()).unwrap().as_ref(), bytes);
            assert_eq!(authorities.get(&digest).is_some(), (number as usize) < MOST);
        }
        let (one, two) = (digest_of(&[0; 4]), digest_of(&[9; 4]));
        let first = authorities.get(&one).unwrap().as_ptr();
        assert_eq!(authorities.keep(&one, vec![0; 4]).unwrap().as_ptr(), first);
        assert!(authorities.keep(&two, vec![8; 4]).is_none(), "another one's");
    }
}
