//! Where certificates of custom hostnames come from, as data.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use wasmyard_acme::AuthorityConfig;
use wasmyard_control::InHandshakes;
use wasmyard_namespaces::domain::Domain;
use wasmyard_namespaces::hostname::CertificateAuthority;
use wasmyard_net::ExtraRoots;

/// Where certificates of custom hostnames come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CertificatesConfig {
    /// The authorities, the one first that is asked where nobody chose one.
    pub authorities: Vec<(CertificateAuthority, AuthorityConfig, ExtraRoots)>,
    /// How many orders each of them is sent within an hour.
    pub orders_per_hour: BTreeMap<CertificateAuthority, u64>,
    /// How many certificates a zone may ask for within a minute.
    pub per_minute: u64,
    /// When an authority is shown a name in a handshake.
    pub in_handshakes: InHandshakes,
}

/// The name server of delegated validation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DcvConfig {
    /// The zone.
    pub suffix: Domain,
    /// Where it is answered for.
    pub listen: SocketAddr,
    /// What it is called in the zone above.
    pub name_server: Domain,
}
