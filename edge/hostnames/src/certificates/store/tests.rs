//! The store as a handshake meets it: what is served, what is refused, and what is read for it.

use rcgen::{
    BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256,
};
use rusqlite::Connection;
use rustls::SignatureScheme;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{ServerName, UnixTime};
use rustls::server::{Accepted, Acceptor};
use wasmyard_listener::tls::{Certificates as _, LeastVersion, Settings};

use super::super::claimed::Kind;
use super::*;
use crate::certificates::VAULT_FILE;
use crate::key_error::{KEY_FILE, KeyError};

fn served_name(name: &str) -> ServedName {
    ServedName::parse(name).unwrap()
}

/// A pair of an authority whose certificate is among the chain.
fn pair(name: &str, algorithm: &'static rcgen::SignatureAlgorithm) -> Pair {
    let authority = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let above = params.self_signed(&authority).unwrap();
    let issuer = Issuer::new(params, authority);
    let key = KeyPair::generate_for(algorithm).unwrap();
    let leaf = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let chain = leaf.pem() + &above.pem();
    Pair::from_pem(chain.as_bytes(), key.serialize_pem().as_bytes()).unwrap()
}

fn served(name: &str) -> Served {
    let pairs = vec![pair(name, &PKCS_ECDSA_P256_SHA256)];
    Served { name: served_name(name), kind: Kind::Host, settings: Settings::default(), pairs }
}

async fn keys(store: &CertificateStore, name: &str) -> Result<Keys, NoCertificate> {
    let found = store.find(name).ok_or(NoCertificate::Unknown)?;
    store.keys(name, found).await
}

/// The hello of a client that can verify these schemes of signatures, read as a server reads it.
fn hello(name: &str, schemes: &[SignatureScheme]) -> Accepted {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let client = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(OnlySchemes(schemes.to_vec())))
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = rustls::ClientConnection::new(Arc::new(client), name).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    let mut acceptor = Acceptor::default();
    acceptor.read_tls(&mut bytes.as_slice()).unwrap();
    acceptor.accept().map_err(|(error, _)| error).unwrap().expect("a whole hello")
}

#[derive(Debug)]
struct OnlySchemes(Vec<SignatureScheme>);

impl ServerCertVerifier for OnlySchemes {
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
        _: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verify_tls12_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}

/// The leaf that a client is served with.
fn leaf(keys: &Keys, name: &str, schemes: &[SignatureScheme]) -> Option<Vec<u8>> {
    let accepted = hello(name, schemes);
    let key = keys.resolve(accepted.client_hello())?;
    Some(key.cert.first().unwrap().to_vec())
}

const ECDSA: &[SignatureScheme] = &[SignatureScheme::ECDSA_NISTP256_SHA256];
const RSA: &[SignatureScheme] = &[SignatureScheme::RSA_PSS_SHA256];

#[tokio::test]
async fn what_was_put_in_is_served_then_and_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let store = CertificateStore::open(data.path()).unwrap();
    assert!(store.find("shop.test").is_none());
    let strict = Settings { least_version: LeastVersion::Tls13, ..Settings::default() };
    let one = Served { settings: strict, ..served("shop.test") };
    let first = one.pairs[0].chain[0].to_vec();
    store.put(vec![one, served("*.wild.test")]).await.unwrap();
    let served_leaf = leaf(&keys(&store, "shop.test").await.unwrap(), "shop.test", ECDSA).unwrap();
    assert_eq!(served_leaf, first);
    assert!(keys(&store, "a.wild.test").await.is_ok());
    assert!(store.find("wild.test").is_none() && store.find("a.b.wild.test").is_none());
    drop(store);

    let store = CertificateStore::open(data.path()).unwrap();
    assert_eq!((store.len(), store.reads()), (2, 0), "no certificate is read at the start");
    let found = store.find("shop.test").unwrap();
    assert_ne!(found.group, store.find("x.wild.test").unwrap().group, "settings come back");
    let accepted = hello("shop.test", ECDSA);
    let key = keys(&store, "shop.test").await.unwrap().resolve(accepted.client_hello()).unwrap();
    assert_eq!((key.cert.len(), key.cert[0].to_vec()), (2, first), "with its authority's certificate");
    assert!(key.keys_match().is_ok());

    // Another one in its place.
    store.put(vec![served("shop.test")]).await.unwrap();
    let second = leaf(&keys(&store, "shop.test").await.unwrap(), "shop.test", ECDSA).unwrap();
    assert_ne!(second, served_leaf);
    assert_eq!(store.len(), 2);
    assert!(store.stop_serving(&served_name("shop.test")).await.unwrap());
    assert!(store.find("shop.test").is_none());
    assert!(!store.stop_serving(&served_name("shop.test")).await.unwrap());
}

