//! Bindings: the named capabilities that a version of a script is given.
//!
//! Owns the declaration of each binding type and its wire form, which is that of Cloudflare's v4 metadata
//! (`{"type": "plain_text", "name": "GREETING", "text": "hello"}`). Never gives a capability: the runtime
//! does, from what is declared here. `Serialize` is the form for views, and leaves secrets out.
//!
//! A binding type is a file with what [`Binding`] asks of it, and a line in the list `families!` below.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::ids::{MtlsCertificateId, SecretStoreId};
use crate::name::{BindingName, NamespaceName, ScriptName, shorten};
use fields::Fields;

pub use assets::Assets;
pub use d1::{D1, DatabaseId};
pub use dispatch_namespace::{DispatchNamespace, OutboundDecl};
pub use error::BindingError;
pub use input::{BindingInput, resolve};
pub use json::Json;
pub use kv_namespace::{KvNamespace, KvNamespaceId};
pub use mtls_certificate::ClientCertificate;
pub use own::{StorageKind, Stored};
pub use plain_text::PlainText;
pub use queue::{Queue, QueueName};
pub use r2_bucket::{BucketName, R2Bucket};
pub use ratelimit::Ratelimit;
pub use secret_key::{KeyFormat, SecretKey};
pub use secret_text::SecretText;
pub use secrets_store_secret::SecretsStoreSecret;
pub use service::Service;
pub use version_metadata::VersionMetadata;

mod assets;
mod d1;
mod dispatch_namespace;
mod error;
mod fields;
mod input;
mod json;
mod kv_namespace;
mod mtls_certificate;
mod own;
mod plain_text;
mod queue;
mod r2_bucket;
mod ratelimit;
mod secret_key;
mod secret_text;
mod secrets_store_secret;
mod service;
mod version_metadata;

/// A binding, as a version declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingDecl {
    /// The name under which the script sees it.
    pub name: BindingName,
    /// What it gives.
    pub kind: BindingKind,
}

/// What every type of binding says of itself.
trait Binding: Sized {
    /// The type's name on the wire.
    const TYPE: &'static str;
    /// The fields it has beside `type` and `name`.
    const FIELDS: &'static [&'static str];
    /// Whether it is a configuration value: those share a bound on their number and size.
    const IS_VARIABLE: bool = false;

    /// Reads its fields. An error names the binding, the field and the rule.
    fn parse(fields: &Fields<'_>) -> Result<Self, BindingError>;

    /// Writes the fields that clients may see.
    fn view(&self, fields: &mut Map<String, Value>);

    /// Writes the fields that are kept: those of the view, and what views leave out.
    fn record(&self, fields: &mut Map<String, Value>) {
        self.view(fields);
    }

    /// About how many bytes of memory it takes.
    fn weight(&self) -> usize {
        256
    }

    /// What has to be there for it to lead anywhere.
    fn refers_to(&self) -> Vec<Reference<'_>> {
        Vec::new()
    }
}

