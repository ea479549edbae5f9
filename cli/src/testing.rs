//! What several tests of this crate wait for. Must never be part of a build that is not a test.

use std::path::Path;
use std::time::Duration;

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `found` has something: for what only the file system or another process can tell.
pub(crate) async fn eventually<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let waiting = async {
        loop {
            match found() {
                Some(value) => return value,
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{what} did not happen"))
}

/// Waits until a command has written a whole line to the file.
pub(crate) async fn line_in(path: &Path) -> String {
    eventually("a line in a file", || std::fs::read_to_string(path).ok().filter(|text| text.ends_with('\n')))
        .await
}

/// Waits until no process of that number is left; one that nobody has waited for counts as gone.
pub(crate) async fn gone(pid: &str) {
    let stat = format!("/proc/{}/stat", pid.trim());
    eventually("the end of a process", || match std::fs::read_to_string(&stat) {
        Ok(text) if !text.contains(") Z ") => None,
        _ => Some(()),
    })
    .await;
}
