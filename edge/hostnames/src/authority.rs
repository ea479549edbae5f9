//! An authority of a developer's own: certificates for `localhost`, for every name below it and for the hosts of one
//! folder, made when they are asked for. Nobody but its owner believes it.
//!
//! Owns its key, which stays in a file of its owner's, and which names it may vouch for: they are written into its
//! certificate, so that whoever gets hold of the key cannot pass for anything else. Must never serve in production.

use std::collections::HashMap;
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use futures::future::{BoxFuture, FutureExt as _};
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use wasmyard_listener::tls::{Certificates, Found, Keys, NoCertificate};
use wasmyard_model::Domain;

use crate::certificates::{Pair, PairError};

/// The certificate's file, which anybody may read.
pub const AUTHORITY_FILE: &str = "authority.pem";
/// The key's file.
pub const AUTHORITY_KEY_FILE: &str = "authority.key";
/// What it was made for.
const NAMES_FILE: &str = "authority.names";

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
/// Browsers take no longer ones.
const LEAF_LIFE: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// Certificates that are kept; made again when they are needed again.
const MOST_KEPT: usize = 1_024;

/// Why there is no authority.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// Its files.
    #[error("{} cannot be read or written: {error}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Others can read its key.
    #[error("others than its owner may read {}: remove it and the certificate beside it, and trust the new one", .0.display())]
    Readable(PathBuf),
    /// It cannot be made.
    #[error("certificates for development cannot be made: {0}")]
    Making(#[from] rcgen::Error),
    /// What it made cannot be used.
    #[error("certificates for development cannot be used: {0}")]
    Using(#[from] PairError),
}

/// An authority for development.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    path: PathBuf,
    names: Vec<Domain>,
    /// Whether it was made just now, so that nobody trusts it yet.
    is_new: bool,
    kept: Mutex<HashMap<Box<str>, Arc<One>>>,
}

impl Authority {
    /// Reads the authority of a folder, and makes one where there is none, or none for these names. Blocks.
    ///
    /// # Errors
    /// [`AuthorityError`].
    pub fn open(folder: &Path, hosts: &[Domain], now: SystemTime) -> Result<Self, AuthorityError> {
        let path = folder.join(AUTHORITY_FILE);
        let (key_path, names_path) = (folder.join(AUTHORITY_KEY_FILE), folder.join(NAMES_FILE));
        let names = names(hosts);
        if let (true, Some(key), Some(text)) = (path.exists(), read(&key_path)?, read(&names_path)?) {
            let mode = std::fs::metadata(&key_path).map_err(at(&key_path))?.mode();
            if mode & 0o077 != 0 {
                return Err(AuthorityError::Readable(key_path));
            }
            if let Ok(key) = KeyPair::from_pem(&key)
                && let Some((made, permitted)) = made_for(&text)
                && is_good(made, &permitted, &names, now)
            {
                let issuer = Issuer::new(params(&permitted, made)?, key);
                return Ok(Self { issuer, path, names: permitted, is_new: false, kept: Mutex::default() });
            }
        }
        // Whole seconds, as certificates have them.
        let seconds = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let made = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let key = KeyPair::generate()?;
        let params = params(&names, made)?;
        let certificate = params.self_signed(&key)?.pem();
        std::fs::create_dir_all(folder).map_err(at(folder))?;
        write(&key_path, key.serialize_pem().as_bytes(), 0o600)?;
        write(&path, certificate.as_bytes(), 0o644)?;
        let lines: Vec<&str> = names.iter().map(Domain::as_str).collect();
        write(&names_path, format!("{seconds}\n{}\n", lines.join("\n")).as_bytes(), 0o644)?;
        let issuer = Issuer::new(params, key);
        Ok(Self { issuer, path, names, is_new: true, kept: Mutex::default() })
    }

    /// Where its certificate is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it was made just now.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// The names that it vouches for, each with all below it.
    #[must_use]
    pub fn names(&self) -> &[Domain] {
        &self.names
    }

    fn is_for(&self, name: &str) -> bool {
        Domain::parse(name).is_ok_and(|name| self.names.iter().any(|own| name.is_within(own)))
    }

