//! Settings that names are served with. Names are many and settings few: what TLS needs is made once for each distinct
//! group of settings, and shared by all its names.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier as _;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::{CipherSuite, ServerConfig, SupportedCipherSuite, version};

use super::client_auth::Verifier;
use super::settings::{LeastVersion, Settings};
use super::tickets::{Clock, TicketSecret, Tickets};

/// More distinct settings than an installation has: each costs a few kilobytes.
const MOST_GROUPS: usize = 1_024;
/// The same of settings with authorities of clients, of which every host may have its own.
const MOST_WITH_CLIENTS: usize = 8_192;

/// There are as many distinct settings as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "there are as many different settings of TLS as there can be ({MOST_GROUPS}, and {MOST_WITH_CLIENTS} with authorities of \
     clients); give several hosts the same ones. Those that no host has any more are forgotten at the next start"
)]
pub struct TooManyGroups;

/// All groups of settings of an installation.
pub struct Groups {
    secret: TicketSecret,
    clock: Clock,
    made: RwLock<Vec<Arc<Group>>>,
    /// For QUIC, which has one version and its own suites: the same for all names.
    quic: Arc<ServerConfig>,
    /// Whether any of them asks clients for certificates: most installations have none that does.
    ask_clients: AtomicBool,
}

/// What the names of one group share.
pub(crate) struct Group {
    settings: Settings,
    /// For most clients: AES, which their processor and ours does by itself.
    aes: Arc<ServerConfig>,
    /// For those that would rather not: phones without it put ChaCha20 first.
    chacha: Arc<ServerConfig>,
    /// Verifies what clients show, where they are asked.
    clients: Option<Arc<Verifier>>,
    clock: Clock,
}

impl Groups {
    /// Makes groups whose tickets follow from a secret. The default settings have number 0.
    ///
    /// # Errors
    /// None, as long as the provider has a suite for each version.
    pub fn new(secret: TicketSecret) -> Result<Self, rustls::Error> {
        Self::with_clock(secret, Arc::new(SystemTime::now))
    }

    /// The same with another clock than the system's.
    ///
    /// # Errors
    /// As [`Groups::new`].
    pub fn with_clock(
        secret: TicketSecret,
        clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    ) -> Result<Self, rustls::Error> {
        let first = Group::new(Settings::default(), &secret, &clock)?;
        let made = RwLock::new(vec![Arc::new(first)]);
        let quic = Arc::new(quic(&secret, &clock)?);
        Ok(Self { secret, clock, made, quic, ask_clients: AtomicBool::new(false) })
    }

    /// The number of the group with these settings; it is made if there is none.
    ///
    /// # Errors
    /// [`TooManyGroups`]; [`rustls::Error`] when no suite is left.
    pub fn number(&self, settings: &Settings) -> Result<u16, SettingsError> {
        let mut made = self.made.write().unwrap_or_else(PoisonError::into_inner);
        let place = match made.iter().position(|group| group.settings == *settings) {
            Some(place) => place,
            None if is_full(&made, settings) => return Err(TooManyGroups.into()),
            None => {
                made.push(Arc::new(Group::new(settings.clone(), &self.secret, &self.clock)?));
                self.ask_clients.fetch_or(settings.clients.is_some(), Ordering::Release);
                made.len() - 1
            }
        };
        u16::try_from(place).map_err(|_| TooManyGroups.into())
    }

    /// Whether clients of any name may be asked for certificates.
    pub(crate) fn may_ask_clients(&self) -> bool {
        self.ask_clients.load(Ordering::Acquire)
    }

    /// Whether clients of a group's names are asked for certificates.
    pub(crate) fn ask_clients(&self, number: u16) -> bool {
        self.of(number).is_some_and(|group| group.clients.is_some())
    }

    /// Whether clients of a group's names without a certificate are refused.
    pub(crate) fn require_clients(&self, number: u16) -> bool {
        let required =
            |group: Arc<Group>| group.clients.as_ref().is_some_and(|clients| clients.client_auth_mandatory());
        self.of(number).is_some_and(required)
    }

    /// The configuration of QUIC, for keys of a name that [`Groups::speak_quic`] is true of.
    pub(crate) fn quic(&self) -> ServerConfig {
        ServerConfig::clone(&self.quic)
    }