#[tokio::test]
async fn a_flood_of_unknown_names_reads_nothing_and_a_known_one_is_read_once() {
    let data = tempfile::tempdir().unwrap();
    let store = Arc::new(CertificateStore::open(data.path()).unwrap());
    store.put(vec![served("shop.test"), served("*.wild.test")]).await.unwrap();
    for number in 0..50_000u32 {
        assert!(store.find(&format!("{number}.unknown.test")).is_none());
    }
    assert_eq!(store.reads(), 0);
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let store = Arc::clone(&store);
        waiting.spawn(async move { keys(&store, "shop.test").await.map(drop) });
    }
    assert!(waiting.join_all().await.into_iter().all(|found| found.is_ok()));
    assert_eq!(store.reads(), 1);
}

#[tokio::test]
async fn rsa_is_for_whom_nothing_else_will_do_and_is_not_made_before() {
    let data = tempfile::tempdir().unwrap();
    let store = CertificateStore::open(data.path()).unwrap();
    let mut both = served("shop.test");
    both.pairs.push(pair("shop.test", &PKCS_RSA_SHA256));
    let leaves: Vec<Vec<u8>> = both.pairs.iter().map(|pair| pair.chain[0].to_vec()).collect();
    let alone = Served { pairs: vec![pair("old.test", &PKCS_RSA_SHA256)], ..served("old.test") };
    store.put(vec![both, alone]).await.unwrap();
    let kept = keys(&store, "shop.test").await.unwrap();
    let inside = {
        let found = store.find("shop.test").unwrap();
        store.inner.kept.get(&found.certificate).await.unwrap().unwrap()
    };
    assert_eq!(leaf(&kept, "shop.test", ECDSA).unwrap(), leaves[0]);
    assert_eq!(leaf(&kept, "shop.test", &[ECDSA, RSA].concat()).unwrap(), leaves[0]);
    assert!(!inside.late().unwrap().is_made());
    assert_eq!(leaf(&kept, "shop.test", RSA).unwrap(), leaves[1]);
    assert!(inside.late().unwrap().is_made());
    let old = keys(&store, "old.test").await.unwrap();
    assert!(leaf(&old, "old.test", RSA).is_some());
}

/// Changes the file behind the store's back.
fn tamper(data: &Path, statement: &str) {
    let changed = Connection::open(data.join(VAULT_FILE)).unwrap().execute(statement, []).unwrap();
    assert!(changed > 0);
}

#[tokio::test]
async fn swapped_and_damaged_records_are_refused_and_all_others_served() {
    let data = tempfile::tempdir().unwrap();
    let store = CertificateStore::open(data.path()).unwrap();
    let names = ["a.test", "b.test", "c.test", "d.test", "e.test", "f.test"];
    store.put(names.map(served).to_vec()).await.unwrap();
    let ids: Vec<u64> = names.iter().map(|name| store.find(name).unwrap().certificate).collect();
    let [a, b, c, d, e, _] = ids[..] else { panic!("{ids:?}") };
    drop(store);
    let change = |id: u64, expression: &str| {
        tamper(
            data.path(),
            &format!("UPDATE records SET record = CAST({expression} AS BLOB) WHERE id = {id}"),
        );
    };
    tamper(
        data.path(),
        &format!("UPDATE names SET id = CASE id WHEN {a} THEN {b} ELSE {a} END WHERE id IN ({a}, {b})"),
    );
    // A changed byte of the seal, of the leaf; a record that is cut off.
    change(c, "substr(record, 1, length(record) - 1) || x'00'");
    change(d, "substr(record, 1, 60) || x'ff' || substr(record, 62)");
    change(e, "substr(record, 1, 99)");

    let store = CertificateStore::open(data.path()).unwrap();
    for name in ["a.test", "b.test"] {
        assert_eq!(keys(&store, name).await.err(), Some(NoCertificate::Unknown), "another name's: {name}");
    }
    for name in ["c.test", "d.test", "e.test"] {
        assert_eq!(keys(&store, name).await.err(), Some(NoCertificate::Unavailable), "{name}");
        let reads = store.reads();
        assert!(keys(&store, name).await.is_err());
        assert_eq!(store.reads(), reads, "it is read, and told of, once");
    }
    assert!(keys(&store, "f.test").await.is_ok());
    // What is damaged makes way for what is brought in again.
    store.put(vec![served("e.test")]).await.unwrap();
    assert!(keys(&store, "e.test").await.is_ok());
}

