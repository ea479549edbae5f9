//! Names that ask clients for certificates, and clients that show what they should not.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, date_time_ymd,
};
use rustls::AlertDescription;
use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, ResolvesClientCert, Tls12ClientSessionValue,
    Tls13ClientSessionValue,
};
use rustls::{NamedGroup, SignatureScheme};

use super::*;

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn authority_with(change: impl FnOnce(&mut CertificateParams)) -> Issuer {
    let mut params = named("authority");
    params.extended_key_usages.clear();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut params);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn authority() -> Issuer {
    authority_with(|_| {})
}

fn key_of(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Arc<CertifiedKey> {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    Arc::new(CertifiedKey::from_der(chain, key, &provider()).unwrap())
}

/// A client's certificate.
fn shown_by(issuer: &Issuer, change: impl FnOnce(&mut CertificateParams)) -> Arc<CertifiedKey> {
    let mut params = named("till 7");
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    key_of(vec![params.signed_by(&key, issuer).unwrap().der().clone()], &key)
}

/// Shows what it has, whatever it is asked for.
#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl ResolvesClientCert for Shows {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Tries a session with any name.
#[derive(Debug)]
struct AnyName(ClientSessionMemoryCache);

impl AnyName {
    fn name() -> ServerName<'static> {
        ServerName::try_from("any.test").unwrap()
    }
}

impl ClientSessionStore for AnyName {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.0.set_kx_hint(Self::name(), group);
    }

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.0.kx_hint(&Self::name())
    }

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.0.set_tls12_session(Self::name(), value);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.0.tls12_session(&Self::name())
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.0.remove_tls12_session(&Self::name());
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.0.insert_tls13_ticket(Self::name(), value);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.take_tls13_ticket(&Self::name())
    }
}

const VERSIONS: [&[&rustls::SupportedProtocolVersion]; 2] =
    [&[&rustls::version::TLS13], &[&rustls::version::TLS12]];

impl Running {
    /// Has a name ask for certificates of these authorities.
    fn ask(&self, name: &'static str, of: &[&Issuer], required: bool) {
        let authorities = of.iter().map(|issuer| issuer.der().clone()).collect();
        let clients = Some(ClientAuth::new(authorities, required).unwrap());
        let group = self.groups.number(&Settings { clients, ..Settings::default() }).unwrap();
        self.certificates.apart.lock().unwrap().insert(name, group);
    }

    fn shows(
        &self,
        key: Option<&Arc<CertifiedKey>>,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Arc<ClientConfig> {
        let mut config = self.client_with(provider(), versions, &[b"http/1.1"]);
        if let Some(key) = key {
            config.client_auth_cert_resolver = Arc::new(Shows(Arc::clone(key)));
        }
        Arc::new(config)
    }

    /// What the server says of the client, or the alert that it is refused with, and whether the session was an old one.
    async fn told(
        &self,
        config: &Arc<ClientConfig>,
        name: &'static str,
    ) -> Result<(String, bool), AlertDescription> {
        let alert = |error: io::Error| match error.get_ref().and_then(|error| error.downcast_ref()) {
            Some(rustls::Error::AlertReceived(alert)) => *alert,
            other => panic!("{other:?}"),
        };
        let mut stream = self.connect(config, name).await.map_err(alert)?;
        let request = format!("GET /client HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n\r\n");
        // Up to 1.3 a client learns of it within the handshake, and from 1.3 on after it.
        let mut read = Vec::new();
        let exchanged = async {
            stream.write_all(request.as_bytes()).await?;
            stream.read_to_end(&mut read).await
        };
        tokio::time::timeout(PATIENCE, exchanged).await.expect("an answer").map_err(alert)?;
        let text = String::from_utf8(read).unwrap();
        let told = text.split_once("\r\n\r\n").unwrap().1.trim_end().to_owned();
        Ok((told, stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed)))
    }
}

#[tokio::test]
async fn a_client_shows_a_certificate_of_the_authority_or_is_refused() {
    let running = running(ListenerConfig::default());
    let issuer = authority();
    running.ask("a.test", &[&issuer], true);
    let key = shown_by(&issuer, |_| {});
    for versions in VERSIONS {
        let (told, _) = running.told(&running.shows(Some(&key), versions), "a.test").await.unwrap();
        assert!(told.ends_with(" shows CN=till 7"), "{told}");
        let refused = running.told(&running.shows(None, versions), "a.test").await.unwrap_err();
        assert_eq!(refused, AlertDescription::CertificateRequired);
        // Nobody else is asked.
        let (told, _) = running.told(&running.shows(Some(&key), versions), "b.test").await.unwrap();
        assert!(told.ends_with(" shows nothing"), "{told}");
    }
    running.counts(Handshaken::ClientCertificate, 2).await;
    running.stopped().await;
}

