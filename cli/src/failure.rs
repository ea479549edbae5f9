//! How a command ends when it does not end well, and the exit code that goes with it.
//!
//! Owns the mapping from failure to exit code. It must never print: `main` does, once.

use std::fmt;

use wasmyard_node::StartError;
use wasmyard_node::assets::FolderError;
use wasmyard_node::config::Faults;

use crate::client::ClientError;

/// Why a command did not do what it was asked for.
#[derive(Debug)]
pub enum Failure {
    /// It was tried and did not work. Exit code 1.
    Failed {
        /// What happened.
        message: String,
        /// What to do about it.
        remedy: Option<String>,
    },
    /// The command line makes no sense together, though each part parses. Exit code 2.
    Usage(String),
    /// The configuration does not hold. Exit code 64.
    Config(Faults),
}

impl Failure {
    /// A failure with nothing to advise.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Failed { message: message.into(), remedy: None }
    }

    /// A failure, and what to do about it.
    pub fn with_remedy(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Failed { message: message.into(), remedy: Some(remedy.into()) }
    }

    /// The exit code of the process.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Failed { .. } => 1,
            Self::Usage(_) => 2,
            Self::Config(_) => 64,
        }
    }
}

impl From<FolderError> for Failure {
    fn from(error: FolderError) -> Self {
        Self::failed(error.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { message, remedy: None } => write!(f, "error: {message}"),
            Self::Failed { message, remedy: Some(remedy) } => write!(f, "error: {message}\n  try: {remedy}"),
            Self::Usage(message) => write!(f, "error: {message}"),
            Self::Config(faults) => write!(f, "{faults}\nerror: {}", faults.summary()),
        }
    }
}

impl std::error::Error for Failure {}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Failed { message: error.to_string(), remedy: error.remedy() }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Failed { message, remedy } => Self::Failed { message, remedy },
            StartError::Usage(message) => Self::Usage(message),
            StartError::Config(faults) => Self::Config(faults),
        }
    }
}

impl From<Faults> for Failure {
    fn from(faults: Faults) -> Self {
        Self::Config(faults)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmyard_node::config::Fault;

    #[test]
    fn each_kind_of_failure_has_its_exit_code() {
        assert_eq!(Failure::failed("x").exit_code(), 1);
        assert_eq!(Failure::Usage("x".into()).exit_code(), 2);
        assert_eq!(Failure::Config(Faults::default()).exit_code(), 64);
    }

    #[test]
    fn the_remedy_stands_under_the_message() {
        let text = Failure::with_remedy("it broke", "mend it").to_string();
        assert_eq!(text, "error: it broke\n  try: mend it");
    }

    #[test]
    fn configuration_faults_are_counted() {
        let list = vec![Fault::new(1, "a", "b"), Fault::new(2, "c", "d").warning()];
        let text = Failure::Config(Faults { file: "w.toml".into(), list }).to_string();
        assert_eq!(text, "w.toml:1: a: b\nw.toml:2: warning: c: d\nerror: 1 mistake in w.toml");
    }
}
