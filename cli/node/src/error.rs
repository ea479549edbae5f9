//! Why a node does not start. Must never be shown by this crate: whoever starts a node does.

use std::fmt;

use crate::config::Faults;

/// Why a node does not start.
#[derive(Debug)]
pub enum StartError {
    /// It was tried and did not work.
    Failed {
        /// What happened.
        message: String,
        /// What to do about it.
        remedy: Option<String>,
    },
    /// What was said beside the configuration makes no sense.
    Usage(String),
    /// The configuration does not hold, by itself or on this machine.
    Config(Faults),
}

impl StartError {
    /// A failure with nothing to advise.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::Failed { message: message.into(), remedy: None }
    }

    /// A failure, and what to do about it.
    pub(crate) fn with_remedy(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Failed { message: message.into(), remedy: Some(remedy.into()) }
    }
}

impl From<Faults> for StartError {
    fn from(faults: Faults) -> Self {
        Self::Config(faults)
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { message, remedy: None } | Self::Usage(message) => f.write_str(message),
            Self::Failed { message, remedy: Some(remedy) } => write!(f, "{message}; {remedy}"),
            Self::Config(faults) => write!(f, "{faults}"),
        }
    }
}

impl std::error::Error for StartError {}
