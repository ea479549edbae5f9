//! `wasmyard namespace`: create, list, get, rename, delete.
//!
//! Owns what is asked and shown about namespaces. It must never delete scripts unasked.

use std::io::{BufRead, IsTerminal};

use reqwest::Method;
use serde_json::{Value, json};

use super::{client, deletion, forced, items, moment, text};
use crate::args::{ListingArgs, NamespaceCommand};
use crate::client::{Body, Client};
use crate::failure::Failure;
use crate::output::Output;

const PATH: [&str; 2] = ["dispatch", "namespaces"];

/// Runs one of the namespace commands.
///
/// # Errors
/// The [`Failure`] that decides the exit code.
pub async fn run(command: NamespaceCommand, output: &Output) -> Result<(), Failure> {
    match command {
        NamespaceCommand::Create { name, output: listing } => {
            let body = Body::Json(json!({ "name": name }));
            let made = client(&listing.api, output)?.call(Method::POST, &PATH, &[], body).await?;
            output.note(&format!("namespace {name} created"));
            show(&made, &listing, output);
        }
        NamespaceCommand::List { output: listing } => {
            let found = client(&listing.api, output)?.list(&PATH, &[]).await?;
            list(&found, &listing, output);
        }
        NamespaceCommand::Get { name, output: listing } => {
            let found = get(&client(&listing.api, output)?, &name).await?;
            show(&found, &listing, output);
        }
        NamespaceCommand::Rename { name, new_name, change, output: listing } => {
            let path = [PATH[0], PATH[1], &name];
            let body = Body::Json(json!({ "name": new_name }));
            let renamed =
                client(&listing.api, output)?.call(Method::PUT, &path, forced(&change), body).await?;
            output.note(&format!("namespace {name} is now {new_name}"));
            show(&renamed, &listing, output);
        }
        NamespaceCommand::Delete { name, yes, purge, change, api } => {
            let client = client(&api, output)?;
            if !yes {
                confirm(&client, &name, output).await?;
            }
            let path = [PATH[0], PATH[1], &name];
            client.call(Method::DELETE, &path, &deletion(&change, purge), Body::Empty).await?;
            output.note(&format!("namespace {name} deleted"));
        }
    }
    Ok(())
}

async fn get(client: &Client, name: &str) -> Result<Value, Failure> {
    Ok(client.call(Method::GET, &[PATH[0], PATH[1], name], &[], Body::Empty).await?)
}

fn list(found: &Value, listing: &ListingArgs, output: &Output) {
    if listing.json {
        return output.json(found);
    }
    let rows: Vec<Vec<String>> = items(found)
        .iter()
        .map(|namespace| {
            vec![
                text(namespace, "/namespace_name"),
                text(namespace, "/script_count"),
                moment(namespace, "/created_on"),
                text(namespace, "/namespace_id"),
            ]
        })
        .collect();
    let empty = "no namespaces yet: `wasmyard namespace create NAME` makes one";
    output.table(&["NAME", "SCRIPTS", "CREATED", "ID"], &rows, empty);
}

fn show(namespace: &Value, listing: &ListingArgs, output: &Output) {
    if listing.json {
        return output.json(namespace);
    }
    output.fields(&[
        ("name", text(namespace, "/namespace_name")),
        ("id", text(namespace, "/namespace_id")),
        ("scripts", text(namespace, "/script_count")),
        ("trusted workers", text(namespace, "/trusted_workers")),
        ("in wasmyard.toml", text(namespace, "/declared")),
        ("created", moment(namespace, "/created_on")),
        ("modified", moment(namespace, "/modified_on")),
    ]);
}

/// Scripts go with their namespace, for good: a person confirms, a program says `--yes`.
async fn confirm(client: &Client, name: &str, output: &Output) -> Result<(), Failure> {
    let namespace = get(client, name).await?;
    let scripts = namespace.pointer("/script_count").and_then(Value::as_u64).unwrap_or(0);
    if scripts == 0 {
        return Ok(());
    }
    if !(output.is_terminal() && std::io::stdin().is_terminal()) {
        return Err(Failure::with_remedy(
            format!("namespace {name} holds {scripts} scripts, which would be deleted with it"),
            format!("wasmyard namespace delete {name} --yes"),
        ));
    }
    output.note(&format!(
        "Namespace {name} holds {scripts} scripts, which are deleted with it. Type its name to go on:"
    ));
    let typed = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    match typed.await {
        Ok(Ok(line)) if line.trim() == name => Ok(()),
        _ => Err(Failure::failed("nothing was deleted")),
    }
}
