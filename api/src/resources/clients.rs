//! Owns what existing clients ask before they come to the point: who am I, which account is this.
//! Must never pretend to more accounts, users or features than there are.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::envelope::{Answer, Reply};
use crate::lists::Paging;
use crate::target::{ACCOUNT, ACCOUNT_NAME, Account, EMAIL, OPERATOR, QueryOf, Target};

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

/// The one account, whatever it is called.
pub(crate) async fn account_of(_: Account) -> Answer<Value> {
    Ok(Reply::ok(account()))
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

/// The tails that a script consumes: none.
pub(crate) async fn no_tails(_: Target) -> Answer<Vec<Value>> {
    nothing().await
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

fn account() -> Value {
    json!({ "id": ACCOUNT, "name": ACCOUNT_NAME, "type": "standard" })
}
