//! `wasmyard key`: new, rewrap.
//!
//! Owns what is said about them. Must never show a key but the new one that was asked for.

use std::path::Path;

use wasmyard_node::config::{self, ConfigSource, MasterKeySource, Purpose};
use wasmyard_node::{new_master_key, rewrap};

use crate::args::KeyCommand;
use crate::failure::Failure;
use crate::output::Output;

/// Runs one of the key commands.
///
/// # Errors
/// The [`Failure`] that decides the exit code.
pub async fn run(command: KeyCommand, output: &Output) -> Result<(), Failure> {
    match command {
        KeyCommand::New => output.line(&new_master_key()?),
        KeyCommand::Rewrap { to, config } => {
            let folder = Path::new(".");
            let source = match to.as_str() {
                "none" => None,
                text => Some(MasterKeySource::parse(text, folder).map_err(Failure::Usage)?),
            };
            let found = ConfigSource::find(config.as_deref(), folder)?;
            let (config, _) = config::load(found, Purpose::Check)?;
            rewrap(&config, source.as_ref()).await?;
            output.line(
                "installation.key is wrapped anew: set `master_key` under [server] before the next start",
            );
        }
    }
    Ok(())
}
