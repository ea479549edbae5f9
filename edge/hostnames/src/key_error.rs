//! Why there is no key that secrets are sealed with. No text shows anything of one.

use std::io;

/// The file's name in the data directory.
pub const KEY_FILE: &str = "installation.key";

/// How many bytes a key has.
pub(crate) const KEY_BYTES: usize = 32;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or made.
    #[error("the installation's key ({KEY_FILE} in the data directory) cannot be read or made: {0}")]
    File(#[from] io::Error),
    /// Others can read it.
    #[error(
        "others than its owner may read {KEY_FILE}: give it mode 0600, and think of what it sealed as known to them"
    )]
    Readable,
    /// It has the wrong length.
    #[error("{KEY_FILE} has to have {KEY_BYTES} bytes and has another length: restore it from a backup")]
    Length,
    /// The provider cannot make keys of it.
    #[error("no keys can be made of {KEY_FILE}")]
    Unusable,
    /// It is gone.
    #[error(
        "there are sealed secrets and no {KEY_FILE} that opens them: restore it from a backup, or begin with an empty data directory"
    )]
    Lost,
    /// It is wrapped.
    #[error("{KEY_FILE} is wrapped by a master key: say which, with `master_key` under [server]")]
    Wrapped,
    /// It is wrapped by another master key.
    #[error("the master key does not open {KEY_FILE}: it was wrapped by another one, or the file is damaged")]
    OtherMaster,
    /// A text is no master key.
    #[error("a master key is 32 random bytes, in hexadecimal (64 digits): `wasmyard key new` makes one")]
    NoMaster,
}
