//! Owns the calls on routes: which host and path goes where. They are this platform's own: there are no zones here.
//! Must never decide what a pattern matches: that is the registry's route table.

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wasmyard_namespaces::{NamespaceName, Origin, Route, RoutePattern, RouteTarget, ScriptName};

use crate::body::Json;
use crate::configured;
use crate::envelope::{Answer, Reply};
use crate::error::{ApiError, Code};
use crate::references;
use crate::state::{Shared, SharedState};
use crate::target::{Forced, Item, Paging, QueryOf};

/// A route as clients see it: exactly one of `script`, `namespace` and `respond` is there.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Route")]
pub(crate) struct View {
    id: String,
    pattern: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    script: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    respond: Option<u16>,
    /// "api" or "config".
    #[schemars(with = "String")]
    origin: Origin,
}

/// A route to be: a pattern and exactly one target.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RouteWanted")]
pub(crate) struct Wanted {
    /// `*/*`, `*.host/*`, `host/path*`, `host/path`, or `host` for all of a host.
    pattern: String,
    /// The platform script that gets the requests.
    #[serde(default)]
    script: Option<String>,
    /// The namespace whose script of the name that `*` matched gets the requests.
    #[serde(default)]
    namespace: Option<String>,
    /// The status that is answered, without running anything.
    #[serde(default)]
    respond: Option<u16>,
}

/// What a deletion answers.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RouteRemoved")]
pub(crate) struct Removed {
    id: String,
}

impl Wanted {
    fn parse(self) -> Result<(RoutePattern, RouteTarget), ApiError> {
        let pattern: RoutePattern = self.pattern.parse().map_err(ApiError::invalid)?;
        let target = match (self.script, self.namespace, self.respond) {
            (Some(script), None, None) => {
                RouteTarget::Script(ScriptName::parse(&script).map_err(ApiError::invalid)?)
            }
            (None, Some(namespace), None) => {
                RouteTarget::Namespace(NamespaceName::parse(&namespace).map_err(ApiError::invalid)?)
            }
            (None, None, Some(status)) => RouteTarget::Respond(status),
            _ => {
                return Err(ApiError::invalid(
                    "A route leads to exactly one of \"script\", \"namespace\" and \"respond\"; give one of the three.",
                ));
            }
        };
        target.check(&pattern).map_err(ApiError::invalid)?;
        Ok((pattern, target))
    }
}

pub(crate) async fn list(State(shared): SharedState, QueryOf(query): QueryOf<Paging>) -> Answer<Vec<View>> {
    let routes = shared.registry().list_routes();
    Ok(Reply::list(routes.iter().map(|route| view(route)).collect(), query.page))
}

pub(crate) async fn create(State(shared): SharedState, Json(wanted): Json<Wanted>) -> Answer<View> {
    let (pattern, target) = wanted.parse()?;
    let notes = references::of_route(&shared, &target).await?;
    let route = shared.registry().add_route(pattern, target, Origin::Api).await?;
    Ok(Reply::ok(view(&route)).with_notes(notes))
}

pub(crate) async fn get(State(shared): SharedState, Item(id): Item) -> Answer<View> {
    existing(&shared, &id).await.map(|route| Reply::ok(view(&route)))
}

pub(crate) async fn update(
    State(shared): SharedState,
    Item(id): Item,
    QueryOf(query): QueryOf<Forced>,
    Json(wanted): Json<Wanted>,
) -> Answer<View> {
    let force = query.wanted()?;
    let (pattern, target) = wanted.parse()?;
    let mut notes = references::of_route(&shared, &target).await?;
    let route = shared.registry_for(force).update_route(&id, pattern, target).await?;
    notes.extend(configured::route(&route));
    Ok(Reply::ok(view(&route)).with_notes(notes))
}

pub(crate) async fn delete(
    State(shared): SharedState,
    Item(id): Item,
    QueryOf(query): QueryOf<Forced>,
) -> Answer<Removed> {
    let force = query.wanted()?;
    let route = shared.registry_for(force).remove_route(&id).await?;
    Ok(Reply::ok(Removed { id }).with_notes(configured::route(&route)))
}

async fn existing(shared: &Shared, id: &str) -> Result<std::sync::Arc<Route>, ApiError> {
    let routes = shared.registry().list_routes();
    routes.into_iter().find(|route| route.id == id).ok_or_else(|| {
        let id: String = id.chars().take(64).collect();
        ApiError::new(
            Code::RouteNotFound,
            format!("There is no route {id:?}; list the routes for those there are."),
        )
    })
}

fn view(route: &Route) -> View {
    let (script, namespace, respond) = match &route.target {
        RouteTarget::Script(name) => (Some(name.to_string()), None, None),
        RouteTarget::Namespace(name) => (None, Some(name.to_string()), None),
        RouteTarget::Respond(status) => (None, None, Some(*status)),
    };
    View {
        id: route.id.clone(),
        pattern: route.pattern.to_string(),
        script,
        namespace,
        respond,
        origin: route.origin,
    }
}