    /// Whether names of a group can be served over QUIC: it is TLS 1.3, and its one configuration asks nobody for a
    /// certificate.
    pub(crate) fn speak_quic(&self, number: u16) -> bool {
        self.of(number).is_some_and(|group| group.settings.tls13 && group.clients.is_none())
    }

    pub(crate) fn of(&self, number: u16) -> Option<Arc<Group>> {
        let made = self.made.read().unwrap_or_else(PoisonError::into_inner);
        made.get(usize::from(number)).cloned()
    }
}

impl fmt::Debug for Groups {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let made = self.made.read().unwrap_or_else(PoisonError::into_inner);
        formatter.debug_struct("Groups").field("made", &made.len()).finish()
    }
}

/// Why settings cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Too many.
    #[error(transparent)]
    TooMany(#[from] TooManyGroups),
    /// They leave nothing to agree upon.
    #[error("these settings of TLS leave nothing that a client could agree to: {0}")]
    Nothing(#[from] rustls::Error),
}

/// Whether there are as many of the kind of these settings as there may be.
fn is_full(made: &[Arc<Group>], settings: &Settings) -> bool {
    let asks = settings.clients.is_some();
    let most = if asks { MOST_WITH_CLIENTS } else { MOST_GROUPS };
    made.iter().filter(|group| group.clients.is_some() == asks).count() >= most
}

impl Group {
    fn new(settings: Settings, secret: &TicketSecret, clock: &Clock) -> Result<Self, rustls::Error> {
        let tickets = Arc::new(Tickets::new(secret.clone(), &settings.to_bytes(), Arc::clone(clock)));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let clients = settings.clients.as_ref().map(|asked| Verifier::new(asked, &provider).map(Arc::new));
        let clients = clients.transpose()?;
        let config = |first: CipherSuite| {
            let mut config = config(&settings, first, Arc::clone(&tickets), clients.clone())?;
            config.time_provider = Arc::new(Time(Arc::clone(clock)));
            Ok::<_, rustls::Error>(config)
        };
        let aes = Arc::new(config(CipherSuite::TLS13_AES_128_GCM_SHA256)?);
        let chacha = Arc::new(config(CipherSuite::TLS13_CHACHA20_POLY1305_SHA256)?);
        Ok(Self { settings, aes, chacha, clients, clock: Arc::clone(clock) })
    }

    /// Verifies again what a client showed in a session that it takes up: its certificate, or the authority, may have
    /// expired since.
    pub(crate) fn verify_again(&self, shown: &[CertificateDer<'_>]) -> Result<(), rustls::Error> {
        let (Some(clients), Some((leaf, between))) = (&self.clients, shown.split_first()) else {
            return Ok(());
        };
        let now = unix_time(&self.clock).ok_or(rustls::Error::FailedToGetCurrentTime)?;
        clients.verify_client_cert(leaf, between, now).map(drop)
    }

    /// The configuration for this client, which signs with these keys.
    pub(crate) fn config(&self, hello: &ClientHello<'_>) -> ServerConfig {
        let shared = if puts_chacha_first(hello) { &self.chacha } else { &self.aes };
        ServerConfig::clone(shared)
    }
}

/// Whether the first suite that a client names, and means, is ChaCha20.
fn puts_chacha_first(hello: &ClientHello<'_>) -> bool {
    // Some numbers are there for nothing but to be passed over (RFC 8701).
    let means = |suite: &&CipherSuite| u16::from(**suite) & 0x0f0f != 0x0a0a;
    hello.cipher_suites().iter().find(means) == Some(&CipherSuite::TLS13_CHACHA20_POLY1305_SHA256)
}

/// The suites in our order: the one that costs the least, then those that are as safe. With SHA-384 a handshake costs a
/// third more, and no client is safer for it.
fn rank(suite: CipherSuite, first: CipherSuite) -> u8 {
    let chacha = matches!(
        suite,
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
    );
    let aes128 = matches!(
        suite,
        CipherSuite::TLS13_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    );
    match (first == CipherSuite::TLS13_CHACHA20_POLY1305_SHA256, chacha, aes128) {
        (true, true, _) | (false, _, true) => 0,
        (_, false, _) => 1,
        (false, true, _) => 2,
    }
}

fn config(
    settings: &Settings,
    first: CipherSuite,
    tickets: Arc<Tickets>,
    clients: Option<Arc<Verifier>>,
) -> Result<ServerConfig, rustls::Error> {
    let clients = clients.map_or_else(WebPkiClientVerifier::no_client_auth, |clients| clients as _);
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.cipher_suites.retain(|suite| is_among(settings, suite));
    provider.cipher_suites.sort_by_key(|suite| rank(suite.suite(), first));
    let versions: &[&rustls::SupportedProtocolVersion] = match settings.least_version {
        LeastVersion::Tls12 if !settings.tls13 => &[&version::TLS12],
        LeastVersion::Tls12 if has_tls12(&provider) => &[&version::TLS13, &version::TLS12],
        LeastVersion::Tls12 | LeastVersion::Tls13 => &[&version::TLS13],
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(Arc::new(Nobody));
    config.alpn_protocols =
        if settings.http2 { vec![b"h2".to_vec(), b"http/1.1".to_vec()] } else { vec![b"http/1.1".to_vec()] };
    config.ignore_client_order = true;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = tickets;
    config.send_tls13_tickets = 1;
    Ok(config)
}

/// What is spoken over QUIC. A request in early data can be repeated by others: rustls takes none unless it is told to. The
/// client chooses among three suites that are equally safe, so that who is slow at AES need not speak it.
fn quic(secret: &TicketSecret, clock: &Clock) -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Nobody));
    config.alpn_protocols = vec![b"h3".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    // No settings are written as these bytes: what is sealed here opens nothing over TCP, and the other way round.
    config.ticketer = Arc::new(Tickets::new(secret.clone(), b"h3", Arc::clone(clock)));
    config.send_tls13_tickets = 1;
    config.time_provider = Arc::new(Time(Arc::clone(clock)));
    Ok(config)
}

fn is_among(settings: &Settings, suite: &SupportedCipherSuite) -> bool {
    suite.tls13().is_some()
        || settings.suites.as_ref().is_none_or(|chosen| chosen.contains(&u16::from(suite.suite())))
}

fn has_tls12(provider: &CryptoProvider) -> bool {
    provider.cipher_suites.iter().any(|suite| suite.tls13().is_none())
}

/// The clock, as rustls asks it.
struct Time(Clock);

impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        unix_time(&self.0)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Time")
    }
}