#[tokio::test]
async fn a_leaf_under_another_name_does_not_open() {
    let data = tempfile::tempdir().unwrap();
    let store = CertificateStore::open(data.path()).unwrap();
    store.put(vec![served("a.test"), served("b.test")]).await.unwrap();
    let id = |name| store.find(name).unwrap().certificate;
    let record = |name| store.inner.vault.record(id(name)).unwrap().unwrap().unwrap();
    let forged = Record { owner: Owner::Name(served_name("a.test")), ..record("b.test") };
    assert!(matches!(store.inner.opened(&forged).unwrap(), Err(Damaged::Seal)));
    assert!(store.inner.opened(&record("b.test")).unwrap().is_ok());
}

#[tokio::test]
async fn two_installations_cannot_read_each_others_records() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for data in [&one, &two] {
        let store = CertificateStore::open(data.path()).unwrap();
        store.put(vec![served("shop.test")]).await.unwrap();
        drop(store);
        // All is in the file itself from here on.
        let connection = Connection::open(data.path().join(VAULT_FILE)).unwrap();
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    }
    std::fs::copy(one.path().join(VAULT_FILE), two.path().join(VAULT_FILE)).unwrap();
    let refused = CertificateStore::open(two.path()).unwrap_err();
    assert!(matches!(refused, OpenError::Vault(VaultError::OtherKey)), "{refused}");
    // The file with its mark changed: each record tells.
    let id = InstallationKey::read(two.path()).unwrap().unwrap().id();
    let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    tamper(two.path(), &format!("UPDATE sealed_with SET key_id = x'{id}'"));
    let store = CertificateStore::open(two.path()).unwrap();
    assert!(store.find("shop.test").is_none(), "its hash is another one");
    let record = store.inner.vault.record(1).unwrap().unwrap().unwrap();
    assert!(store.inner.read(1).unwrap().is_none());
    assert!(matches!(store.inner.opened(&record).unwrap(), Err(Damaged::Seal)));
    // Without the key nothing begins anew over what it sealed.
    std::fs::remove_file(one.path().join(KEY_FILE)).unwrap();
    assert!(matches!(CertificateStore::open(one.path()), Err(OpenError::Key(KeyError::Lost))));
    assert!(!one.path().join(KEY_FILE).exists());
}

#[tokio::test]
async fn no_private_key_is_in_the_files() {
    use std::os::unix::fs::MetadataExt as _;
    let data = tempfile::tempdir().unwrap();
    let store = CertificateStore::open(data.path()).unwrap();
    let one = served("shop.test");
    let private = one.pairs[0].private.secret_der().to_vec();
    store.put(vec![one]).await.unwrap();
    // The part of a key of P-256 that is secret.
    let secret = &private[36..60];
    for file in std::fs::read_dir(data.path()).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(secret.len()).any(|bytes| bytes == secret), "{}", path.display());
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o077, 0, "{}", path.display());
    }
}

#[tokio::test]
async fn what_is_not_for_a_name_is_not_taken() {
    let data = tempfile::tempdir().unwrap();
    let store = CertificateStore::open(data.path()).unwrap();
    let other = Served { name: served_name("other.test"), ..served("shop.test") };
    let error = store.put(vec![served("good.test"), other]).await.unwrap_err();
    assert!(error.to_string().contains("other.test") && error.to_string().contains("shop.test"), "{error}");
    assert!(store.find("good.test").is_none(), "all or none");
    let none = Served { pairs: Vec::new(), ..served("shop.test") };
    assert!(matches!(store.put(vec![none]).await, Err(PutError::Kinds)));
    let mut twice = served("shop.test");
    twice.pairs.push(pair("shop.test", &PKCS_ECDSA_P256_SHA256));
    assert!(matches!(store.put(vec![twice]).await, Err(PutError::Kinds)));
}

