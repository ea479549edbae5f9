//! `wasmyard audit`: who changed what.
//!
//! Owns what is asked and shown of the audit log. It must never decide what an entry holds: the API does.

use serde_json::Value;

use super::{client, items, moment, text};
use crate::args::AuditArgs;
use crate::failure::Failure;
use crate::output::Output;

/// Entries that are asked for at once.
const PAGE: usize = 500;

/// Shows the newest entries.
///
/// # Errors
/// The [`Failure`] that decides the exit code.
pub async fn run(args: AuditArgs, output: &Output) -> Result<(), Failure> {
    let client = client(&args.output.api, output)?;
    let mut query: Vec<(&str, String)> = Vec::new();
    let since = args.since.map(|since| since.before_now());
    let wanted = [
        ("since", since),
        ("actor_token_name", args.actor),
        ("zone_name", args.zone),
        ("action_type", args.action),
    ];
    query.extend(wanted.into_iter().filter_map(|(name, value)| Some((name, value?))));
    if args.failed {
        query.push(("action_result", "failure".to_owned()));
    }
    let (mut rows, mut cursor): (Vec<Value>, String) = (Vec::new(), String::new());
    while rows.len() < args.limit {
        let limit = PAGE.min(args.limit - rows.len()).to_string();
        let mut page: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
        page.extend([("limit", limit.as_str()), ("cursor", cursor.as_str())]);
        let (found, next) = client.page_of_account(&["logs", "audit"], &page).await?;
        rows.extend(items(&found).iter().cloned());
        match next {
            Some(next) if !next.is_empty() => cursor = next,
            _ => break,
        }
    }
    let found = Value::Array(rows);
    if args.output.json {
        output.json(&found);
        return Ok(());
    }
    let rows: Vec<Vec<String>> = items(&found).iter().map(row).collect();
    output.table(&["WHEN", "WHO", "FROM", "WHAT", "WHICH", "RESULT"], &rows, "no changes");
    Ok(())
}

fn row(entry: &Value) -> Vec<String> {
    let who = text(entry, "/actor/token_name");
    let result = match text(entry, "/raw/error_code") {
        code if code.is_empty() => text(entry, "/action/result"),
        code => format!("refused [{code}]"),
    };
    vec![
        moment(entry, "/action/time"),
        if who.is_empty() { text(entry, "/actor/id") } else { who },
        text(entry, "/actor/ip_address"),
        text(entry, "/action/description"),
        text(entry, "/resource/id"),
        result,
    ]
}
