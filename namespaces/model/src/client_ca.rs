//! mTLS certificates: of authorities, which say whose clients a host lets in, and which hosts ask for which; and those that scripts
//! show themselves.
//!
//! Owns the records and what is refused of them. Never reads a certificate: who takes one in has read it.

use serde::{Deserialize, Serialize};

use crate::closed::closed;
use crate::hostname::CustomName;
use crate::ids::MtlsCertificateId;
use crate::limits::hostnames as limits;
use crate::name::shorten;
use crate::timestamp::Timestamp;

closed! {
    /// What becomes of clients that have no certificate.
    ClientCertificateMode {
        /// They are let in, and whoever answers them is told that they showed none.
        Optional = "optional",
        /// They are refused in the handshake.
        Required = "required",
    }
}

/// Certificates that were uploaded together: of authorities of clients; or one that scripts show, with those above it. The key of
/// the latter is kept elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MtlsCertificate {
    /// Their id. Ids that are made later sort later.
    pub id: MtlsCertificateId,
    /// What their owner calls them; empty: nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Whether they are of authorities.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub ca: bool,
    /// The certificates in PEM form, as they were given.
    pub certificates: String,
    /// Who issued the first of them.
    pub issuer: String,
    /// How the first is signed.
    pub signature: String,
    /// The number of the first.
    pub serial_number: String,
    /// When they were uploaded.
    pub uploaded_on: Timestamp,
    /// When the first of them to expire does.
    pub expires_on: Timestamp,
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_yes(ca: &bool) -> bool {
    *ca
}

/// What a host asks clients for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostnameAssociation {
    /// Certificates of these authorities.
    pub authority: MtlsCertificateId,
    /// And what becomes of clients without one.
    pub mode: ClientCertificateMode,
}

/// Why authorities of clients are not taken, not associated or not deleted. Safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MtlsError {
    /// A client's own, without its key.
    #[error(
        "private_key: a certificate that scripts show (\"ca\": false) is uploaded with its key; give it, or say that it is of an \
         authority of clients (\"ca\": true)"
    )]
    NoKey,
    /// What is wrong with a certificate and its key. Shows nothing of either.
    #[error("certificates, private_key: {0}")]
    Pair(String),
    /// It lets nobody in.
    #[error(
        "mtls_certificate_id: {0} is a certificate that scripts show, and of no authority; name one that was uploaded with \"ca\": true"
    )]
    NotCa(MtlsCertificateId),
    /// It is of an authority, and has no key.
    #[error(
        "{0} is of an authority, and has no key to be shown with; name a certificate that was uploaded with its key"
    )]
    NoIdentity(MtlsCertificateId),
    /// An authority with a key.
    #[error("private_key: nothing is signed with the key of an authority of clients; keep it to yourself")]
    PrivateKey,
    /// What is wrong with the certificates.
    #[error("certificates: {0}")]
    Certificates(String),
    /// A name that is none.
    #[error("name: \"{0}\" is no text of up to {LONGEST_NAME} characters")]
    Name(String),
    /// As many as there may be.
    #[error(
        "there are {} mTLS certificates, the most that there may be; delete some",
        limits::MTLS_CERTIFICATES
    )]
    TooMany,
    /// They are not there.
    #[error("there is no mTLS certificate {0}; list them for those there are")]
    NotFound(String),
    /// Hosts ask for them.
    #[error(
        "{0} asks clients for certificates of these authorities; take it out of their hostname associations first"
    )]
    InUse(String),
    /// None is named, and the platform has none of its own.
    #[error(
        "mtls_certificate_id: name certificates that were uploaded; the platform has no authority of its own"
    )]
    Unnamed,
    /// A name that is none.
    #[error("hostnames: {0}")]
    Hostname(String),
    /// A name of somebody else.
    #[error(
        "hostnames: {0} is neither a custom hostname of the zone, nor the wildcard below one, nor the zone's own name, which \
         stands for all such wildcards"
    )]
    OtherHostname(CustomName),
    /// More than there may be.
    #[error(
        "hostnames: {} hosts of a zone may ask clients for certificates, and no more; several names can share a wildcard",
        limits::MTLS_ASSOCIATIONS
    )]
    ManyHostnames,
}

/// Longest name, in characters.
const LONGEST_NAME: usize = 255;

/// Checks what authorities are called.
///
/// # Errors
/// [`MtlsError::Name`].
pub fn check_name(name: &str) -> Result<(), MtlsError> {
    if name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(MtlsError::Name(shorten(name)));
    }
    Ok(())
}
