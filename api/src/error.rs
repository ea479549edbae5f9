//! Owns every way in which a call can fail: one table of codes, and the error that carries one of them to the client.
//! Must never put the text of an internal failure, a path of this machine or a secret into a reply.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use wasmyard_control::{ControlError, RefusalCode};
use wasmyard_d1::D1Error;
use wasmyard_kv::KvError;
use wasmyard_namespaces::access::PolicyError;
use wasmyard_namespaces::registry::{AlertError, SecretStoreError};
use wasmyard_namespaces::{
    AssetUploadError, BindingError, ErrorKind, NamespaceName, RegistryError, ScriptKey, UploadError,
};
use wasmyard_r2::R2Error;

use crate::envelope;

pub use codes::{AnyCode, Code, CsrCode};

mod certificates;
mod codes;
mod queues;
mod zones;

/// A failure on its way to the client: a code, a text that is safe to show, and for the log what lies behind it.
#[derive(Debug)]
pub struct ApiError {
    code: AnyCode,
    message: String,
    /// Which value broke the rule, where the message is the fixed text of its code.
    detail: Option<String>,
    cause: Option<Box<dyn Error + Send + Sync>>,
    /// How soon the call may be made again.
    retry_after: Option<Duration>,
}

impl ApiError {
    /// An error whose text the client sees as it is.
    pub fn new(code: impl Into<AnyCode>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), detail: None, cause: None, retry_after: None }
    }

    /// A failure of ours: the client learns nothing but the code, the log gets the cause.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let message = "The server failed to carry out this call. Its log names the cause.".to_owned();
        Self { cause: Some(cause.into()), ..Self::new(Code::Internal, message) }
    }

    /// An upload that could not be kept while it arrived.
    pub(crate) fn spool(cause: std::io::Error) -> Self {
        if matches!(cause.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded) {
            let message = "The server's disk is full: no upload can be taken. Try again later.".to_owned();
            return Self { cause: Some(cause.into()), ..Self::new(Code::Unavailable, message) };
        }
        Self::internal(cause)
    }

    /// The same, with what broke the rule beside the fixed text of its code.
    pub(crate) fn with_detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    /// The same, with how soon the call may be made again.
    pub(crate) fn with_retry_after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    /// How many seconds later the call may be made again; none where that is not known.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        self.retry_after.map(|wait| wait.as_secs().max(1))
    }

    /// A value that was read and refused.
    pub fn invalid(message: impl fmt::Display) -> Self {
        Self::new(Code::Validation, sentence(&message.to_string()))
    }

    /// A part of the path or the query that breaks its rule.
    pub fn parameter(message: impl fmt::Display) -> Self {
        Self::new(Code::MalformedParameter, sentence(&message.to_string()))
    }

    /// The path that no route matches.
    pub fn no_route(path: &str) -> Self {
        let path: String = path.chars().take(200).collect();
        Self::new(
            Code::NoRoute,
            format!(
                "Could not route to {path}, perhaps your object identifier is invalid? /openapi.json lists every path."
            ),
        )
    }

    /// A namespace that does not exist.
    pub fn namespace_not_found(name: &NamespaceName) -> Self {
        Self::new(
            Code::NamespaceNotFound,
            format!("The dispatch namespace \"{name}\" does not exist on this account. Create it first."),
        )
    }

    /// A script that does not exist: clients tell the two kinds apart by the number.
    pub fn script_not_found(key: &ScriptKey) -> Self {
        match key {
            ScriptKey::Platform(name) => Self::new(
                Code::ScriptNotFound,
                format!("The script \"{name}\" does not exist on this account."),
            ),
            ScriptKey::User { namespace, script } => Self::new(
                Code::UserScriptNotFound,
                format!("The script \"{script}\" does not exist in the dispatch namespace \"{namespace}\"."),
            ),
        }
    }

    /// What the configuration declares, and a start would put back.
    fn configured(what: &str) -> Self {
        Self::new(
            Code::Configured,
            format!(
                "The configuration declares {what}; change it there. Or repeat the call with ?force=true: then it \
                 holds until the next start, which puts back what the file says."
            ),
        )
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> AnyCode {
        self.code
    }

    /// Which value broke the rule, where that is not in the text.
    pub(crate) fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The text that the client sees.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// What a use case refuses keeps its words; where something failed, they go to the log.
impl From<ControlError> for ApiError {
    fn from(error: ControlError) -> Self {
        let text = sentence(&error.to_string());
        match error {
            ControlError::Registry(error) => error.into(),
            ControlError::Kv(error) => error.into(),
            ControlError::Queues(error) => error.into(),
            ControlError::NoQueues => Self::invalid(text),
            ControlError::D1(error) => error.into(),
            ControlError::R2(error) => error.into(),
            ControlError::Component(refusal) => match refusal.code {
                RefusalCode::Invalid => Self::invalid(refusal.message),
                RefusalCode::TooLarge => Self::new(Code::TooLarge, refusal.message),
                RefusalCode::Busy => Self::new(Code::Unavailable, refusal.message),
                RefusalCode::Failed => Self::internal(refusal.message),
            },
            ControlError::Policy(error) => error.into(),
            ControlError::Invalid(rule) => Self::invalid(rule),
            ControlError::NoCertificates => Self::invalid(text),
            ControlError::Certificates(error) if error.is_refusal() => Self::invalid(text),
            ControlError::Certificates(error) => Self::internal(error),
            ControlError::Authority(_) => Self::new(Code::Authority, text),
            ControlError::NotTaken(_) => Self::new(Code::WebhookTest, text),
            ControlError::Referenced { .. } => {
                Self::new(Code::Referenced, format!("{} Or repeat the call with ?force=true.", text))
            }
            ControlError::SecretNotFound { .. } => Self::new(Code::SecretNotFound, text),
        }
    }
}

/// What the registry refuses keeps the registry's words; where it failed, they go to the log.
impl From<RegistryError> for ApiError {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::NamespaceNotFound(name) => Self::namespace_not_found(&name),
            RegistryError::ScriptNotFound(key) => Self::script_not_found(&key),
            RegistryError::VersionNotFound { .. } => {
                Self::new(Code::VersionNotFound, sentence(&error.public_message()))
            }
            RegistryError::OtherContent { .. } => {
                Self::new(Code::OtherContent, sentence(&error.public_message()))
            }
            RegistryError::Upload(UploadError::Binding(error)) => error.into(),
            RegistryError::Assets(error) => error.into(),
            RegistryError::Zone(error) => error.into(),
            RegistryError::Alert(error) => error.into(),
            RegistryError::SecretStore(SecretStoreError::NotFound { .. }) => {
                Self::new(Code::SecretStoreNotFound, sentence(&error.public_message()))
            }
            other => {
                let code = match &other {
                    RegistryError::RouteNotFound(_) => Code::RouteNotFound,
                    RegistryError::TokenNotFound(_) => Code::TokenNotFound,
                    RegistryError::Configured(what) => return Self::configured(what),
                    _ => match other.kind() {
                        ErrorKind::NotFound | ErrorKind::Invalid => Code::Validation,
                        ErrorKind::Exists => Code::Exists,
                        ErrorKind::Conflict => Code::Conflict,
                        ErrorKind::Unavailable => Code::Unavailable,
                        ErrorKind::Internal => Code::Internal,
                    },
                };
                let shown = Self::new(code, sentence(&other.public_message()));
                Self { cause: Some(other.into()), ..shown }
            }
        }
    }
}

