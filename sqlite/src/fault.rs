//! What went wrong with a file, told apart by what its owner can do about it.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use rusqlite::ErrorCode;

/// Why a file could not be opened, read or written. The texts are for the log: they name paths.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The file is of another program or version.
    #[error("{path} has format {found}, this program reads format {expected}")]
    Format {
        /// The file.
        path: String,
        /// What it says it is.
        found: String,
        /// What this program reads.
        expected: String,
    },
    /// The file is not what was written.
    #[error("{path} is damaged: {found}")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong with it.
        found: String,
    },
    /// There is no room on the disk.
    #[error("there is no room on the disk: {0}")]
    NoSpace(#[source] rusqlite::Error),
    /// SQLite failed.
    #[error("could not {action}: {source}")]
    Engine {
        /// What was tried.
        action: &'static str,
        /// What the operating system says to whoever tries to write in the same folder.
        system: Option<io::ErrorKind>,
        /// SQLite's own error.
        source: rusqlite::Error,
    },
    /// The operating system failed.
    #[error("could not {action}: {source}")]
    System {
        /// What was tried.
        action: &'static str,
        /// Its own error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file was closed.
    #[error("it is closed")]
    Closed,
}

impl Fault {
    /// What an error of SQLite means.
    pub fn of(path: &Path, action: &'static str) -> impl Fn(rusqlite::Error) -> Fault {
        move |source| match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Fault::Damaged { path: path.display().to_string(), found: source.to_string() }
            }
            Some(ErrorCode::DiskFull) => Fault::NoSpace(source),
            Some(
                code @ (ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly
                | ErrorCode::SystemIoFailure),
            ) => {
                // SQLite does not say why. The system does, to whoever tries the same.
                let tried = try_folder(path.parent().unwrap_or(path)).err().map(|error| error.kind());
                match tried {
                    Some(
                        io::ErrorKind::StorageFull
                        | io::ErrorKind::QuotaExceeded
                        | io::ErrorKind::FileTooLarge,
                    ) => Fault::NoSpace(source),
                    // The folder can be written: it is the file that cannot.
                    None if matches!(code, ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
                        Fault::Engine { action, system: Some(io::ErrorKind::PermissionDenied), source }
                    }
                    system => Fault::Engine { action, system, source },
                }
            }
            Some(_) | None => Fault::Engine { action, system: None, source },
        }
    }

    /// A failure of the operating system.
    pub fn system(
        action: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Fault {
        Fault::System { action, source: source.into() }
    }

    /// The same, for another who waited for what failed.
    #[must_use]
    pub fn again(&self) -> Fault {
        match self {
            Fault::NoSpace(source) => {
                let code = source.sqlite_error().copied();
                let code = code.unwrap_or_else(|| rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL));
                Fault::NoSpace(rusqlite::Error::SqliteFailure(code, Some(source.to_string())))
            }
            other => Fault::system("write", other.to_string()),
        }
    }
}

/// Whether a file can be made and written in a folder, by doing so: engines say little of why they could not.
///
/// # Errors
/// What the operating system says.
pub fn try_folder(folder: &Path) -> io::Result<()> {
    let path = folder.join(".try");
    let mut options = private();
    options.truncate(true);
    // As much as SQLite takes beside the file when it opens it.
    let tried = options.open(&path).and_then(|mut file| {
        file.write_all(&[0; 64 * 1_024])?;
        file.sync_data()
    });
    // Whether it could be removed says nothing more.
    drop(std::fs::remove_file(&path));
    tried
}

/// Makes durable that a folder names what is in it.
///
/// # Errors
/// What the operating system says.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// How a file is opened that may be made, readable by its owner only.
pub(crate) fn private() -> std::fs::OpenOptions {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}
