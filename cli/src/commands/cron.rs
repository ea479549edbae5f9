//! `wasmyard cron`: list, set, run.
//!
//! Owns what is asked and shown about the cron expressions of a script.

use reqwest::Method;
use serde_json::{Value, json};

use super::{client, forced, items, moment, script_path, script_shown, text};
use crate::args::{CronCommand, OfScript};
use crate::client::{Body, Client};
use crate::failure::Failure;
use crate::output::Output;

/// Runs one of the cron commands.
///
/// # Errors
/// The [`Failure`] that decides the exit code.
pub async fn run(command: CronCommand, output: &Output) -> Result<(), Failure> {
    match command {
        CronCommand::List { of, output: listing } => {
            let client = client(&listing.api, output)?;
            show(&listed(&client, &of).await?, listing.json, output);
        }
        CronCommand::Set { of, crons, change, output: listing } => {
            let client = client(&listing.api, output)?;
            let body: Vec<Value> = crons.iter().map(|cron| json!({ "cron": cron })).collect();
            let path = path(&of, &["schedules"]);
            let set = client.call(Method::PUT, &path, forced(&change), Body::Json(json!(body))).await?;
            show(&set, listing.json, output);
        }
        CronCommand::Run { of, cron, output: listing } => {
            let client = client(&listing.api, output)?;
            let cron = match cron {
                Some(cron) => cron,
                None => only(&listed(&client, &of).await?, &of)?,
            };
            let body = Body::Json(json!({ "cron": cron }));
            let run = client.call(Method::POST, &path(&of, &["schedules", "run"]), &[], body).await?;
            if listing.json {
                output.json(&run);
            } else {
                let script = script_shown(of.namespace.as_deref(), &of.script);
                output.line(&format!("{script} runs for \"{cron}\" as soon as there is a place"));
            }
        }
    }
    Ok(())
}

fn path<'a>(of: &'a OfScript, rest: &[&'a str]) -> Vec<&'a str> {
    script_path(of.namespace.as_deref(), &of.script, rest)
}

async fn listed(client: &Client, of: &OfScript) -> Result<Value, Failure> {
    Ok(client.call(Method::GET, &path(of, &["schedules"]), &[], Body::Empty).await?)
}

/// The expression that is meant where none is named.
fn only(listed: &Value, of: &OfScript) -> Result<String, Failure> {
    match items(listed.get("schedules").unwrap_or(&Value::Null)) {
        [one] => Ok(text(one, "/cron")),
        [] => Err(Failure::Usage(format!(
            "{} has no cron expression; `wasmyard cron set` gives it one",
            of.script
        ))),
        many => {
            let known: Vec<String> = many.iter().map(|one| format!("\"{}\"", text(one, "/cron"))).collect();
            Err(Failure::Usage(format!("say which expression is to run: {}", known.join(", "))))
        }
    }
}

fn show(found: &Value, as_json: bool, output: &Output) {
    if as_json {
        return output.json(found);
    }
    let schedules = found.get("schedules").unwrap_or(&Value::Null);
    let rows: Vec<Vec<String>> =
        items(schedules).iter().map(|one| vec![text(one, "/cron"), moment(one, "/created_on")]).collect();
    output.table(&["CRON (UTC)", "SINCE"], &rows, "no cron expressions");
}