    fn made(&self, name: &str, now: SystemTime) -> Result<Arc<One>, AuthorityError> {
        let mut params = CertificateParams::new([name.to_owned()])?;
        params.not_before = (now - DAY).into();
        params.not_after = (now + LEAF_LIFE).into();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.distinguished_name = DistinguishedName::new();
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let private = PrivateKeyDer::try_from(key.serialize_der()).map_err(|_| PairError::NoKey)?;
        let pair = Pair::new(vec![CertificateDer::from(certificate)], private)?;
        Ok(Arc::new(One(Arc::new(pair.certified()?))))
    }

    fn kept(&self, name: &str) -> Option<Keys> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(name).map(|kept| Arc::clone(kept) as Keys)
    }

    fn keys(&self, name: &str) -> Result<Keys, NoCertificate> {
        if let Some(kept) = self.kept(name) {
            return Ok(kept);
        }
        let made = self.made(name, SystemTime::now()).map_err(|error| {
            tracing::error!(%error, name, "no certificate for development");
            NoCertificate::Unavailable
        })?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST_KEPT {
            kept.clear();
        }
        kept.insert(name.into(), Arc::clone(&made));
        Ok(made)
    }
}

/// `localhost` and the hosts, without those that another one has below it.
fn names(hosts: &[Domain]) -> Vec<Domain> {
    let mut all: Vec<Domain> = Domain::parse("localhost").into_iter().chain(hosts.iter().cloned()).collect();
    all.sort();
    all.dedup();
    let covered = |name: &Domain| all.iter().any(|other| other != name && name.is_within(other));
    all.iter().filter(|name| !covered(name)).cloned().collect()
}

fn params(names: &[Domain], now: SystemTime) -> Result<CertificateParams, AuthorityError> {
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = (now - DAY).into();
    params.not_after = (now + LIFE).into();
    params.distinguished_name = DistinguishedName::new();
    // What it vouches for is part of its name: a new one for other hosts is told from the one before in every list.
    let shown: Vec<&str> = names.iter().map(Domain::as_str).collect();
    let shown: String = format!("wasmyard dev ({})", shown.join(", ")).chars().take(64).collect();
    params.distinguished_name.push(DnType::CommonName, shown);
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: names.iter().map(|name| GeneralSubtree::DnsName(name.to_string())).collect(),
        excluded_subtrees: vec![
            GeneralSubtree::IpAddress(CidrSubnet::V4([0; 4], [0; 4])),
            GeneralSubtree::IpAddress(CidrSubnet::V6([0; 16], [0; 16])),
        ],
    });
    Ok(params)
}

/// What a file beside the two says of an authority: when it was made, and for which names. Its certificate follows from
/// that and its key.
fn made_for(text: &str) -> Option<(SystemTime, Vec<Domain>)> {
    let mut lines = text.lines();
    let seconds: u64 = lines.next()?.parse().ok()?;
    let names: Option<Vec<Domain>> = lines.map(|name| Domain::parse(name).ok()).collect();
    Some((SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.min(1 << 40)), names?))
}

/// Whether an authority that was made then, for these names, is good for those, and for some time to come.
fn is_good(made: SystemTime, permitted: &[Domain], names: &[Domain], now: SystemTime) -> bool {
    let lasts = now + LEAF_LIFE < made + LIFE && made <= now + DAY;
    lasts && names.iter().all(|name| permitted.iter().any(|own| name.is_within(own)))
}

fn at(path: &Path) -> impl Fn(io::Error) -> AuthorityError {
    let path = path.to_owned();
    move |error| AuthorityError::File { path: path.clone(), error }
}

fn read(path: &Path) -> Result<Option<String>, AuthorityError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at(path)(error)),
    }
}

/// Whole or not at all.
fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), AuthorityError> {
    let new = path.with_extension("new");
    let written = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&new, path)
    };
    written().map_err(at(path))
}

/// The key of one name.
#[derive(Debug)]
struct One(Arc<CertifiedKey>);

