//! Owns every way in which a call can fail: one table of codes, and the error that carries one of them to the client.
//! Must never put the text of an internal failure, a path of this machine or a secret into a reply.

use std::error::Error;
use std::fmt;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use wasmyard_control::{ControlError, RefusalCode};
use wasmyard_kv::KvError;
use wasmyard_namespaces::{
    AssetUploadError, BindingError, ErrorKind, NamespaceName, RegistryError, ScriptKey, UploadError,
};

use crate::envelope;

/// Writes the table of codes once: the enum, its numbers, its statuses and its documentation cannot disagree.
macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal, $status:ident;)+) => {
        /// What went wrong, as clients tell it apart: they read the number, not the HTTP status.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[doc = $doc])+ $name,)+ }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &[Code] = &[$(Code::$name,)+];

            /// The number in `errors[].code`.
            #[must_use]
            pub const fn number(self) -> u32 { match self { $(Code::$name => $number,)+ } }

            /// The HTTP status that goes with it.
            #[must_use]
            pub const fn status(self) -> StatusCode { match self { $(Code::$name => StatusCode::$status,)+ } }

            /// One line for the documentation.
            #[must_use]
            pub const fn meaning(self) -> &'static str { match self { $(Code::$name => concat!($($doc),+).trim_ascii(),)+ } }
        }
    };
}

// Numbers below 90000 and 100119 are those that existing clients know and act upon. Where none is known for a
// case, the number is our own, from 90000 upwards.
codes! {
    /// The path leads nowhere, or the account identifier in it is not well-formed.
    NoRoute = 7003, NOT_FOUND;
    /// The path exists, the method is not one of its methods.
    MethodNotAllowed = 7001, METHOD_NOT_ALLOWED;
    /// The API token is missing or wrong.
    Authentication = 10000, UNAUTHORIZED;
    /// The content type of an upload is not one that this endpoint reads.
    ContentType = 10001, UNSUPPORTED_MEDIA_TYPE;
    /// Something failed inside; the log of the server says what.
    Internal = 10002, INTERNAL_SERVER_ERROR;
    /// A name in the path or a value in the query breaks its rule.
    MalformedParameter = 10004, BAD_REQUEST;
    /// The body is not the JSON or the multipart form that it claims to be.
    Unparsable = 10006, BAD_REQUEST;
    /// No platform script has this name.
    ScriptNotFound = 10007, NOT_FOUND;
    /// The KV namespace has no value under this key.
    KvKeyNotFound = 10009, NOT_FOUND;
    /// No KV namespace has this identifier.
    KvNamespaceNotFound = 10013, NOT_FOUND;
    /// A KV namespace of this title exists already.
    KvTitleTaken = 10014, BAD_REQUEST;
    /// `If-Match` names another content than the script has by now.
    OtherContent = 10018, PRECONDITION_FAILED;
    /// An upload or a value in a body was read and refused; the message names the rule.
    Validation = 10021, BAD_REQUEST;
    /// The module, or the body as a whole, is larger than this server takes.
    TooLarge = 10027, PAYLOAD_TOO_LARGE;
    /// A binding of type `inherit` finds nothing to inherit from.
    InheritUnresolved = 10057, BAD_REQUEST;
    /// No service has this name (the name that wrangler uses for a platform script).
    ServiceNotFound = 10090, NOT_FOUND;
    /// No user script has this name in the namespace.
    UserScriptNotFound = 10092, NOT_FOUND;
    /// No dispatch namespace has this name.
    NamespaceNotFound = 100119, NOT_FOUND;
    /// Something of that name exists already.
    Exists = 90001, CONFLICT;
    /// Another change to the same thing came in between; nothing was changed, so the call can be repeated.
    Conflict = 90002, CONFLICT;
    /// The script has no secret of this name.
    SecretNotFound = 90003, NOT_FOUND;
    /// No route has this identifier.
    RouteNotFound = 90004, NOT_FOUND;
    /// It was declared in the configuration file and can be changed only there.
    Configured = 90005, CONFLICT;
    /// Others refer to what is to go; `?force=true` has it go all the same.
    Referenced = 90015, CONFLICT;
    /// The body stopped arriving, or took longer than allowed.
    SlowBody = 90006, REQUEST_TIMEOUT;
    /// The server did not finish in time; the change may still take effect.
    Timeout = 90007, SERVICE_UNAVAILABLE;
    /// The store is not available at the moment, or too much waits to be compiled; the call can be repeated.
    Unavailable = 90008, SERVICE_UNAVAILABLE;
    /// No API token has this identifier.
    TokenNotFound = 90010, NOT_FOUND;
    /// The script serves no version of this identifier; earlier versions are not kept.
    VersionNotFound = 90009, NOT_FOUND;
    /// The token in `assets.jwt` is not the completion token of an upload for this script, or not any more.
    CompletionToken = 90011, BAD_REQUEST;
    /// The manifest of an upload of assets breaks a rule; the message names the file and the rule.
    AssetManifest = 90012, BAD_REQUEST;
    /// A content is not what the manifest of its session says.
    AssetContent = 90013, BAD_REQUEST;
    /// The KV namespace holds as much as it may; the message names the limit.
    KvQuota = 90016, FORBIDDEN;
    /// The hash of an asset names another content in this namespace already.
    AssetConflict = 90014, CONFLICT;
}

/// A failure on its way to the client: a code, a text that is safe to show, and for the log what lies behind it.
#[derive(Debug)]
pub struct ApiError {
    code: Code,
    message: String,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl ApiError {
    /// An error whose text the client sees as it is.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), cause: None }
    }

    /// A failure of ours: the client learns nothing but the code, the log gets the cause.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let message = "The server failed to carry out this call. Its log names the cause.".to_owned();
        Self { code: Code::Internal, message, cause: Some(cause.into()) }
    }

    /// An upload that could not be kept while it arrived.
    pub(crate) fn spool(cause: std::io::Error) -> Self {
        if matches!(cause.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded) {
            let message = "The server's disk is full: no upload can be taken. Try again later.".to_owned();
            return Self { code: Code::Unavailable, message, cause: Some(cause.into()) };
        }
        Self::internal(cause)
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
    pub fn code(&self) -> Code {
        self.code
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
            ControlError::Component(refusal) => match refusal.code {
                RefusalCode::Invalid => Self::invalid(refusal.message),
                RefusalCode::TooLarge => Self::new(Code::TooLarge, refusal.message),
                RefusalCode::Busy => Self::new(Code::Unavailable, refusal.message),
                RefusalCode::Failed => Self::internal(refusal.message),
            },
            ControlError::Invalid(rule) => Self::invalid(rule),
            ControlError::Referenced { .. } => {
                Self::new(Code::Referenced, format!("{} Or repeat the call with ?force=true.", text))
            }
            ControlError::SecretNotFound { .. } => Self::new(Code::SecretNotFound, text),
            ControlError::OtherContent { .. } => Self::new(Code::OtherContent, text),
        }
    }
}

/// What the registry refuses keeps the registry's words; where it failed, they go to the log.
impl From<RegistryError> for ApiError {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::NamespaceNotFound(name) => Self::namespace_not_found(&name),
            RegistryError::ScriptNotFound(key) => Self::script_not_found(&key),
            RegistryError::Upload(UploadError::Binding(error)) => error.into(),
            RegistryError::Assets(error) => error.into(),
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
                Self { code, message: sentence(&other.public_message()), cause: Some(other.into()) }
            }
        }
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