fn unix_time(clock: &Clock) -> Option<UnixTime> {
    clock().duration_since(SystemTime::UNIX_EPOCH).ok().map(UnixTime::since_unix_epoch)
}

/// Stands where each handshake puts its own keys.
#[derive(Debug)]
pub(super) struct Nobody;

impl ResolvesServerCert for Nobody {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups() -> Groups {
        Groups::new(TicketSecret::new(&[7; 32])).unwrap()
    }

    #[test]
    fn the_same_settings_are_one_group() {
        let groups = groups();
        assert_eq!(groups.number(&Settings::default()).unwrap(), 0);
        let strict = Settings { least_version: LeastVersion::Tls13, ..Settings::default() };
        assert_eq!(groups.number(&strict).unwrap(), 1);
        assert_eq!(groups.number(&Settings { http2: false, ..strict.clone() }).unwrap(), 2);
        assert_eq!(groups.number(&strict).unwrap(), 1);
        assert!(groups.of(2).is_some() && groups.of(3).is_none());
    }

    #[test]
    fn settings_that_leave_nothing_to_agree_upon_are_refused() {
        let nothing = Settings { tls13: false, suites: Some(Vec::new()), ..Settings::default() };
        assert!(matches!(groups().number(&nothing), Err(SettingsError::Nothing(_))));
    }

    #[test]
    fn settings_are_bounded_in_number() {
        let groups = groups();
        for number in 0..2_000u16 {
            let made = groups.number(&Settings { suites: Some(vec![number]), ..Settings::default() });
            let fits = usize::from(number) < MOST_GROUPS - 1;
            assert_eq!(made.is_ok(), fits, "{number}");
        }
    }

    #[test]
    fn aes_with_128_bits_comes_first_but_for_whom_it_is_slow() {
        let group = groups().of(0).unwrap();
        let first = |config: &ServerConfig| config.crypto_provider().cipher_suites[0].suite();
        assert_eq!(first(&group.aes), CipherSuite::TLS13_AES_128_GCM_SHA256);
        assert_eq!(first(&group.chacha), CipherSuite::TLS13_CHACHA20_POLY1305_SHA256);
        let suites = |config: &ServerConfig| config.crypto_provider().cipher_suites.len();
        assert_eq!(suites(&group.aes), 9);
        assert_eq!(suites(&group.chacha), 9);
    }
}
