//! Why a store cannot do its work, told apart by what helps.
//!
//! Owns the causes that an operator can do something about, and the remedy of each. Knows the errors of the operating
//! system; an engine maps its own to them. Never shown to visitors or clients: the texts name paths.

use std::io;

use super::StoreError;

/// A cause that an operator can remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Another process has the data directory.
    InUse,
    /// The process may not read or write the files.
    Denied,
    /// There is no room on the disk, or for more files.
    NoSpace,
    /// The disk is mounted for reading only.
    ReadOnly,
    /// The files are not what was written.
    Damaged,
    /// The files are of another version or of another program.
    Format,
    /// Anything else.
    Other,
}

impl Cause {
    /// What the operating system's error says.
    #[must_use]
    pub fn of_io(error: &io::Error) -> Cause {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Cause::NoSpace
            }
            io::ErrorKind::PermissionDenied => Cause::Denied,
            io::ErrorKind::ReadOnlyFilesystem => Cause::ReadOnly,
            _ => Cause::Other,
        }
    }

    /// What an error or one of its sources says.
    #[must_use]
    pub fn in_chain(error: &(dyn std::error::Error + 'static)) -> Cause {
        let mut next = Some(error);
        while let Some(error) = next {
            let io = error.downcast_ref::<io::Error>();
            let cause = io.map_or(Cause::Other, Cause::of_io);
            if cause != Cause::Other {
                return cause;
            }
            // What an error of input and output wraps is not its source, but the source of that is.
            next = match io.and_then(io::Error::get_ref) {
                Some(wrapped) => Some(wrapped),
                None => error.source(),
            };
        }
        Cause::Other
    }

    /// What helps; none where that is not known.
    #[must_use]
    pub fn remedy(self) -> Option<&'static str> {
        Some(match self {
            Cause::InUse => {
                "give each `wasmyard serve` a data directory of its own with --data, or end the other process"
            }
            Cause::Denied => {
                "run as the user that owns the data directory, or give it and all that is in it to this one"
            }
            Cause::NoSpace => {
                "make room on the disk of the data directory; nothing is lost, and deleting scripts makes room as well"
            }
            Cause::ReadOnly => "mount the disk of the data directory for writing",
            Cause::Damaged => {
                "restore the data directory from a backup; docs/operations.md says what can be saved without one"
            }
            Cause::Format => {
                "use the version of Wasmyard that wrote the data directory, or another directory with --data"
            }
            Cause::Other => return None,
        })
    }
}

impl StoreError {
    /// What an operator can do something about.
    #[must_use]
    pub fn cause(&self) -> Cause {
        match self {
            StoreError::Locked { .. } => Cause::InUse,
            StoreError::Format { .. } => Cause::Format,
            StoreError::Damaged { .. } => Cause::Damaged,
            StoreError::NoSpace { .. } => Cause::NoSpace,
            StoreError::Engine { cause, .. } => *cause,
            StoreError::Conflict { .. }
            | StoreError::OtherKey
            | StoreError::Compacted { .. }
            | StoreError::Misuse { .. }
            | StoreError::Closed => Cause::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_found_below_other_errors() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let wrapped = StoreError::engine("write", io::Error::other(full));
        assert_eq!(wrapped.cause(), Cause::NoSpace);
        assert_eq!(StoreError::engine("write", "because").cause(), Cause::Other);
    }

    #[test]
    fn each_cause_has_a_remedy_of_its_own() {
        let causes =
            [Cause::InUse, Cause::Denied, Cause::NoSpace, Cause::ReadOnly, Cause::Damaged, Cause::Format];
        let remedies: std::collections::HashSet<_> = causes.into_iter().filter_map(Cause::remedy).collect();
        assert_eq!(remedies.len(), causes.len());
    }
}