impl ResolvesServerCert for One {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// An authority that serves what it vouches for.
#[derive(Debug, Clone)]
pub struct Issuing(Arc<Authority>);

impl Issuing {
    /// Serves with this authority's certificates.
    #[must_use]
    pub fn new(authority: Authority) -> Self {
        Self(Arc::new(authority))
    }
}

impl Certificates for Issuing {
    fn find(&self, name: &str) -> Option<Found> {
        // A number for each name: what was made for one is not another's.
        let number = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, name.as_bytes());
        let number = number.as_ref().first_chunk().copied().map_or(0, u64::from_be_bytes);
        self.0.is_for(name).then_some(Found { certificate: number, group: 0 })
    }

    fn keys<'a>(&'a self, name: &'a str, _: Found) -> BoxFuture<'a, Result<Keys, NoCertificate>> {
        // Over QUIC only what is there at once is of use.
        if let Some(kept) = self.0.kept(name) {
            return futures::future::ready(Ok(kept)).boxed();
        }
        let (authority, name) = (Arc::clone(&self.0), name.to_owned());
        let made = tokio::task::spawn_blocking(move || authority.keys(&name));
        async move { made.await.unwrap_or(Err(NoCertificate::Unavailable)) }.boxed()
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Authority").field("names", &self.names).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use rustls::RootCertStore;
    use rustls::client::WebPkiServerVerifier;
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{ServerName, UnixTime};

    use super::*;

    fn domain(name: &str) -> Domain {
        Domain::parse(name).unwrap()
    }

    fn now() -> SystemTime {
        SystemTime::now()
    }

    /// Whether a client that trusts the authority believes a certificate that it made.
    fn is_believed(authority: &Authority, name: &str) -> bool {
        let mut roots = RootCertStore::empty();
        let pem = std::fs::read(authority.path()).unwrap();
        roots.add(CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let made = authority.made(name, now()).unwrap();
        let server = ServerName::try_from(name.to_owned()).unwrap();
        let leaf = &made.0.cert[0];
        use rustls::client::danger::ServerCertVerifier as _;
        verifier.verify_server_cert(leaf, &[], &server, &[], UnixTime::now()).is_ok()
    }

    #[test]
    fn what_it_makes_is_believed_for_its_names_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::open(folder.path(), &[domain("saas.test")], now()).unwrap();
        for name in ["localhost", "shop.localhost", "a.b.localhost", "saas.test", "x.saas.test"] {
            assert!(authority.is_for(name) && is_believed(&authority, name), "{name}");
        }
        for name in ["example.com", "localhost.example", "notsaas.test", "test"] {
            assert!(!authority.is_for(name), "{name}");
            assert!(!is_believed(&authority, name), "{name}: whoever has the key cannot pass for it");
        }
    }

    #[test]
    fn it_is_made_once_and_again_only_for_names_that_it_does_not_have() {
        let folder = tempfile::tempdir().unwrap();
        let open = |hosts: &[Domain], now| Authority::open(folder.path(), hosts, now).unwrap();
        assert!(open(&[domain("saas.test")], now()).is_new());
        let key = folder.path().join(AUTHORITY_KEY_FILE);
        assert_eq!(std::fs::metadata(&key).unwrap().mode() & 0o777, 0o600);
        assert!(!open(&[domain("saas.test")], now()).is_new());
        assert!(!open(&[domain("a.saas.test"), domain("a.localhost")], now()).is_new(), "below what it has");
        assert!(!open(&[], now()).is_new());
        assert!(open(&[domain("other.test")], now()).is_new());
        assert!(open(&[domain("other.test")], now() + LIFE).is_new(), "before it is over");
        std::fs::write(&key, "broken").unwrap();
        assert!(open(&[], now()).is_new());
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Authority::open(folder.path(), &[], now()), Err(AuthorityError::Readable(_))));
    }

    #[tokio::test]
    async fn certificates_are_kept_and_not_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let issuing = Issuing::new(Authority::open(folder.path(), &[], now()).unwrap());
        assert!(issuing.find("example.com").is_none());
        let found = issuing.find("a.localhost").unwrap();
        assert_ne!(issuing.find("b.localhost").unwrap(), found);
        for number in 0..MOST_KEPT + 10 {
            let name = format!("{number}.localhost");
            assert!(issuing.keys(&name, issuing.find(&name).unwrap()).await.is_ok());
        }
        assert!(issuing.0.kept.lock().unwrap().len() <= MOST_KEPT);
    }
}
