//! The handshake of TLS inside that of QUIC: the same names and certificates as over TCP.
//!
//! QUIC asks for a certificate in the middle of its work, while it holds what all of its connections share: nothing can be
//! read there. A client comes here because it was told so over TCP (`Alt-Svc`), so that the keys of its name are mostly in
//! memory; where they are not, its handshake is held until they are.
//!
//! What names are served with has less to say here: QUIC has one version of TLS and suites of its own. A name that is not to
//! be served with that, or that asks clients for certificates, is not served over QUIC.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::{BoxFuture, FutureExt as _};
use quinn::crypto::rustls::{NoInitialCipherSuite, QuicServerConfig};

use rustls::CipherSuite;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::sync::{Notify, Semaphore};

use super::certificates::{Certificates, Found, Keys, NoCertificate};
use super::encrypted::{Encrypted, TlsVersion, cipher_name};
use super::groups::Groups;
use crate::figures::{Handshaken, Handshaking, TlsFigures};

use held::Holding;

mod held;

/// Handshakes that are held at the same time until keys are fetched. Anybody can ask for names that nobody asked for recently:
/// further ones are refused.
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
    answer: Mutex<Answer>,
    /// The handshake is given up, and cannot say so itself.
    given_up: Notify,
}

/// What a client's first message came to.
#[derive(Clone, Default)]
enum Answer {
    /// There was none yet.
    #[default]
    Unasked,
    /// The keys of its name are fetched.
    Fetching,
    Served(Answered, Keys),
    Refused(Handshaken),
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
    pub(crate) fn begin(
        &self,
    ) -> Result<(Arc<dyn quinn::crypto::ServerConfig>, Shaking), NoInitialCipherSuite> {
        let (answer, given_up) = Default::default();
        let asked = Arc::new(Asked { names: Arc::clone(&self.names), answer, given_up });
        let mut config = self.names.groups.quic();
        config.cert_resolver = Arc::clone(&asked) as _;
        let inner = Arc::new(QuicServerConfig::try_from(Arc::new(config))?);
        let holding = Holding { inner, asked: Arc::clone(&asked) };
        Ok((Arc::new(holding), Shaking { asked, ended: self.figures.begun() }))
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
        let Answer::Served(Answered { name, found, cipher }, _) = self.asked.answer() else {
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
        self.ended.is(match self.asked.answer() {
            Answer::Refused(why) => why,
            Answer::Served(..) | Answer::Unasked | Answer::Fetching => Handshaken::Refused,
        });
    }

    /// Ends when the handshake is given up without a word: whoever waits for it is to let it go.
    pub(crate) async fn given_up(&self) {
        self.asked.given_up.notified().await;
    }
}

impl Asked {
    fn answer(&self) -> Answer {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn answers(&self, answer: Answer) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    fn is_fetching(&self) -> bool {
        matches!(*self.answer.lock().unwrap_or_else(PoisonError::into_inner), Answer::Fetching)
    }

    /// Has whoever waits for the handshake let it go.
    fn gives_up(&self) {
        self.given_up.notify_one();
    }

    /// Looks what a client is served with. Keys that are not in memory are fetched.
    fn look(self: &Arc<Self>, hello: &ClientHello<'_>) {
        self.answers(Answer::Fetching);
        let (answered, kept_as) = match self.served(hello) {
            Ok(served) => served,
            Err(why) => return self.answers(Answer::Refused(why)),
        };
        let certificates = Arc::clone(&self.names.certificates);
        let found = answered.found;
        let mut fetching: BoxFuture<'static, _> =
            async move { certificates.keys(&kept_as, found).await }.boxed();
        if let Some(keys) = (&mut fetching).now_or_never() {
            return self.answers(Answer::of(answered, keys));
        }
        let turn = Arc::clone(&self.names.fetches).try_acquire_owned();
        let (Ok(turn), Ok(runtime)) = (turn, tokio::runtime::Handle::try_current()) else {
            return self.answers(Answer::Refused(Handshaken::Unavailable));
        };
        let asked = Arc::clone(self);
        runtime.spawn(async move {
            // Whoever goes away meanwhile leaves the keys in memory for the next one.
            let answer = Answer::of(answered, fetching.await);
            drop(turn);
            let is_refused = matches!(answer, Answer::Refused(_));
            asked.answers(answer);
            if is_refused {
                asked.gives_up();
            }
        });
    }

    /// What a client is served with, and under which name that is kept.
    fn served(&self, hello: &ClientHello<'_>) -> Result<(Answered, Box<str>), Handshaken> {
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
        Ok((Answered { name, found, cipher: chosen(hello) }, kept_as))
    }
}

impl Answer {
    fn of(answered: Answered, keys: Result<Keys, NoCertificate>) -> Self {
        match keys {
            Ok(keys) => Self::Served(answered, keys),
            Err(NoCertificate::Unknown) => Self::Refused(Handshaken::UnknownName),
            Err(NoCertificate::Unavailable) => Self::Refused(Handshaken::Unavailable),
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
        match self.answer() {
            Answer::Served(_, keys) => keys.resolve(hello),
            Answer::Refused(_) | Answer::Fetching | Answer::Unasked => None,
        }
    }
}

impl fmt::Debug for Asked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Asked")
    }
}
