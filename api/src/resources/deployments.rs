//! Owns the calls on the deployments of a script: which versions serve, and which did before.
//! Must never upload anything.

use std::collections::BTreeMap;

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use wasmyard_namespaces::deployment::RollbackRule;
use wasmyard_namespaces::name::shorten;
use wasmyard_namespaces::registry::Rollout;
use wasmyard_namespaces::{Deployment, Script, ScriptKey, Share};

use crate::body::Json;
use crate::envelope::{Answer, Reply};
use crate::error::{ApiError, Code};
use crate::lists::Paging;
use crate::state::SharedState;
use crate::target::{EMAIL, Forced, Item, QueryOf, Target};

/// The deployments of a script, the one that serves first.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Deployments {
    deployments: Vec<View>,
}

/// Which versions serve, or served.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Deployment")]
pub(crate) struct View {
    id: String,
    source: &'static str,
    strategy: &'static str,
    author_email: &'static str,
    created_on: String,
    annotations: BTreeMap<String, String>,
    versions: Vec<DeployedVersion>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cookie: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rollback: Option<RollbackIf>,
}

/// What the newer version has to keep, or else what served before serves again.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RollbackIf {
    /// How many of its invocations are judged together, 1 to 1000000.
    #[serde(default = "over")]
    over: u32,
    /// The percentage of them that may fail, or be answered with a status from 500 up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    errors_percent: Option<f64>,
    /// The CPU time that they may take in the mean, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cpu_ms: Option<u32>,
}

fn over() -> u32 {
    100
}

impl RollbackIf {
    /// The rule that it is.
    pub(crate) fn rule(&self) -> Result<RollbackRule, ApiError> {
        let errors = self.errors_percent.map(Share::percent).transpose();
        let errors =
            errors.map_err(|error| ApiError::invalid(format_args!("rollback.errors_percent: {error}.")))?;
        RollbackRule::new(self.over, errors, self.cpu_ms).map_err(ApiError::invalid)
    }
}

impl From<&RollbackRule> for RollbackIf {
    fn from(rule: &RollbackRule) -> Self {
        Self { over: rule.over, errors_percent: rule.errors.map(Share::as_percent), cpu_ms: rule.cpu_ms }
    }
}

/// A version with its part of the requests.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeployedVersion {
    version_id: String,
    /// From 0.001 to 100.
    #[serde(serialize_with = "as_written")]
    percentage: f64,
}

/// Whole percentages are whole numbers, as clients write them.
fn as_written<S: Serializer>(percentage: &f64, to: S) -> Result<S::Ok, S::Error> {
    if percentage.fract() == 0.0 && (0.0..=100.0).contains(percentage) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
        return to.serialize_u8(*percentage as u8);
    }
    to.serialize_f64(*percentage)
}

/// What is to serve.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "DeploymentCreate")]
pub(crate) struct Create {
    /// "percentage".
    #[serde(default)]
    strategy: Option<String>,
    /// One version with 100 percent, or two that have 100 together.
    versions: Vec<DeployedVersion>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    /// The cookie whose value decides which of two versions a visitor meets, where the request has no
    /// `Cloudflare-Workers-Version-Key`. Without both each request is drawn for itself.
    #[serde(default)]
    cookie: Option<String>,
    /// When what served before serves again by itself.
    #[serde(default)]
    rollback: Option<RollbackIf>,
}

/// What is gone.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DeploymentDeleted")]
pub(crate) struct Deleted {
    id: String,
}

pub(crate) async fn list(
    State(shared): SharedState,
    Target(key): Target,
    QueryOf(query): QueryOf<Paging>,
) -> Answer<Deployments> {
    // Few enough for one page; clients ask for page after page until one is empty.
    let deployments = if query.page <= 1 { all(&shared, &key).await? } else { Vec::new() };
    Ok(Reply::ok(Deployments { deployments }))
}

pub(crate) async fn get(State(shared): SharedState, Target(key): Target, Item(id): Item) -> Answer<View> {
    let found = all(&shared, &key).await?.into_iter().find(|deployment| deployment.id == id);
    Ok(Reply::ok(found.ok_or_else(|| not_found(&key, &id))?))
}

pub(crate) async fn create(
    State(shared): SharedState,
    Target(key): Target,
    QueryOf(forced): QueryOf<Forced>,
    Json(wanted, mut notes): Json<Create>,
) -> Answer<View> {
    if let Some(other) = wanted.strategy.filter(|strategy| strategy != "percentage") {
        let other = shorten(&other);
        return Err(ApiError::invalid(format_args!("strategy is {other:?}; it can only be \"percentage\".")));
    }
    let mut versions = Vec::new();
    for DeployedVersion { version_id, percentage } in wanted.versions {
        let share =
            Share::percent(percentage).map_err(|error| ApiError::invalid(format_args!("{error}.")))?;
        versions.push((version_id, share));
    }
    let rollback = wanted.rollback.as_ref().map(RollbackIf::rule).transpose()?;
    let rollout = Rollout { versions, cookie: wanted.cookie, annotations: wanted.annotations, rollback };
    let done = shared.control.roll_out(&key, &rollout, forced.wanted()?).await?;
    notes.extend(done.remarks);
    Ok(Reply::ok(serving(&done.result)).with_notes(notes))
}

pub(crate) async fn delete(
    State(shared): SharedState,
    Target(key): Target,
    Item(id): Item,
) -> Answer<Deleted> {
    let script = shared.control.existing(&key).await?;
    if script.deployment.id == id {
        return Err(ApiError::invalid(
            "This deployment serves and cannot be deleted. Deploy another version first; deployments that have ended go by themselves.",
        ));
    }
    if !shared.control.forget_deployment(&key, &id).await? {
        return Err(not_found(&key, &id));
    }
    Ok(Reply::ok(Deleted { id }))
}

async fn all(shared: &crate::state::Shared, key: &ScriptKey) -> Result<Vec<View>, ApiError> {
    let kept = shared.control.kept(key).await?;
    let past = kept.past.iter().map(|past| view(&past.deployment, past.versions.iter().cloned(), None));
    Ok(std::iter::once(serving(&kept.script)).chain(past).collect())
}

fn serving(script: &Script) -> View {
    let versions = script.serving().map(|(version, share)| (version.id.clone(), share));
    let cookie = script.gradual.as_ref().and_then(|gradual| gradual.cookie.clone());
    view(&script.deployment, versions, cookie)
}

fn view(
    deployment: &Deployment,
    versions: impl Iterator<Item = (String, Share)>,
    cookie: Option<String>,
) -> View {
    let versions =
        versions.map(|(version_id, share)| DeployedVersion { version_id, percentage: share.as_percent() });
    View {
        id: deployment.id.clone(),
        source: "api",
        strategy: "percentage",
        author_email: EMAIL,
        created_on: deployment.created_on.to_string(),
        annotations: deployment.annotations.clone(),
        versions: versions.collect(),
        cookie,
        rollback: deployment.rollback.as_ref().map(|rollback| RollbackIf::from(&rollback.rule)),
    }
}

fn not_found(key: &ScriptKey, id: &str) -> ApiError {
    let id = shorten(id);
    ApiError::new(
        Code::VersionNotFound,
        format!(
            "The script \"{key}\" has no deployment {id:?}; GET .../deployments lists those that are kept."
        ),
    )
}