impl From<PolicyError> for ApiError {
    fn from(error: PolicyError) -> Self {
        let code = match &error {
            PolicyError::Exceeds(..) | PolicyError::Outlives | PolicyError::Elsewhere => Code::Forbidden,
            PolicyError::Empty
            | PolicyError::Group(_)
            | PolicyError::Place(_)
            | PolicyError::Misplaced(..)
            | PolicyError::TooMany => Code::Validation,
        };
        Self::new(code, sentence(&error.to_string()))
    }
}

impl From<AlertError> for ApiError {
    fn from(error: AlertError) -> Self {
        let code = match &error {
            AlertError::NotFound { .. } => Code::AlertNotFound,
            AlertError::TooMany { .. } => Code::Validation,
            AlertError::InUse { .. } => Code::Referenced,
        };
        Self::new(code, sentence(&error.to_string()))
    }
}

impl From<KvError> for ApiError {
    fn from(error: KvError) -> Self {
        let code = match &error {
            KvError::NamespaceNotFound(_) => Code::KvNamespaceNotFound,
            KvError::TitleTaken { .. } => Code::KvTitleTaken,
            KvError::Invalid(_) => Code::Validation,
            KvError::TooLarge { what: "the value", .. } | KvError::NoRoom { .. } => Code::TooLarge,
            KvError::TooLarge { .. } => Code::Validation,
            KvError::Quota { .. } => Code::KvQuota,
            KvError::Busy { .. } | KvError::Full => Code::Unavailable,
            KvError::Store { .. } => return Self::internal(error),
        };
        Self::new(code, sentence(&error.to_string()))
    }
}

