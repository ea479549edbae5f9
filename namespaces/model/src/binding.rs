//! Bindings: the named capabilities that a version of a script is given.
//!
//! Owns the declaration of each binding type and its wire form, which is that of Cloudflare's v4 metadata
//! (`{"type": "plain_text", "name": "GREETING", "text": "hello"}`). Never gives a capability: the runtime
//! does, from what is declared here. `Serialize` is the form for views, and leaves secrets out; the form
//! for the store, with them, stays inside this crate.
//!
//! A new binding type is a variant of [`BindingKind`]; the compiler then lists every other place.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::name::{BindingName, NameError, NamespaceName, ScriptName};
use crate::secret::Secret;

pub use input::{BindingInput, resolve};

mod input;
mod wire;

/// A binding, as a version declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingDecl {
    /// The name under which the script sees it.
    pub name: BindingName,
    /// What it gives.
    pub kind: BindingKind,
}

/// What a binding gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BindingKind {
    /// A text, as a configuration value.
    PlainText {
        /// The text.
        text: String,
    },
    /// A JSON value, as a configuration value.
    Json {
        /// The value.
        json: Value,
    },
    /// A text that no view ever shows.
    SecretText {
        /// The text.
        text: Secret,
    },
    /// Another script.
    Service {
        /// Its name.
        service: ScriptName,
        /// The namespace it belongs to; none for a platform script.
        namespace: Option<NamespaceName>,
    },
    /// All user scripts of a namespace.
    DispatchNamespace {
        /// The namespace's name.
        namespace: NamespaceName,
        /// The outbound worker for calls through this binding.
        outbound: Option<OutboundDecl>,
    },
    /// The static files of the version itself.
    Assets,
    /// Id, tag and time of the version itself.
    VersionMetadata,
}

/// The type of a binding, without what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BindingType {
    /// `plain_text`
    PlainText,
    /// `json`
    Json,
    /// `secret_text`
    SecretText,
    /// `service`
    Service,
    /// `dispatch_namespace`
    DispatchNamespace,
    /// `assets`
    Assets,
    /// `version_metadata`
    VersionMetadata,
}

impl BindingType {
    /// Every type that the platform gives.
    pub const ALL: [BindingType; 7] = [
        BindingType::PlainText,
        BindingType::Json,
        BindingType::SecretText,
        BindingType::Service,
        BindingType::DispatchNamespace,
        BindingType::Assets,
        BindingType::VersionMetadata,
    ];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            BindingType::PlainText => "plain_text",
            BindingType::Json => "json",
            BindingType::SecretText => "secret_text",
            BindingType::Service => "service",
            BindingType::DispatchNamespace => "dispatch_namespace",
            BindingType::Assets => "assets",
            BindingType::VersionMetadata => "version_metadata",
        }
    }

    /// The type with that name on the wire.
    #[must_use]
    pub fn from_wire(name: &str) -> Option<BindingType> {
        BindingType::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl std::fmt::Display for BindingType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl BindingKind {
    /// The type.
    #[must_use]
    pub const fn binding_type(&self) -> BindingType {
        match self {
            BindingKind::PlainText { .. } => BindingType::PlainText,
            BindingKind::Json { .. } => BindingType::Json,
            BindingKind::SecretText { .. } => BindingType::SecretText,
            BindingKind::Service { .. } => BindingType::Service,
            BindingKind::DispatchNamespace { .. } => BindingType::DispatchNamespace,
            BindingKind::Assets => BindingType::Assets,
            BindingKind::VersionMetadata => BindingType::VersionMetadata,
        }
    }

    /// True for texts, JSON values and secrets, which share a bound on their number and size.
    #[must_use]
    pub const fn is_variable(&self) -> bool {
        matches!(
            self,
            BindingKind::PlainText { .. } | BindingKind::Json { .. } | BindingKind::SecretText { .. }
        )
    }
}

/// The platform script that receives the fetches of user scripts, and which parameters it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboundDecl {
    /// The platform script.
    pub worker: ScriptName,
    /// Names of the parameters that a dispatcher may pass on to it.
    pub params: Vec<String>,
}

/// A binding that cannot be taken. Safe to show: holds names and rules, never what a binding holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BindingError {
    /// The type is not one of those the platform gives.
    #[error("binding \"{name}\" has the type \"{found}\", which this platform does not give; the types are {supported}", supported = supported())]
    UnsupportedType {
        /// The binding's name, shortened.
        name: String,
        /// The type that was asked for, shortened.
        found: String,
    },
    /// A field is missing or has the wrong JSON type.
    #[error("binding \"{name}\": field \"{field}\" must be {expected}; add or correct it")]
    Field {
        /// The binding's name, shortened.
        name: String,
        /// The field.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// A name inside the binding breaks its grammar.
    #[error("binding \"{name}\": {source}")]
    Name {
        /// The binding's name, shortened.
        name: String,
        /// The rule.
        source: NameError,
    },
    /// Two bindings of one version have the same name.
    #[error("binding \"{name}\" is declared twice; rename one of the two")]
    Duplicate {
        /// The name.
        name: BindingName,
    },
    /// A variable holds too much.
    #[error("binding \"{name}\" holds {found} bytes, more than the {max} that are allowed; shorten it")]
    TooLarge {
        /// The name.
        name: BindingName,
        /// Its size.
        found: usize,
        /// The bound.
        max: usize,
    },
    /// Too many bindings or variables.
    #[error("the version declares {found} {what}, more than the {max} that are allowed; remove some")]
    TooMany {
        /// Variables, bindings or parameters.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// The bound.
        max: usize,
    },
    /// A binding is to be kept, and there is none of that name to keep.
    #[error(
        "binding \"{name}\" is to be inherited, and the version before has no \"{old_name}\"; declare it in full"
    )]
    NothingToInherit {
        /// The name it was to have.
        name: BindingName,
        /// The name it was looked for under.
        old_name: BindingName,
    },
}

fn supported() -> String {
    BindingType::ALL.map(BindingType::as_str).join(", ")
}

impl BindingDecl {
    /// Reads a binding from its wire form.
    ///
    /// # Errors
    /// [`BindingError`] naming the binding, the field and the rule.
    pub fn from_json(value: &Value) -> Result<BindingDecl, BindingError> {
        wire::decl(value)
    }

    /// The form for the store: like the view, and with what is secret.
    pub fn to_record(&self) -> Value {
        let mut fields = wire::view(self);
        if let BindingKind::SecretText { text } = &self.kind {
            fields.insert("text".to_owned(), Value::from(text.expose()));
        }
        Value::Object(fields)
    }
}

impl Serialize for BindingDecl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        wire::view(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for BindingDecl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<BindingDecl, D::Error> {
        BindingDecl::from_json(&Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl Serialize for OutboundDecl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        wire::outbound_view(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for OutboundDecl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<OutboundDecl, D::Error> {
        wire::outbound("outbound", &Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
