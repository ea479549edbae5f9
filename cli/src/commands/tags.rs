//! `wasmyard tags`: list, set, add, remove.
//!
//! Owns what is asked and shown about the tags of a user script.

use reqwest::Method;
use serde_json::{Value, json};

use super::{client, forced, items, script_path, text};
use crate::args::{ListingArgs, TagTarget, TagsCommand};
use crate::client::{Body, Client};
use crate::failure::Failure;
use crate::output::Output;

/// Runs one of the tag commands; each ends by showing the tags as they are now.
///
/// # Errors
/// The [`Failure`] that decides the exit code.
pub async fn run(command: TagsCommand, output: &Output) -> Result<(), Failure> {
    match command {
        TagsCommand::List { target, output: listing } => {
            show(&client(&listing.api, output)?, &target, &listing, output).await
        }
        TagsCommand::Set { target, tags, change, output: listing } => {
            let client = client(&listing.api, output)?;
            client.call(Method::PUT, &path(&target), forced(&change), Body::Json(json!(tags))).await?;
            show(&client, &target, &listing, output).await
        }
        TagsCommand::Add { target, tags, change, output: listing } => {
            let client = client(&listing.api, output)?;
            let body = Body::Json(json!({ "add": tags }));
            client.call(Method::PATCH, &path(&target), forced(&change), body).await?;
            show(&client, &target, &listing, output).await
        }
        TagsCommand::Remove { target, tags, change, output: listing } => {
            let client = client(&listing.api, output)?;
            let body = Body::Json(json!({ "remove": tags }));
            client.call(Method::PATCH, &path(&target), forced(&change), body).await?;
            show(&client, &target, &listing, output).await
        }
    }
}

fn path(target: &TagTarget) -> Vec<&str> {
    script_path(Some(&target.namespace), &target.script, &["tags"])
}

async fn show(
    client: &Client,
    target: &TagTarget,
    listing: &ListingArgs,
    output: &Output,
) -> Result<(), Failure> {
    let found = client.call(Method::GET, &path(target), &[], Body::Empty).await?;
    if listing.json {
        output.json(&found);
        return Ok(());
    }
    let rows: Vec<Vec<String>> = items(&found).iter().map(|tag: &Value| vec![text(tag, "")]).collect();
    output.table(&["TAG"], &rows, "no tags");
    Ok(())
}
