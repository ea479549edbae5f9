//! `wasmyard authority`: another key for the account that is had with an authority of certificates.

use reqwest::Method;

use super::client;
use crate::args::AuthorityCommand;
use crate::client::Body;
use crate::failure::Failure;
use crate::output::Output;

/// Runs one of the commands on authorities.
///
/// # Errors
/// The [`Failure`] that decides the exit code.
pub async fn run(command: AuthorityCommand, output: &Output) -> Result<(), Failure> {
    match command {
        AuthorityCommand::RollKey { name, api } => {
            let path = ["acme_accounts", &name, "key"];
            client(&api, output)?.call_account(Method::PUT, &path, &[], Body::Empty).await?;
            output.note(&format!(
                "the account with {name} has another key; the one before is good for nothing"
            ));
        }
    }
    Ok(())
}