#[tokio::test]
async fn files_come_before_the_vault_and_go_with_the_next_ones() {
    let data = tempfile::tempdir().unwrap();
    let store = CertificateStore::open(data.path()).unwrap();
    store.put(vec![served("shop.test"), served("a.wild.test")]).await.unwrap();
    let vaults = leaf(&keys(&store, "shop.test").await.unwrap(), "shop.test", ECDSA);
    let (file, wild) = (served("shop.test"), served("*.wild.test"));
    let files = Some(file.pairs[0].chain[0].to_vec());
    store.use_files(&[file, wild], Some(&served_name("*.wild.test"))).unwrap();
    let (kept_as, nameless) = store.nameless().unwrap();
    assert!(store.keys(&kept_as, nameless).await.is_ok());
    assert_eq!(leaf(&keys(&store, "shop.test").await.unwrap(), "shop.test", ECDSA), files);
    let before = store.find("b.wild.test").unwrap();
    assert!(keys(&store, "b.wild.test").await.is_ok());
    assert_ne!(store.find("a.wild.test").unwrap(), before, "a name of its own comes before a wildcard");

    let one = served("*.many.test");
    let names = ["a.many.test", "b.many.test"];
    let [a, b] = names.map(|name| Served { name: served_name(name), ..one.clone() });
    let apart = Served { settings: Settings { http2: false, ..Settings::default() }, ..b.clone() };
    store.use_files(&[a.clone(), served("c.many.test"), b], None).unwrap();
    let found = |name| store.find(name).unwrap();
    assert_eq!(found(names[0]), found(names[1]), "hosts of one certificate share connections");
    assert_ne!(found(names[0]), found("c.many.test"));
    assert!(keys(&store, names[0]).await.is_ok() && keys(&store, names[1]).await.is_ok());
    store.use_files(&[a, apart], None).unwrap();
    assert_ne!(found(names[0]), found(names[1]), "and those of other settings do not");
    store.use_files(&[served("*.wild.test")], Some(&served_name("*.wild.test"))).unwrap();
    let before = store.find("b.wild.test").unwrap();

    let wrong = Served { name: served_name("other.test"), ..served("shop.test") };
    assert!(store.use_files(&[wrong], None).is_err());
    assert!(keys(&store, "b.wild.test").await.is_ok(), "what is refused changes nothing");
    store.use_files(&[], None).unwrap();
    assert_eq!(store.nameless(), None);
    assert_eq!(leaf(&keys(&store, "shop.test").await.unwrap(), "shop.test", ECDSA), vaults);
    assert!(store.find("b.wild.test").is_none());
    assert_eq!(store.keys("b.wild.test", before).await.err(), Some(NoCertificate::Unknown));
}

#[tokio::test]
async fn settings_that_no_name_has_any_more_are_forgotten_at_a_start() {
    let data = tempfile::tempdir().unwrap();
    let store = CertificateStore::open(data.path()).unwrap();
    store.put(vec![served("shop.test"), served("other.test")]).await.unwrap();
    let of = |number: u16| Settings { suites: Some(vec![number]), ..Settings::default() };
    for number in 0..100 {
        store.set_settings(&served_name("shop.test"), &of(number)).await.unwrap();
    }
    assert!(store.inner.vault.settings().unwrap().len() > 100);
    drop(store);
    let store = CertificateStore::open(data.path()).unwrap();
    let mut kept: Vec<Settings> = store.inner.vault.settings().unwrap().into_values().flatten().collect();
    kept.sort_by_key(|settings| settings.suites.is_some());
    assert_eq!(kept, [Settings::default(), of(99)]);
    assert!(keys(&store, "shop.test").await.is_ok() && keys(&store, "other.test").await.is_ok());
}

#[tokio::test]
async fn who_waits_for_the_disk_stops_nobody_whose_keys_are_there() {
    let data = tempfile::tempdir().unwrap();
    let store = Arc::new(CertificateStore::open(data.path()).unwrap());
    store.put(vec![served("0.test"), served("1.test")]).await.unwrap();
    assert!(keys(&store, "0.test").await.is_ok());
    // As many turns as there are, taken.
    let taken = store.inner.turns.acquire_many(u32::try_from(READS).unwrap()).await.unwrap();
    let waiting = tokio::spawn({
        let store = Arc::clone(&store);
        async move { keys(&store, "1.test").await.is_ok() }
    });
    for _ in 0..100 {
        assert!(keys(&store, "0.test").await.is_ok());
        tokio::task::yield_now().await;
    }
    assert!(!waiting.is_finished());
    assert_eq!(store.reads(), 1);
    drop(taken);
    assert!(waiting.await.unwrap());
}

mod packs;
