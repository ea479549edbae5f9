//! `wasmyard api`: any call of the v4 API, for what has no command.
//!
//! Owns where body and answer come from and go to. Must never send the token to another machine: the client sees to that.

use std::path::Path;

use bytes::Bytes;
use reqwest::Method;
use serde_json::Value;
use tokio::io::AsyncReadExt as _;

use super::client;
use crate::args::AnyCallArgs;
use crate::client::Whole;
use crate::failure::Failure;
use crate::output::Output;

/// What stands for the account in paths; the server takes any name.
const ACCOUNT: &str = "local";

/// Makes the call.
///
/// # Errors
/// The [`Failure`] that decides the exit code.
pub async fn run(args: &AnyCallArgs, output: &Output) -> Result<(), Failure> {
    let method = args.method.to_ascii_uppercase();
    let method = match method.as_str() {
        "GET" | "POST" | "PUT" | "PATCH" | "DELETE" => method.parse::<Method>(),
        _ => {
            return Err(Failure::Usage(format!(
                "{:?} is no method: GET, POST, PUT, PATCH or DELETE",
                args.method
            )));
        }
    };
    let method = method.map_err(|error| Failure::Usage(error.to_string()))?;
    let path = args.path.replace("{account_id}", ACCOUNT);
    let path = path.trim_start_matches('/').trim_start_matches("client/v4/");
    let body = match &args.data {
        Some(data) => Some((args.content_type.as_str(), body(data).await?)),
        None => None,
    };
    let answer = client(&args.api, output)?.any(method, path, &args.query, body).await?;
    let content = match answer {
        Whole::Json(envelope) => {
            for message in envelope.get("messages").and_then(Value::as_array).into_iter().flatten() {
                let text = message.get("message").and_then(Value::as_str).unwrap_or_default();
                output.note(&format!("note: {text}"));
            }
            let result = envelope.get("result").unwrap_or(&Value::Null);
            let shown = if args.envelope { &envelope } else { result };
            let Some(file) = &args.output else {
                output.json(shown);
                return Ok(());
            };
            return write(file, format!("{shown:#}\n").as_bytes());
        }
        Whole::Content(content) => content,
    };
    match (&args.output, std::str::from_utf8(&content)) {
        (Some(file), _) => write(file, &content),
        (None, Ok(text)) => {
            text.lines().for_each(|line| output.line(line));
            Ok(())
        }
        (None, Err(_)) => {
            Err(Failure::Usage("the answer is no text: say with --output where it is to go".to_owned()))
        }
    }
}

/// A body as it was given: itself, a file, or standard input.
async fn body(data: &str) -> Result<Bytes, Failure> {
    let read = match data.strip_prefix('@') {
        Some(file) => tokio::fs::read(file).await,
        None if data == "-" => {
            let mut bytes = Vec::new();
            tokio::io::stdin().read_to_end(&mut bytes).await.map(|_| bytes)
        }
        None => return Ok(Bytes::copy_from_slice(data.as_bytes())),
    };
    read.map(Bytes::from).map_err(|error| Failure::Usage(format!("--data {data}: {error}")))
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(file, bytes)
        .map_err(|error| Failure::Usage(format!("--output {}: {error}", file.display())))
}
