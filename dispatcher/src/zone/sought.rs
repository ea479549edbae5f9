//! Which origin a host leads to, by the custom hostname or the zone that it belongs to. Looks nothing up.

use std::sync::Arc;

use wasmyard_namespaces::domain::Domain;
use wasmyard_namespaces::hostname::{CustomHostname, OriginSni};
use wasmyard_namespaces::registry::HostMatch;
use wasmyard_namespaces::zone::Zone;

use crate::respond::OriginFault;

/// An origin that a visit goes to, if its zone has a record for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sought {
    /// The zone that says where it is.
    pub(crate) zone: Arc<Zone>,
    /// Its name.
    pub(crate) name: Domain,
    /// Whether that is the name that was asked for: a name of the zone's own, and no custom hostname.
    pub(crate) own: bool,
    /// Which name is asked for in the handshake with it.
    pub(crate) asked: AskedName,
}

/// Which name is asked for in the handshake with an origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AskedName {
    /// The origin's.
    Origin,
    /// The one that the visitor asked for.
    Host,
    /// This one.
    This(Domain),
}

/// The origin of a host that belongs to a zone; none where the host can have none.
///
/// Refused where its zone is paused, or says nothing of where custom hostnames go.
pub(crate) fn sought(found: &HostMatch, host: &str) -> Result<Option<Sought>, OriginFault> {
    let zone = Arc::clone(&found.zone);
    if zone.paused {
        return Err(OriginFault::Dns);
    }
    let Some(hostname) = &found.hostname else {
        let name = Domain::parse(host).ok();
        return Ok(name.map(|name| Sought { zone, name, own: true, asked: AskedName::Host }));
    };
    let (name, asked) = match &hostname.origin {
        Some(origin) => (origin.server.clone(), asked_of(hostname, origin.sni.as_ref())),
        None => {
            let fallback = zone.fallback_origin.as_ref().ok_or(OriginFault::Dns)?;
            (fallback.origin.clone(), AskedName::Host)
        }
    };
    Ok(Some(Sought { zone, name, own: false, asked }))
}

/// A wildcard hostname's own origin is always asked for by its name.
fn asked_of(hostname: &CustomHostname, sni: Option<&OriginSni>) -> AskedName {
    match sni {
        _ if hostname.name.is_wildcard() => AskedName::Origin,
        None => AskedName::Origin,
        Some(OriginSni::RequestHost) => AskedName::Host,
        Some(OriginSni::Name(name)) => AskedName::This(name.clone()),
    }
}
