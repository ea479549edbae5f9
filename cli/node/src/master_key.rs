//! The master key from where the configuration says it is, which the installation's key is wrapped by.
//!
//! Owns the ways to it: a file, the environment, what a command prints. Must never log or keep its text.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use tokio::time::timeout;
use wasmyard_hostnames::{InstallationKey, KEY_FILE, MasterKey};

use crate::config::{MasterKeySource, ResolvedConfig};
use crate::error::StartError;

/// How long a command may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest text that is read.
const LONGEST: u64 = 1_024;

impl MasterKeySource {
    /// The key that it leads to.
    ///
    /// # Errors
    /// Why there is none; no part of the key is in the text.
    pub(crate) async fn key(&self) -> Result<MasterKey, StartError> {
        let failed = |what: String| {
            StartError::with_remedy(
                format!("the master key cannot be had: {what}"),
                "see `master_key` under [server]",
            )
        };
        let text = match self {
            Self::File(path) => {
                file(path).await.map_err(|error| failed(format!("{}: {error}", path.display())))?
            }
            Self::Env(name) => match std::env::var(name) {
                Ok(text) => text,
                Err(_) => return Err(failed(format!("{name} is not set in the environment"))),
            },
            Self::Command(line) => printed(line).await.map_err(failed)?,
        };
        MasterKey::parse(&text).map_err(|error| failed(error.to_string()))
    }
}

async fn file(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    tokio::fs::File::open(path).await?.take(LONGEST).read_to_string(&mut text).await?;
    Ok(text)
}

/// What a command prints. It runs in a shell, as whoever serves.
async fn printed(line: &str) -> Result<String, String> {
    let mut command = Command::new("sh");
    command.args(["-c", line]).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| format!("sh cannot be run: {error}"))?;
    let output = child.stdout.take().ok_or("the command has no output")?;
    let done = timeout(PATIENCE, async {
        let mut text = String::new();
        output.take(LONGEST).read_to_string(&mut text).await.map_err(|error| error.to_string())?;
        let status = child.wait().await.map_err(|error| error.to_string())?;
        if status.success() { Ok(text) } else { Err(format!("the command failed ({status})")) }
    });
    done.await.map_err(|_| format!("the command took more than {} s", PATIENCE.as_secs()))?
}

/// The text of a new master key.
///
/// # Errors
/// That the system gives no random bits.
pub fn new_master_key() -> Result<String, StartError> {
    MasterKey::new_text().map(|text| text.to_string()).map_err(|error| StartError::failed(error.to_string()))
}

/// Wraps the installation's key by another master key than the one that the configuration names; by none where that is none.
/// A server that runs goes on: it reads the key at its start.
///
/// # Errors
/// Why it stays as it is.
pub async fn rewrap(config: &ResolvedConfig, to: Option<&MasterKeySource>) -> Result<(), StartError> {
    let before = match &config.server.master_key {
        Some(source) => Some(source.key().await?),
        None => None,
    };
    let after = match to {
        Some(source) => Some(source.key().await?),
        None => None,
    };
    InstallationKey::rewrap(&config.server.data, before.as_ref(), after.as_ref())
        .map_err(|error| StartError::failed(format!("{KEY_FILE} stays as it is: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_leads_to_no_key_is_told_without_what_was_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let key = new_master_key().unwrap();
        std::fs::write(&path, format!("{key}\n")).unwrap();
        assert!(MasterKeySource::File(path.clone()).key().await.is_ok());
        let line = format!("cat {}", path.display());
        assert!(MasterKeySource::Command(line.clone()).key().await.is_ok());
        std::fs::write(&path, "hunter2").unwrap();
        for (source, part) in [
            (MasterKeySource::File(path.clone()), "64 digits"),
            (MasterKeySource::File(folder.path().join("none")), "No such file"),
            (MasterKeySource::Command(line), "64 digits"),
            (MasterKeySource::Command("exit 3".to_owned()), "failed (exit status: 3)"),
            (MasterKeySource::Command("head -c 2000 /dev/zero".to_owned()), "64 digits"),
            (MasterKeySource::Env("WASMYARD_NO_SUCH_KEY".to_owned()), "is not set"),
        ] {
            let told = source.key().await.unwrap_err().to_string();
            assert!(told.contains(part) && !told.contains("hunter2"), "{told}");
        }
    }
}