impl From<D1Error> for ApiError {
    fn from(error: D1Error) -> Self {
        let code = match error {
            D1Error::NotFound(_) => Code::D1NotFound,
            D1Error::NameTaken { .. } => Code::D1NameTaken,
            D1Error::Invalid(_) | D1Error::NoWayBack(_) => Code::D1Invalid,
            D1Error::Quota { limit: "d1_databases", .. } => Code::D1Quota,
            // SQLite's own text, and nothing beside it: clients look into it.
            D1Error::Sql { message, .. } => return Self::new(Code::D1Refused, message),
            D1Error::Quota { .. } | D1Error::NoRoom { .. } | D1Error::TooSlow { .. } => Code::D1Refused,
            D1Error::CpuSpent | D1Error::Abandoned => Code::D1Refused,
            D1Error::Busy { .. } | D1Error::Full => Code::Unavailable,
            D1Error::Damaged { .. } => {
                tracing::error!(%error, "a database is damaged");
                Code::D1Damaged
            }
            D1Error::Store { .. } => return Self::internal(error),
        };
        Self::new(code, sentence(&error.to_string()))
    }
}

impl From<R2Error> for ApiError {
    fn from(error: R2Error) -> Self {
        let code = match &error {
            R2Error::BucketNotFound(_) => Code::R2BucketNotFound,
            R2Error::BucketTaken(_) => Code::R2BucketExists,
            R2Error::BucketNotEmpty { .. } => Code::R2BucketNotEmpty,
            R2Error::UploadNotFound(_) => Code::R2ObjectNotFound,
            R2Error::InvalidRange { .. } => Code::R2Range,
            R2Error::BadDigest { .. } => Code::R2Digest,
            R2Error::Invalid(_) | R2Error::InvalidPart(_) | R2Error::PartTooSmall { .. } => Code::Validation,
            R2Error::TooLarge { what: "the content", .. } => Code::TooLarge,
            R2Error::TooLarge { .. } => Code::Validation,
            R2Error::Interrupted(_) => Code::SlowBody,
            R2Error::Quota { .. } => Code::R2Quota,
            R2Error::Busy { .. } | R2Error::Full => Code::Unavailable,
            R2Error::Damaged { .. } => {
                tracing::error!(%error, "an object cannot be read");
                Code::R2Damaged
            }
            R2Error::Store { .. } => return Self::internal(error),
        };
        Self::new(code, sentence(&error.to_string()))
    }
}

impl From<AssetUploadError> for ApiError {
    fn from(error: AssetUploadError) -> Self {
        let code = match error {
            AssetUploadError::NotDeclared { .. } | AssetUploadError::Size { .. } => Code::AssetContent,
            AssetUploadError::OtherContent { .. } => Code::AssetConflict,
            AssetUploadError::NoSession
            | AssetUploadError::Incomplete { .. }
            | AssetUploadError::OtherScope { .. } => Code::CompletionToken,
        };
        Self::new(code, sentence(&error.to_string()))
    }
}

impl From<BindingError> for ApiError {
    fn from(error: BindingError) -> Self {
        match error {
            BindingError::NothingToInherit { .. } => {
                Self::new(Code::InheritUnresolved, sentence(&error.to_string()))
            }
            _ => Self::invalid(error),
        }
    }
}

/// The texts of lower floors are clauses; clients show them on a line of their own. A first word that is a name,
/// like `main_module`, stays as it is.
pub(crate) fn sentence(clause: &str) -> String {
    let word = clause.split(' ').next().unwrap_or_default();
    let mut characters = clause.chars();
    let mut text = String::with_capacity(clause.len() + 1);
    if word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        text.extend(characters.next().map(|first| first.to_ascii_uppercase()));
    }
    text.push_str(characters.as_str());
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    text
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [code: {}]", self.message, self.code.number())
    }
}

impl Error for ApiError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if self.code.status().is_server_error() {
            tracing::error!(code = self.code.number(), cause = chain(&self), "API call failed");
        } else {
            tracing::debug!(code = self.code.number(), "API call refused");
        }
        envelope::failure(&self)
    }
}

/// The causes of an error, outermost first, on one line.
fn chain(error: &dyn Error) -> String {
    let mut line = String::new();
    let mut next = error.source();
    while let Some(cause) = next {
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&cause.to_string());
        next = cause.source();
    }
    line
}
