//! Owns what existing clients ask before they come to the point: who am I, which account is this.
//! Must never pretend to more accounts, users or features than there are.

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wasmyard_namespaces::name::shorten;

use crate::body::JsonList;
use crate::envelope::{Answer, Reply};
use crate::error::ApiError;
use crate::lists::Paging;
use crate::state::SharedState;
use crate::target::{ACCOUNT, ACCOUNT_NAME, EMAIL, OPERATOR, QueryOf, Target};

/// Who asks: tokens stand for the operator, there are no other users.
pub(crate) async fn user() -> Answer<Value> {
    Ok(Reply::ok(
        json!({ "id": OPERATOR, "email": EMAIL, "suspended": false, "two_factor_authentication_enabled": false }),
    ))
}

/// The one account.
pub(crate) async fn accounts(QueryOf(query): QueryOf<Paging>) -> Answer<Vec<Value>> {
    Ok(Reply::list(vec![account()], query.page))
}

/// The one membership.
pub(crate) async fn memberships(QueryOf(query): QueryOf<Paging>) -> Answer<Vec<Value>> {
    let membership =
        json!({ "id": OPERATOR, "status": "accepted", "account": account(), "roles": ["Administrator"] });
    Ok(Reply::list(vec![membership], query.page))
}

/// An empty list of something that does not exist here, for clients that look before they delete.
pub(crate) async fn nothing() -> Answer<Vec<Value>> {
    Ok(Reply::list(Vec::new(), 1))
}

/// The account's settings. Nothing depends on them.
#[derive(Serialize, JsonSchema)]
pub(crate) struct AccountSettings {
    default_usage_model: &'static str,
    green_compute: bool,
}

pub(crate) async fn account_settings() -> Answer<AccountSettings> {
    Ok(Reply::ok(AccountSettings { default_usage_model: "standard", green_compute: false }))
}

/// The cron triggers of a script.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Schedules {
    schedules: Vec<Schedule>,
}

/// When a script is to run.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Schedule {
    cron: String,
}

pub(crate) async fn schedules(State(shared): SharedState, Target(key): Target) -> Answer<Schedules> {
    shared.control.existing(&key).await?;
    Ok(Reply::ok(Schedules { schedules: Vec::new() }))
}

/// A trigger that never fires is worse than one that is refused.
pub(crate) async fn set_schedules(
    State(shared): SharedState,
    Target(key): Target,
    JsonList(wanted, notes): JsonList<Schedule>,
) -> Answer<Schedules> {
    shared.control.existing(&key).await?;
    if let Some(first) = wanted.first() {
        return Err(ApiError::invalid(format_args!(
            "The cron trigger {:?} was not set: this server runs no scheduled events yet. Take \"crons\" out of the configuration; the script is deployed.",
            shorten(&first.cron)
        )));
    }
    Ok(Reply::ok(Schedules { schedules: Vec::new() }).with_notes(notes))
}

fn account() -> Value {
    json!({ "id": ACCOUNT, "name": ACCOUNT_NAME, "type": "standard" })
}