#[tokio::test]
async fn a_client_that_need_not_show_anything_shows_nothing_or_what_is_good() {
    let running = running(ListenerConfig::default());
    let issuer = authority();
    running.ask("a.test", &[&issuer], false);
    for versions in VERSIONS {
        let (told, _) = running.told(&running.shows(None, versions), "a.test").await.unwrap();
        assert!(told.ends_with(" shows nothing"), "{told}");
        let good = shown_by(&issuer, |_| {});
        let (told, _) = running.told(&running.shows(Some(&good), versions), "a.test").await.unwrap();
        assert!(told.ends_with(" shows CN=till 7"), "{told}");
        let others = shown_by(&authority(), |_| {});
        let refused = running.told(&running.shows(Some(&others), versions), "a.test").await.unwrap_err();
        // Of the same name, and another key.
        assert_eq!(refused, AlertDescription::DecryptError);
    }
    running.stopped().await;
}

#[tokio::test]
async fn what_the_authority_does_not_vouch_for_now_is_refused() {
    let running = running(ListenerConfig::default());
    let issuer = authority();
    running.ask("a.test", &[&issuer], true);
    let many = {
        let (mut chain, mut above) = (Vec::new(), authority());
        for _ in 0..5 {
            let mut params = named("between");
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let between = CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), &above).unwrap();
            chain.insert(0, between.der().clone());
            above = between;
        }
        let key = KeyPair::generate().unwrap();
        chain.insert(0, named("deep").signed_by(&key, &above).unwrap().der().clone());
        key_of(chain, &key)
    };
    for (key, what) in [
        (shown_by(&issuer, |params| params.not_after = date_time_ymd(2030, 6, 14)), "expired"),
        (shown_by(&issuer, |params| params.not_before = date_time_ymd(2030, 6, 15)), "not valid yet"),
        (
            shown_by(&issuer, |params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            }),
            "for servers",
        ),
        (shown_by(&authority(), |_| {}), "another authority of the same name"),
        (key_of(vec![issuer.der().clone()], issuer.key()), "the authority itself"),
        (many, "a long chain"),
        (
            shown_by(&issuer, |params| {
                let large = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![4; 25 << 10]);
                params.custom_extensions.push(large);
            }),
            "a large one",
        ),
    ] {
        for versions in VERSIONS {
            let told = running.told(&running.shows(Some(&key), versions), "a.test").await;
            assert!(told.is_err(), "{what}: {told:?}");
        }
    }
    running.counts(Handshaken::ClientCertificate, 14).await;
    running.stopped().await;
}

#[tokio::test]
async fn one_of_several_authorities_is_enough_while_it_is_valid_itself() {
    let running = running(ListenerConfig::default());
    let first = authority_with(|params| params.not_after = date_time_ymd(2030, 6, 15));
    let second = authority();
    running.ask("a.test", &[&first, &second], true);
    let of_first = running.shows(Some(&shown_by(&first, |_| {})), VERSIONS[0]);
    let of_second = running.shows(Some(&shown_by(&second, |_| {})), VERSIONS[0]);
    assert!(running.told(&of_first, "a.test").await.is_ok());
    assert!(running.told(&of_second, "a.test").await.is_ok());
    running.hours.store(2, Ordering::Relaxed);
    let again = running.shows(Some(&shown_by(&first, |_| {})), VERSIONS[0]);
    assert!(running.told(&again, "a.test").await.is_err(), "an authority that has expired");
    assert!(running.told(&of_second, "a.test").await.is_ok());
    running.stopped().await;
}

#[tokio::test]
async fn a_session_is_taken_up_with_its_certificate_until_that_expires() {
    for versions in VERSIONS {
        let running = running(ListenerConfig::default());
        let issuer = authority();
        running.ask("a.test", &[&issuer], true);
        let key = shown_by(&issuer, |params| params.not_after = date_time_ymd(2030, 6, 15));
        let config = running.shows(Some(&key), versions);
        let told =
            |resumed| move |told: (String, bool)| told.0.ends_with(" shows CN=till 7") && told.1 == resumed;
        assert!(running.told(&config, "a.test").await.is_ok_and(told(false)));
        assert!(running.told(&config, "a.test").await.is_ok_and(told(true)));
        running.hours.store(2, Ordering::Relaxed);
        let refused = running.connect(&config, "a.test").await;
        let resumed = refused
            .as_ref()
            .is_ok_and(|stream| stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed));
        assert!(resumed, "the ticket is good yet");
        let mut read = Vec::new();
        let mut stream = refused.unwrap();
        let _closed = stream.write_all(b"GET /client HTTP/1.1\r\nhost: a.test\r\n\r\n").await;
        let _closed =
            tokio::time::timeout(PATIENCE, stream.read_to_end(&mut read)).await.expect("it is closed");
        assert_eq!(read, b"", "and answers nothing");
        running.counts(Handshaken::ClientCertificate, 1).await;
        running.stopped().await;
    }
}

