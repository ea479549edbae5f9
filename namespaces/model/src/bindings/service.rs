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
    /// Which of its exports; its default one where none is named.
    pub entrypoint: Option<String>,
    /// What it is told of whoever calls by this binding: `ctx.props`.
    pub props: Option<Value>,
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

/// The longest name of an export that a binding may name.
const MOST_ENTRYPOINT: usize = 255;

fn entrypoint_name(fields: &Fields<'_>) -> Result<String, BindingError> {
    let name = fields.text("entrypoint")?;
    let begins = name.starts_with(|first: char| first.is_alphabetic() || first == '_' || first == '$');
    let of_letters = name.chars().all(|each| each.is_alphanumeric() || each == '_' || each == '$');
    if !begins || !of_letters || name.len() > MOST_ENTRYPOINT {
        return Err(fields.wrong("entrypoint", "the name of an export: letters, digits, _ and $, up to 255"));
    }
    Ok(name.to_owned())
}

impl Binding for Service {
    const TYPE: &'static str = "service";
    const FIELDS: &'static [&'static str] = &["service", "namespace", "entrypoint", "props"];

    fn parse(fields: &Fields<'_>) -> Result<Self, BindingError> {
        let namespace = match fields.get("namespace") {
            None => None,
            Some(_) => Some(fields.parsed("namespace")?),
        };
        let entrypoint = match fields.get("entrypoint") {
            None => None,
            Some(_) => Some(entrypoint_name(fields)?),
        };
        let props = match fields.get("props") {
            None => None,
            Some(props @ Value::Object(_)) => {
                fields.within_bound(props.to_string().len())?;
                Some(props.clone())
            }
            Some(_) => return Err(fields.wrong("props", "an object")),
        };
        Ok(Self { service: fields.parsed("service")?, namespace, entrypoint, props })
    }

    fn view(&self, fields: &mut Map<String, Value>) {
        fields.insert("service".to_owned(), Value::from(self.service.as_str()));
        if let Some(namespace) = &self.namespace {
            fields.insert("namespace".to_owned(), Value::from(namespace.as_str()));
        }
        if let Some(entrypoint) = &self.entrypoint {
            fields.insert("entrypoint".to_owned(), Value::from(entrypoint.as_str()));
        }
        if let Some(props) = &self.props {
            fields.insert("props".to_owned(), props.clone());
        }
    }

    /// A parsed value takes several times its text.
    fn weight(&self) -> usize {
        let entrypoint = self.entrypoint.as_ref().map_or(0, String::len);
        entrypoint + self.props.as_ref().map_or(0, |props| props.to_string().len() * 4)
    }

    fn refers_to(&self) -> Vec<Reference<'_>> {
        vec![match &self.namespace {
            None => Reference::Script(&self.service),
            Some(namespace) => Reference::Namespace(namespace),
        }]
    }
}
