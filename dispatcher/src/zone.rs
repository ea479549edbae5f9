//! Host -> zone and custom hostname: whose visit it is. Looks into memory, and into the registry's store for names that
//! are served and were not asked for recently.

mod sought;

use wasmyard_namespaces::domain::Domain;
use wasmyard_namespaces::registry::{HostMatch, Registry};

use crate::respond::{OriginFault, Refusal};
use crate::visit::Visit;

pub(crate) use sought::{AskedName, Sought, sought};

/// The visit with the zone and the custom hostname that its host belongs to, if it belongs to any.
///
/// Refused when that cannot be found out: what a script does for one customer must not be done for none.
pub(crate) async fn find<B>(registry: &Registry, mut visit: Visit<B>) -> Result<Visit<B>, Refusal> {
    match registry.host(&visit.host).await {
        Ok(zone) => {
            visit.zone = zone;
            Ok(visit)
        }
        Err(error) => {
            tracing::error!(%error, "whose a host is cannot be found out");
            Err(Refusal::unknown_host())
        }
    }
}

/// What is told of a host that belongs to no zone and has no route. Looks into memory alone: anybody can make such names up.
pub(crate) fn unserved(registry: &Registry, host: &str) -> Refusal {
    if registry.is_unserved(host) {
        // It is being set up, has moved, or its zone is paused.
        return OriginFault::Dns.into();
    }
    if registry.has_zones() && Domain::parse(host).is_ok_and(|name| name.parent().is_some()) {
        return Refusal::no_custom_hostname(host);
    }
    Refusal::no_route(host)
}

/// The origin that requests for a custom hostname go to: its own, or its zone's.
pub(crate) fn origin(found: &HostMatch) -> Option<&str> {
    let fallback = found.zone.fallback_origin.as_ref().map(|fallback| &fallback.origin);
    let hostname = found.hostname.as_ref()?;
    hostname.origin_or(fallback).map(|origin| origin.as_str())
}

#[cfg(test)]
mod tests;
