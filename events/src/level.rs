//! How much a script's own line matters, in the words that tails and consoles use.

use std::fmt;

/// The level of a line that a script wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// For whoever looks for a mistake.
    Debug,
    /// For whoever is interested.
    Info,
    /// What is printed without a level: standard output.
    Log,
    /// Something may be wrong.
    Warn,
    /// Something is wrong: standard error counts as this.
    Error,
}

impl Level {
    /// The level as one lower-case word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Log => "log",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
