//! What is asked of clients: a certificate of which authorities, and whether they have to show one.
//!
//! Owns the bounds of what a stranger may show, before anything of it is read, and that an authority which has expired
//! vouches for nobody: whoever verifies a chain takes what it ends in for good.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// The most authorities of one host: each may be tried for every client.
pub const MOST_CLIENT_AUTHORITIES: usize = 8;
/// The most bytes of the certificate of one.
const LARGEST_AUTHORITY: usize = 8 << 10;
/// The most bytes of a text with all of them.
const LARGEST_TEXT: usize = 128 << 10;
/// The most certificates that a client may show between its own and an authority.
const MOST_BETWEEN: usize = 4;
/// The most bytes of all that a client shows. A ticket holds it, too.
const LARGEST_SHOWN: usize = 24 << 10;
/// The most bytes of names of authorities that clients are told: some choose by them what they show.
const LARGEST_HINTS: usize = 4 << 10;

/// What is asked of clients of a host.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientAuth {
    required: bool,
    authorities: Arc<[CertificateDer<'static>]>,
}

/// Why certificates cannot stand for authorities of clients.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientAuthError {
    /// None.
    #[error("there is no certificate of an authority in PEM form")]
    None,
    /// A key, which is nobody's to see.
    #[error(
        "there is a private key beside the certificates; nothing is signed for clients here, so keep it to yourself"
    )]
    Key,
    /// Too long to be looked at.
    #[error("there are more than {} KiB", LARGEST_TEXT >> 10)]
    Long,
    /// Too many.
    #[error("there are {0} certificates of authorities, and {MOST_CLIENT_AUTHORITIES} may be")]
    Many(usize),
    /// Too large.
    #[error("certificate {0} has {1} bytes, and {LARGEST_AUTHORITY} may be")]
    Large(usize, usize),
    /// Not readable.
    #[error("certificate {0} cannot be read")]
    Unreadable(usize),
    /// A host's, or a client's own.
    #[error("certificate {0} ({1}) is no authority's: it does not say that it may sign others")]
    NoAuthority(usize, String),
}

impl ClientAuth {
    /// Asks for certificates of these authorities; a client without one is refused where it is `required`.
    ///
    /// # Errors
    /// [`ClientAuthError`], with the place of the certificate, counted from 1.
    pub fn new(authorities: Vec<CertificateDer<'static>>, required: bool) -> Result<Self, ClientAuthError> {
        if authorities.is_empty() {
            return Err(ClientAuthError::None);
        }
        if authorities.len() > MOST_CLIENT_AUTHORITIES {
            return Err(ClientAuthError::Many(authorities.len()));
        }
        for (place, authority) in (1..).zip(&authorities) {
            if authority.len() > LARGEST_AUTHORITY {
                return Err(ClientAuthError::Large(place, authority.len()));
            }
            life(authority).ok_or(ClientAuthError::Unreadable(place))?;
            RootCertStore::empty().add(authority.clone()).map_err(|_| ClientAuthError::Unreadable(place))?;
            if let Some(name) = named_if_no_authority(authority) {
                return Err(ClientAuthError::NoAuthority(place, name));
            }
        }
        Ok(Self { required, authorities: authorities.into() })
    }

    /// The same with authorities in PEM form.
    ///
    /// # Errors
    /// [`ClientAuthError`].
    pub fn from_pem(text: &[u8], required: bool) -> Result<Self, ClientAuthError> {
        if text.len() > LARGEST_TEXT {
            return Err(ClientAuthError::Long);
        }
        if String::from_utf8_lossy(text).contains("PRIVATE KEY-----") {
            return Err(ClientAuthError::Key);
        }
        let mut authorities = Vec::new();
        for (place, authority) in (1..).zip(CertificateDer::pem_slice_iter(text)) {
            authorities.push(authority.map_err(|_| ClientAuthError::Unreadable(place))?);
        }
        Self::new(authorities, required)
    }

