//! `wasmyard tags`: list, set, add, remove.
//!
//! Owns what is asked and shown about the tags of a user script.

use reqwest::Method;
use serde_json::{Value, json};

use super::{client, items, script_path, text};
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
            show(&client(&listing.api)?, &target, &listing, output).await
        }
        TagsCommand::Set { target, tags, output: listing } => {
            let client = client(&listing.api)?;
            client.call(Method::PUT, &path(&target, &[]), &[], Body::Json(json!(tags))).await?;
            show(&client, &target, &listing, output).await
        }
        TagsCommand::Add { target, tags, output: listing } => {
            let client = client(&listing.api)?;
            for tag in &tags {
                client.call(Method::PUT, &path(&target, &[tag]), &[], Body::Empty).await?;
            }
            show(&client, &target, &listing, output).await
        }
        TagsCommand::Remove { target, tags, output: listing } => {
            let client = client(&listing.api)?;
            for tag in &tags {
                client.call(Method::DELETE, &path(&target, &[tag]), &[], Body::Empty).await?;
            }
            show(&client, &target, &listing, output).await
        }
    }
}

fn path<'a>(target: &'a TagTarget, tag: &[&'a str]) -> Vec<&'a str> {
    let mut path = script_path(Some(&target.namespace), &target.script, &["tags"]);
    path.extend_from_slice(tag);
    path
}

async fn show(
    client: &Client,
    target: &TagTarget,
    listing: &ListingArgs,
    output: &Output,
) -> Result<(), Failure> {
    let found = client.call(Method::GET, &path(target, &[]), &[], Body::Empty).await?;
    if listing.json {
        output.json(&found);
        return Ok(());
    }
    let rows: Vec<Vec<String>> = items(&found).iter().map(|tag: &Value| vec![text(tag, "")]).collect();
    output.table(&["TAG"], &rows, "no tags");
    Ok(())
}
