//! `wasmyard hostname`: add, list, show, wait, refresh, clients, delete.
//!
//! Owns what is asked and shown about custom hostnames, and the table of DNS records that a customer needs. It must never
//! show a record that the API does not ask for.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::zone::named;
use super::{client, items, moment, text};
use crate::args::{HostnameCommand, HostnameWanted, InZoneArgs, WaitArgs};
use crate::client::{Body, Client};
use crate::failure::Failure;
use crate::output::Output;

mod clients;
mod mistakes;
mod wait;

const PART: &str = "custom_hostnames";

/// Runs one of the hostname commands.
///
/// # Errors
/// The [`Failure`] that decides the exit code.
pub async fn run(command: HostnameCommand, output: &Output) -> Result<(), Failure> {
    match command {
        HostnameCommand::Add { wanted, wait, zone } => {
            let wanted = to_make(wanted)?;
            let (client, id) = in_zone(&zone, output).await?;
            let made = client.call_zones(Method::POST, &[&id, PART], &[], Body::Json(wanted)).await?;
            output.note(&format!("custom hostname {} added", text(&made, "/hostname")));
            finish(&client, &id, &made, wait, &zone, output).await?;
        }
        HostnameCommand::List { filters, zone } => {
            let (client, id) = in_zone(&zone, output).await?;
            let certificate = filters.certificate.map(|with| if with { "1" } else { "0" });
            let query = [
                ("hostname.contain", filters.contains.as_deref()),
                ("hostname_status", filters.status.as_deref()),
                ("ssl_status", filters.ssl_status.as_deref()),
                ("custom_origin_server", filters.origin.as_deref()),
                ("ssl", certificate),
            ];
            let query: Vec<(&str, &str)> =
                query.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
            let found = client.list_zones(&[&id, PART], &query).await?;
            list(&found, &zone, output);
        }
        HostnameCommand::Wait { hostname, timeout, zone } => {
            let (client, id) = in_zone(&zone, output).await?;
            let found = find(&client, &id, &hostname).await?;
            let wait = WaitArgs { wait: true, timeout };
            finish(&client, &id, &found, wait, &zone, output).await?;
        }
        HostnameCommand::Refresh { hostname, wait, zone } => {
            let (client, id) = in_zone(&zone, output).await?;
            let found = find(&client, &id, &hostname).await?;
            let (method, kind) = (text(&found, "/ssl/method"), text(&found, "/ssl/type"));
            if method.is_empty() || kind.is_empty() {
                return Err(Failure::failed(format!(
                    "{hostname} asks for no certificate, and so cannot be refreshed: its checks go on by themselves"
                )));
            }
            let again = Body::Json(json!({"ssl": {"method": method, "type": kind}}));
            let path = [id.as_str(), PART, &text(&found, "/id")];
            let begun = client.call_zones(Method::PATCH, &path, &[], again).await?;
            output.note(&format!("all checks of {hostname} begin again"));
            finish(&client, &id, &begun, wait, &zone, output).await?;
        }
        HostnameCommand::Clients { hostname, wanted, zone } => {
            let (client, id) = in_zone(&zone, output).await?;
            clients::set(&client, &id, &hostname.to_ascii_lowercase(), &wanted, output).await?;
        }
        HostnameCommand::Show { hostname, zone } => {
            let (client, id) = in_zone(&zone, output).await?;
            let found = find(&client, &id, &hostname).await?;
            show(&client, &id, &found, &zone, output).await?;
        }
        HostnameCommand::Delete { hostname, zone } => {
            let (client, id) = in_zone(&zone, output).await?;
            let found = text(&find(&client, &id, &hostname).await?, "/id");
            client.call_zones(Method::DELETE, &[&id, PART, &found], &[], Body::Empty).await?;
            output.note(&format!("custom hostname {hostname} deleted"));
        }
    }
    Ok(())
}

