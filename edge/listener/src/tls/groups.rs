//! Settings that names are served with. Names are many and settings few: what TLS needs is made once for each distinct
//! group of settings, and shared by all its names.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, ServerConfig, SupportedCipherSuite, version};

use super::tickets::{Clock, TicketSecret, Tickets};

/// More distinct settings than an installation has: each costs a few kilobytes.
const MOST_GROUPS: usize = 1_024;
/// A client chooses among as many suites of TLS 1.2 as there are, which are fewer.
const MOST_SUITES: usize = 32;

/// In the byte of the least version: 1.3 is not spoken.
const WITHOUT_TLS13: u8 = 0x80;

/// The least version that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LeastVersion {
    /// 1.2, and 1.3 to whoever can. What is older is not spoken at all.
    #[default]
    Tls12,
    /// 1.3 alone.
    Tls13,
}

/// How a name is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The least version.
    pub least_version: LeastVersion,
    /// Whether 1.3 is spoken where 1.2 is. Where it is the least version, it is the only one.
    pub tls13: bool,
    /// Which suites of TLS 1.2 there are, by their numbers; none says all that are safe. Those of 1.3 are always there.
    pub suites: Option<Vec<u16>>,
    /// Whether HTTP/2 is offered beside HTTP/1.1.
    pub http2: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { least_version: LeastVersion::default(), tls13: true, suites: None, http2: true }
    }
}

impl Settings {
    /// The settings as bytes: the same for the same settings, other ones for others.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        const VERSION: u8 = 1;
        let least = match self.least_version {
            LeastVersion::Tls12 => 12,
            LeastVersion::Tls13 => 13,
        };
        let least = if self.tls13 { least } else { least | WITHOUT_TLS13 };
        let mut bytes = vec![VERSION, least, u8::from(self.http2), u8::from(self.suites.is_some())];
        for suite in self.suites.iter().flatten() {
            bytes.extend(suite.to_be_bytes());
        }
        bytes
    }

    /// Reads what [`Settings::to_bytes`] wrote; none for anything else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&[1, least, http2, chosen], rest) = bytes.split_first_chunk::<4>()? else { return None };
        let tls13 = least & WITHOUT_TLS13 == 0;
        let least_version = match least & !WITHOUT_TLS13 {
            12 => LeastVersion::Tls12,
            13 => LeastVersion::Tls13,
            _ => return None,
        };
        let (suites, odd) = rest.as_chunks::<2>();
        if http2 > 1 || chosen > 1 || !odd.is_empty() || suites.len() > MOST_SUITES {
            return None;
        }
        let suites: Vec<u16> = suites.iter().map(|bytes| u16::from_be_bytes(*bytes)).collect();
        let suites = match (chosen, suites.is_empty()) {
            (1, _) => Some(suites),
            (_, true) => None,
            (_, false) => return None,
        };
        Some(Self { least_version, tls13, suites, http2: http2 == 1 })
    }
}

/// There are as many distinct settings as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "there are {MOST_GROUPS} different settings of TLS, and no more can be; give several hosts the same ones"
)]
pub struct TooManyGroups;

/// All groups of settings of an installation.
pub struct Groups {
    secret: TicketSecret,
    clock: Clock,
    made: RwLock<Vec<Arc<Group>>>,
}

/// What the names of one group share.
pub(crate) struct Group {
    settings: Settings,
    /// For most clients: AES, which their processor and ours does by itself.
    aes: Arc<ServerConfig>,
    /// For those that would rather not: phones without it put ChaCha20 first.
    chacha: Arc<ServerConfig>,
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
        Ok(Self { secret, clock, made: RwLock::new(vec![Arc::new(first)]) })
    }

    /// The number of the group with these settings; it is made if there is none.
    ///
    /// # Errors
    /// [`TooManyGroups`]; [`rustls::Error`] when no suite is left.
    pub fn number(&self, settings: &Settings) -> Result<u16, SettingsError> {
        let mut made = self.made.write().unwrap_or_else(PoisonError::into_inner);
        let place = match made.iter().position(|group| group.settings == *settings) {
            Some(place) => place,
            None if made.len() >= MOST_GROUPS => return Err(TooManyGroups.into()),
            None => {
                made.push(Arc::new(Group::new(settings.clone(), &self.secret, &self.clock)?));
                made.len() - 1
            }
        };
        u16::try_from(place).map_err(|_| TooManyGroups.into())
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

impl Group {
    fn new(settings: Settings, secret: &TicketSecret, clock: &Clock) -> Result<Self, rustls::Error> {
        let tickets = Arc::new(Tickets::new(secret.clone(), settings.to_bytes(), Arc::clone(clock)));
        let config = |first: CipherSuite| config(&settings, first, Arc::clone(&tickets));
        let aes = Arc::new(config(CipherSuite::TLS13_AES_128_GCM_SHA256)?);
        let chacha = Arc::new(config(CipherSuite::TLS13_CHACHA20_POLY1305_SHA256)?);
        Ok(Self { settings, aes, chacha })
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
) -> Result<ServerConfig, rustls::Error> {
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
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Nobody));
    config.alpn_protocols =
        if settings.http2 { vec![b"h2".to_vec(), b"http/1.1".to_vec()] } else { vec![b"http/1.1".to_vec()] };
    config.ignore_client_order = true;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = tickets;
    config.send_tls13_tickets = 1;
    Ok(config)
}

fn is_among(settings: &Settings, suite: &SupportedCipherSuite) -> bool {
    suite.tls13().is_some()
        || settings.suites.as_ref().is_none_or(|chosen| chosen.contains(&u16::from(suite.suite())))
}

fn has_tls12(provider: &CryptoProvider) -> bool {
    provider.cipher_suites.iter().any(|suite| suite.tls13().is_none())
}

/// Stands where each handshake puts its own keys.
#[derive(Debug)]
struct Nobody;

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
    fn settings_come_back_from_their_bytes() {
        for suites in [None, Some(vec![]), Some(vec![0xc02b, 0xc02f])] {
            for http2 in [false, true] {
                for (least_version, tls13) in
                    [(LeastVersion::Tls12, true), (LeastVersion::Tls13, true), (LeastVersion::Tls12, false)]
                {
                    let settings = Settings { least_version, tls13, suites: suites.clone(), http2 };
                    assert_eq!(Settings::from_bytes(&settings.to_bytes()), Some(settings));
                }
            }
        }
        for bytes in [
            &b""[..],
            &[1, 12, 1],
            &[2, 12, 1, 0],
            &[1, 11, 1, 0],
            &[1, 12, 2, 0],
            &[1, 12, 1, 0, 1, 1],
            &[1, 12, 1, 1, 7],
        ] {
            assert_eq!(Settings::from_bytes(bytes), None, "{bytes:?}");
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
