//! `wasmyard token`: list, create, revoke; and what tokens can be given.
//!
//! Owns what is asked and shown about the tokens of the API. A token's text goes to standard output once, when it
//! is made, and is kept nowhere.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Map, Value, json};
use wasmyard_namespaces::Timestamp;

use super::{client, items, moment, text};
use crate::args::{ListingArgs, TokenCommand, TokenWanted, When};
use crate::client::{ACCOUNT, Body, Client};
use crate::failure::Failure;
use crate::output::Output;

/// What the names of resources begin with.
const RESOURCE: &str = "com.cloudflare.api.account";

/// Runs one of the token commands.
///
/// # Errors
/// The [`Failure`] that decides the exit code.
pub async fn run(command: TokenCommand, output: &Output) -> Result<(), Failure> {
    match command {
        TokenCommand::List { output: listing } => {
            let client = client(&listing.api, output)?;
            let found = client.call_tokens(Method::GET, &[], Body::Empty).await?;
            list(&found, &listing, output);
        }
        TokenCommand::Create { name, wanted, output: listing } => {
            let client = client(&listing.api, output)?;
            let wanted = body(&name, *wanted, &client).await?;
            let made = client.call_tokens(Method::POST, &[], Body::Json(wanted)).await?;
            if listing.json {
                output.json(&made);
            } else {
                output.line(&text(&made, "/value"));
                let id = text(&made, "/id");
                output
                    .note(&format!("token {name} created, id {id}; it is shown this once and kept nowhere"));
            }
        }
        TokenCommand::Permissions { output: listing } => {
            let client = client(&listing.api, output)?;
            let found = client.call_tokens(Method::GET, &["permission_groups"], Body::Empty).await?;
            if listing.json {
                output.json(&found);
            } else {
                let row = |group: &Value| vec![text(group, "/name"), text(group, "/description")];
                let rows: Vec<Vec<String>> = items(&found).iter().map(row).collect();
                output.table(&["PERMISSION", "FOR"], &rows, "no permissions");
            }
        }
        TokenCommand::Revoke { id, api } => {
            client(&api, output)?.call_tokens(Method::DELETE, &[&id], Body::Empty).await?;
            output.note(&format!("token {id} revoked"));
        }
    }
    Ok(())
}

/// A token as the API takes it.
async fn body(name: &str, wanted: TokenWanted, client: &Client) -> Result<Value, Failure> {
    let mut fields = Map::new();
    fields.insert("name".to_owned(), json!(name));
    if !wanted.permissions.is_empty() {
        let groups: Vec<Value> = wanted.permissions.iter().map(|name| json!({ "id": name })).collect();
        let resources = resources(&wanted, client).await?;
        let resources: Map<String, Value> = resources.into_iter().map(|name| (name, json!("*"))).collect();
        let policy = json!({ "effect": "allow", "permission_groups": groups, "resources": resources });
        fields.insert("policies".to_owned(), json!([policy]));
    }
    if !wanted.networks.is_empty() || !wanted.not_networks.is_empty() {
        let networks = json!({ "in": wanted.networks, "not_in": wanted.not_networks });
        fields.insert("condition".to_owned(), json!({ "request_ip": networks }));
    }
    if let Some(expires) = wanted.expires {
        fields.insert("expires_on".to_owned(), json!(expires.from_now()));
    }
    Ok(Value::Object(fields))
}

/// Where the permissions hold: what is named, or else the account.
async fn resources(wanted: &TokenWanted, client: &Client) -> Result<Vec<String>, Failure> {
    let mut resources: Vec<String> = Vec::new();
    match &wanted.namespace {
        Some(namespace) if wanted.scripts.is_empty() => {
            resources.push(format!("{RESOURCE}.dispatch_namespace.{namespace}"));
        }
        namespace => resources.extend(wanted.scripts.iter().map(|script| match namespace {
            Some(namespace) => format!("{RESOURCE}.dispatch_namespace.{namespace}.script.{script}"),
            None => format!("{RESOURCE}.script.{script}"),
        })),
    }
    for zone in &wanted.zones {
        let is_id = zone.len() == 32 && zone.bytes().all(|byte| byte.is_ascii_hexdigit());
        let id = if zone == "all" {
            "*".to_owned()
        } else if is_id {
            zone.clone()
        } else {
            let found = client.list_zones(&[], &[("name", zone)]).await?;
            let id = items(&found).first().map(|zone| text(zone, "/id"));
            id.ok_or_else(|| {
                Failure::Usage(format!("there is no zone {zone}; `wasmyard zone list` shows those there are"))
            })?
        };
        resources.push(format!("{RESOURCE}.zone.{id}"));
    }
    if resources.is_empty() {
        resources.push(format!("{RESOURCE}.{ACCOUNT}"));
    }
    Ok(resources)
}

impl When {
    /// The moment, or the one so long after now.
    pub fn from_now(self) -> String {
        match self {
            When::At(text) => text,
            When::Away(seconds) => Timestamp::now().later(Duration::from_secs(seconds)).to_string(),
        }
    }

    /// The moment, or the one so long before now.
    pub fn before_now(self) -> String {
        match self {
            When::At(text) => text,
            When::Away(seconds) => Timestamp::now().earlier(Duration::from_secs(seconds)).to_string(),
        }
    }
}

fn list(found: &Value, listing: &ListingArgs, output: &Output) {
    if listing.json {
        return output.json(found);
    }
    let rows: Vec<Vec<String>> = items(found)
        .iter()
        .map(|token| {
            vec![
                text(token, "/name"),
                text(token, "/status"),
                may(token),
                moment(token, "/last_used_on"),
                moment(token, "/expires_on"),
                text(token, "/id"),
            ]
        })
        .collect();
    output.table(&["NAME", "STATUS", "MAY", "LAST USED", "EXPIRES", "ID"], &rows, "no tokens");
}

/// What a token may do, and where, on one line.
fn may(token: &Value) -> String {
    let Some(policies) = token.get("policies").and_then(Value::as_array) else {
        return "everything".to_owned();
    };
    let policy = |policy: &Value| {
        let groups: Vec<String> =
            items(&policy["permission_groups"]).iter().map(|group| text(group, "/name")).collect();
        let places = policy["resources"].as_object();
        let places: Vec<&str> = places
            .into_iter()
            .flatten()
            .map(|(place, _)| place.strip_prefix(RESOURCE).unwrap_or(place).trim_start_matches('.'))
            .map(|place| if place == "*" { "account" } else { place })
            .collect();
        let not = if text(policy, "/effect") == "deny" { "not " } else { "" };
        format!("{not}{} on {}", groups.join(", "), places.join(", "))
    };
    policies.iter().map(policy).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_token_may_do_is_one_line() {
        assert_eq!(may(&json!({"name": "admin"})), "everything");
        let groups = json!([{"name": "Workers Scripts Write"}, {"name": "DNS Read"}]);
        let places = json!({"com.cloudflare.api.account.dispatch_namespace.a": "*", "com.cloudflare.api.account.*": "*"});
        let token = json!({"policies": [
            {"effect": "allow", "permission_groups": groups, "resources": places},
            {"effect": "deny", "permission_groups": [groups[1]], "resources": {"com.cloudflare.api.account.zone.*": "*"}},
        ]});
        let said = "Workers Scripts Write, DNS Read on account, dispatch_namespace.a; not DNS Read on zone.*";
        assert_eq!(may(&token), said);
    }
}
