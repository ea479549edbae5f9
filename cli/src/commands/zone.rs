//! `wasmyard zone`: add, origin, list, delete.
//!
//! Owns what is asked and shown about zones, and how a zone is found by its name. It must never delete custom hostnames
//! unasked.

use std::net::IpAddr;

use reqwest::Method;
use serde_json::{Value, json};

use super::{client, items, moment, text};
use crate::args::{ListingArgs, ZoneCommand};
use crate::client::{Body, Client};
use crate::failure::Failure;
use crate::output::Output;

/// Runs one of the zone commands.
///
/// # Errors
/// The [`Failure`] that decides the exit code.
pub async fn run(command: ZoneCommand, output: &Output) -> Result<(), Failure> {
    match command {
        ZoneCommand::Add { name, output: listing } => {
            let body = Body::Json(json!({ "name": name }));
            let made = client(&listing.api, output)?.call_zones(Method::POST, &[], &[], body).await?;
            output.note(&format!("zone {} added", text(&made, "/name")));
            if listing.json {
                output.json(&made);
            } else {
                output.fields(&[("name", text(&made, "/name")), ("id", text(&made, "/id"))]);
                let name = text(&made, "/name");
                output.note(&format!("next: `wasmyard zone origin service.{name}` says where requests go"));
            }
        }
        ZoneCommand::Origin { name, target, zone: args } => {
            let client = client(&args.output.api, output)?;
            let zone = named(&client, args.zone.as_deref()).await?;
            let set = set_origin(&client, &text(&zone, "/id"), &name, target.as_deref()).await?;
            output.note(&format!("requests for custom hostnames of {} go to {name}", text(&zone, "/name")));
            if args.output.json {
                output.json(&set);
            } else {
                output.fields(&[("origin", text(&set, "/origin")), ("status", text(&set, "/status"))]);
            }
        }
        ZoneCommand::List { output: listing } => {
            let found = client(&listing.api, output)?.list_zones(&[], &[]).await?;
            list(&found, &listing, output);
        }
        ZoneCommand::Quota { zone } => {
            let client = client(&zone.output.api, output)?;
            let id = text(&named(&client, zone.zone.as_deref()).await?, "/id");
            let path = [id.as_str(), "custom_hostnames", "quota"];
            let quota = client.call_zones(Method::GET, &path, &[], Body::Empty).await?;
            if zone.output.json {
                output.json(&quota);
            } else {
                let lines = quota_lines(&quota);
                output.fields(&lines.iter().map(|(name, line)| (*name, line.clone())).collect::<Vec<_>>());
            }
        }
        ZoneCommand::Delete { name, yes, api } => {
            let client = client(&api, output)?;
            let zone = named(&client, Some(&name)).await?;
            let id = text(&zone, "/id");
            let path = [id.as_str(), "custom_hostnames", "quota"];
            let quota = client.call_zones(Method::GET, &path, &[], Body::Empty).await?;
            let used = quota.pointer("/used").and_then(Value::as_u64).unwrap_or_default();
            if used > 0 && !yes {
                return Err(Failure::with_remedy(
                    format!("zone {name} has {used} custom hostnames, which would be deleted with it"),
                    format!("wasmyard zone delete {name} --yes"),
                ));
            }
            client.call_zones(Method::DELETE, &[&id], &[], Body::Empty).await?;
            output.note(&format!("zone {name} deleted"));
        }
    }
    Ok(())
}

/// How many there are and may be, for people.
fn quota_lines(quota: &Value) -> Vec<(&'static str, String)> {
    let of = |used: &str, most: &str| format!("{} of {}", text(quota, used), text(quota, most));
    let mut lines = vec![("hostnames", of("/used", "/allocated"))];
    if quota.pointer("/certificates").is_some() {
        let asked = of("/certificates/used", "/certificates/per_minute");
        let again = text(quota, "/certificates/returns_at");
        let line = match quota.pointer("/certificates/blocked") {
            Some(Value::Bool(true)) => {
                format!("none before {again}: more were asked for than may be in a minute")
            }
            _ if again.is_empty() => format!("{asked} asked for in this minute"),
            _ => format!("{asked} asked for in this minute, which ends at {again}"),
        };
        lines.push(("certificates", line));
    }
    for left in quota.pointer("/orders").map(items).unwrap_or_default() {
        let (authority, next) = (text(left, "/authority"), text(left, "/next_at"));
        let (all, own) = (text(left, "/per_hour"), text(left, "/per_hour_and_zone"));
        lines.push((
            "orders",
            format!("{authority}: {all} an hour, {own} of this zone; the next one at {next}"),
        ));
    }
    lines
}

