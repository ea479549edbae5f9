//! The handshake of TLS inside that of QUIC: the same names and certificates as over TCP, found without waiting.
//!
//! QUIC asks for a certificate in the middle of its work, while it holds what all of its connections share: nothing can be
//! read there. A client comes here because it was told so over TCP (`Alt-Svc`), so that the keys of its name are in memory;
//! where they are not, the handshake fails, they are fetched for the next one, and the client goes on over TCP.
//!
//! What names are served with has less to say here: QUIC has one version of TLS and suites of its own. A name that is not to
//! be served with that, or that asks clients for certificates, is not served over QUIC.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use quinn::crypto::rustls::{NoInitialCipherSuite, QuicServerConfig};
use rustls::CipherSuite;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::sync::Semaphore;

use super::certificates::{Certificates, Found, Keys, NoCertificate};
use super::encrypted::{Encrypted, TlsVersion, cipher_name};
use super::groups::Groups;
use crate::figures::{Handshaken, Handshaking, TlsFigures};

/// Keys that are fetched for the next handshake at the same time. Anybody can ask for names that nobody asked for recently.
const FETCHES: usize = 16;

/// Handshakes of TLS for QUIC.
pub(crate) struct Quic {
    names: Arc<Names>,
    figures: TlsFigures,
}

struct Names {
    certificates: Arc<dyn Certificates>,
    groups: Arc<Groups>,
    fetches: Arc<Semaphore>,
}

/// One handshake: what a client asked for, and what came of it.
pub(crate) struct Shaking {
    asked: Arc<Asked>,
    ended: Handshaking,
}

struct Asked {
    names: Arc<Names>,
    /// What the client's hello came to; none before there was one.
    answered: Mutex<Option<Result<Answered, Handshaken>>>,
}

#[derive(Clone)]
struct Answered {
    name: Option<Box<str>>,
    found: Found,
    cipher: &'static str,
}

impl Quic {
    pub(crate) fn new(certificates: Arc<dyn Certificates>, groups: Arc<Groups>, figures: TlsFigures) -> Self {
        let fetches = Arc::new(Semaphore::new(FETCHES));
        Self { names: Arc::new(Names { certificates, groups, fetches }), figures }
    }

    /// What is said of a handshake that did not begin, because its client has to show first that its address is its own.
    pub(crate) fn sent_back(&self) {
        self.figures.begun().is(Handshaken::Retry);
    }

    /// Begins a handshake. Each has a configuration of its own, which remembers what was asked for.
    ///
    /// # Errors
    /// None, as long as the provider has the suite that QUIC begins with.
    pub(crate) fn begin(&self) -> Result<(Arc<QuicServerConfig>, Shaking), NoInitialCipherSuite> {
        let asked = Arc::new(Asked { names: Arc::clone(&self.names), answered: Mutex::default() });
        let mut config = self.names.groups.quic();
        config.cert_resolver = Arc::clone(&asked) as _;
        let config = QuicServerConfig::try_from(Arc::new(config))?;
        Ok((Arc::new(config), Shaking { asked, ended: self.figures.begun() }))
    }

    /// What answers a client before it is known whether there will be a handshake. Nobody is served with it.
    ///
    /// # Errors
    /// As [`Quic::begin`].
    pub(crate) fn first_words(&self) -> Result<Arc<QuicServerConfig>, NoInitialCipherSuite> {
        Ok(Arc::new(QuicServerConfig::try_from(Arc::new(self.names.groups.quic()))?))
    }
}

impl Shaking {
    /// What is known of the connection when its handshake is over.
    pub(crate) fn done(mut self) -> Option<Arc<Encrypted>> {
        let Some(Ok(Answered { name, found, cipher })) = self.asked.answered() else {
            return None;
        };
        self.ended.is(Handshaken::Http3);
        Some(Arc::new(Encrypted {
            version: TlsVersion::Tls13,
            cipher,
            server_name: name,
            client_certificate: None,
            found,
            certificates: Arc::clone(&self.asked.names.certificates),
            groups: Arc::clone(&self.asked.names.groups),
        }))
    }

    /// Takes note that it failed by something that the client said, or did not get to hear.
    pub(crate) fn failed(mut self) {
        match self.asked.answered() {
            Some(Err(why)) => self.ended.is(why),
            Some(Ok(_)) | None => self.ended.is(Handshaken::Refused),
        }
    }
}

impl Asked {
    fn answered(&self) -> Option<Result<Answered, Handshaken>> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn answer(&self, hello: &ClientHello<'_>) -> Result<(Answered, Keys), Handshaken> {
        let name: Option<Box<str>> = hello.server_name().map(Into::into);
        let (kept_as, found) = match (&name, self.names.certificates.nameless()) {
            (Some(name), _) => (name.clone(), self.names.certificates.find(name)),
            (None, Some((kept_as, found))) => (kept_as, Some(found)),
            (None, None) => return Err(Handshaken::NoName),
        };
        let found = found.ok_or(Handshaken::UnknownName)?;
        if !self.names.groups.speak_quic(found.group) {
            return Err(Handshaken::Refused);
        }
        let keys = self.names.keys_at_once(kept_as, found)?;
        Ok((Answered { name, found, cipher: chosen(hello) }, keys))
    }
}

impl Names {
    /// The keys of a name, if they are in memory.
    fn keys_at_once(&self, name: Box<str>, found: Found) -> Result<Keys, Handshaken> {
        let certificates = Arc::clone(&self.certificates);
        let mut fetching = Box::pin(async move { certificates.keys(&name, found).await });
        match fetching.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(keys)) => Ok(keys),
            Poll::Ready(Err(NoCertificate::Unknown)) => Err(Handshaken::UnknownName),
            Poll::Ready(Err(NoCertificate::Unavailable)) => Err(Handshaken::Unavailable),
            Poll::Pending => {
                let turn = Arc::clone(&self.fetches).try_acquire_owned();
                if let (Ok(turn), Ok(runtime)) = (turn, tokio::runtime::Handle::try_current()) {
                    runtime.spawn(async move {
                        let _kept_for_the_next_one = fetching.await;
                        drop(turn);
                    });
                }
                Err(Handshaken::Unavailable)
            }
        }
    }
}

/// The suite that is agreed upon: the first of the client's that is spoken here.
fn chosen(hello: &ClientHello<'_>) -> &'static str {
    let spoken = |suite: &CipherSuite| {
        matches!(
            suite,
            CipherSuite::TLS13_AES_128_GCM_SHA256
                | CipherSuite::TLS13_AES_256_GCM_SHA384
                | CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
        )
    };
    hello.cipher_suites().iter().copied().find(spoken).map_or("", cipher_name)
}

impl ResolvesServerCert for Asked {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let (answered, keys) = self
            .answer(&hello)
            .map_or_else(|why| (Err(why), None), |(answered, keys)| (Ok(answered), Some(keys)));
        *self.answered.lock().unwrap_or_else(PoisonError::into_inner) = Some(answered);
        keys.and_then(|keys| keys.resolve(hello))
    }
}

impl fmt::Debug for Asked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Asked")
    }
}