    /// Whether a client without a certificate is refused.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.required
    }

    /// The certificates of the authorities.
    #[must_use]
    pub fn authorities(&self) -> &[CertificateDer<'static>] {
        &self.authorities
    }

    /// Appends what [`ClientAuth::read`] reads.
    pub(super) fn write(&self, bytes: &mut Vec<u8>) {
        bytes.push(u8::from(self.required));
        bytes.push(u8::try_from(self.authorities.len()).unwrap_or(u8::MAX));
        for authority in self.authorities.iter() {
            bytes.extend(u16::try_from(authority.len()).unwrap_or(u16::MAX).to_be_bytes());
            bytes.extend_from_slice(authority);
        }
    }

    /// Reads what is nothing but [`ClientAuth::write`]'s bytes.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (&[required, count], mut rest) = bytes.split_first_chunk::<2>()?;
        let mut authorities = Vec::new();
        for _ in 0..count {
            let (length, after) = rest.split_first_chunk::<2>()?;
            let (authority, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            authorities.push(CertificateDer::from(authority.to_vec()));
            rest = after;
        }
        if required > 1 || !rest.is_empty() {
            return None;
        }
        Self::new(authorities, required == 1).ok()
    }
}

impl fmt::Debug for ClientAuth {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { required, authorities } = self;
        let mut shown = formatter.debug_struct("ClientAuth");
        shown.field("required", required).field("authorities", &authorities.len()).finish()
    }
}

/// From when to when a certificate is valid.
fn life(certificate: &[u8]) -> Option<(UnixTime, UnixTime)> {
    let (rest, read) = X509Certificate::from_der(certificate).ok()?;
    let time =
        |seconds: i64| UnixTime::since_unix_epoch(Duration::from_secs(seconds.try_into().unwrap_or(0)));
    let validity = read.validity();
    rest.is_empty().then(|| (time(validity.not_before.timestamp()), time(validity.not_after.timestamp())))
}

/// The name in a certificate that may not sign others; none if it may.
fn named_if_no_authority(certificate: &[u8]) -> Option<String> {
    let (_, read) = X509Certificate::from_der(certificate).ok()?;
    let signs = read.key_usage().is_ok_and(|usage| usage.is_none_or(|usage| usage.value.key_cert_sign()));
    let may = read.is_ca() && signs;
    (!may).then(|| super::shown::text_of(read.subject()).chars().take(128).collect())
}

/// Verifies what clients show.
pub(super) struct Verifier {
    required: bool,
    each: Vec<OneAuthority>,
    hints: Vec<DistinguishedName>,
    algorithms: WebPkiSupportedAlgorithms,
}

/// Verifies with one authority, while it is valid itself.
struct OneAuthority {
    from: UnixTime,
    until: UnixTime,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl Verifier {
    pub(super) fn new(asked: &ClientAuth, provider: &Arc<CryptoProvider>) -> Result<Self, Error> {
        let mut each = Vec::with_capacity(asked.authorities.len());
        let mut hints = Vec::new();
        for authority in asked.authorities.iter() {
            let mut roots = RootCertStore::empty();
            roots.add(authority.clone())?;
            hints.extend(roots.subjects());
            let (from, until) = life(authority).ok_or(CertificateError::BadEncoding)?;
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(provider));
            let verifier = verifier.build().map_err(|error| Error::General(error.to_string()))?;
            each.push(OneAuthority { from, until, verifier });
        }
        // Clients that are told nothing show what they have.
        if hints.iter().map(|hint| hint.as_ref().len()).sum::<usize>() > LARGEST_HINTS {
            hints.clear();
        }
        let algorithms = provider.signature_verification_algorithms;
        Ok(Self { required: asked.required, each, hints, algorithms })
    }
}

impl ClientCertVerifier for Verifier {
    fn client_auth_mandatory(&self) -> bool {
        self.required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let size = intermediates.iter().map(|one| one.len()).sum::<usize>() + end_entity.len();
        if intermediates.len() > MOST_BETWEEN || size > LARGEST_SHOWN {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        let mut refused = CertificateError::UnknownIssuer;
        for OneAuthority { from, until, verifier } in &self.each {
            if !(*from..=*until).contains(&now) {
                continue;
            }
            match verifier.verify_client_cert(end_entity, intermediates, now) {
                Ok(verified) => return Ok(verified),
                // That it is not this authority's says the least.
                Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {}
                Err(Error::InvalidCertificate(error)) => refused = error,
                Err(other) => return Err(other),
            }
        }
        Err(refused.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Verifier").field("authorities", &self.each.len()).finish_non_exhaustive()
    }
}
