//! Owns the calls on routes: which host and path goes where. They are this platform's own: there are no zones here.
//! Must never decide what a pattern matches: that is the registry's route table.

use axum::extract::State;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wasmyard_namespaces::{NamespaceName, Origin, Registry, Route, RoutePattern, RouteTarget, ScriptName};

use crate::body::Exact;
use crate::envelope::{Answer, Reply};
use crate::error::{ApiError, Code};
use crate::lists::{self, Paging, Rows};
use crate::state::SharedState;
use crate::target::{Forced, Item, QueryOf};

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
    #[schemars(length(min = 1, max = 2048))]
    pub(super) pattern: String,
    /// The platform script that gets the requests.
    #[serde(default)]
    pub(super) script: Option<String>,
    /// The namespace whose script of the name that `*` matched gets the requests.
    #[serde(default)]
    pub(super) namespace: Option<String>,
    /// The status that is answered, without running anything.
    #[serde(default)]
    #[schemars(range(min = 200, max = 599))]
    pub(super) respond: Option<u16>,
}

/// What a deletion answers.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RouteRemoved")]
pub(crate) struct Removed {
    id: String,
}

impl Removed {
    pub(crate) fn of(id: String) -> Self {
        Self { id }
    }
}

impl Wanted {
    pub(super) fn parse(self) -> Result<(RoutePattern, RouteTarget), ApiError> {
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

/// The routes by their patterns.
struct All(Registry);

impl Rows for All {
    type Row = View;

    async fn page(&self, after: Option<&str>, limit: usize) -> Result<Vec<(String, View)>, ApiError> {
        let routes = self.0.list_routes();
        let keyed = routes.iter().map(|route| (route.pattern.to_string(), route));
        let later = keyed.filter(|(pattern, _)| after.is_none_or(|after| pattern.as_str() > after));
        Ok(later.take(limit).map(|(pattern, route)| (pattern, view(route))).collect())
    }

    async fn count(&self) -> Result<Option<u64>, ApiError> {
        Ok(u64::try_from(self.0.list_routes().len()).ok())
    }
}

pub(crate) async fn list(
    State(shared): SharedState,
    QueryOf(paging): QueryOf<Paging>,
) -> Result<Response, ApiError> {
    lists::answer(All(shared.registry().clone()), paging).await
}

pub(crate) async fn create(State(shared): SharedState, Exact(wanted): Exact<Wanted>) -> Answer<View> {
    let (pattern, target) = wanted.parse()?;
    let done = shared.control.add_route(pattern, target).await?;
    Ok(Reply::ok(view(&done.result)).with_notes(done.remarks))
}

pub(crate) async fn get(State(shared): SharedState, Item(id): Item) -> Answer<View> {
    let routes = shared.registry().list_routes();
    let found = routes.iter().find(|route| route.id == id);
    found.map(|route| Reply::ok(view(route))).ok_or_else(|| {
        let id: String = id.chars().take(64).collect();
        ApiError::new(
            Code::RouteNotFound,
            format!("There is no route {id:?}; list the routes for those there are."),
        )
    })
}

pub(crate) async fn update(
    State(shared): SharedState,
    Item(id): Item,
    QueryOf(query): QueryOf<Forced>,
    Exact(wanted): Exact<Wanted>,
) -> Answer<View> {
    let (pattern, target) = wanted.parse()?;
    let done = shared.control.change_route(&id, pattern, target, query.wanted()?).await?;
    Ok(Reply::ok(view(&done.result)).with_notes(done.remarks))
}

pub(crate) async fn delete(
    State(shared): SharedState,
    Item(id): Item,
    QueryOf(query): QueryOf<Forced>,
) -> Answer<Removed> {
    let done = shared.control.remove_route(&id, query.wanted()?).await?;
    Ok(Reply::ok(Removed { id }).with_notes(done.remarks))
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
