//! `wasmyard d1`: SQL databases, what is done in one, as files, and back in time.
//!
//! Owns what is asked and shown about databases. It must never delete what is in one unasked.

use std::path::Path;

use ::md5::{Digest as _, Md5};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

use super::{client, forced, items, moment, text};
use crate::args::{ApiArgs, ChangeArgs, D1Command, ExportArgs, ListingArgs, TimeTravelCommand};
use crate::client::{Body, Client};
use crate::failure::Failure;
use crate::output::Output;

const PATH: [&str; 2] = ["d1", "database"];

/// Runs one of the database commands.
///
/// # Errors
/// The [`Failure`] that decides the exit code.
pub async fn run(command: D1Command, output: &Output) -> Result<(), Failure> {
    match command {
        D1Command::Create { name, output: listing } => {
            let client = client(&listing.api, output)?;
            let made =
                client.call_account(Method::POST, &PATH, &[], Body::Json(json!({ "name": name }))).await?;
            output.note(&format!("database {name} created"));
            show(&made, &listing, output);
        }
        D1Command::List { output: listing } => {
            let found = client(&listing.api, output)?.list_account(&PATH).await?;
            list(&found, &listing, output);
        }
        D1Command::Info { database, output: listing } => {
            let found = get(&client(&listing.api, output)?, &database).await?;
            show(&found, &listing, output);
        }
        D1Command::Delete { database, yes, change, api } => {
            delete(&database, yes, &change, &api, output).await?;
        }
        D1Command::Execute { database, command, output: listing } => {
            let client = client(&listing.api, output)?;
            let done = below(&client, &database, "raw", json!({ "sql": command })).await?;
            rows(&done, &listing, output);
        }
        D1Command::Import { database, file, output: listing } => {
            let done = import(&client(&listing.api, output)?, &database, &file).await?;
            let (queries, bookmark) = (text(&done, "/num_queries"), text(&done, "/final_bookmark"));
            if listing.json {
                output.json(&done);
            } else {
                output.line(&format!("{queries} statements carried out; the database is at {bookmark}"));
            }
        }
        D1Command::Export(args) => export(&args, output).await?,
        D1Command::TimeTravel(command) => travel(command, output).await?,
    }
    Ok(())
}

async fn get(client: &Client, database: &str) -> Result<Value, Failure> {
    Ok(client.call_account(Method::GET, &[PATH[0], PATH[1], database], &[], Body::Empty).await?)
}

/// A call on something of a database.
async fn below(client: &Client, database: &str, what: &str, body: Value) -> Result<Value, Failure> {
    let path = [PATH[0], PATH[1], database, what];
    Ok(client.call_account(Method::POST, &path, &[], Body::Json(body)).await?)
}

async fn delete(
    database: &str,
    yes: bool,
    change: &ChangeArgs,
    api: &ApiArgs,
    output: &Output,
) -> Result<(), Failure> {
    let client = client(api, output)?;
    let tables = get(&client, database).await?["num_tables"].as_u64().unwrap_or_default();
    if tables > 0 && !yes {
        return Err(Failure::with_remedy(
            format!("database {database} has {tables} tables, which would be deleted with it and its past"),
            format!("wasmyard d1 delete {database} --yes"),
        ));
    }
    let path = [PATH[0], PATH[1], database];
    client.call_account(Method::DELETE, &path, forced(change), Body::Empty).await?;
    output.note(&format!("database {database} deleted"));
    Ok(())
}

fn list(found: &Value, listing: &ListingArgs, output: &Output) {
    if listing.json {
        return output.json(found);
    }
    let row = |database: &Value| {
        let size = database["file_size"].as_u64().unwrap_or_default();
        vec![
            text(database, "/name"),
            crate::output::bytes(size),
            moment(database, "/created_at"),
            text(database, "/uuid"),
        ]
    };
    let rows: Vec<Vec<String>> = items(found).iter().map(row).collect();
    let empty = "no databases yet: `wasmyard d1 create NAME` makes one";
    output.table(&["NAME", "SIZE", "CREATED", "ID"], &rows, empty);
}

fn show(database: &Value, listing: &ListingArgs, output: &Output) {
    if listing.json {
        return output.json(database);
    }
    output.fields(&[
        ("name", text(database, "/name")),
        ("id", text(database, "/uuid")),
        ("bytes", text(database, "/file_size")),
        ("num_tables", text(database, "/num_tables")),
        ("created", moment(database, "/created_at")),
    ]);
}

