//! Owns the calls on routes as the product's clients make them: below a zone, and all of a script at once.
//! Must never have rules of its own: what a pattern is, and which there are, is said in `routes.rs`.

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wasmyard_namespaces::RegistryError;
use wasmyard_namespaces::registry::ZoneError;
use wasmyard_namespaces::route::HostPattern;
use wasmyard_namespaces::{Domain, Route, RoutePattern, RouteTarget, ScriptKey, ScriptName, Zone, ZoneId};

use crate::body::{Json, JsonList};
use crate::envelope::{Answer, Reply};
use crate::error::{ApiError, Code};
use crate::resources::routes;
use crate::resources::zones::InZone;
use crate::state::{Shared, SharedState};
use crate::target::{Forced, Item, QueryOf, Target};

/// A route of a zone as clients see it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ZoneRoute")]
pub(crate) struct View {
    id: String,
    pattern: String,
    /// None where the route leads to a namespace or to a status.
    script: Option<String>,
}

/// A route to be. Without a script, requests that it takes get 404.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "ZoneRouteWanted")]
pub(crate) struct Wanted {
    pattern: String,
    #[serde(default)]
    script: Option<String>,
}

/// A route of a script: a pattern, and the zone that it is meant for.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "ScriptRouteWanted")]
pub(crate) struct OfScript {
    pattern: String,
    #[serde(default)]
    zone_name: Option<String>,
    #[serde(default)]
    zone_id: Option<String>,
    /// Whether the script is to be the origin of a host of its own.
    #[serde(default)]
    custom_domain: bool,
}

/// A request with no script is answered with this.
const NO_SCRIPT: u16 = 404;
/// The most routes that one call sets.
const MOST_AT_ONCE: usize = 1_000;

pub(crate) async fn list(State(shared): SharedState, InZone(zone): InZone) -> Answer<Vec<View>> {
    let zone = shared.control.zone(&zone)?;
    Ok(Reply::list(of_zone(&shared, &zone).iter().map(|route| view(route)).collect(), 1))
}

pub(crate) async fn get(State(shared): SharedState, InZone(zone): InZone, Item(id): Item) -> Answer<View> {
    let zone = shared.control.zone(&zone)?;
    let route = found(&shared, &zone, &id)?;
    Ok(Reply::ok(view(&route)))
}

pub(crate) async fn create(
    State(shared): SharedState,
    InZone(zone): InZone,
    Json(wanted, mut notes): Json<Wanted>,
) -> Answer<View> {
    let zone = shared.control.zone(&zone)?;
    let (pattern, target) = parsed(Some(&zone.name), wanted, &mut notes)?;
    let done = shared.control.add_route(pattern, target).await?;
    notes.extend(done.remarks);
    Ok(Reply::ok(view(&done.result)).with_notes(notes))
}

pub(crate) async fn update(
    State(shared): SharedState,
    InZone(zone): InZone,
    Item(id): Item,
    QueryOf(query): QueryOf<Forced>,
    Json(wanted, mut notes): Json<Wanted>,
) -> Answer<View> {
    let zone = shared.control.zone(&zone)?;
    found(&shared, &zone, &id)?;
    let (pattern, target) = parsed(Some(&zone.name), wanted, &mut notes)?;
    let done = shared.control.change_route(&id, pattern, target, query.wanted()?).await?;
    notes.extend(done.remarks);
    Ok(Reply::ok(view(&done.result)).with_notes(notes))
}

pub(crate) async fn delete(
    State(shared): SharedState,
    InZone(zone): InZone,
    Item(id): Item,
    QueryOf(query): QueryOf<Forced>,
) -> Answer<routes::Removed> {
    let zone = shared.control.zone(&zone)?;
    found(&shared, &zone, &id)?;
    let done = shared.control.remove_route(&id, query.wanted()?).await?;
    Ok(Reply::ok(routes::Removed::of(id)).with_notes(done.remarks))
}

pub(crate) async fn of_script(State(shared): SharedState, Target(key): Target) -> Answer<Vec<View>> {
    let script = platform(&shared, &key).await?;
    let target = RouteTarget::Script(script);
    let routes = shared.registry().list_routes();
    let own = routes.iter().filter(|route| route.target == target);
    Ok(Reply::list(own.map(|route| view(route)).collect(), 1))
}

