//! Which way requests go to an origin: by the settings of its zone, and where it is. Looks nothing up and opens nothing.

use rustls::pki_types::ServerName;
use wasmyard_namespaces::egress::Host;
use wasmyard_namespaces::zone::{OriginPlace, SslMode};
use wasmyard_net::{Handshake, Way};

use super::config::OriginsConfig;
use super::fault::Fault;
use crate::respond::OriginFault;
use crate::zone::{AskedName, Sought};

/// Which way requests for a host go to an origin that is at a place.
pub(super) fn way(
    sought: &Sought,
    host: &str,
    place: OriginPlace,
    config: &OriginsConfig,
) -> Result<Way, Fault> {
    let handshake = match sought.zone.settings.ssl() {
        SslMode::Off | SslMode::Flexible => None,
        SslMode::Full => Some(handshake(sought, host, false)?),
        SslMode::Strict => Some(handshake(sought, host, true)?),
    };
    let port = if handshake.is_some() { config.https_port } else { config.http_port };
    let (host, addresses) = match place {
        OriginPlace::Addresses(addresses) => (sought.name.as_str().to_owned(), Some(addresses)),
        OriginPlace::Name(target) => (target.as_str().to_owned(), None),
    };
    Ok(Way { host: Host::Name(host), addresses, port, handshake })
}

fn handshake(sought: &Sought, host: &str, verified: bool) -> Result<Handshake, Fault> {
    let name = match &sought.asked {
        AskedName::Origin => sought.name.as_str(),
        AskedName::Host => host,
        AskedName::This(name) => name.as_str(),
    };
    let name = ServerName::try_from(name.to_owned());
    let name = name.map_err(|_| Fault::new(OriginFault::Handshake, "its name can be in no certificate"))?;
    Ok(Handshake { name, verified })
}

#[cfg(test)]
mod tests;
