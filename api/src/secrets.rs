//! Owns the calls on a script's secrets: list, show that one exists, put, delete, and several at once.
//! Must never return what a secret holds, nor put it into an error or a log line.

use std::collections::BTreeMap;

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wasmyard_namespaces::{BindingDecl, BindingKind, BindingName, BindingType, Script};

use crate::body::Json;
use crate::configured;
use crate::envelope::{Answer, Reply};
use crate::error::{ApiError, Code};
use crate::scripts::existing;
use crate::state::SharedState;
use crate::target::{Forced, Item, Paging, QueryOf, Target};

/// A secret as clients see it: that it exists.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Secret")]
pub(crate) struct View {
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
}

/// A secret to put.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SecretPut")]
pub(crate) struct Put {
    name: String,
    text: serde_json::Value,
    /// "secret_text", the only type there is.
    #[serde(rename = "type", default = "secret_text")]
    kind: String,
}

/// Several secrets by name; `null` deletes one.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SecretsBulk")]
pub(crate) struct Bulk {
    secrets: BTreeMap<String, Option<Put>>,
    /// Accepted, without effect.
    #[serde(default)]
    #[expect(dead_code, reason = "SDKs may send it; read so that it is not an unknown field")]
    version_tags: Option<serde_json::Value>,
}

fn secret_text() -> String {
    BindingType::SecretText.as_str().to_owned()
}

impl Put {
    fn parse(self) -> Result<BindingDecl, ApiError> {
        if self.kind != BindingType::SecretText.as_str() {
            let kind: String = self.kind.chars().take(40).collect();
            return Err(ApiError::invalid(format_args!(
                "Secrets of type {kind:?} are not supported; use secret_text."
            )));
        }
        // The binding's own parser knows the bounds, and its errors never hold the text.
        let binding = serde_json::json!({ "type": self.kind, "name": self.name, "text": self.text });
        Ok(BindingDecl::from_json(&binding)?)
    }
}

pub(crate) async fn list(
    state: SharedState,
    Target(key): Target,
    QueryOf(query): QueryOf<Paging>,
) -> Answer<Vec<View>> {
    let script = existing(&state, &key).await?;
    let secrets = script.version.bindings.iter().filter(|binding| is_secret(binding)).map(view).collect();
    Ok(Reply::list(secrets, query.page))
}

pub(crate) async fn get(state: SharedState, Target(key): Target, Item(name): Item) -> Answer<View> {
    let script = existing(&state, &key).await?;
    let found =
        script.version.bindings.iter().find(|binding| is_secret(binding) && binding.name.as_str() == name);
    found.map(|binding| Reply::ok(view(binding))).ok_or_else(|| absent(&name))
}

pub(crate) async fn put(
    State(shared): SharedState,
    Target(key): Target,
    QueryOf(query): QueryOf<Forced>,
    Json(wanted): Json<Put>,
) -> Answer<View> {
    let force = query.wanted()?;
    let decl = wanted.parse()?;
    let shown = view(&decl);
    let before = existing(&shared, &key).await?;
    puttable(&before, &decl)?;
    let after = shared.registry_for(force).put_binding(&key, decl).await?;
    Ok(Reply::ok(shown).with_notes(configured::changed_script(&before, &after)))
}

pub(crate) async fn delete(
    State(shared): SharedState,
    Target(key): Target,
    Item(name): Item,
    QueryOf(query): QueryOf<Forced>,
) -> Answer<()> {
    let force = query.wanted()?;
    let name = BindingName::parse(&name).map_err(ApiError::parameter)?;
    let before = existing(&shared, &key).await?;
    deletable(&before, &name)?;
    shared.registry_for(force).change_bindings(&key, Vec::new(), &[name]).await?;
    let after = existing(&shared, &key).await?;
    Ok(Reply::ok(()).with_notes(configured::changed_script(&before, &after)))
}

/// All of them or none: they make one version.
pub(crate) async fn bulk(
    State(shared): SharedState,
    Target(key): Target,
    QueryOf(query): QueryOf<Forced>,
    Json(wanted): Json<Bulk>,
) -> Answer<BTreeMap<String, View>> {
    let force = query.wanted()?;
    let script = existing(&shared, &key).await?;
    let (mut puts, mut deletes) = (Vec::new(), Vec::new());
    for (name, secret) in wanted.secrets {
        match secret {
            None => {
                let name = BindingName::parse(&name).map_err(ApiError::invalid)?;
                deletable(&script, &name)?;
                deletes.push(name);
            }
            Some(put) if put.name == name => {
                let decl = put.parse()?;
                puttable(&script, &decl)?;
                puts.push(decl);
            }
            Some(_) => {
                let name: String = name.chars().take(64).collect();
                return Err(ApiError::invalid(format_args!(
                    "The entry {name:?} has another \"name\" inside; make the two agree."
                )));
            }
        }
    }
    let shown = puts.iter().map(|decl| (decl.name.to_string(), view(decl))).collect();
    let after = shared.registry_for(force).change_bindings(&key, puts, &deletes).await?;
    Ok(Reply::ok(shown).with_notes(configured::changed_script(&script, &after)))
}

/// A secret may take the place of a secret, not that of another binding.
fn puttable(script: &Script, decl: &BindingDecl) -> Result<(), ApiError> {
    if script.version.bindings.iter().any(|held| held.name == decl.name && !is_secret(held)) {
        return Err(ApiError::invalid(format_args!(
            "The script has another binding called \"{}\"; choose another name, or remove that binding first.",
            decl.name
        )));
    }
    Ok(())
}

fn deletable(script: &Script, name: &BindingName) -> Result<(), ApiError> {
    let held = script.version.bindings.iter().any(|held| held.name == *name && is_secret(held));
    if held { Ok(()) } else { Err(absent(name.as_str())) }
}

fn is_secret(binding: &BindingDecl) -> bool {
    matches!(binding.kind, BindingKind::SecretText { .. })
}

fn view(binding: &BindingDecl) -> View {
    View { name: binding.name.to_string(), kind: binding.kind.binding_type().as_str() }
}

fn absent(name: &str) -> ApiError {
    let name: String = name.chars().take(64).collect();
    ApiError::new(
        Code::SecretNotFound,
        format!("The script has no secret {name:?}; list the secrets for those it has."),
    )
}
