//! Owns the cron triggers of one script: list, replace, run one at once.
//! Must never judge an expression: the model does.

use axum::extract::State;
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wasmyard_namespaces::Script;
use wasmyard_namespaces::cron::Schedule;

use crate::body::{Json, JsonList};
use crate::envelope::{Answer, Reply};
use crate::state::SharedState;
use crate::target::{Forced, QueryOf, Target};

/// The cron triggers of a script.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Schedules {
    schedules: Vec<View>,
}

/// One of them.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Schedule")]
pub(crate) struct View {
    /// Minute, hour, day of the month, month, weekday, in UTC.
    cron: String,
    created_on: String,
    modified_on: String,
}

/// When a script is to run.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "ScheduleWanted")]
pub(crate) struct Wanted {
    /// Minute, hour, day of the month, month, weekday, in UTC: `*/5 * * * *`.
    cron: String,
}

impl From<&Schedule> for View {
    fn from(schedule: &Schedule) -> View {
        View {
            cron: schedule.cron.to_string(),
            created_on: schedule.created_on.to_string(),
            modified_on: schedule.modified_on.to_string(),
        }
    }
}

fn shown(script: &Script) -> Schedules {
    Schedules { schedules: script.schedules.iter().map(View::from).collect() }
}

pub(crate) async fn get(State(shared): SharedState, Target(key): Target) -> Answer<Schedules> {
    Ok(Reply::ok(shown(&*shared.control.existing(&key).await?)))
}

pub(crate) async fn set(
    State(shared): SharedState,
    Target(key): Target,
    QueryOf(query): QueryOf<Forced>,
    JsonList(wanted, notes): JsonList<Wanted>,
) -> Answer<Schedules> {
    let crons: Vec<String> = wanted.into_iter().map(|wanted| wanted.cron).collect();
    let done = shared.control.set_crons(&key, &crons, query.wanted()?).await?;
    Ok(Reply::ok(shown(&done.result)).with_notes(notes).with_notes(done.remarks))
}

pub(crate) async fn run(
    State(shared): SharedState,
    Target(key): Target,
    Json(wanted, notes): Json<Wanted>,
) -> Answer<Schedules> {
    let done = shared.control.run_cron(&key, &wanted.cron).await?;
    Ok(Reply::ok(shown(&done.result))
        .with_status(StatusCode::ACCEPTED)
        .with_notes(notes)
        .with_notes(done.remarks))
}
