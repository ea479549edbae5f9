//! Keys for certificates, and the requests that are signed with them.

use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};
use wasmyard_hostnames::certificates::KeyKind;
use zeroize::Zeroizing;

/// Makes a key, as PKCS#8 in DER form. Blocks: one of RSA takes a fifth of a second, and more on a busy machine.
///
/// # Errors
/// The provider's reason.
pub fn make(kind: KeyKind) -> Result<Zeroizing<Vec<u8>>, rcgen::Error> {
    let pair = match kind {
        KeyKind::Elliptic => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?,
        KeyKind::Rsa => KeyPair::generate_for(&PKCS_RSA_SHA256)?,
    };
    Ok(Zeroizing::new(pair.serialize_der()))
}

/// A request for a certificate for names, as DER, signed with a key that [`make`] made.
///
/// # Errors
/// The provider's reason: a name that none can have, a key that is none.
pub fn request(kind: KeyKind, key: &[u8], names: &[String]) -> Result<Vec<u8>, rcgen::Error> {
    let algorithm = match kind {
        KeyKind::Elliptic => &PKCS_ECDSA_P256_SHA256,
        KeyKind::Rsa => &PKCS_RSA_SHA256,
    };
    let pair = KeyPair::from_pkcs8_der_and_sign_algo(&key.into(), algorithm)?;
    let mut params = CertificateParams::new(names.to_vec())?;
    // A name of more than 64 letters has no place there, and nobody reads it any more.
    params.distinguished_name = DistinguishedName::new();
    Ok(params.serialize_request(&pair)?.der().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_made_with_either_kind_of_key_and_with_no_other() {
        let names = ["shop.test".to_owned(), "*.shop.test".to_owned()];
        let elliptic = make(KeyKind::Elliptic).unwrap();
        assert!(!request(KeyKind::Elliptic, &elliptic, &names).unwrap().is_empty());
        assert!(request(KeyKind::Rsa, &elliptic, &names).is_err());
        let rsa = make(KeyKind::Rsa).unwrap();
        assert!(!request(KeyKind::Rsa, &rsa, &names).unwrap().is_empty());
    }
}
