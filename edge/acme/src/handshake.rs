//! The certificate that shows an authority in a handshake that a name is ours (RFC 8737).
//!
//! Made when it is asked for: it costs what a handshake costs beside it, and nothing of it is kept. Nobody believes it: it signs
//! itself, and says nothing but that we know what the authority waits for.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::crypto::aws_lc_rs::sign::any_ecdsa_type;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::server::ResolvesServerCert;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

/// Bytes of the hash.
const DIGEST: usize = 32;

/// What an authority is shown that waits for this hash of a name, as base64url. None for what is no hash, or no name.
#[must_use]
pub fn shown(name: &str, digest: &str) -> Option<Arc<dyn ResolvesServerCert>> {
    let digest = BASE64_URL_SAFE_NO_PAD.decode(digest).ok().filter(|digest| digest.len() == DIGEST)?;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).ok()?;
    let mut params = CertificateParams::new([name.to_owned()]).ok()?;
    params.distinguished_name = DistinguishedName::new();
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(&digest)];
    let certificate = params.self_signed(&key).ok()?.der().clone();
    let key = any_ecdsa_type(&PrivatePkcs8KeyDer::from(key.serialize_der()).into()).ok()?;
    Some(Arc::new(SingleCertAndKey::from(CertifiedKey::new(vec![certificate], key))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_hash_or_no_name_shows_nothing() {
        let digest = BASE64_URL_SAFE_NO_PAD.encode([7; DIGEST]);
        assert!(shown("shop.test", &digest).is_some());
        assert!(shown("shop.test", &BASE64_URL_SAFE_NO_PAD.encode([7; 31])).is_none());
        assert!(shown("shop.test", "!").is_none());
        assert!(shown("sh\u{e4}p.test", &digest).is_none());
    }
}
