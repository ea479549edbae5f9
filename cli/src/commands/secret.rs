//! `wasmyard secret`: put, list, delete.
//!
//! Owns the way of a secret from standard input to the API. It must never take a secret from the command
//! line, where every process of the machine can read it, and never print one.

use std::io::{IsTerminal, Read};

use reqwest::Method;
use rustix::termios::{LocalModes, OptionalActions};
use serde_json::json;

use super::{client, forced, items, script_path, script_shown, text};
use crate::args::SecretCommand;
use crate::client::Body;
use crate::failure::Failure;
use crate::output::Output;

/// The API takes less; this only bounds what is read.
const SECRET_BYTES: u64 = 1024 * 1024;

/// Runs one of the secret commands.
///
/// # Errors
/// The [`Failure`] that decides the exit code.
pub async fn run(command: SecretCommand, output: &Output) -> Result<(), Failure> {
    match command {
        SecretCommand::Put { key, script, change, api } => {
            let client = client(&api, output)?;
            let value = read_value(output).await?;
            let namespace = script.namespace.as_deref();
            let path = script_path(namespace, &script.script, &["secrets"]);
            let body = json!({ "name": key, "text": value, "type": "secret_text" });
            client.call(Method::PUT, &path, forced(&change), Body::Json(body)).await?;
            output.note(&format!("secret {key} put for {}", script_shown(namespace, &script.script)));
        }
        SecretCommand::List { script, output: listing } => {
            let path = script_path(script.namespace.as_deref(), &script.script, &["secrets"]);
            let found = client(&listing.api, output)?.call(Method::GET, &path, &[], Body::Empty).await?;
            if listing.json {
                output.json(&found);
            } else {
                let rows: Vec<Vec<String>> =
                    items(&found).iter().map(|row| vec![text(row, "/name"), text(row, "/type")]).collect();
                output.table(&["NAME", "TYPE"], &rows, "no secrets");
            }
        }
        SecretCommand::Delete { key, script, change, api } => {
            let namespace = script.namespace.as_deref();
            let path = script_path(namespace, &script.script, &["secrets", &key]);
            let query = [&[("url_encoded", "true")], forced(&change)].concat();
            client(&api, output)?.call(Method::DELETE, &path, &query, Body::Empty).await?;
            output.note(&format!("secret {key} of {} deleted", script_shown(namespace, &script.script)));
        }
    }
    Ok(())
}

async fn read_value(output: &Output) -> Result<String, Failure> {
    if std::io::stdin().is_terminal() {
        output.note("Type the value (it is not shown) and press Enter:");
    }
    let read = tokio::task::spawn_blocking(|| {
        if std::io::stdin().is_terminal() { read_hidden_line() } else { read_all(std::io::stdin()) }
    });
    let text = match read.await {
        Ok(Ok(text)) => text,
        Ok(Err(error)) => return Err(Failure::failed(format!("the value cannot be read: {error}"))),
        Err(_) => return Err(Failure::failed("the value cannot be read")),
    };
    if text.is_empty() {
        return Err(Failure::Usage(
            "the value is empty; give it on standard input: printf %s \"$VALUE\" | wasmyard secret put ..."
                .to_owned(),
        ));
    }
    Ok(text)
}

/// All of a stream, without the line end that `echo` puts after it.
fn read_all(stream: impl Read) -> std::io::Result<String> {
    let mut text = String::new();
    stream.take(SECRET_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > SECRET_BYTES {
        return Err(std::io::Error::other(format!("it is longer than {SECRET_BYTES} bytes")));
    }
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

fn read_hidden_line() -> std::io::Result<String> {
    let stdin = std::io::stdin();
    let shown = rustix::termios::tcgetattr(&stdin)?;
    let mut hidden = shown.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    rustix::termios::tcsetattr(&stdin, OptionalActions::Now, &hidden)?;
    let mut line = String::new();
    let read = stdin.read_line(&mut line);
    rustix::termios::tcsetattr(&stdin, OptionalActions::Now, &shown)?;
    read?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_is_taken_off() {
        assert_eq!(read_all(&b"value\n"[..]).unwrap(), "value");
        assert_eq!(read_all(&b"value\r\n"[..]).unwrap(), "value");
        assert_eq!(read_all(&b"two\nlines\n\n"[..]).unwrap(), "two\nlines\n");
        assert_eq!(read_all(&b"exact"[..]).unwrap(), "exact");
    }

    #[test]
    fn an_endless_value_is_refused() {
        assert!(read_all(std::io::repeat(b'x')).unwrap_err().to_string().contains("longer than"));
    }
}
