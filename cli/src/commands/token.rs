//! `wasmyard token`: list, create, revoke.
//!
//! Owns what is asked and shown about the tokens of the API. A token's text goes to standard output once, when it
//! is made, and is kept nowhere.

use reqwest::Method;
use serde_json::{Value, json};

use super::{client, items, moment, text};
use crate::args::{ListingArgs, TokenCommand};
use crate::client::Body;
use crate::failure::Failure;
use crate::output::Output;

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
        TokenCommand::Create { name, expires, output: listing } => {
            let client = client(&listing.api, output)?;
            let mut wanted = json!({ "name": name });
            if let (Some(expires), Some(fields)) = (expires, wanted.as_object_mut()) {
                fields.insert("expires_on".to_owned(), Value::from(expires));
            }
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
        TokenCommand::Revoke { id, api } => {
            client(&api, output)?.call_tokens(Method::DELETE, &[&id], Body::Empty).await?;
            output.note(&format!("token {id} revoked"));
        }
    }
    Ok(())
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
                moment(token, "/issued_on"),
                moment(token, "/expires_on"),
                text(token, "/id"),
            ]
        })
        .collect();
    output.table(&["NAME", "STATUS", "CREATED", "EXPIRES", "ID"], &rows, "no tokens");
}
