//! The authorities that certificates are asked of, who comes after whom, and how often each is sent an order.

use std::sync::Arc;

use wasmyard_acme::Authorities;
use wasmyard_namespaces::hostname::CertificateAuthority;
use wasmyard_namespaces::registry::OrderPace;

/// One of them.
#[derive(Clone)]
struct Issuer {
    name: CertificateAuthority,
    authority: Arc<dyn Authorities>,
    pace: Option<OrderPace>,
}

/// The authorities that certificates are asked of, the usual one first.
#[derive(Clone)]
pub struct Issuers(Vec<Issuer>);

impl Issuers {
    /// These, in this order.
    #[must_use]
    pub fn new(authorities: Vec<(CertificateAuthority, Arc<dyn Authorities>)>) -> Issuers {
        let issuer = |(name, authority)| Issuer { name, authority, pace: None };
        Issuers(authorities.into_iter().map(issuer).collect())
    }

    /// The same, where one of them is sent so many orders an hour at most, and half as many of one zone.
    #[must_use]
    pub fn with_orders_per_hour(mut self, name: CertificateAuthority, all: u64) -> Issuers {
        for issuer in self.0.iter_mut().filter(|issuer| issuer.name == name) {
            issuer.pace = Some(OrderPace { all, per_zone: all.div_ceil(2) });
        }
        self
    }

    pub(super) fn get(&self, name: CertificateAuthority) -> Option<&Arc<dyn Authorities>> {
        self.0.iter().find(|issuer| issuer.name == name).map(|issuer| &issuer.authority)
    }

    pub(super) fn pace(&self, name: CertificateAuthority) -> Option<OrderPace> {
        self.0.iter().find(|issuer| issuer.name == name).and_then(|issuer| issuer.pace)
    }

    /// Who is asked where nobody was chosen.
    pub(super) fn usual(&self) -> Option<CertificateAuthority> {
        self.0.first().map(|issuer| issuer.name)
    }

    /// Those that are sent no more than so many orders.
    pub(super) fn paced(&self) -> impl Iterator<Item = (CertificateAuthority, OrderPace)> {
        self.0.iter().filter_map(|issuer| Some((issuer.name, issuer.pace?)))
    }

    /// How many there are.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// The one that is tried after another one; none where there is no other.
    pub(super) fn after(&self, name: CertificateAuthority) -> Option<CertificateAuthority> {
        let place = self.0.iter().position(|issuer| issuer.name == name)?;
        let next = self.0.get((place + 1) % self.0.len()).map(|issuer| issuer.name);
        next.filter(|next| *next != name)
    }
}

impl std::fmt::Debug for Issuers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|issuer| issuer.name)).finish()
    }
}