/// Has a script have these routes and no others, but those that the configuration declares. What there is to refuse is
/// refused before anything changes.
pub(crate) async fn set_of_script(
    State(shared): SharedState,
    Target(key): Target,
    JsonList(wanted, mut notes): JsonList<OfScript>,
) -> Answer<Vec<String>> {
    let script = platform(&shared, &key).await?;
    if wanted.len() > MOST_AT_ONCE {
        let found = wanted.len();
        return Err(ApiError::invalid(format_args!(
            "{found} routes are more than the {MOST_AT_ONCE} of one call."
        )));
    }
    let mut patterns = Vec::new();
    for route in wanted {
        let zone = zone_of(&shared, &route)?;
        let text = if route.custom_domain { format!("{}/*", route.pattern) } else { route.pattern };
        let wanted = Wanted { pattern: text, script: Some(script.to_string()) };
        let (pattern, _) = parsed(zone.as_ref(), wanted, &mut notes)?;
        patterns.push(pattern);
    }
    let done = shared.control.set_routes(&script, patterns).await?;
    notes.extend(done.remarks);
    Ok(Reply::ok(done.result.iter().map(ToString::to_string).collect()).with_notes(notes))
}

async fn platform(shared: &Shared, key: &ScriptKey) -> Result<ScriptName, ApiError> {
    let script = shared.control.existing(key).await?;
    Ok(script.key.script().clone())
}

/// The zone that a route names; none where it names none.
fn zone_of(shared: &Shared, route: &OfScript) -> Result<Option<Domain>, ApiError> {
    if let Some(id) = &route.zone_id {
        let id = ZoneId::parse(id).map_err(ApiError::invalid)?;
        return Ok(Some(shared.control.zone(&id)?.name.clone()));
    }
    let Some(name) = &route.zone_name else { return Ok(None) };
    let name = Domain::parse(name).map_err(ApiError::invalid)?;
    match shared.registry().zone_named(&name) {
        Some(zone) => Ok(Some(zone.name.clone())),
        None => Err(RegistryError::from(ZoneError::NotFound(name.to_string())).into()),
    }
}

/// What a route of a zone, if it is one's, leads to.
fn parsed(
    zone: Option<&Domain>,
    wanted: Wanted,
    notes: &mut Vec<String>,
) -> Result<(RoutePattern, RouteTarget), ApiError> {
    let Wanted { pattern, script } = wanted;
    let respond = script.is_none().then_some(NO_SCRIPT);
    let (pattern, target) = routes::Wanted { pattern, script, namespace: None, respond }.parse()?;
    let Some(zone) = zone else { return Ok((pattern, target)) };
    match pattern.host() {
        HostPattern::Any => notes.push(format!(
            "The pattern \"{pattern}\" takes the requests for every host of this server, also of other zones."
        )),
        HostPattern::Wildcard(host) | HostPattern::Exact(host) if !zone.holds(host) => {
            return Err(ApiError::invalid(format_args!(
                "The pattern \"{pattern}\" is for no host of the zone \"{zone}\"; write one that ends in it, or */*."
            )));
        }
        HostPattern::Wildcard(_) | HostPattern::Exact(_) => {}
    }
    Ok((pattern, target))
}

/// The routes that take requests for hosts of a zone, by their patterns.
fn of_zone(shared: &Shared, zone: &Zone) -> Vec<std::sync::Arc<Route>> {
    let mut routes = shared.registry().list_routes();
    routes.retain(|route| match route.pattern.host() {
        HostPattern::Any => true,
        HostPattern::Wildcard(host) | HostPattern::Exact(host) => zone.name.holds(host),
    });
    routes
}

fn found(shared: &Shared, zone: &Zone, id: &str) -> Result<std::sync::Arc<Route>, ApiError> {
    let found = of_zone(shared, zone).into_iter().find(|route| route.id == id);
    found.ok_or_else(|| {
        let id: String = id.chars().take(64).collect();
        ApiError::new(Code::RouteNotFound, format!("The zone \"{}\" has no route {id:?}.", zone.name))
    })
}

fn view(route: &Route) -> View {
    let script = match &route.target {
        RouteTarget::Script(script) => Some(script.to_string()),
        RouteTarget::Namespace(_) | RouteTarget::Respond(_) => None,
    };
    View { id: route.id.clone(), pattern: route.pattern.to_string(), script }
}
