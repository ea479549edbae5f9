//! `wasmyard r2`: buckets, objects, and the access key that a token is.
//!
//! Owns what is asked and shown about objects. A content is never whole in memory.

use reqwest::Method;
use serde_json::{Value, json};

use super::{client, forced, items, moment, text};
use crate::args::{BucketCommand, ObjectCommand, R2Command};
use crate::client::{Body, Client};
use crate::failure::Failure;
use crate::output::{Output, bytes};

/// Runs one of the commands.
///
/// # Errors
/// The [`Failure`] that decides the exit code.
pub async fn run(command: R2Command, output: &Output) -> Result<(), Failure> {
    match command {
        R2Command::Bucket(command) => bucket(command, output).await,
        R2Command::Object(command) => object(command, output).await,
        R2Command::Key { output: listing } => {
            let client = client(&listing.api, output)?;
            let (id, secret) = client.access_key().await?;
            if listing.json {
                output.json(&json!({ "access_key_id": id, "secret_access_key": secret }));
            } else {
                output.fields(&[("access key id", id), ("secret access key", secret)]);
            }
            Ok(())
        }
    }
}

async fn bucket(command: BucketCommand, output: &Output) -> Result<(), Failure> {
    match command {
        BucketCommand::List { output: listing } => {
            let client = client(&listing.api, output)?;
            let found = pages(&client, &["r2", "buckets"], &[], "/buckets").await?;
            if listing.json {
                output.json(&Value::Array(found));
                return Ok(());
            }
            let row = |bucket: &Value| vec![text(bucket, "/name"), moment(bucket, "/creation_date")];
            output.table(&["BUCKET", "MADE"], &found.iter().map(row).collect::<Vec<_>>(), "no buckets");
        }
        BucketCommand::Create { bucket, output: listing } => {
            let client = client(&listing.api, output)?;
            let body = Body::Json(json!({ "name": bucket }));
            let made = client.call_account(Method::POST, &["r2", "buckets"], &[], body).await?;
            if listing.json {
                output.json(&made);
            } else {
                output.line(&format!("bucket {bucket} made"));
            }
        }
        BucketCommand::Delete { bucket, change, output: listing } => {
            let client = client(&listing.api, output)?;
            let path = ["r2", "buckets", &bucket];
            client.call_account(Method::DELETE, &path, forced(&change), Body::Empty).await?;
            output.line(&format!("bucket {bucket} deleted"));
        }
    }
    Ok(())
}

async fn object(command: ObjectCommand, output: &Output) -> Result<(), Failure> {
    match command {
        ObjectCommand::List { bucket, prefix, output: listing } => {
            let client = client(&listing.api, output)?;
            let path = ["r2", "buckets", &bucket, "objects"];
            let found = pages(&client, &path, &[("prefix", &prefix)], "").await?;
            if listing.json {
                output.json(&Value::Array(found));
                return Ok(());
            }
            let row = |object: &Value| {
                let size = object["size"].as_u64().unwrap_or(0);
                vec![text(object, "/key"), bytes(size), moment(object, "/last_modified")]
            };
            output.table(&["KEY", "SIZE", "PUT"], &found.iter().map(row).collect::<Vec<_>>(), "no objects");
        }
        ObjectCommand::Put { bucket, key, file, content_type, output: listing } => {
            let client = client(&listing.api, output)?;
            let unread = |error: std::io::Error| {
                Failure::failed(format!("{} cannot be read: {error}", file.display()))
            };
            let opened = tokio::fs::File::open(&file).await.map_err(unread)?;
            let length = opened.metadata().await.map_err(unread)?.len();
            let made = client.put_object([&bucket, &key], opened, length, content_type.as_deref()).await?;
            if listing.json {
                output.json(&made);
            } else {
                output.line(&format!("{bucket}/{key} put: {}", bytes(length)));
            }
        }
        ObjectCommand::Get { bucket, key, file, output: listing } => {
            let client = client(&listing.api, output)?;
            let written = client
                .get_object(&bucket, &key, &file)
                .await?
                .map_err(|error| Failure::failed(format!("{} cannot be written: {error}", file.display())))?;
            output.line(&format!("{bucket}/{key} written to {}: {}", file.display(), bytes(written)));
        }
        ObjectCommand::Delete { bucket, keys, output: listing } => {
            let client = client(&listing.api, output)?;
            let path = ["r2", "buckets", &bucket, "objects"];
            client.call_account(Method::DELETE, &path, &[], Body::Json(json!(keys))).await?;
            output.line(&format!("deleted from {bucket}: {}", keys.join(", ")));
        }
    }
    Ok(())
}

/// All rows of a list, page by page.
async fn pages(
    client: &Client,
    path: &[&str],
    query: &[(&str, &str)],
    rows: &str,
) -> Result<Vec<Value>, Failure> {
    let (mut found, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut query = [query, &[("per_page", "1000")]].concat();
        if let Some(cursor) = &cursor {
            query.push(("cursor", cursor));
        }
        let (page, next) = client.page_of_account(path, &query).await?;
        found.extend(page.pointer(rows).map(items).into_iter().flatten().cloned());
        match next {
            Some(next) if !next.is_empty() => cursor = Some(next),
            _ => return Ok(found),
        }
    }
}
