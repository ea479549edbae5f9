//! `service`: another script.

use serde_json::{Map, Value};

use super::fields::Fields;
use super::{Binding, BindingError, Reference};
use crate::name::{NamespaceName, ScriptName};
use crate::script::ScriptKey;

/// Another script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub service: ScriptName,
    /// The namespace it belongs to; none for a platform script.
    pub namespace: Option<NamespaceName>,
}

impl Service {
    /// The script.
    #[must_use]
    pub fn script(&self) -> ScriptKey {
        match &self.namespace {
            None => ScriptKey::Platform(self.service.clone()),
            Some(namespace) => ScriptKey::user(namespace.clone(), self.service.clone()),
        }
    }
}

impl Binding for Service {
    const TYPE: &'static str = "service";
    const FIELDS: &'static [&'static str] = &["service", "namespace"];

    fn parse(fields: &Fields<'_>) -> Result<Self, BindingError> {
        let namespace = match fields.get("namespace") {
            None => None,
            Some(_) => Some(fields.parsed("namespace")?),
        };
        Ok(Self { service: fields.parsed("service")?, namespace })
    }

    fn view(&self, fields: &mut Map<String, Value>) {
        fields.insert("service".to_owned(), Value::from(self.service.as_str()));
        if let Some(namespace) = &self.namespace {
            fields.insert("namespace".to_owned(), Value::from(namespace.as_str()));
        }
    }

    fn refers_to(&self) -> Vec<Reference<'_>> {
        vec![match &self.namespace {
            None => Reference::Script(&self.service),
            Some(namespace) => Reference::Namespace(namespace),
        }]
    }
}
