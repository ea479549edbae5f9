//! Owns the calls on a zone's fallback origin: where requests for its custom hostnames go that have none of their own.

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wasmyard_control::FallbackState;

use crate::body::Json;
use crate::envelope::{Answer, Reply};
use crate::resources::zones::InZone;
use crate::state::SharedState;
use crate::target::{Forced, QueryOf};

/// A fallback origin as clients see it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "FallbackOrigin")]
pub(crate) struct View {
    origin: String,
    /// "active" as soon as the zone has a proxied record for it, else "pending_deployment".
    status: &'static str,
    errors: Vec<String>,
    created_at: String,
    updated_at: String,
}

/// What it is to be.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "FallbackOriginWanted")]
pub(crate) struct Wanted {
    /// A name in the zone.
    origin: String,
}

fn view(state: &FallbackState) -> View {
    let FallbackState { fallback, has_record } = state;
    let missing = format!("the zone has no proxied A, AAAA or CNAME record for {}", fallback.origin);
    View {
        origin: fallback.origin.to_string(),
        status: if *has_record { "active" } else { "pending_deployment" },
        errors: if *has_record { Vec::new() } else { vec![missing] },
        created_at: fallback.created_at.to_string(),
        updated_at: fallback.updated_at.to_string(),
    }
}

pub(crate) async fn get(State(shared): SharedState, InZone(id): InZone) -> Answer<View> {
    Ok(Reply::ok(view(&shared.control.fallback_origin(&id).await?)))
}

pub(crate) async fn put(
    State(shared): SharedState,
    InZone(id): InZone,
    QueryOf(query): QueryOf<Forced>,
    Json(wanted, notes): Json<Wanted>,
) -> Answer<View> {
    let done = shared.control.set_fallback_origin(&id, &wanted.origin, query.wanted()?).await?;
    Ok(Reply::ok(view(&done.result)).with_notes(notes).with_notes(done.remarks))
}

pub(crate) async fn delete(
    State(shared): SharedState,
    InZone(id): InZone,
    QueryOf(query): QueryOf<Forced>,
) -> Answer<View> {
    let done = shared.control.delete_fallback_origin(&id, query.wanted()?).await?;
    let view = View { status: "pending_deletion", errors: Vec::new(), ..view(&done.result) };
    Ok(Reply::ok(view).with_notes(done.remarks))
}
