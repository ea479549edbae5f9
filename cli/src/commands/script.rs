//! `wasmyard script`: list, get, delete.
//!
//! Owns what is asked and shown about scripts; uploading them is `deploy`'s.

use reqwest::Method;
use serde_json::Value;

use super::{client, deletion, forced, items, moment, script_path, script_shown, scripts_path, text};
use crate::args::{ListingArgs, ScriptCommand};
use crate::client::{Body, Client};
use crate::failure::Failure;
use crate::output::Output;

/// The code of an answer that there is no such platform script.
const SERVICE_NOT_FOUND: i64 = 10090;

/// Runs one of the script commands.
///
/// # Errors
/// The [`Failure`] that decides the exit code.
pub async fn run(command: ScriptCommand, output: &Output) -> Result<(), Failure> {
    match command {
        ScriptCommand::List { namespace, tags, output: listing } => {
            let query: Vec<(&str, &str)> = tags.as_deref().map(|tags| ("tags", tags)).into_iter().collect();
            let path = scripts_path(namespace.as_deref());
            let found = client(&listing.api, output)?.list(&path, &query).await?;
            list(&found, namespace.as_deref(), &listing, output);
        }
        ScriptCommand::Get { name, namespace, output: listing } => {
            let found = get(&client(&listing.api, output)?, namespace.as_deref(), &name).await?;
            show(&found, &listing, output);
        }
        ScriptCommand::Storage { name, namespace, remove_unused, change, output: listing } => {
            let path = script_path(namespace.as_deref(), &name, &["storage"]);
            let client = client(&listing.api, output)?;
            if remove_unused {
                let removed = client.call(Method::DELETE, &path, forced(&change), Body::Empty).await?;
                output.note(&format!("{} removed", text(&removed, "/removed")));
            }
            storage(&client.call(Method::GET, &path, &[], Body::Empty).await?, &listing, output);
        }
        ScriptCommand::Delete { name, namespace, purge, change, api } => {
            let path = script_path(namespace.as_deref(), &name, &[]);
            client(&api, output)?.call(Method::DELETE, &path, &deletion(&change, purge), Body::Empty).await?;
            output.note(&format!("script {} deleted", script_shown(namespace.as_deref(), &name)));
        }
    }
    Ok(())
}

/// The API answers GET of a platform script with its code, so that one is looked up as a service.
async fn get(client: &Client, namespace: Option<&str>, name: &str) -> Result<Value, Failure> {
    if namespace.is_some() {
        let path = script_path(namespace, name, &[]);
        return Ok(client.call(Method::GET, &path, &[], Body::Empty).await?);
    }
    match client.call(Method::GET, &["services", name], &[], Body::Empty).await {
        Ok(service) => Ok(service.pointer("/default_environment/script").cloned().unwrap_or_default()),
        Err(error) if error.code() == Some(SERVICE_NOT_FOUND) => Err(Failure::with_remedy(
            format!("there is no platform script {name}"),
            "`wasmyard script list` shows what exists; a user script needs --namespace NS",
        )),
        Err(error) => Err(error.into()),
    }
}

/// A field at the top level, or where the namespaced view keeps it.
fn field(script: &Value, name: &str) -> String {
    let top = text(script, &format!("/{name}"));
    if top.is_empty() { text(script, &format!("/script/{name}")) } else { top }
}

fn time(script: &Value, name: &str) -> String {
    let top = moment(script, &format!("/{name}"));
    if top.is_empty() { moment(script, &format!("/script/{name}")) } else { top }
}

fn storage(found: &Value, listing: &ListingArgs, output: &Output) {
    if listing.json {
        return output.json(found);
    }
    let fields = ["/binding", "/type", "/bytes", "/entries", "/unused_since", "/id"];
    let row = |one: &Value| fields.iter().map(|field| text(one, field)).collect();
    let rows: Vec<Vec<String>> = items(found).iter().map(row).collect();
    let header = ["BINDING", "TYPE", "BYTES", "ENTRIES", "UNUSED SINCE", "ID"];
    output.table(&header, &rows, "nothing of its own: a binding with `\"own\": true` makes some");
}

fn list(found: &Value, namespace: Option<&str>, listing: &ListingArgs, output: &Output) {
    if listing.json {
        return output.json(found);
    }
    let rows: Vec<Vec<String>> = items(found)
        .iter()
        .map(|script| vec![field(script, "id"), field(script, "tags"), time(script, "modified_on")])
        .collect();
    let empty = match namespace {
        Some(namespace) => format!("no such scripts in {namespace}"),
        None => "no platform scripts; --namespace NS lists user scripts".to_owned(),
    };
    output.table(&["NAME", "TAGS", "MODIFIED"], &rows, &empty);
}

fn show(script: &Value, listing: &ListingArgs, output: &Output) {
    if listing.json {
        return output.json(script);
    }
    output.fields(&[
        ("name", field(script, "id")),
        ("namespace", text(script, "/dispatch_namespace")),
        ("tags", field(script, "tags")),
        ("etag", field(script, "etag")),
        ("created", time(script, "created_on")),
        ("modified", time(script, "modified_on")),
    ]);
}
