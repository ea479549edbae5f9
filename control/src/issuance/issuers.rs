//! The authorities that certificates are asked of, who comes after whom, and how often each is sent an order.

use std::sync::Arc;

use wasmyard_acme::Authorities;
use wasmyard_namespaces::hostname::{CertificateAuthority, Shown};
use wasmyard_namespaces::registry::OrderPace;

/// One of them.
#[derive(Clone)]
struct Issuer {
    name: CertificateAuthority,
    authority: Arc<dyn Authorities>,
    pace: Option<OrderPace>,
}

/// When an authority is shown in a handshake at port 443 (RFC 8737) that a name leads here which is validated by `http`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InHandshakes {
    /// When it did not see a file at port 80.
    #[default]
    AfterFile,
    /// First, and by a file when it did not see that.
    First,
    /// Never.
    Never,
}

/// The authorities that certificates are asked of, the usual one first.
#[derive(Clone)]
pub struct Issuers {
    all: Vec<Issuer>,
    in_handshakes: InHandshakes,
}

impl Issuers {
    /// These, in this order.
    #[must_use]
    pub fn new(authorities: Vec<(CertificateAuthority, Arc<dyn Authorities>)>) -> Issuers {
        let issuer = |(name, authority)| Issuer { name, authority, pace: None };
        Issuers { all: authorities.into_iter().map(issuer).collect(), in_handshakes: InHandshakes::Never }
    }

    /// The same, where one of them is sent so many orders an hour at most, and half as many of one zone.
    #[must_use]
    pub fn with_orders_per_hour(mut self, name: CertificateAuthority, all: u64) -> Issuers {
        for issuer in self.all.iter_mut().filter(|issuer| issuer.name == name) {
            issuer.pace = Some(OrderPace { all, per_zone: all.div_ceil(2) });
        }
        self
    }

    /// The same, where names are shown in handshakes as well: whoever serves them answers there.
    #[must_use]
    pub fn in_handshakes(self, in_handshakes: InHandshakes) -> Issuers {
        Issuers { in_handshakes, ..self }
    }

    /// Whether the next way of an order is a handshake.
    pub(super) fn shows_in_handshake(&self, shown: Shown) -> bool {
        match (self.in_handshakes, shown) {
            (InHandshakes::Never, _) => false,
            (_, Shown::Handshake | Shown::NotByFile) => true,
            (InHandshakes::First, Shown::File) => true,
            (InHandshakes::AfterFile, Shown::File) | (_, Shown::NotByHandshake) => false,
        }
    }

    pub(super) fn get(&self, name: CertificateAuthority) -> Option<&Arc<dyn Authorities>> {
        self.all.iter().find(|issuer| issuer.name == name).map(|issuer| &issuer.authority)
    }

    pub(super) fn pace(&self, name: CertificateAuthority) -> Option<OrderPace> {
        self.all.iter().find(|issuer| issuer.name == name).and_then(|issuer| issuer.pace)
    }

    /// Who is asked where nobody was chosen.
    pub(super) fn usual(&self) -> Option<CertificateAuthority> {
        self.all.first().map(|issuer| issuer.name)
    }

    /// Those that are sent no more than so many orders.
    pub(super) fn paced(&self) -> impl Iterator<Item = (CertificateAuthority, OrderPace)> {
        self.all.iter().filter_map(|issuer| Some((issuer.name, issuer.pace?)))
    }

    /// How many there are.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.all.len()).unwrap_or(u32::MAX)
    }

    /// The one that is tried after another one; none where there is no other.
    pub(super) fn after(&self, name: CertificateAuthority) -> Option<CertificateAuthority> {
        let place = self.all.iter().position(|issuer| issuer.name == name)?;
        let next = self.all.get((place + 1) % self.all.len()).map(|issuer| issuer.name);
        next.filter(|next| *next != name)
    }
}

impl std::fmt::Debug for Issuers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.all.iter().map(|issuer| issuer.name)).finish()
    }
}
