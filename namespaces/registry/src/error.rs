//! What can go wrong with the registry.
//!
//! Owns the crate's collecting error, its kinds, and the two texts of each: [`std::fmt::Display`] with the
//! sources for the operator's log, and [`RegistryError::public_message`] for whoever asked. The leaves know
//! nothing of this file.

use crate::alert_error::AlertError;
use crate::secret_store_error::SecretStoreError;
use crate::zone_error::ZoneError;
use wasmyard_model::assets::AssetUploadError;
use wasmyard_model::bindings::BindingError;
use wasmyard_model::capabilities::CapabilityPolicyError;
use wasmyard_model::client_ca::MtlsError;
use wasmyard_model::csr::CsrError;
use wasmyard_model::egress::EgressRulesError;
use wasmyard_model::hostname::HostnameError;
use wasmyard_model::limits::LimitError;
use wasmyard_model::name::{ConfigName, NameError, NamespaceName};
use wasmyard_model::route::{RouteError, RoutePattern};
use wasmyard_model::script::{ScriptKey, UploadError};
use wasmyard_stores::blob::BlobError;
use wasmyard_stores::{Cause, StoreError};

/// Why the registry refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// No namespace of that name.
    #[error("there is no namespace {0}")]
    NamespaceNotFound(NamespaceName),
    /// A namespace of that name is there already.
    #[error("there is a namespace {0} already")]
    NamespaceExists(NamespaceName),
    /// No script of that name.
    #[error("there is no script {0}")]
    ScriptNotFound(ScriptKey),
    /// No version of that id is kept of a script.
    #[error("script {script} has no version \"{id}\"; {kept} are kept and can be listed")]
    VersionNotFound {
        /// The script.
        script: ScriptKey,
        /// The id, shortened.
        id: String,
        /// How many versions are kept.
        kept: usize,
    },
    /// The script has another content than the one that a change was meant for.
    #[error(
        "the script \"{key}\" has another content by now (its etag is {found}); look at it, and decide anew"
    )]
    OtherContent {
        /// The script.
        key: ScriptKey,
        /// The etag that it has; "none" when there is no script.
        found: String,
    },
    /// No route with that id.
    #[error("there is no route {0}")]
    RouteNotFound(String),
    /// A route with that pattern is there already.
    #[error("there is a route {0} already")]
    RouteExists(RoutePattern),
    /// No token with that id.
    #[error("there is no token {0}")]
    TokenNotFound(String),
    /// The record was declared in the operator's configuration.
    #[error("the configuration declares {0}; change it there")]
    Configured(String),
    /// The pattern was declared by another configuration than the one that declares it now.
    #[error(
        "route {pattern} is declared by the configuration \"{owner}\" already; declare it in one of them, or give nodes with the same file the same name"
    )]
    ConfiguredElsewhere {
        /// The pattern.
        pattern: RoutePattern,
        /// The configuration that owns it.
        owner: ConfigName,
    },
    /// The upload refers to a component that was not put before.
    #[error("component {0} is not in the registry; upload it first")]
    ComponentMissing(wasmyard_model::digest::Digest),
    /// Something about a zone.
    #[error(transparent)]
    Zone(#[from] ZoneError),
    /// Something about notifications.
    #[error(transparent)]
    Alert(#[from] AlertError),
    /// Something about stores of secrets.
    #[error(transparent)]
    SecretStore(#[from] SecretStoreError),
    /// What was given breaks a rule of uploads.
    #[error(transparent)]
    Upload(#[from] UploadError),
    /// What was given breaks a rule of the upload of assets.
    #[error(transparent)]
    Assets(#[from] AssetUploadError),
    /// What was given breaks a rule of routes.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// What was given breaks a rule.
    #[error("{0}")]
    Invalid(String),
    /// Others changed the same records at the same time, over and over.
    #[error("{0} is being changed by others at the same time; try again")]
    Conflict(String),
    /// The store failed.
    #[error("the registry's store failed: {0}")]
    Store(#[source] StoreError),
    /// The blob store failed.
    #[error("the registry's blob store failed: {0}")]
    Blob(#[source] BlobError),
    /// A record in the store cannot be read.
    #[error("the record {key} in the store cannot be read")]
    Record {
        /// Its key.
        key: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A blob that should be a manifest is none.
    #[error("the manifest {digest} cannot be read")]
    Manifest {
        /// Its name.
        digest: wasmyard_model::digest::Digest,
        /// What is wrong with it.
        #[source]
        source: wasmyard_model::assets::ManifestError,
    },
    /// Several who asked for the same thing got this.
    #[error(transparent)]
    Shared(std::sync::Arc<RegistryError>),
    /// There is no key that its secrets are sealed with.
    #[error("{0}")]
    Key(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The process is ending.
    #[error("the registry is closed")]
    Closed,
}

/// The kinds of failure, for whoever maps them to statuses and codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// What was asked for is not there.
    NotFound,
    /// What was to be made is there already.
    Exists,
    /// What was given breaks a rule.
    Invalid,
    /// Somebody else was faster; trying again may help.
    Conflict,
    /// The platform cannot do it for the moment.
    Unavailable,
    /// The platform failed.
    Internal,
}

impl RegistryError {
    /// The kind.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            RegistryError::NamespaceNotFound(_)
            | RegistryError::ScriptNotFound(_)
            | RegistryError::VersionNotFound { .. }
            | RegistryError::RouteNotFound(_)
            | RegistryError::TokenNotFound(_) => ErrorKind::NotFound,
            RegistryError::NamespaceExists(_) | RegistryError::RouteExists(_) => ErrorKind::Exists,
            RegistryError::Configured(_)
            | RegistryError::ConfiguredElsewhere { .. }
            | RegistryError::ComponentMissing(_)
            | RegistryError::Upload(_)
            | RegistryError::Assets(_)
            | RegistryError::Route(_)
            | RegistryError::Invalid(_) => ErrorKind::Invalid,
            RegistryError::Conflict(_) | RegistryError::OtherContent { .. } => ErrorKind::Conflict,
            RegistryError::Closed => ErrorKind::Unavailable,
            RegistryError::Store(error) => match error {
                StoreError::Closed | StoreError::Locked { .. } | StoreError::NoSpace { .. } => {
                    ErrorKind::Unavailable
                }
                StoreError::Conflict { .. }
                | StoreError::OtherKey
                | StoreError::Compacted { .. }
                | StoreError::Misuse { .. }
                | StoreError::Format { .. }
                | StoreError::Damaged { .. }
                | StoreError::Engine { .. } => ErrorKind::Internal,
            },
            RegistryError::Shared(error) => error.kind(),
            RegistryError::Zone(error) => error.kind(),
            RegistryError::Alert(AlertError::NotFound { .. }) => ErrorKind::NotFound,
            RegistryError::SecretStore(SecretStoreError::NotFound { .. }) => ErrorKind::NotFound,
            RegistryError::SecretStore(SecretStoreError::Exists { .. }) => ErrorKind::Exists,
            RegistryError::Alert(_) | RegistryError::SecretStore(_) => ErrorKind::Invalid,
            RegistryError::Blob(_) if self.cause() == Cause::NoSpace => ErrorKind::Unavailable,
            RegistryError::Blob(_)
            | RegistryError::Record { .. }
            | RegistryError::Manifest { .. }
            | RegistryError::Key(_) => ErrorKind::Internal,
        }
    }

    /// What an operator can do something about.
    #[must_use]
    pub fn cause(&self) -> Cause {
        match self {
            RegistryError::Store(error) => error.cause(),
            RegistryError::Blob(error) => Cause::in_chain(error),
            RegistryError::Shared(error) => error.cause(),
            _ => Cause::Other,
        }
    }

    /// A text that may be shown to whoever asked: names nothing that is not theirs.
    #[must_use]
    pub fn public_message(&self) -> String {
        match self.kind() {
            ErrorKind::NotFound | ErrorKind::Exists | ErrorKind::Invalid | ErrorKind::Conflict => {
                self.to_string()
            }
            ErrorKind::Unavailable if self.cause() == Cause::NoSpace => {
                "the platform has no room for this; deleting what is not needed works, and the operator can make room".to_owned()
            }
            ErrorKind::Unavailable => "the platform cannot do this for the moment; try again".to_owned(),
            ErrorKind::Internal => "the platform failed; its operator finds the cause in the log".to_owned(),
        }
    }
}

impl ZoneError {
    /// The kind.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            ZoneError::NotFound(_)
            | ZoneError::RecordNotFound(_)
            | ZoneError::NoFallbackOrigin
            | ZoneError::HostnameNotFound(_)
            | ZoneError::CertificateNotFound(_)
            | ZoneError::Csr(CsrError::NotFound(_))
            | ZoneError::Mtls(MtlsError::NotFound(_)) => ErrorKind::NotFound,
            ZoneError::Exists(_)
            | ZoneError::RecordExists { .. }
            | ZoneError::Hostname(HostnameError::Duplicate) => ErrorKind::Exists,
            ZoneError::Held(_)
            | ZoneError::Blocked(_)
            | ZoneError::TooMany
            | ZoneError::Record(_)
            | ZoneError::RecordBesideCname { .. }
            | ZoneError::TooManyRecords
            | ZoneError::OriginOutside(_)
            | ZoneError::Hostname(_)
            | ZoneError::Csr(_)
            | ZoneError::Mtls(_)
            | ZoneError::NoQuota
            | ZoneError::Quota { .. } => ErrorKind::Invalid,
            ZoneError::TooOften { .. } => ErrorKind::Unavailable,
        }
    }
}

impl From<StoreError> for RegistryError {
    fn from(error: StoreError) -> RegistryError {
        match error {
            StoreError::Conflict { key } => RegistryError::Conflict(key),
            error => RegistryError::Store(error),
        }
    }
}

impl From<BlobError> for RegistryError {
    fn from(error: BlobError) -> RegistryError {
        RegistryError::Blob(error)
    }
}

impl From<LimitError> for RegistryError {
    fn from(error: LimitError) -> RegistryError {
        RegistryError::Upload(UploadError::Limit(error))
    }
}

impl From<BindingError> for RegistryError {
    fn from(error: BindingError) -> RegistryError {
        RegistryError::Upload(UploadError::Binding(error))
    }
}

impl From<CapabilityPolicyError> for RegistryError {
    fn from(error: CapabilityPolicyError) -> RegistryError {
        RegistryError::Invalid(error.to_string())
    }
}

impl From<EgressRulesError> for RegistryError {
    fn from(error: EgressRulesError) -> RegistryError {
        RegistryError::Invalid(error.to_string())
    }
}

impl From<NameError> for RegistryError {
    fn from(error: NameError) -> RegistryError {
        RegistryError::Invalid(error.to_string())
    }
}
