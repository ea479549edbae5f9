//! Owns the listing of a script's bindings.
//! Must never show what a secret holds: `BindingDecl` leaves it out when it is serialised.

use schemars::JsonSchema;
use serde::Serialize;
use wasmyard_namespaces::BindingDecl;

use crate::envelope::{Answer, Reply};
use crate::scripts::existing;
use crate::state::SharedState;
use crate::target::{Paging, QueryOf, Target};

/// A binding: `type`, `name`, and what the type shows of itself.
#[derive(Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(rename = "Binding")]
pub(crate) struct View(
    #[schemars(with = "std::collections::BTreeMap<String, serde_json::Value>")] pub(crate) BindingDecl,
);

pub(crate) async fn list(
    state: SharedState,
    Target(key): Target,
    QueryOf(query): QueryOf<Paging>,
) -> Answer<Vec<View>> {
    let script = existing(&state, &key).await?;
    Ok(Reply::list(views(&script.version.bindings), query.page))
}

pub(crate) fn views(bindings: &[BindingDecl]) -> Vec<View> {
    bindings.iter().cloned().map(View).collect()
}