/// The rows of each statement that has columns; of the others, what they did.
fn rows(done: &Value, listing: &ListingArgs, output: &Output) {
    if listing.json {
        return output.json(done);
    }
    for result in items(done) {
        let columns: Vec<String> =
            items(&result["results"]["columns"]).iter().map(|name| text(name, "")).collect();
        if columns.is_empty() {
            output.line(&format!("{} rows written", text(result, "/meta/rows_written")));
            continue;
        }
        let headers: Vec<&str> = columns.iter().map(String::as_str).collect();
        let row = |row: &Value| items(row).iter().map(|value| text(value, "")).collect();
        let rows: Vec<Vec<String>> = items(&result["results"]["rows"]).iter().map(row).collect();
        output.table(&headers, &rows, "no rows");
    }
}

async fn travel(command: TimeTravelCommand, output: &Output) -> Result<(), Failure> {
    match command {
        TimeTravelCommand::Info { database, timestamp, output: listing } => {
            let client = client(&listing.api, output)?;
            let path = [PATH[0], PATH[1], &database, "time_travel", "bookmark"];
            let query: Vec<(&str, &str)> = timestamp.iter().map(|at| ("timestamp", at.as_str())).collect();
            let told = client.call_account(Method::GET, &path, &query, Body::Empty).await?;
            if listing.json {
                output.json(&told);
            } else {
                output.fields(&[("bookmark", text(&told, "/bookmark"))]);
            }
        }
        TimeTravelCommand::Restore { database, bookmark, timestamp, output: listing } => {
            let client = client(&listing.api, output)?;
            let path = [PATH[0], PATH[1], &database, "time_travel", "restore"];
            let bookmark = bookmark.iter().map(|text| ("bookmark", text.as_str()));
            let query: Vec<(&str, &str)> =
                bookmark.chain(timestamp.iter().map(|at| ("timestamp", at.as_str()))).collect();
            let done = client.call_account(Method::POST, &path, &query, Body::Empty).await?;
            if listing.json {
                output.json(&done);
            } else {
                output.fields(&[
                    ("now at", text(&done, "/bookmark")),
                    ("before at", text(&done, "/previous_bookmark")),
                ]);
            }
        }
    }
    Ok(())
}

async fn import(client: &Client, database: &str, file: &Path) -> Result<Value, Failure> {
    let etag = md5(file).await.map_err(|error| unreadable(file, &error))?;
    let begun = below(client, database, "import", json!({ "action": "init", "etag": etag })).await?;
    let progress = match begun["upload_url"].as_str().and_then(|url| url.rsplit('/').next()) {
        None => begun,
        Some(place) => {
            let opened = tokio::fs::File::open(file).await.map_err(|error| unreadable(file, &error))?;
            client.send_file(&["d1", "uploads", place], opened).await?;
            let step = json!({ "action": "ingest", "etag": etag, "filename": begun["filename"] });
            below(client, database, "import", step).await?
        }
    };
    let again = |bookmark: &Value| json!({ "action": "poll", "current_bookmark": bookmark });
    ended(client, database, "import", progress, again).await
}

async fn export(args: &ExportArgs, output: &Output) -> Result<(), Failure> {
    let client = client(&args.api, output)?;
    let options = json!({ "tables": args.tables, "no_schema": args.no_schema, "no_data": args.no_data });
    let step = |bookmark: &Value| json!({ "output_format": "polling", "current_bookmark": bookmark, "dump_options": options });
    let begun = below(&client, &args.database, "export", step(&Value::Null)).await?;
    let done = ended(&client, &args.database, "export", begun, step).await?;
    let place = text(&done, "/signed_url");
    let place = place.rsplit('/').next().unwrap_or_default();
    let mut file =
        tokio::fs::File::create(&args.file).await.map_err(|error| unwritable(&args.file, &error))?;
    client.fetch_file(&["d1", "exports", place], &mut file).await?;
    output.note(&format!("database {} written to {}", args.database, args.file.display()));
    Ok(())
}

/// Asks how far work is until it has ended; the API waits before it answers.
async fn ended(
    client: &Client,
    database: &str,
    what: &str,
    mut progress: Value,
    again: impl Fn(&Value) -> Value,
) -> Result<Value, Failure> {
    while progress["status"] == "active" {
        progress = below(client, database, what, again(&progress["at_bookmark"])).await?;
    }
    if progress["status"] == "complete" {
        return Ok(progress["result"].clone());
    }
    Err(Failure::failed(format!("the {what} failed: {}", text(&progress, "/error"))))
}

/// The MD5 of a file, as imports are announced with.
async fn md5(file: &Path) -> std::io::Result<String> {
    let (mut file, mut sum) = (tokio::fs::File::open(file).await?, Md5::new());
    let mut piece = vec![0; 64 << 10];
    loop {
        let read = file.read(&mut piece).await?;
        let Some(bytes) = piece.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        sum.update(bytes);
    }
    Ok(sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn unreadable(file: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!("{} cannot be read: {error}", file.display()))
}

fn unwritable(file: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!("{} cannot be written: {error}", file.display()))
}
