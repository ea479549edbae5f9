//! Owns what clients ask about the versions of a platform script: which one is deployed, what it consists of.
//! Must never claim more than one version: earlier ones are not kept.

use std::collections::BTreeMap;

use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use wasmyard_namespaces::Script;

use crate::envelope::{Answer, Reply};
use crate::error::{ApiError, Code};
use crate::lists::Paging;
use crate::state::SharedState;
use crate::target::{EMAIL, Item, QueryOf, Target};
use crate::views;

/// The deployments of a script: the version that serves, with all of the traffic.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Deployments {
    deployments: Vec<Deployment>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Deployment {
    id: String,
    source: &'static str,
    strategy: &'static str,
    author_email: &'static str,
    created_on: String,
    annotations: BTreeMap<String, String>,
    versions: Vec<DeployedVersion>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct DeployedVersion {
    version_id: String,
    percentage: u8,
}

/// One version: the one that serves.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Version")]
pub(crate) struct View {
    id: String,
    number: u64,
    annotations: BTreeMap<String, String>,
    metadata: VersionMetadata,
    resources: VersionResources,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct VersionMetadata {
    author_email: &'static str,
    source: &'static str,
    created_on: String,
    modified_on: String,
    #[serde(rename = "hasPreview")]
    has_preview: bool,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct VersionResources {
    bindings: Vec<views::binding::View>,
    script: views::script::View,
}

/// The versions of a script.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Versions {
    items: Vec<View>,
}

pub(crate) async fn deployments(
    State(shared): SharedState,
    Target(key): Target,
    QueryOf(query): QueryOf<Paging>,
) -> Answer<Deployments> {
    let script = shared.control.existing(&key).await?;
    let version = &script.version;
    let deployment = Deployment {
        id: version.id.clone(),
        source: "api",
        strategy: "percentage",
        author_email: EMAIL,
        created_on: version.created_on.to_string(),
        annotations: version.annotations.clone(),
        versions: vec![DeployedVersion { version_id: version.id.clone(), percentage: 100 }],
    };
    // Clients ask for page after page until one is empty.
    let deployments = if query.page <= 1 { vec![deployment] } else { Vec::new() };
    Ok(Reply::ok(Deployments { deployments }))
}

pub(crate) async fn list(
    State(shared): SharedState,
    Target(key): Target,
    QueryOf(query): QueryOf<Paging>,
) -> Answer<Versions> {
    let script = shared.control.existing(&key).await?;
    let items = if query.page <= 1 { vec![view(&script)] } else { Vec::new() };
    Ok(Reply::ok(Versions { items }))
}

pub(crate) async fn get(State(shared): SharedState, Target(key): Target, Item(id): Item) -> Answer<View> {
    let script = shared.control.existing(&key).await?;
    if script.version.id != id {
        let id: String = id.chars().take(64).collect();
        return Err(ApiError::new(
            Code::VersionNotFound,
            format!("The script \"{key}\" serves no version {id:?}, and earlier versions are not kept."),
        ));
    }
    Ok(Reply::ok(view(&script)))
}

fn view(script: &Script) -> View {
    let version = &script.version;
    let created_on = version.created_on.to_string();
    View {
        id: version.id.clone(),
        number: version.number,
        annotations: version.annotations.clone(),
        metadata: VersionMetadata {
            author_email: EMAIL,
            source: "api",
            modified_on: created_on.clone(),
            created_on,
            has_preview: false,
        },
        resources: VersionResources {
            bindings: views::binding::views(&version.bindings),
            script: views::script::view(script),
        },
    }
}
