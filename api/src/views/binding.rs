//! A binding as clients see it. What a secret holds is left out by `BindingDecl` when it is serialised.

use schemars::JsonSchema;
use serde::Serialize;
use wasmyard_namespaces::BindingDecl;

/// A binding: `type`, `name`, and what the type shows of itself.
#[derive(Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(rename = "Binding")]
pub(crate) struct View(
    #[schemars(with = "std::collections::BTreeMap<String, serde_json::Value>")] pub(crate) BindingDecl,
);

pub(crate) fn views(bindings: &[BindingDecl]) -> Vec<View> {
    bindings.iter().cloned().map(View).collect()
}
