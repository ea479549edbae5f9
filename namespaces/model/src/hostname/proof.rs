//! What an authority of certificates wants to see of a custom hostname.
//!
//! Owns which of it somebody has to publish, and is told to them.

use serde::{Deserialize, Serialize};

use super::Ssl;

/// Something that an authority wants to see, and whether it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidationRecord {
    /// How far that is, in the authority's words: `pending`, `valid`, `invalid`.
    pub status: String,
    /// What it is.
    #[serde(flatten)]
    pub proof: ValidationProof,
}

/// What an authority wants to see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ValidationProof {
    /// A TXT record.
    Txt {
        /// Its name.
        txt_name: String,
        /// Its value.
        txt_value: String,
    },
    /// A file.
    Http {
        /// Its address.
        http_url: String,
        /// Its content.
        http_body: String,
    },
    /// A handshake (RFC 8737). It is between the platform and the authority, and nobody has anything to publish.
    Handshake {
        /// The name that is asked for.
        tls_alpn_name: String,
        /// What is in the certificate: a hash, as base64url.
        tls_alpn_digest: String,
    },
}

impl Ssl {
    /// What of it somebody can publish: the rest is between the platform and the authority.
    pub fn published_records(&self) -> impl Iterator<Item = &ValidationRecord> {
        let is_published = |proof: &ValidationProof| !matches!(proof, ValidationProof::Handshake { .. });
        self.validation_records.iter().filter(move |record| is_published(&record.proof))
    }
}
