//! The admin token of the v4 API: the operator's own, or one that is made at the first start.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use wasmyard_namespaces::{Registry, Secret};

use crate::config::TOKEN_FILE;
use crate::failure::Failure;
use crate::output::Output;

const LABEL: &str = "admin";

/// Makes sure that there is a token, and says where it is. It is never printed.
pub(super) async fn admin(
    registry: &Registry,
    data: &Path,
    given: Option<&str>,
    output: &Output,
) -> Result<(), Failure> {
    let path = data.join(TOKEN_FILE);
    if let Some(token) = given {
        return take(registry, &Secret::new(token.to_owned())).await;
    }
    match std::fs::read_to_string(&path) {
        Ok(token) => take(registry, &Secret::new(token.trim().to_owned())).await,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let (_, token) = registry
                .create_token(LABEL)
                .await
                .map_err(|error| Failure::failed(format!("no admin token could be made: {error}")))?;
            write(&path, &token)
                .map_err(|error| Failure::failed(format!("{} cannot be written: {error}", path.display())))?;
            output.note(&format!("admin token: {} (made now, readable by its owner only)", path.display()));
            Ok(())
        }
        Err(error) => Err(Failure::failed(format!("{} cannot be read: {error}", path.display()))),
    }
}

async fn take(registry: &Registry, token: &Secret) -> Result<(), Failure> {
    registry
        .import_token(LABEL, token)
        .await
        .map(|_| ())
        .map_err(|error| Failure::failed(format!("the admin token cannot be used: {error}")))
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
