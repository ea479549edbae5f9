//! The handshake: from the client's first bytes to an encrypted connection.
//!
//! A name is looked up in memory before anything else is done for it; one that nobody has costs a hash, an alert and a
//! closed socket. All of it is in a future of its own that ends with the handshake, so that nothing of it is held by a
//! connection that is open for hours.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::CertificateError;
use rustls::server::Acceptor;
use tokio::io::AsyncWriteExt as _;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::certificates::{Certificates, Found, Keys, NoCertificate};
use super::encrypted::{Encrypted, TlsVersion, cipher_name};
use super::groups::{Group, Groups};
use super::quic::Quic;
use super::shown::ClientCertificate;
use super::stream::TlsSocket;
use super::validation::{Challenges, Validation};
use crate::figures::{Handshaken, TlsFigures};
use crate::socket::Socket;
use crate::transport::{Handshake, Rewound, Shaken};

/// How long a handshake may take, whatever time a head has: two exchanges with the far side of the world take one second.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);
/// The most plain bytes of an answer that wait to be encrypted, on one connection.
const BUFFER: usize = 32 << 10;

/// The fatal alert `unrecognized_name` (RFC 6066 section 3), in a record of its own.
const UNRECOGNIZED_NAME: [u8; 7] = [0x15, 3, 3, 0, 2, 2, 112];
/// The fatal alert `internal_error`: the name is known, its certificate cannot be had now.
const INTERNAL_ERROR: [u8; 7] = [0x15, 3, 3, 0, 2, 2, 80];

/// HTTP over TLS, with the certificates of many names.
#[derive(Clone)]
pub struct Tls {
    certificates: Arc<dyn Certificates>,
    groups: Arc<Groups>,
    /// What authorities are shown; none where they are shown nothing in handshakes.
    validation: Option<Validation>,
    figures: TlsFigures,
    deadline: Duration,
}

impl Tls {
    /// Puts the parts together.
    #[must_use]
    pub fn new(certificates: Arc<dyn Certificates>, groups: Arc<Groups>, figures: TlsFigures) -> Self {
        Self { certificates, groups, validation: None, figures, deadline: DEADLINE }
    }

    /// The same, where authorities are shown in handshakes that names are ours (RFC 8737).
    ///
    /// # Errors
    /// None, as long as the provider has a suite for each version.
    pub fn with_challenges(self, challenges: Arc<dyn Challenges>) -> Result<Self, rustls::Error> {
        Ok(Self { validation: Some(Validation::new(challenges)?), ..self })
    }

    /// The same names, over QUIC.
    pub(crate) fn over_quic(&self) -> Quic {
        Quic::new(Arc::clone(&self.certificates), Arc::clone(&self.groups), self.figures.clone())
    }