/// Sets the fallback origin of a zone, and makes the proxied record that it needs where there is none like it.
async fn set_origin(client: &Client, zone: &str, name: &str, target: Option<&str>) -> Result<Value, Failure> {
    // A script is no place to connect to: this address leads nowhere.
    let content = target.unwrap_or("100::");
    let kind = match content.parse() {
        Ok(IpAddr::V4(_)) => "A",
        Ok(IpAddr::V6(_)) => "AAAA",
        Err(_) => "CNAME",
    };
    let record = json!({"type": kind, "name": name, "content": content, "proxied": true});
    let path = [zone, "dns_records"];
    let known = client.list_zones(&path, &[("name", name), ("proxied", "true")]).await?;
    let is_there = |known: &&Value| target.is_none() || text(known, "/content") == content;
    if !items(&known).iter().any(|known| is_there(&known)) {
        client.call_zones(Method::POST, &path, &[], Body::Json(record)).await?;
    }
    let path = [zone, "custom_hostnames", "fallback_origin"];
    Ok(client.call_zones(Method::PUT, &path, &[], Body::Json(json!({ "origin": name }))).await?)
}

/// The zone of a name; where none is named, the one that there is.
pub(super) async fn named(client: &Client, name: Option<&str>) -> Result<Value, Failure> {
    let query: Vec<(&str, &str)> = name.map(|name| ("name", name)).into_iter().collect();
    let found = client.list_zones(&[], &query).await?;
    match (items(&found), name) {
        ([zone], _) => Ok(zone.clone()),
        ([], Some(name)) => Err(Failure::with_remedy(
            format!("there is no zone {name}"),
            "`wasmyard zone list` shows what exists; `wasmyard zone add NAME` makes one",
        )),
        ([], None) => Err(Failure::with_remedy("there is no zone yet", "`wasmyard zone add NAME` makes one")),
        _ => Err(Failure::with_remedy("there are several zones", "say which: --zone NAME")),
    }
}

fn list(found: &Value, listing: &ListingArgs, output: &Output) {
    if listing.json {
        return output.json(found);
    }
    let row = |zone: &Value| {
        let paused = if zone.pointer("/paused") == Some(&Value::Bool(true)) { "paused" } else { "" };
        vec![text(zone, "/name"), paused.to_owned(), moment(zone, "/created_on"), text(zone, "/id")]
    };
    let rows: Vec<Vec<String>> = items(found).iter().map(row).collect();
    output.table(&["NAME", "", "CREATED", "ID"], &rows, "no zones yet: `wasmyard zone add NAME` makes one");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_says_when_more_may_be_asked_for() {
        let mut quota = json!({
            "used": 3, "allocated": 100,
            "certificates": {"per_minute": 15, "used": 2, "blocked": false, "returns_at": "T1"},
            "orders": [{"authority": "google", "per_hour": 100, "per_hour_and_zone": 50, "next_at": "T2"}],
        });
        let shown = |quota: &Value| -> Vec<String> {
            quota_lines(quota).iter().map(|(name, line)| format!("{name}: {line}")).collect()
        };
        assert_eq!(
            shown(&quota),
            [
                "hostnames: 3 of 100",
                "certificates: 2 of 15 asked for in this minute, which ends at T1",
                "orders: google: 100 an hour, 50 of this zone; the next one at T2",
            ]
        );
        quota["certificates"]["blocked"] = json!(true);
        assert!(shown(&quota)[1].starts_with("certificates: none before T1"));
        assert_eq!(shown(&json!({"used": 0, "allocated": 1})), ["hostnames: 0 of 1"]);
    }
}
