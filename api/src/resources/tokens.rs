//! Owns the calls on API tokens: list, create, show, change, replace the text, revoke; and what they can be given.
//! Must never show a token's text but in the answer to the call that made it.

use std::collections::HashMap;

use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use wasmyard_namespaces::Timestamp;
use wasmyard_namespaces::access::{Family, Group};
use wasmyard_namespaces::registry::TokenInfo;

use crate::body::Exact;
use crate::caller::Caller;
use crate::envelope::{Answer, Reply};
use crate::lists::Paging;
use crate::query::Pairs;
use crate::state::{Shared, SharedState};
use crate::target::{Item, QueryOf};

pub(crate) use wanted::Wanted;

mod wanted;

/// A token as clients see it: everything but its text.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Token")]
pub(crate) struct View {
    id: String,
    name: String,
    /// "active", "disabled" or "expired".
    status: &'static str,
    issued_on: String,
    modified_on: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_on: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_on: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_before: Option<String>,
    /// What it may do. A token without policies may do everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    policies: Option<Vec<wanted::PolicyShape>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<wanted::ConditionShape>,
}

/// A token that was made, with its text: it is shown this once.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TokenMade")]
pub(crate) struct Made {
    #[serde(flatten)]
    token: View,
    value: String,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    not_before: Option<String>,
}

/// What tokens can be given.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PermissionGroup")]
pub(crate) struct GroupView {
    id: &'static str,
    name: &'static str,
    description: &'static str,
    scopes: [&'static str; 1],
}

/// The token that asks: it has been checked on the way here.
pub(crate) async fn verify(State(shared): SharedState, caller: Caller) -> Answer<Verified> {
    let token = caller.token();
    Ok(Reply::ok(Verified {
        id: token.id.clone(),
        status: token.rules.status(shared.registry().clock().now()).as_str(),
        expires_on: token.rules.expires_on.map(|time| time.to_string()),
        not_before: token.rules.not_before.map(|time| time.to_string()),
    }))
}

pub(crate) async fn permission_groups(query: Pairs) -> Answer<Vec<GroupView>> {
    let is =
        |name: &str, value: &str| query.get(name).is_none_or(|wanted| wanted.eq_ignore_ascii_case(value));
    let groups = Group::ALL.iter().map(|group| {
        let family: Family = group.family();
        let (id, name) = (group.id(), group.name());
        GroupView { id, name, description: family.meaning(), scopes: [family.scope()] }
    });
    let groups =
        groups.filter(|group| is("name", group.name) && group.scopes.iter().all(|scope| is("scope", scope)));
    let page = query.get("page").and_then(|page| page.parse().ok()).unwrap_or(1);
    Ok(Reply::list(groups.collect(), page))
}

pub(crate) async fn list(State(shared): SharedState, QueryOf(query): QueryOf<Paging>) -> Answer<Vec<View>> {
    let seen = Seen::of(&shared).await?;
    let tokens = shared.registry().tokens();
    Ok(Reply::list(tokens.iter().map(|token| seen.view(token)).collect(), query.page))
}

pub(crate) async fn create(
    State(shared): SharedState,
    caller: Caller,
    Exact(wanted): Exact<Wanted>,
) -> Answer<Made> {
    let wanted = wanted.read(caller.rules())?;
    let (token, text) = shared.control.create_token(wanted, caller.rules()).await?;
    let token = Seen::of(&shared).await?.view(&token);
    Ok(Reply::ok(Made { token, value: text.expose().to_owned() }))
}

pub(crate) async fn get(State(shared): SharedState, Item(id): Item) -> Answer<View> {
    let token = shared.control.existing_token(&id)?;
    Ok(Reply::ok(Seen::of(&shared).await?.view(&token)))
}

pub(crate) async fn update(
    State(shared): SharedState,
    caller: Caller,
    Item(id): Item,
    Exact(wanted): Exact<Wanted>,
) -> Answer<View> {
    let before = shared.control.existing_token(&id)?;
    let done = shared.control.change_token(&id, wanted.read(&before.rules)?, caller.rules()).await?;
    Ok(Reply::ok(Seen::of(&shared).await?.view(&done.result)).with_notes(done.remarks))
}

/// Gives the token another text; the result is that text.
pub(crate) async fn roll(State(shared): SharedState, caller: Caller, Item(id): Item) -> Answer<String> {
    let done = shared.control.roll_token(&id, caller.rules()).await?;
    Ok(Reply::ok(done.result.expose().to_owned()).with_notes(done.remarks))
}

pub(crate) async fn revoke(State(shared): SharedState, caller: Caller, Item(id): Item) -> Answer<Revoked> {
    let done = shared.control.revoke_token(&id, caller.rules()).await?;
    Ok(Reply::ok(Revoked { id }).with_notes(done.remarks))
}

/// What views are made with.
struct Seen {
    now: Timestamp,
    uses: HashMap<String, Timestamp>,
}

impl Seen {
    async fn of(shared: &Shared) -> Result<Seen, crate::error::ApiError> {
        let registry = shared.registry();
        Ok(Seen { now: registry.clock().now(), uses: registry.token_uses().await? })
    }

    fn view(&self, token: &TokenInfo) -> View {
        let text = |time: Option<Timestamp>| time.map(|time| time.to_string());
        let rules = &token.rules;
        View {
            id: token.id.clone(),
            name: token.label.clone(),
            status: rules.status(self.now).as_str(),
            issued_on: token.created_on.to_string(),
            modified_on: token.modified_on.to_string(),
            last_used_on: text(self.uses.get(&token.id).copied()),
            expires_on: text(rules.expires_on),
            not_before: text(rules.not_before),
            policies: rules.grants.policies().map(wanted::shapes),
            condition: wanted::ConditionShape::of(&rules.condition),
        }
    }
}