    /// The same with another time for a handshake.
    #[cfg(test)]
    pub(super) fn within(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    async fn accept(&self, socket: Rewound<Socket>) -> io::Result<Shaken<TlsSocket>> {
        let mut ended = self.figures.begun();
        let start = LazyConfigAcceptor::new(Acceptor::default(), socket);
        let mut start = start.await.inspect_err(|error| ended.failed(error))?;
        if let Some(validation) = &self.validation
            && let Some(keys) = validation.shown(&start.client_hello())
        {
            validation.show(start, keys).await.inspect_err(|error| ended.failed(error))?;
            ended.is(Handshaken::Validation);
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "an authority was shown a name"));
        }
        let name: Option<Box<str>> = start.client_hello().server_name().map(Into::into);
        let (kept_as, found) = match (&name, self.certificates.nameless()) {
            (Some(name), _) => (name.clone(), self.certificates.find(name)),
            (None, Some((kept_as, found))) => (kept_as, Some(found)),
            (None, None) => {
                ended.is(Handshaken::NoName);
                return refuse(&mut start.io, UNRECOGNIZED_NAME, "the client names no host").await;
            }
        };
        let (found, keys) = match self.keys(&kept_as, found).await {
            Ok(found) => found,
            Err(NoCertificate::Unknown) => {
                ended.is(Handshaken::UnknownName);
                return refuse(&mut start.io, UNRECOGNIZED_NAME, "no host of that name is served").await;
            }
            Err(NoCertificate::Unavailable) => {
                ended.is(Handshaken::Unavailable);
                return refuse(&mut start.io, INTERNAL_ERROR, "the certificate cannot be had").await;
            }
        };
        let group = self.groups.of(found.group).ok_or_else(|| io::Error::other("no such settings"))?;
        let mut config = group.config(&start.client_hello());
        config.cert_resolver = keys;
        let stream = start.into_stream(Arc::new(config)).await.inspect_err(|error| ended.failed(error))?;
        let shown = client(&stream, &group).inspect_err(|error| ended.failed(error))?;
        ended.is(if is_resumed(&stream) { Handshaken::Resumed } else { Handshaken::Full });
        Ok(self.shaken(stream, name, found, shown))
    }

    async fn keys(&self, name: &str, found: Option<Found>) -> Result<(Found, Keys), NoCertificate> {
        let found = found.ok_or(NoCertificate::Unknown)?;
        Ok((found, self.certificates.keys(name, found).await?))
    }

    fn shaken(
        &self,
        mut stream: TlsStream<Rewound<Socket>>,
        name: Option<Box<str>>,
        found: Found,
        client_certificate: Option<ClientCertificate>,
    ) -> Shaken<TlsSocket> {
        let session = stream.get_mut().1;
        session.set_buffer_limit(Some(BUFFER));
        let version = match session.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_2) => TlsVersion::Tls12,
            _ => TlsVersion::Tls13,
        };
        // Who does not ask for HTTP/2 here does not speak it (RFC 9113 section 3.2).
        let is_http2 = session.alpn_protocol() == Some(b"h2");
        let cipher = session.negotiated_cipher_suite().map_or("", |suite| cipher_name(suite.suite()));
        let encrypted = Encrypted {
            version,
            cipher,
            server_name: name,
            client_certificate,
            found,
            certificates: Arc::clone(&self.certificates),
            groups: Arc::clone(&self.groups),
        };
        Shaken {
            transport: TlsSocket::new(stream),
            is_http2: Some(is_http2),
            encrypted: Some(Arc::new(encrypted)),
        }
    }
}

fn is_resumed(stream: &TlsStream<Rewound<Socket>>) -> bool {
    stream.get_ref().1.handshake_kind() == Some(rustls::HandshakeKind::Resumed)
}

/// The certificate that a client showed, in this handshake or in the one of the session that it took up.
fn client(stream: &TlsStream<Rewound<Socket>>, group: &Group) -> io::Result<Option<ClientCertificate>> {
    let refused = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    let Some(shown) = stream.get_ref().1.peer_certificates() else { return Ok(None) };
    if is_resumed(stream) {
        group.verify_again(shown).map_err(refused)?;
    }
    let Some(leaf) = shown.first() else { return Ok(None) };
    let read = ClientCertificate::read(leaf).ok_or(CertificateError::BadEncoding.into());
    read.map(Some).map_err(refused)
}

/// Says why, and no more.
async fn refuse<T>(socket: &mut Rewound<Socket>, alert: [u8; 7], why: &'static str) -> io::Result<T> {
    socket.write_all(&alert).await?;
    socket.shutdown().await?;
    Err(io::Error::new(io::ErrorKind::ConnectionRefused, why))
}

impl Handshake for Tls {
    type Transport = TlsSocket;
    const SECURE: bool = true;

    async fn shake(&self, socket: Rewound<Socket>) -> io::Result<Shaken<TlsSocket>> {
        let accepted = tokio::time::timeout(self.deadline, Box::pin(self.accept(socket)));
        accepted.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}