/// Something that a binding names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference<'a> {
    /// A platform script.
    Script(&'a ScriptName),
    /// A platform script, as the outbound worker.
    OutboundWorker(&'a ScriptName),
    /// A namespace.
    Namespace(&'a NamespaceName),
    /// A namespace of keys and values.
    KvNamespace(&'a KvNamespaceId),
    /// A secret of a store, by its name.
    StoredSecret(&'a SecretStoreId, &'a str),
    /// A queue.
    Queue(&'a QueueName),
    /// An SQL database.
    Database(&'a DatabaseId),
    /// A bucket of objects.
    R2Bucket(&'a BucketName),
    /// A certificate that is shown.
    MtlsCertificate(&'a MtlsCertificateId),
}

/// Makes the two enums from the list of types, so that there is no other list.
macro_rules! families {
    ($($(#[$doc:meta])* $family:ident),+ $(,)?) => {
        /// What a binding gives.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum BindingKind {
            $($(#[$doc])* $family($family),)+
        }

        /// The type of a binding, without what it holds.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum BindingType {
            $($(#[$doc])* $family,)+
        }

        impl BindingType {
            /// Every type that the platform gives.
            pub const ALL: [BindingType; [$(stringify!($family)),+].len()] = [$(BindingType::$family),+];

            /// The name on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(BindingType::$family => $family::TYPE,)+ }
            }

            /// The fields it has beside `type` and `name`.
            #[must_use]
            pub const fn fields(self) -> &'static [&'static str] {
                match self { $(BindingType::$family => $family::FIELDS,)+ }
            }

            fn parse(self, fields: &Fields<'_>) -> Result<BindingKind, BindingError> {
                match self { $(BindingType::$family => $family::parse(fields).map(BindingKind::$family),)+ }
            }
        }

        impl BindingKind {
            /// The type.
            #[must_use]
            pub const fn binding_type(&self) -> BindingType {
                match self { $(BindingKind::$family(_) => BindingType::$family,)+ }
            }

            /// True for texts, JSON values and secrets, which share a bound on their number and size.
            #[must_use]
            pub const fn is_variable(&self) -> bool {
                match self { $(BindingKind::$family(_) => $family::IS_VARIABLE,)+ }
            }

            /// About how many bytes of memory it takes.
            #[must_use]
            pub fn weight(&self) -> usize {
                match self { $(BindingKind::$family(binding) => binding.weight(),)+ }
            }

            /// What has to be there for it to lead anywhere.
            #[must_use]
            pub fn refers_to(&self) -> Vec<Reference<'_>> {
                match self { $(BindingKind::$family(binding) => binding.refers_to(),)+ }
            }

            fn view(&self, fields: &mut Map<String, Value>) {
                match self { $(BindingKind::$family(binding) => binding.view(fields),)+ }
            }

            fn record(&self, fields: &mut Map<String, Value>) {
                match self { $(BindingKind::$family(binding) => binding.record(fields),)+ }
            }
        }
    };
}

families! {
    /// A text, as a configuration value.
    PlainText,
    /// A JSON value, as a configuration value.
    Json,
    /// A text that no view ever shows.
    SecretText,
    /// A key for cryptography that no view ever shows.
    SecretKey,
    /// Another script.
    Service,
    /// All user scripts of a namespace.
    DispatchNamespace,
    /// The static files of the version itself.
    Assets,
    /// Id, tag and time of the version itself.
    VersionMetadata,
    /// A namespace of keys and values.
    KvNamespace,
    /// An SQL database.
    D1,
    /// A rate limit.
    Ratelimit,
    /// A secret of a store.
    SecretsStoreSecret,
    /// A queue that messages are sent to.
    Queue,
    /// A bucket of objects.
    R2Bucket,
    /// A certificate that requests show.
    ClientCertificate,
}

impl BindingKind {
    /// The bucket that it leads to, if it leads to one.
    #[must_use]
    pub fn bucket(&self) -> Option<&BucketName> {
        if let BindingKind::R2Bucket(held) = self { Some(&held.bucket_name) } else { None }
    }
}

impl BindingType {
    /// The type with that name on the wire.
    #[must_use]
    pub fn from_wire(name: &str) -> Option<BindingType> {
        BindingType::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl BindingType {
    /// The fields that no view shows: clients cannot send them back. Empty for what is no secret.
    #[must_use]
    pub const fn withheld(self) -> &'static [&'static str] {
        match self {
            BindingType::SecretText => &["text"],
            BindingType::SecretKey => &["key_base64", "key_jwk"],
            _ => &[],
        }
    }

    /// Whether no view shows what it holds.
    #[must_use]
    pub const fn is_secret(self) -> bool {
        !self.withheld().is_empty()
    }
}

impl std::fmt::Display for BindingType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl BindingDecl {
    /// Reads a binding from its wire form.
    ///
    /// # Errors
    /// [`BindingError`] naming the binding, the field and the rule.
    pub fn from_json(value: &Value) -> Result<BindingDecl, BindingError> {
        let (fields, kind) = Fields::of(value)?;
        let Some(kind) = BindingType::from_wire(kind) else {
            let name = fields.into_name().to_string();
            return Err(BindingError::UnsupportedType { name, found: shorten(kind) });
        };
        let kind = kind.parse(&fields)?;
        Ok(BindingDecl { name: fields.into_name(), kind })
    }

    /// The form for the store, and for a client that declares it: like the view, and with what is secret.
    pub fn to_record(&self) -> Value {
        let mut fields = self.head();
        self.kind.record(&mut fields);
        Value::Object(fields)
    }

    fn head(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        fields.insert("type".to_owned(), Value::from(self.kind.binding_type().as_str()));
        fields.insert("name".to_owned(), Value::from(self.name.as_str()));
        fields
    }
}

impl Serialize for BindingDecl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = self.head();
        self.kind.view(&mut fields);
        fields.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for BindingDecl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<BindingDecl, D::Error> {
        BindingDecl::from_json(&Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