/// The body that makes a hostname.
fn to_make(wanted: HostnameWanted) -> Result<Value, Failure> {
    let HostnameWanted { hostname, method, wildcard, no_certificate, metadata, origin } = wanted;
    let mut body = Map::from_iter([("hostname".to_owned(), json!(hostname))]);
    let mut set = |name: &str, value: Value| body.insert(name.to_owned(), value);
    match (no_certificate, wildcard) {
        (true, _) => {}
        (false, true) => drop(set("ssl", json!({"method": method, "type": "dv", "wildcard": true}))),
        (false, false) => drop(set("ssl", json!({"method": method, "type": "dv"}))),
    }
    if let Some(metadata) = metadata {
        let metadata = serde_json::from_str(&metadata)
            .map_err(|error| Failure::Usage(format!("--metadata is not JSON: {error}")))?;
        set("custom_metadata", metadata);
    }
    if let Some(origin) = origin {
        set("custom_origin_server", json!(origin));
    }
    Ok(Value::Object(body))
}

/// Shows a hostname, and waits until it is served where that was asked for. JSON comes once, at the end.
async fn finish(
    client: &Client,
    zone: &str,
    hostname: &Value,
    WaitArgs { wait, timeout }: WaitArgs,
    args: &InZoneArgs,
    output: &Output,
) -> Result<(), Failure> {
    if !wait {
        return show(client, zone, hostname, args, output).await;
    }
    if !args.output.json {
        show(client, zone, hostname, args, output).await?;
    }
    let target = target(client, zone).await;
    let patience = Duration::from_secs(timeout);
    let served = wait::wait(client, zone, hostname, target.as_deref(), patience, output).await?;
    if args.output.json {
        return show(client, zone, &served, args, output).await;
    }
    output.line(&wait::address(&served));
    Ok(())
}

/// What customers point at: the zone's fallback origin. A zone without one has nothing yet.
async fn target(client: &Client, zone: &str) -> Option<String> {
    let path = [zone, PART, "fallback_origin"];
    let fallback = client.call_zones(Method::GET, &path, &[], Body::Empty).await.ok()?;
    Some(text(&fallback, "/origin")).filter(|origin| !origin.is_empty())
}

/// The client, and the id of the zone that a command is about.
async fn in_zone(args: &InZoneArgs, output: &Output) -> Result<(Client, String), Failure> {
    let client = client(&args.output.api, output)?;
    let zone = named(&client, args.zone.as_deref()).await?;
    Ok((client, text(&zone, "/id")))
}

async fn find(client: &Client, zone: &str, hostname: &str) -> Result<Value, Failure> {
    let found = client.list_zones(&[zone, PART], &[("hostname", hostname)]).await?;
    items(&found).first().cloned().ok_or_else(|| {
        Failure::with_remedy(
            format!("the zone has no custom hostname {hostname}"),
            "`wasmyard hostname list` shows what exists",
        )
    })
}

fn list(found: &Value, args: &InZoneArgs, output: &Output) {
    if args.output.json {
        return output.json(found);
    }
    let row = |hostname: &Value| {
        vec![
            text(hostname, "/hostname"),
            text(hostname, "/status"),
            text(hostname, "/ssl/status"),
            moment(hostname, "/created_at"),
            text(hostname, "/id"),
        ]
    };
    let rows: Vec<Vec<String>> = items(found).iter().map(row).collect();
    let empty = "no custom hostnames yet: `wasmyard hostname add NAME` makes one";
    output.table(&["HOSTNAME", "STATUS", "CERTIFICATE", "CREATED", "ID"], &rows, empty);
}

