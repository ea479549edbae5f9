//! Why a certificate that somebody brings is not taken.
//!
//! Owns one variant for each rule that the v4 API has a code for. No text shows anything of a key.

/// A rule of custom certificates that something breaks. Safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// No certificate at all.
    #[error("ssl.custom_certificate: it is empty")]
    Empty,
    /// Not PEM, broken, or more than anybody needs.
    #[error("ssl.custom_certificate: {0}")]
    Unparsable(String),
    /// No key, a broken one, or one that is not served.
    #[error("ssl.custom_key: {0}")]
    Key(String),
    /// The key is another one's.
    #[error("ssl.custom_key: it is not the key of the certificate")]
    Mismatch,
    /// An id that is none.
    #[error("ssl.custom_csr_id: {0}")]
    CsrId(String),
    /// A request that is not there.
    #[error("ssl.custom_csr_id: neither the zone nor the account has a request {0}")]
    CsrNotFound(String),
    /// No way leads from it to an authority that is believed.
    #[error("ssl.custom_certificate: {0}")]
    Bundle(String),
    /// Certificates of several hosts in one chain.
    #[error("ssl.custom_certificate: {0} certificates in it are hosts' own, and one may be")]
    ManyLeaves(usize),
    /// Certificates of authorities alone.
    #[error("ssl.custom_certificate: all certificates in it are authorities', and none a host's own")]
    NoLeaf,
    /// It is for other names.
    #[error("ssl.custom_certificate: it is not for {name}; it is for {others}")]
    OtherName {
        /// The name that it is to be for.
        name: String,
        /// The names that it is for, as many as a sentence takes.
        others: String,
    },
    /// Signed in a way that is not taken.
    #[error("ssl.custom_certificate: it is signed with {0}")]
    Signature(String),
}
