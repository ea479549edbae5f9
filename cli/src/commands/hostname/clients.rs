//! `wasmyard hostname clients`: whose certificates a hostname asks its clients for.
//!
//! Owns the order of the calls: what was asked before goes when what is asked now is there.

use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use super::super::{items, text};
use crate::args::ClientsWanted;
use crate::client::{Body, Client};
use crate::failure::Failure;
use crate::output::Output;

const AUTHORITIES: &str = "mtls_certificates";
const ASSOCIATIONS: [&str; 2] = ["certificate_authorities", "hostname_associations"];

/// Authorities that a hostname asks for, and who else of the zone does.
struct Asked {
    id: String,
    name: String,
    mode: String,
    others: Vec<String>,
}

/// Has a hostname ask for certificates of the authorities in a file, or for none.
pub(super) async fn set(
    client: &Client,
    zone: &str,
    hostname: &str,
    wanted: &ClientsWanted,
    output: &Output,
) -> Result<(), Failure> {
    let before = asked(client, zone, hostname).await?;
    let Some(file) = &wanted.ca else {
        let Some(before) = before else {
            return Err(Failure::failed(format!("{hostname} asks its clients for nothing")));
        };
        associate(client, zone, &before.id, &before.others, &before.mode).await?;
        forget(client, &before, hostname).await;
        output.note(&format!("{hostname} asks its clients for certificates no more"));
        return Ok(());
    };
    let certificates = read(file)?;
    let upload = json!({"ca": true, "certificates": certificates, "name": hostname});
    let made = client.call_account(Method::POST, &[AUTHORITIES], &[], Body::Json(upload)).await?;
    let (id, mode) = (text(&made, "/id"), if wanted.optional { "optional" } else { "required" });
    if let Err(failure) = associate(client, zone, &id, &[hostname.to_owned()], mode).await {
        // Nobody asks for them.
        let _kept = client.call_account(Method::DELETE, &[AUTHORITIES, &id], &[], Body::Empty).await;
        return Err(failure);
    }
    if let Some(before) = before {
        forget(client, &before, hostname).await;
    }
    let issuer = text(&made, "/issuer");
    output.note(&format!("{hostname} asks its clients for certificates of {issuer} ({mode})"));
    Ok(())
}

fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file)
        .map_err(|error| Failure::failed(format!("{} cannot be read: {error}", file.display())))
}

/// What a hostname asks for now.
async fn asked(client: &Client, zone: &str, hostname: &str) -> Result<Option<Asked>, Failure> {
    let all = client.call_account(Method::GET, &[AUTHORITIES], &[("per_page", "1000")], Body::Empty).await?;
    for authority in items(&all) {
        let id = text(authority, "/id");
        let path = [zone, ASSOCIATIONS[0], ASSOCIATIONS[1]];
        let query = [("mtls_certificate_id", id.as_str())];
        let found = client.call_zones(Method::GET, &path, &query, Body::Empty).await?;
        let names = found.get("hostnames").and_then(Value::as_array);
        let names: Vec<String> = names.into_iter().flatten().filter_map(named).collect();
        if names.iter().any(|name| name == hostname) {
            let others = names.into_iter().filter(|name| name != hostname).collect();
            let (name, mode) = (text(authority, "/name"), text(&found, "/client_certificates"));
            return Ok(Some(Asked { id, name, mode, others }));
        }
    }
    Ok(None)
}

fn named(name: &Value) -> Option<String> {
    name.as_str().map(str::to_owned)
}

async fn associate(
    client: &Client,
    zone: &str,
    id: &str,
    hostnames: &[String],
    mode: &str,
) -> Result<(), Failure> {
    let path = [zone, ASSOCIATIONS[0], ASSOCIATIONS[1]];
    let wanted = json!({"hostnames": hostnames, "mtls_certificate_id": id, "client_certificates": mode});
    client.call_zones(Method::PUT, &path, &[], Body::Json(wanted)).await?;
    Ok(())
}

/// Deletes authorities that were uploaded for this hostname alone. Where somebody asks for them yet, they stay.
async fn forget(client: &Client, before: &Asked, hostname: &str) {
    if before.others.is_empty() && before.name == hostname {
        let path = [AUTHORITIES, &before.id];
        let _kept = client.call_account(Method::DELETE, &path, &[], Body::Empty).await;
    }
}
