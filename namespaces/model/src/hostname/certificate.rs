//! What is known of a certificate that a custom hostname has. Its key is elsewhere, sealed.

use serde::{Deserialize, Serialize};

use crate::closed::closed;
use crate::ids::CertificateId;
use crate::timestamp::Timestamp;

closed! {
    /// The kind of a certificate's key: a hostname has one certificate of each.
    CertificateKey {
        /// On an elliptic curve.
        Ecdsa = "ecdsa",
        /// RSA.
        Rsa = "rsa",
    }
}

/// What is known of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostnameCertificate {
    /// Its id.
    pub id: CertificateId,
    /// What kind of key it has.
    pub key: CertificateKey,
    /// The names that it is for.
    pub hosts: Vec<String>,
    /// Who issued it.
    pub issuer: String,
    /// Its number with its issuer, in decimal.
    pub serial_number: String,
    /// How its issuer signed it, such as `ECDSAWithSHA256`.
    pub signature: String,
    /// From when on it is valid.
    pub not_before: Timestamp,
    /// Until when.
    pub expires_on: Timestamp,
    /// SHA-256 over it, in hex digits.
    pub fingerprint_sha256: String,
    /// When it came here.
    pub uploaded_on: Timestamp,
}