#[tokio::test]
async fn a_session_of_another_name_or_of_laxer_settings_spares_nobody_a_certificate() {
    for versions in VERSIONS {
        let running = running(ListenerConfig::default());
        let issuer = authority();
        let mut config = running.client_with(provider(), versions, &[b"http/1.1"]);
        config.resumption =
            rustls::client::Resumption::store(Arc::new(AnyName(ClientSessionMemoryCache::new(8))));
        let config = Arc::new(config);
        assert!(running.told(&config, "b.test").await.is_ok_and(|told| !told.1));
        assert!(running.told(&config, "b.test").await.is_ok_and(|told| told.1), "it does take sessions up");
        running.ask("a.test", &[&issuer], true);
        assert!(running.told(&config, "a.test").await.is_err(), "another name's");
        assert!(running.told(&config, "b.test").await.is_ok());
        running.ask("b.test", &[&issuer], false);
        assert!(running.told(&config, "b.test").await.is_ok_and(|told| !told.1), "laxer settings");
        assert!(running.told(&config, "b.test").await.is_ok_and(|told| told.1));
        running.ask("b.test", &[&issuer], true);
        assert!(running.told(&config, "b.test").await.is_err(), "settings that asked, and required nothing");
        running.stopped().await;
    }
}

/// Whether a request for `host` may come over this connection.
async fn may(stream: &mut TlsStream<TcpStream>, host: &str) -> bool {
    stream.write_all(format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes()).await.unwrap();
    let mut read = Vec::new();
    while !read.ends_with(b"HTTP/1.1\n") {
        assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0);
    }
    let text = String::from_utf8(read).unwrap();
    text.contains(" true HTTP/1.1\n")
}

#[tokio::test]
async fn a_host_that_asks_is_served_over_connections_that_were_made_for_it_alone() {
    let running = running(ListenerConfig::default());
    let issuer = authority();
    let key = shown_by(&issuer, |_| {});
    let config = running.shows(Some(&key), VERSIONS[0]);
    let mut to_a = running.connect(&config, "a.test").await.unwrap();
    let mut to_b = running.connect(&config, "b.test").await.unwrap();
    // Both are in one certificate, and nothing is asked yet.
    assert!(may(&mut to_a, "b.test").await && may(&mut to_b, "a.test").await);

    running.ask("a.test", &[&issuer], true);
    assert!(!may(&mut to_b, "a.test").await, "a connection that was made for another host");
    assert!(!may(&mut to_a, "a.test").await, "one that was made before anything was asked");
    assert!(may(&mut to_b, "b.test").await);

    let mut to_a = running.connect(&config, "a.test").await.unwrap();
    assert!(may(&mut to_a, "a.test").await && may(&mut to_a, "a.test.").await);
    assert!(!may(&mut to_a, "b.test").await);
    running.ask("b.test", &[&issuer], true);
    assert!(!may(&mut to_a, "b.test").await, "two hosts that ask for the same");
    running.ask("a.test", &[&authority()], true);
    assert!(!may(&mut to_a, "a.test").await, "one that showed a certificate of another authority");
    running.stopped().await;
}

#[test]
fn only_certificates_of_authorities_stand_for_them() {
    let of = |authorities: Vec<CertificateDer<'static>>| ClientAuth::new(authorities, true).unwrap_err();
    let issuer = authority();
    assert_eq!(of(Vec::new()), ClientAuthError::None);
    assert_eq!(of(vec![issuer.der().clone(); 9]), ClientAuthError::Many(9));
    let leaf = shown_by(&issuer, |_| {}).cert[0].clone();
    let refused = of(vec![issuer.der().clone(), leaf]);
    assert_eq!(refused, ClientAuthError::NoAuthority(2, "CN=till 7".to_owned()));
    let signs_nothing = authority_with(|params| {
        params.key_usages = vec![rcgen::KeyUsagePurpose::CrlSign];
    });
    let refused = of(vec![signs_nothing.der().clone()]);
    assert_eq!(refused, ClientAuthError::NoAuthority(1, "CN=authority".to_owned()));
    let cut = issuer.der()[..100].to_vec();
    assert_eq!(of(vec![cut.into()]), ClientAuthError::Unreadable(1));
    let large = authority_with(|params| {
        let large = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![4; 9 << 10]);
        params.custom_extensions.push(large);
    });
    assert!(matches!(of(vec![large.der().clone()]), ClientAuthError::Large(1, _)));
}
