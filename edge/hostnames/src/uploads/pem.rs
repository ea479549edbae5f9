//! The texts that somebody brings: which blocks they hold, and which of the certificates is the host's own.
//!
//! Must never take a text with a key in it for one of certificates: that text is kept and shown.

use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use wasmyard_model::hostname::CertificateError;
use webpki::{EndEntityCert, Error, KeyUsage};

use crate::certificates::{LARGEST_CERTIFICATE, MOST_INTERMEDIATES};

/// The most bytes of a text: it is kept as it is. Nine certificates of a few kilobytes.
const LARGEST_TEXT: usize = 64 << 10;

/// What may stand in a text of certificates.
const CERTIFICATES: [&str; 2] = ["CERTIFICATE", "EC PARAMETERS"];

/// Certificates, sorted by whose they are.
#[derive(Debug)]
pub(super) struct Brought {
    /// The host's own.
    pub(super) leaf: CertificateDer<'static>,
    /// Those of authorities, in the order in which they were given.
    pub(super) authorities: Vec<CertificateDer<'static>>,
}

impl Brought {
    /// The chain as it was given, the host's own first.
    pub(super) fn as_given(&self) -> Vec<CertificateDer<'static>> {
        std::iter::once(&self.leaf).chain(&self.authorities).cloned().collect()
    }
}

fn wrong(what: impl Into<String>) -> CertificateError {
    CertificateError::Unparsable(what.into())
}

/// Reads a text of certificates.
pub(super) fn certificates(text: &str) -> Result<Brought, CertificateError> {
    if text.len() > LARGEST_TEXT {
        return Err(wrong(format!("it has more than {} KiB", LARGEST_TEXT >> 10)));
    }
    if text.trim().is_empty() {
        return Err(CertificateError::Empty);
    }
    let labels = text.lines().filter_map(|line| line.trim().strip_prefix("-----BEGIN "));
    let labels = labels.map(|label| label.trim_end_matches('-'));
    if text.contains("PRIVATE KEY") || labels.clone().any(|label| !CERTIFICATES.contains(&label)) {
        return Err(wrong("it may hold certificates and nothing else; keys go into custom_key"));
    }
    let mut found: Vec<CertificateDer<'static>> = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
        let certificate = certificate.map_err(|_| wrong("it is no text in PEM form"))?;
        if certificate.len() > LARGEST_CERTIFICATE {
            return Err(wrong(format!(
                "a certificate in it has more than {} KiB",
                LARGEST_CERTIFICATE >> 10
            )));
        }
        if found.len() > MOST_INTERMEDIATES {
            return Err(wrong(format!("it holds more than {} certificates", MOST_INTERMEDIATES + 1)));
        }
        if !found.contains(&certificate) {
            found.push(certificate);
        }
    }
    if found.is_empty() {
        return Err(wrong("it holds no certificate in PEM form"));
    }
    let (mut authorities, mut leaves) = (Vec::new(), Vec::new());
    for certificate in found {
        match is_authority(&certificate) {
            Some(true) => authorities.push(certificate),
            Some(false) => leaves.push(certificate),
            None => return Err(wrong("a certificate in it cannot be read")),
        }
    }
    match leaves.len() {
        0 => Err(CertificateError::NoLeaf),
        1 => leaves.pop().map(|leaf| Brought { leaf, authorities }).ok_or(CertificateError::NoLeaf),
        many => Err(CertificateError::ManyLeaves(many)),
    }
}

/// Whether a certificate is an authority's; none if it cannot be read.
fn is_authority(certificate: &CertificateDer<'_>) -> Option<bool> {
    let certificate = EndEntityCert::try_from(certificate).ok()?;
    let judged = |time: UnixTime| {
        certificate.verify_for_usage(&[], &[], &[], time, KeyUsage::server_auth(), None, None).err()
    };
    // Whoever verifies says when it begins if it is asked about a time before all others, and looks further at that one.
    let begins = match judged(UnixTime::since_unix_epoch(Duration::ZERO)) {
        Some(Error::CertNotValidYet { not_before, .. }) => not_before,
        Some(_) | None => return None,
    };
    match judged(begins)? {
        Error::CaUsedAsEndEntity => Some(true),
        Error::BadDer | Error::InvalidCertValidity => None,
        _ => Some(false),
    }
}

/// How a certificate is signed, as a number of the registry of algorithms (RFC 5280 section 4.1).
pub(super) fn signature(certificate: &CertificateDer<'_>) -> Result<String, CertificateError> {
    let read = yasna::parse_der(certificate, |whole| {
        whole.read_sequence(|parts| {
            parts.next().read_der()?;
            let algorithm = parts.next().read_sequence(|algorithm| {
                let id = algorithm.next().read_oid()?;
                while algorithm.read_optional(|parameter| parameter.read_der())?.is_some() {}
                Ok(id)
            })?;
            parts.next().read_der()?;
            Ok(algorithm)
        })
    });
    read.map(|id| id.to_string()).map_err(|_| wrong("the host's certificate cannot be read"))
}

/// Reads a text with a private key.
pub(super) fn key(text: &str) -> Result<PrivateKeyDer<'static>, CertificateError> {
    let wrong = |what: &str| CertificateError::Key(what.to_owned());
    if text.len() > LARGEST_TEXT {
        return Err(wrong("it is larger than any key"));
    }
    if text.contains("ENCRYPTED") {
        return Err(wrong("it is protected by a password; take that away"));
    }
    let found = PrivateKeyDer::from_pem_slice(text.as_bytes());
    found.map_err(|_| wrong("it is no private key in PEM form (PKCS#8, PKCS#1 or SEC1)"))
}