/// The hostname, and beside it the DNS records that its customer needs.
async fn show(
    client: &Client,
    zone: &str,
    hostname: &Value,
    args: &InZoneArgs,
    output: &Output,
) -> Result<(), Failure> {
    let target = target(client, zone).await;
    let records = records(hostname, target.as_deref());
    if args.output.json {
        let record = |[kind, name, value]: &[String; 3]| json!({"type": kind, "name": name, "value": value});
        let shown: Value = records.iter().map(record).collect();
        let mut whole = hostname.as_object().cloned().unwrap_or_default();
        whole.insert("dns_records".to_owned(), shown);
        output.json(&Value::Object(whole));
        return Ok(());
    }
    output.fields(&[
        ("hostname", text(hostname, "/hostname")),
        ("id", text(hostname, "/id")),
        ("status", text(hostname, "/status")),
        ("certificate", text(hostname, "/ssl/status")),
        ("expires", text(hostname, "/ssl/expires_on")),
        ("renewed", text(hostname, "/ssl/renew_at")),
        ("missing", text(hostname, "/verification_errors")),
        ("seen", text(hostname, "/ownership_checks/seen")),
        ("looked at", mistakes::next(hostname).unwrap_or_default()),
        ("metadata", text(hostname, "/custom_metadata")),
        ("origin", text(hostname, "/custom_origin_server")),
    ]);
    mistakes::lines(hostname).iter().for_each(|line| output.line(line));
    output.line("");
    let rows: Vec<Vec<String>> = records.into_iter().map(Vec::from).collect();
    let texts = rows.iter().any(|row| is_of(row, "TXT")) && rows.iter().any(|row| is_of(row, "CNAME"));
    output.table(&["TYPE", "NAME", "VALUE"], &rows, "no DNS records are needed");
    if texts {
        output.note("of the records of _acme-challenge one kind is enough: CNAME, for good, or TXT, for this certificate");
    }
    if target.is_none() {
        output
            .note("the zone has no fallback origin: there is nothing yet that your customer could point at");
    }
    Ok(())
}

/// Whether a row is a record of this type by which an authority is shown whose the name is.
fn is_of(row: &[String], kind: &str) -> bool {
    matches!(row, [own, name, ..] if own == kind && name.starts_with("_acme-challenge."))
}

/// Type, name and value of each DNS record that a customer makes.
fn records(hostname: &Value, target: Option<&str>) -> Vec<[String; 3]> {
    let record = |kind: &str, name: String, value: String| [kind.to_owned(), name, value];
    let mut records = vec![record(
        "TXT",
        text(hostname, "/ownership_verification/name"),
        text(hostname, "/ownership_verification/value"),
    )];
    for proof in hostname.pointer("/ssl/validation_records").map(items).unwrap_or_default() {
        if proof.pointer("/txt_name").is_some() {
            records.push(record("TXT", text(proof, "/txt_name"), text(proof, "/txt_value")));
        }
    }
    // In place of the texts, for all certificates that follow.
    for delegated in hostname.pointer("/ssl/dcv_delegation_records").map(items).unwrap_or_default() {
        records.push(record("CNAME", text(delegated, "/cname"), text(delegated, "/cname_target")));
    }
    if let Some(target) = target {
        records.push(record("CNAME", text(hostname, "/hostname"), target.to_owned()));
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_records_are_those_that_are_asked_for() {
        let hostname = json!({
            "hostname": "shop.customer.test",
            "ownership_verification": {"type": "txt", "name": "_cf-custom-hostname.shop.customer.test", "value": "token"},
            "ssl": {"validation_records": [
                {"status": "pending", "txt_name": "_acme-challenge.shop.customer.test", "txt_value": "proof"},
                {"status": "pending", "http_url": "http://shop.customer.test/x", "http_body": "y"},
            ], "dcv_delegation_records": [
                {"cname": "_acme-challenge.shop.customer.test", "cname_target": "shop.customer.test.label.dcv.test"},
            ]},
        });
        let shown = records(&hostname, Some("service.saas.test"));
        let shown: Vec<String> = shown.iter().map(|record| record.join(" ")).collect();
        assert_eq!(
            shown,
            [
                "TXT _cf-custom-hostname.shop.customer.test token",
                "TXT _acme-challenge.shop.customer.test proof",
                "CNAME _acme-challenge.shop.customer.test shop.customer.test.label.dcv.test",
                "CNAME shop.customer.test service.saas.test",
            ]
        );
        assert_eq!(records(&json!({"ownership_verification": {}}), None).len(), 1);
    }
}
