//! The admin token of the v4 API: the operator's own, or one that is made at the first start.
//!
//! Owns which token has the label "admin". What is configured takes the place of whatever had it before, so that a
//! token that leaked is refused from the next start on.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use wasmyard_namespaces::{Registry, Secret};

use crate::config::TOKEN_FILE;
use crate::error::StartError;

const LABEL: &str = wasmyard_control::ADMIN_TOKEN;

/// Makes sure that there is a token, and says where it is if it was made now.
pub(crate) async fn admin(
    registry: &Registry,
    data: &Path,
    given: Option<&str>,
) -> Result<Option<PathBuf>, StartError> {
    let path = data.join(TOKEN_FILE);
    if let Some(token) = given {
        return take(registry, &Secret::new(token.to_owned()), "WASMYARD_API_TOKEN").await.map(|()| None);
    }
    match std::fs::read_to_string(&path) {
        Ok(token) => {
            let shown = path.display().to_string();
            take(registry, &Secret::new(token.trim().to_owned()), &shown).await.map(|()| None)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // In the file first: a start that ends in between finds it there, and nobody had another.
            let token = Registry::random_token()
                .map_err(|error| StartError::failed(format!("no admin token could be made: {error}")))?;
            write(&path, &token).map_err(|error| {
                StartError::failed(format!("{} cannot be written: {error}", path.display()))
            })?;
            take(registry, &token, &path.display().to_string()).await?;
            Ok(Some(path))
        }
        Err(error) => Err(StartError::failed(format!("{} cannot be read: {error}", path.display()))),
    }
}

async fn take(registry: &Registry, token: &Secret, source: &str) -> Result<(), StartError> {
    let (_, replaced) = registry
        .set_token(LABEL, token)
        .await
        .map_err(|error| StartError::failed(format!("the admin token cannot be used: {error}")))?;
    if replaced > 0 {
        tracing::warn!("the admin token is now the one of {source}; the one before is refused from now on");
    }
    Ok(())
}

/// Whole or not at all, and never readable by others, not even for a moment.
fn write(path: &Path, token: &Secret) -> std::io::Result<()> {
    let new = path.with_extension("new");
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(token.expose().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    std::fs::rename(&new, path)
}
