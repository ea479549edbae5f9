//! Where connections go: to which host and port, at which addresses, and with what handshake.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use wasmyard_model::egress::{BadHost, Host};

/// Where connections go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Way {
    /// The host that is judged, and looked up where its addresses are not given.
    pub host: Host,
    /// Its addresses, in the order in which they are worth trying.
    pub addresses: Option<Arc<[IpAddr]>>,
    /// The port.
    pub port: u16,
    /// What is asked for in the handshake; none: there is none.
    pub handshake: Option<Handshake>,
}

/// What is asked for in a handshake.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Handshake {
    /// The name that is asked for.
    pub name: ServerName<'static>,
    /// Whether the certificate must be one for that name, by an authority that is believed.
    pub verified: bool,
}

impl Handshake {
    /// One that believes nobody but the host itself.
    ///
    /// # Errors
    /// [`BadHost::Characters`] where the name cannot be in a certificate.
    pub fn with(host: &Host) -> Result<Handshake, BadHost> {
        let name = match host {
            Host::Name(name) => ServerName::try_from(name.clone()).map_err(|_| BadHost::Characters)?,
            Host::Address(address) => ServerName::from(*address),
        };
        Ok(Handshake { name, verified: true })
    }
}
