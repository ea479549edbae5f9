//! Owns the calls on a script's secrets: list, show that one exists, put, delete, and several at once.
//! Must never return what a secret holds, nor put it into an error or a log line.

use std::collections::BTreeMap;

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wasmyard_control::is_secret;
use wasmyard_namespaces::{BindingDecl, BindingName, BindingType};

use crate::body::{self, Json};
use crate::envelope::{Answer, Reply};
use crate::error::{ApiError, Code};
use crate::lists::Paging;
use crate::state::SharedState;
use crate::target::{Forced, Item, QueryOf, Target};
use crate::unknown;

/// A secret as clients see it: that it exists.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Secret")]
pub(crate) struct View {
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
}

/// A secret to put. Its fields are read by the binding itself.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "SecretPut")]
pub(crate) struct Put {
    name: String,
    /// What a `secret_text` holds.
    #[serde(skip_serializing_if = "Value::is_null")]
    text: Value,
    /// How the key of a `secret_key` is written: raw, pkcs8, spki or jwk.
    #[serde(skip_serializing_if = "Value::is_null")]
    format: Value,
    /// The algorithm of Web Crypto that it is for.
    #[serde(skip_serializing_if = "Value::is_null")]
    algorithm: Value,
    /// What it may be used for.
    #[serde(skip_serializing_if = "Value::is_null")]
    usages: Value,
    /// The key in Base64, but for jwk.
    #[serde(skip_serializing_if = "Value::is_null")]
    key_base64: Value,
    /// The key as a JSON Web Key.
    #[serde(skip_serializing_if = "Value::is_null")]
    key_jwk: Value,
    /// "secret_text" or "secret_key".
    #[serde(rename = "type")]
    kind: String,
}

impl Default for Put {
    fn default() -> Put {
        let kind = BindingType::SecretText.as_str().to_owned();
        let [text, format, algorithm, usages, key_base64, key_jwk] = [const { Value::Null }; 6];
        Put { name: String::new(), text, format, algorithm, usages, key_base64, key_jwk, kind }
    }
}

/// Several secrets by name; `null` deletes one.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SecretsBulk")]
pub(crate) struct Bulk {
    #[schemars(with = "BTreeMap<String, Option<Put>>")]
    secrets: BTreeMap<String, Value>,
    /// Accepted, without effect.
    #[serde(default)]
    #[expect(dead_code, reason = "SDKs may send it; read so that it is not an unknown field")]
    version_tags: Option<serde_json::Value>,
}

impl Put {
    fn parse(self) -> Result<BindingDecl, ApiError> {
        if !BindingType::from_wire(&self.kind).is_some_and(BindingType::is_secret) {
            let kind: String = self.kind.chars().take(40).collect();
            return Err(ApiError::invalid(format_args!(
                "Secrets of type {kind:?} are not supported; use secret_text or secret_key."
            )));
        }
        // The binding's own parser knows the bounds, and its errors never hold the secret.
        let binding = serde_json::to_value(self).map_err(ApiError::internal)?;
        Ok(BindingDecl::from_json(&binding)?)
    }
}

pub(crate) async fn list(
    State(shared): SharedState,
    Target(key): Target,
    QueryOf(query): QueryOf<Paging>,
) -> Answer<Vec<View>> {
    let script = shared.control.existing(&key).await?;
    let secrets = script.version.bindings.iter().filter(|binding| is_secret(binding)).map(view).collect();
    Ok(Reply::list(secrets, query.page))
}

pub(crate) async fn get(State(shared): SharedState, Target(key): Target, Item(name): Item) -> Answer<View> {
    let script = shared.control.existing(&key).await?;
    let found =
        script.version.bindings.iter().find(|binding| is_secret(binding) && binding.name.as_str() == name);
    found.map(|binding| Reply::ok(view(binding))).ok_or_else(|| absent(&name))
}

pub(crate) async fn put(
    State(shared): SharedState,
    Target(key): Target,
    QueryOf(query): QueryOf<Forced>,
    Json(wanted, notes): Json<Put>,
) -> Answer<View> {
    let decl = wanted.parse()?;
    let shown = view(&decl);
    let done = shared.control.change_secrets(&key, vec![decl], &[], query.wanted()?).await?;
    Ok(Reply::ok(shown).with_notes(notes).with_notes(done.remarks))
}

pub(crate) async fn delete(
    State(shared): SharedState,
    Target(key): Target,
    Item(name): Item,
    QueryOf(query): QueryOf<Forced>,
) -> Answer<()> {
    let name = BindingName::parse(&name).map_err(ApiError::parameter)?;
    let done = shared.control.change_secrets(&key, Vec::new(), &[name], query.wanted()?).await?;
    Ok(Reply::ok(()).with_notes(done.remarks))
}

pub(crate) async fn bulk(
    State(shared): SharedState,
    Target(key): Target,
    QueryOf(query): QueryOf<Forced>,
    Json(wanted, mut notes): Json<Bulk>,
) -> Answer<BTreeMap<String, View>> {
    let (mut puts, mut deletes) = (Vec::new(), Vec::new());
    for (name, secret) in wanted.secrets {
        if secret.is_null() {
            deletes.push(BindingName::parse(&name).map_err(ApiError::invalid)?);
            continue;
        }
        let mut keys = body::object(secret)?;
        notes.extend(unknown::take::<Put>(&mut keys));
        let put: Put = body::fitting(Value::Object(keys))?;
        if put.name != name {
            let name: String = name.chars().take(64).collect();
            return Err(ApiError::invalid(format_args!(
                "The entry {name:?} has another \"name\" inside; make the two agree."
            )));
        }
        puts.push(put.parse()?);
    }
    let shown = puts.iter().map(|decl| (decl.name.to_string(), view(decl))).collect();
    let done = shared.control.change_secrets(&key, puts, &deletes, query.wanted()?).await?;
    Ok(Reply::ok(shown).with_notes(notes).with_notes(done.remarks))
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
