//! Why a change was not made.
//!
//! Owns the collecting error of the use cases. Callers map it to codes and exit codes. Its texts are safe to show, but
//! for what only the log may see of the registry's failures.

use wasmyard_d1::D1Error;
use wasmyard_hostnames::certificates::PutError;
use wasmyard_kv::KvError;
use wasmyard_namespaces::access::PolicyError;
use wasmyard_namespaces::bindings::BindingError;
use wasmyard_namespaces::{AssetUploadError, ErrorKind, LimitError, NameError, RegistryError, UploadError};
use wasmyard_queues::QueueError;
use wasmyard_r2::R2Error;

use crate::checker::Refusal;

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The registry refused or failed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Keys and values: refused, or failed.
    #[error(transparent)]
    Kv(#[from] KvError),
    /// Queues: refused, or failed.
    #[error(transparent)]
    Queues(#[from] QueueError),
    /// This server keeps no queues.
    #[error("this server keeps no queues")]
    NoQueues,
    /// SQL databases: refused, or failed.
    #[error(transparent)]
    D1(#[from] D1Error),
    /// Objects: refused, or failed.
    #[error(transparent)]
    R2(#[from] R2Error),
    /// A certificate was not taken, or the store of certificates failed.
    #[error(transparent)]
    Certificates(#[from] PutError),
    /// This server has no store of certificates.
    #[error(
        "this server serves no visitors over TLS, so that it keeps no certificates: set `listen_tls` under [server]"
    )]
    NoCertificates,
    /// The component did not pass.
    #[error("{}", .0.message)]
    Component(Refusal),
    /// What a token is to do breaks a rule, or is more than it may be given.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// What was given breaks a rule; the text names it.
    #[error("{0}")]
    Invalid(String),
    /// Others refer to what is to go, by its name.
    #[error("it is not {done}, because it is in use by: {by}. Change these first")]
    Referenced {
        /// What was to be done: "deleted" or "renamed".
        done: &'static str,
        /// Who refers to it.
        by: String,
    },
    /// An authority of certificates did not do what it was asked for.
    #[error("{0}")]
    Authority(String),
    /// A webhook did not take its test message.
    #[error("the webhook does not take a test message: {0}")]
    NotTaken(String),
    /// The script has no secret of that name.
    #[error("the script has no secret \"{name}\"; list the secrets for those it has")]
    SecretNotFound {
        /// The name, shortened.
        name: String,
    },
}

impl ControlError {
    /// Whether it is sure that nothing was changed: a rule was broken, or somebody was faster. Where a store failed, it may
    /// have been after the change.
    pub(crate) fn changed_nothing(&self) -> bool {
        match self {
            ControlError::Registry(error) => {
                !matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Internal)
            }
            ControlError::Certificates(_) => false,
            _ => true,
        }
    }

    /// A rule that was broken.
    pub(crate) fn invalid(rule: impl std::fmt::Display) -> ControlError {
        ControlError::Invalid(rule.to_string())
    }
}

impl From<UploadError> for ControlError {
    fn from(error: UploadError) -> ControlError {
        RegistryError::from(error).into()
    }
}

impl From<BindingError> for ControlError {
    fn from(error: BindingError) -> ControlError {
        RegistryError::from(error).into()
    }
}

impl From<LimitError> for ControlError {
    fn from(error: LimitError) -> ControlError {
        RegistryError::from(error).into()
    }
}

impl From<NameError> for ControlError {
    fn from(error: NameError) -> ControlError {
        RegistryError::from(error).into()
    }
}

impl From<AssetUploadError> for ControlError {
    fn from(error: AssetUploadError) -> ControlError {
        RegistryError::from(error).into()
    }
}
