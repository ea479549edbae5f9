//! Whom this end believes, and what it shows of itself: roots of trust, certificates with their keys, and the TLS that comes of them.
//! Opens nothing.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore, SignatureScheme, WantsVerifier,
};
use tokio_rustls::TlsConnector;

use crate::way::Way;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// TLS cannot be set up.
    #[error("TLS for outgoing requests cannot be set up: {0}")]
    Setup(String),
    /// A file of certificates cannot be read.
    #[error("no certificates can be read from it: {0}")]
    Certificates(String),
}

/// Which authorities' certificates are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Roots {
    /// Those that the machine believes; where it has none, those that came with this build.
    #[default]
    System,
    /// Those that came with this build (Mozilla's), whatever the machine believes.
    Bundled,
    /// None but those that were given by themselves.
    None,
}

/// Authorities that an operator believes beside [`Roots`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExtraRoots(Vec<CertificateDer<'static>>);

impl ExtraRoots {
    /// Reads a file of certificates in PEM form. Blocks.
    ///
    /// # Errors
    /// [`TlsError::Certificates`] when the file cannot be read, holds none, or one that is no root.
    pub fn read(path: &Path) -> Result<Self, TlsError> {
        /// Far more than any list of authorities has.
        const MOST_BYTES: u64 = 16 << 20;
        let wrong = |error: &dyn std::fmt::Display| TlsError::Certificates(error.to_string());
        if std::fs::metadata(path).map_err(|error| wrong(&error))?.len() > MOST_BYTES {
            return Err(wrong(&"it is larger than 16 MiB"));
        }
        let text = std::fs::read(path).map_err(|error| wrong(&error))?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        let found = found.map_err(|error| wrong(&error))?;
        if found.is_empty() {
            return Err(wrong(&"it holds no certificate in PEM form"));
        }
        let mut store = RootCertStore::empty();
        for certificate in &found {
            store.add(certificate.clone()).map_err(|error| wrong(&error))?;
        }
        Ok(Self(found))
    }
}

/// All roots together.
#[must_use]
pub fn trusted(roots: Roots, extra: &ExtraRoots) -> RootCertStore {
    let mut store = RootCertStore::empty();
    let bundled = || webpki_roots::TLS_SERVER_ROOTS.iter().cloned();
    match roots {
        Roots::System => {
            let found = rustls_native_certs::load_native_certs();
            let (added, _unusable) = store.add_parsable_certificates(found.certs);
            if added == 0 {
                tracing::warn!(
                    "this machine has no trusted certificates: those that came with the build are used"
                );
                store.extend(bundled());
            }
        }
        Roots::Bundled => store.extend(bundled()),
        Roots::None => {}
    }
    store.add_parsable_certificates(extra.0.iter().cloned());
    store
}

/// A certificate with those above it, and its key. Does not print.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("certificates", &self.chain.len()).finish_non_exhaustive()
    }
}

impl Identity {
    /// Reads both in PEM form. Whether they belong together is found out when they are first used.
    ///
    /// # Errors
    /// [`TlsError::Certificates`], which says nothing of the key.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let wrong = |what: &str| TlsError::Certificates(what.to_owned());
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
        let chain = chain.map_err(|_| wrong("a certificate cannot be read"))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| wrong("the key cannot be read"))?;
        Ok(Self { chain, key })
    }
}

/// The ways of making a handshake. Each has sessions of its own to resume, so that none that began unverified goes on as
/// a verified one.
#[derive(Clone)]
pub(crate) struct Handshakes {
    /// What URIs name: any version of HTTP, verified.
    uris: TlsConnector,
    verified: TlsConnector,
    unverified: TlsConnector,
    roots: Arc<RootCertStore>,
}

impl Handshakes {
    pub(crate) fn new(roots: RootCertStore) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let roots = Arc::new(roots);
        let verified =
            || Ok::<_, TlsError>(builder()?.with_root_certificates(Arc::clone(&roots)).with_no_client_auth());
        let anybody = Arc::new(Anybody(provider.signature_verification_algorithms.supported_schemes()));
        let unverified =
            builder()?.dangerous().with_custom_certificate_verifier(anybody).with_no_client_auth();
        Ok(Self {
            uris: made(verified()?, ANY_VERSION),
            verified: made(verified()?, &[b"http/1.1"]),
            unverified: made(unverified, &[b"http/1.1"]),
            roots,
        })
    }

    /// A handshake for what URIs name that shows a certificate. Its sessions are its own: none that was begun with it goes on
    /// for whoever has another, or none.
    pub(crate) fn showing(&self, identity: Identity) -> Result<TlsConnector, TlsError> {
        let Identity { chain, key } = identity;
        let config = builder()?.with_root_certificates(Arc::clone(&self.roots));
        let config = config.with_client_auth_cert(chain, key);
        Ok(made(config.map_err(|error| TlsError::Setup(error.to_string()))?, ANY_VERSION))
    }

    /// The one that connections on this way are made with; none: those that URIs name.
    pub(crate) fn on(&self, way: Option<&Way>) -> &TlsConnector {
        match way.map(|way| &way.handshake) {
            None => &self.uris,
            Some(Some(handshake)) if !handshake.verified => &self.unverified,
            Some(_) => &self.verified,
        }
    }
}

/// Any version of HTTP that is spoken over TCP.
const ANY_VERSION: &[&[u8]] = &[b"h2", b"http/1.1"];

fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, TlsError> {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Setup(error.to_string()))
}

fn made(mut config: ClientConfig, protocols: &[&[u8]]) -> TlsConnector {
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

/// Takes every certificate. The signatures of a key that nobody vouches for show nothing, so that they are not looked at
/// either.
#[derive(Debug)]
struct Anybody(Vec<SignatureScheme>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_private_authorities_is_read_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let made = |name: &str| rcgen::generate_simple_self_signed([name.to_owned()]).unwrap().cert;
        std::fs::write(&file, made("a.test").pem() + &made("b.test").pem()).unwrap();
        let extra = ExtraRoots::read(&file).unwrap();
        assert_eq!(trusted(Roots::None, &extra).len(), 2);
        assert_eq!(trusted(Roots::Bundled, &extra).len(), webpki_roots::TLS_SERVER_ROOTS.len() + 2);

        let broken = "-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n";
        for text in ["", "no certificate", &(made("c.test").pem() + broken)] {
            std::fs::write(&file, text).unwrap();
            assert!(ExtraRoots::read(&file).is_err(), "{text:?}");
        }
        assert!(ExtraRoots::read(&folder.path().join("missing.pem")).is_err());
    }

    #[test]
    fn without_roots_nobody_is_believed() {
        assert_eq!(trusted(Roots::None, &ExtraRoots::default()).len(), 0);
        assert!(!trusted(Roots::System, &ExtraRoots::default()).is_empty());
    }
}
