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
