//! Owns the calls on API tokens: list, create, show, replace the text, revoke.
//! Must never show a token's text but in the answer to the call that made it.

use axum::extract::State;
use http::HeaderMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wasmyard_namespaces::Timestamp;
use wasmyard_namespaces::registry::TokenInfo;

use crate::body::Exact;
use crate::envelope::{Answer, Reply};
use crate::error::ApiError;
use crate::guard;
use crate::lists::Paging;
use crate::state::SharedState;
use crate::target::{Item, QueryOf};

/// A token as clients see it: everything but its text.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Token")]
pub(crate) struct View {
    id: String,
    name: String,
    /// "active" or "expired".
    status: &'static str,
    issued_on: String,
    modified_on: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_on: Option<String>,
}

/// A token that was made, with its text: it is shown this once.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TokenMade")]
pub(crate) struct Made {
    #[serde(flatten)]
    token: View,
    value: String,
}

/// A token to make.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TokenCreate")]
pub(crate) struct Create {
    /// What it is for.
    name: String,
    /// From when on it is refused.
    #[serde(default)]
    expires_on: Option<String>,
    /// Must be empty: every token may do everything here.
    #[serde(default)]
    policies: Vec<Value>,
    /// Must be left out: tokens are good from their making.
    #[serde(default)]
    not_before: Option<Value>,
    /// Must be left out: tokens have no conditions.
    #[serde(default)]
    condition: Option<Value>,
}

/// What a revocation answers.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TokenRevoked")]
pub(crate) struct Revoked {
    id: String,
}

/// The token that asks.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TokenVerified")]
pub(crate) struct Verified {
    id: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_on: Option<String>,
}

impl Create {
    /// When it expires. A token that was to be narrow and may do everything would be worse than none.
    fn expires_on(&self) -> Result<Option<Timestamp>, ApiError> {
        let narrow = [
            ("policies", !self.policies.is_empty()),
            ("not_before", self.not_before.as_ref().is_some_and(|value| !value.is_null())),
            ("condition", self.condition.as_ref().is_some_and(is_condition)),
        ];
        if let Some((field, _)) = narrow.into_iter().find(|(_, asked)| *asked) {
            return Err(ApiError::invalid(format_args!(
                "\"{field}\" would narrow what the token may do, and every token may do everything on this server; leave it out"
            )));
        }
        let wrong = |_| ApiError::invalid("expires_on is not a time; write it like 2027-01-31T00:00:00Z");
        self.expires_on.as_deref().map(str::parse).transpose().map_err(wrong)
    }
}

/// `{}` and `null` are no condition.
fn is_condition(value: &Value) -> bool {
    value.as_object().is_none_or(|fields| !fields.is_empty()) && !value.is_null()
}

/// The token that asks: it has been checked on the way here.
pub(crate) async fn verify(State(shared): SharedState, headers: HeaderMap) -> Answer<Verified> {
    let token = guard::token(&headers).and_then(|text| shared.registry().token_of(text));
    let token = token.ok_or_else(guard::refused)?;
    let expires_on = token.expires_on.map(|time| time.to_string());
    Ok(Reply::ok(Verified { id: token.id, status: "active", expires_on }))
}

pub(crate) async fn list(State(shared): SharedState, QueryOf(query): QueryOf<Paging>) -> Answer<Vec<View>> {
    let tokens = shared.registry().tokens();
    let now = shared.registry().clock().now();
    Ok(Reply::list(tokens.iter().map(|token| view(token, now)).collect(), query.page))
}

pub(crate) async fn create(State(shared): SharedState, Exact(wanted): Exact<Create>) -> Answer<Made> {
    let (token, text) = shared.control.create_token(&wanted.name, wanted.expires_on()?).await?;
    let token = view(&token, shared.registry().clock().now());
    Ok(Reply::ok(Made { token, value: text.expose().to_owned() }))
}

pub(crate) async fn get(State(shared): SharedState, Item(id): Item) -> Answer<View> {
    let now = shared.registry().clock().now();
    Ok(Reply::ok(view(&shared.control.existing_token(&id)?, now)))
}

/// Gives the token another text; the result is that text.
pub(crate) async fn roll(State(shared): SharedState, Item(id): Item) -> Answer<String> {
    let done = shared.control.roll_token(&id).await?;
    Ok(Reply::ok(done.result.expose().to_owned()).with_notes(done.remarks))
}

pub(crate) async fn revoke(State(shared): SharedState, Item(id): Item) -> Answer<Revoked> {
    let done = shared.control.revoke_token(&id).await?;
    Ok(Reply::ok(Revoked { id }).with_notes(done.remarks))
}

fn view(token: &TokenInfo, now: Timestamp) -> View {
    let expired = token.expires_on.is_some_and(|expires_on| expires_on <= now);
    View {
        id: token.id.clone(),
        name: token.label.clone(),
        status: if expired { "expired" } else { "active" },
        issued_on: token.created_on.to_string(),
        modified_on: token.modified_on.to_string(),
        expires_on: token.expires_on.map(|time| time.to_string()),
    }
}
