//! `kv_namespace`: a namespace of keys and values.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::fields::Fields;
use super::{Binding, BindingError, Reference};

/// A namespace of keys and values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KvNamespace {
    /// The namespace's identifier.
    pub namespace_id: KvNamespaceId,
}

/// Names a KV namespace: 1 to 64 letters, digits, `-` and `_`. Those that the platform makes have 32 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KvNamespaceId(Arc<str>);

impl KvNamespaceId {
    /// The identifier, if the text is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<KvNamespaceId> {
        let is_one = (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        is_one.then(|| KvNamespaceId(Arc::from(text)))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KvNamespaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Binding for KvNamespace {
    const TYPE: &'static str = "kv_namespace";
    const FIELDS: &'static [&'static str] = &["namespace_id"];

    fn parse(fields: &Fields<'_>) -> Result<Self, BindingError> {
        let namespace_id = KvNamespaceId::parse(fields.text("namespace_id")?)
            .ok_or_else(|| fields.wrong("namespace_id", "the identifier of a KV namespace, not its title"))?;
        Ok(Self { namespace_id })
    }

    fn view(&self, fields: &mut Map<String, Value>) {
        fields.insert("namespace_id".to_owned(), Value::from(self.namespace_id.as_str()));
    }

    fn refers_to(&self) -> Vec<Reference<'_>> {
        vec![Reference::KvNamespace(&self.namespace_id)]
    }
}
