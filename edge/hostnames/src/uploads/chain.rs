//! The way from a certificate to an authority that is believed, and which of several ways is taken.

use std::cell::RefCell;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use wasmyard_model::hostname::{BundleMethod, CertificateError};
use webpki::{EndEntityCert, Error, KeyUsage};

use super::pem::Brought;
use crate::certificates::MOST_INTERMEDIATES;

/// As many ways as are compared: authorities that sign each other have a handful.
const MOST_WAYS: usize = 16;

/// Which authorities are believed, and what is known of those between.
#[derive(Clone, Default)]
pub struct Trust {
    anchors: Vec<TrustAnchor<'static>>,
    between: Vec<CertificateDer<'static>>,
}

impl Trust {
    /// Believes these roots.
    #[must_use]
    pub fn new(roots: RootCertStore) -> Self {
        Self { anchors: roots.roots, between: Vec::new() }
    }

    /// The same, knowing certificates of authorities that somebody brought before: a chain that lacks them is made whole.
    #[must_use]
    pub fn knowing(&self, between: impl IntoIterator<Item = CertificateDer<'static>>) -> Self {
        let mut knowing = self.clone();
        knowing.between.extend(between);
        knowing
    }

    /// The chain that a certificate is served with: itself and what stands between it and a root. `ubiquitous` takes the
    /// longest way, which leads to the oldest root, `optimal` the shortest.
    pub(super) fn chain(
        &self,
        brought: &Brought,
        bundling: BundleMethod,
        now: SystemTime,
    ) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
        let wrong = |what: String| CertificateError::Bundle(what);
        let leaf = EndEntityCert::try_from(&brought.leaf).map_err(|error| wrong(error.to_string()))?;
        let pool: Vec<CertificateDer<'_>> = self.pool(brought).cloned().collect();
        let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let ways: RefCell<Vec<Vec<CertificateDer<'static>>>> = RefCell::default();
        // Each way is noted and none taken, so that whoever verifies goes on to the next.
        let note = |path: &webpki::VerifiedPath<'_>| {
            let between = path.intermediate_certificates();
            let between =
                between.filter(|one| one.issuer() != one.subject()).map(|one| one.der().into_owned());
            let mut ways = ways.borrow_mut();
            ways.push(between.collect());
            if ways.len() < MOST_WAYS { Err(Error::UnknownIssuer) } else { Ok(()) }
        };
        let algorithms = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms;
        let judged = leaf.verify_for_usage(
            algorithms.all,
            &self.anchors,
            &pool,
            now,
            KeyUsage::server_auth(),
            None,
            Some(&note),
        );
        let why = judged.err();
        let ways = ways.into_inner().into_iter().filter(|way| way.len() <= MOST_INTERMEDIATES);
        let way = match bundling {
            BundleMethod::Optimal => ways.min_by_key(Vec::len),
            BundleMethod::Ubiquitous | BundleMethod::Force => ways.max_by_key(Vec::len),
        };
        let way = way.ok_or_else(|| wrong(said(why)))?;
        Ok(std::iter::once(brought.leaf.clone()).chain(way).collect())
    }

    /// What a way may lead over: what was brought, then what is known.
    fn pool<'a>(&'a self, brought: &'a Brought) -> impl Iterator<Item = &'a CertificateDer<'static>> {
        brought.authorities.iter().chain(&self.between)
    }
}

/// Why no way was found, and what helps.
fn said(why: Option<Error>) -> String {
    let helps = "bundle_method = force serves the chain as it was given";
    match why {
        Some(Error::CertExpired { .. }) => "it, or an authority of its chain, has expired".to_owned(),
        Some(Error::CertNotValidYet { .. }) => "it is not valid yet".to_owned(),
        Some(Error::RequiredEkuNotFoundContext(_)) => "it is not for servers".to_owned(),
        Some(Error::UnsupportedSignatureAlgorithmContext(_)) => {
            "it is signed with an algorithm that no client takes any more".to_owned()
        }
        Some(Error::UnknownIssuer) | None => format!(
            "its issuer is no authority that is believed, or a certificate between them is missing: give the whole \
             chain; {helps}"
        ),
        Some(other) => format!("{other}; {helps}"),
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { anchors, between } = self;
        formatter.debug_struct("Trust").field("roots", &anchors.len()).field("known", &between.len()).finish()
    }
}
