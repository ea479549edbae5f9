//! The binary under test: which file it is, and where tests of one build share what they compiled. Must never build it.

use std::path::PathBuf;

/// Where cargo puts the programs of the build that this one belongs to.
fn folder() -> Result<PathBuf, String> {
    let this = std::env::current_exe().map_err(|error| format!("this program's own path: {error}"))?;
    let mut folder = this.parent().map(PathBuf::from).unwrap_or_default();
    // Tests lie one below.
    if folder.ends_with("deps") {
        folder.pop();
    }
    Ok(folder)
}

/// The binary: `WASMYARD`, or the one of the same build.
///
/// # Errors
/// When it is not there, with the command that builds it.
pub fn find() -> Result<PathBuf, String> {
    let path = match std::env::var_os("WASMYARD") {
        Some(path) => PathBuf::from(path),
        None => folder()?.join("wasmyard"),
    };
    if !path.is_file() {
        let shown = path.display();
        return Err(format!(
            "{shown} is not there: `cargo build --package wasmyard-cli` in the same profile, or set WASMYARD=path"
        ));
    }
    // It is started in the folder of its site.
    std::path::absolute(&path).map_err(|error| format!("{}: {error}", path.display()))
}

/// The same, where a test needs it.
#[must_use]
pub fn path() -> PathBuf {
    find().unwrap()
}

/// What tests of one build share and the next run can use again.
pub(crate) fn scratch() -> PathBuf {
    folder().unwrap().with_file_name("tmp")
}
