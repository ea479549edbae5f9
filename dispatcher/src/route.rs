//! Hostname and path -> who answers. Looks up in memory; never waits.
//!
//! The path is decoded for that: every spelling of a path takes the same route, as it leads to the same file. What a
//! script is shown stays as it was sent.

use wasmyard_namespaces::name::ScriptName;
use wasmyard_namespaces::registry::Registry;
use wasmyard_namespaces::route::{HostPattern, RouteMatch, RouteTarget};
use wasmyard_namespaces::script::ScriptKey;
use wasmyard_namespaces::url_path::routed;

use crate::respond::Refusal;
use crate::visit::Visit;
use crate::zone::{self, Sought};

/// Who answers a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// This script.
    Script(ScriptKey),
    /// A server outside, where the zone of the host says that there is one.
    Origin(Box<Sought>),
    /// The platform, with this status: the route opts out of dispatch.
    Status(u16),
    /// A native rule matched, but the label it took cannot be the name of a script.
    NoSuchScript,
}

/// Finds the most specific route of a visit: one for its host, or for the origin of the custom hostname that it is. Where
/// there is none for either, the origin itself answers. Refused where the host has none.
pub(crate) fn find<B>(registry: &Registry, visit: &Visit<B>) -> Result<Destination, Refusal> {
    let routes = registry.routes();
    let origin = visit.zone.as_ref().and_then(zone::origin);
    let found = routes.lookup(&visit.host, visit.path());
    let found = found.or_else(|| routes.lookup(origin?, visit.path()));
    if let Some(found) = found {
        return Ok(destination(&found));
    }
    let Some(found) = &visit.zone else { return Err(zone::unserved(registry, &visit.host)) };
    let sought = zone::sought(found, &visit.host)?.ok_or_else(|| Refusal::no_route(&visit.host))?;
    Ok(Destination::Origin(Box::new(sought)))
}

/// Who answers a script's own request, if the platform serves that host. A route for every host does not
/// count: it would take the whole Internet for ours.
pub(crate) fn find_inside(registry: &Registry, host: &str, path: &str) -> Option<Destination> {
    let found = registry.routes().lookup(host, &routed(path))?;
    if *found.route.pattern.host() == HostPattern::Any {
        return None;
    }
    Some(destination(&found))
}

fn destination(found: &RouteMatch<'_>) -> Destination {
    match &found.route.target {
        RouteTarget::Script(script) => Destination::Script(ScriptKey::Platform(script.clone())),
        RouteTarget::Respond(status) => Destination::Status(*status),
        RouteTarget::Namespace(namespace) => match found.label.map(ScriptName::try_from) {
            Some(Ok(script)) => Destination::Script(ScriptKey::user(namespace.clone(), script)),
            Some(Err(_)) | None => Destination::NoSuchScript,
        },
    }
}
