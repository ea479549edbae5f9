//! What one version of a script was given, in the shape that host calls look it up.

use std::collections::HashMap;
use std::sync::Arc;

use wasmyard_namespaces::bindings::{
    BindingDecl, BindingKind, BindingType, DispatchNamespace, Json, PlainText, SecretText,
};
use wasmyard_namespaces::script::ScriptKey;

use crate::seams::{Door, Service};

/// What an invocation may know of the version that it runs.
pub(crate) struct Version {
    pub(crate) key: ScriptKey,
    pub(crate) id: Box<str>,
    pub(crate) bindings: Grants,
}

impl Version {
    pub(crate) fn new(key: ScriptKey, id: &str, bindings: Grants) -> Self {
        Self { key, id: Box::from(id), bindings }
    }
}

/// The bindings of one version. Holds secrets: has no `Debug`.
pub struct Grants {
    texts: HashMap<String, String>,
    doors: HashMap<String, Arc<Door>>,
    services: HashMap<String, Arc<Service>>,
    kinds: HashMap<String, &'static str>,
}

impl Grants {
    /// Sorts a version's declarations.
    ///
    /// Text, JSON and secret bindings become configuration values (`wasi:config`).
    pub fn new(bindings: &[BindingDecl]) -> Self {
        let mut grants = Self {
            texts: HashMap::new(),
            doors: HashMap::new(),
            services: HashMap::new(),
            kinds: HashMap::new(),
        };
        for binding in bindings {
            let name = binding.name.as_ref().to_owned();
            grants.kinds.insert(name.clone(), binding.kind.binding_type().as_str());
            match &binding.kind {
                BindingKind::PlainText(PlainText { text }) => {
                    grants.texts.insert(name, text.clone());
                }
                BindingKind::Json(Json { json }) => {
                    grants.texts.insert(name, json.to_string());
                }
                BindingKind::SecretText(SecretText { text }) => {
                    grants.texts.insert(name, text.expose().to_owned());
                }
                BindingKind::DispatchNamespace(DispatchNamespace { namespace, outbound }) => {
                    let door = Door {
                        binding: name.clone(),
                        namespace: namespace.clone(),
                        outbound: outbound.clone(),
                    };
                    grants.doors.insert(name, Arc::new(door));
                }
                BindingKind::Service(service) => {
                    let script = service.script();
                    grants.services.insert(name.clone(), Arc::new(Service { binding: name, script }));
                }
                BindingKind::Assets(_) | BindingKind::VersionMetadata(_) => {}
            }
        }
        grants
    }

    /// A configuration value.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    /// All configuration values.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// Whether this is the assets binding; if not, the type that the binding has instead, if it exists at all.
    pub(crate) fn assets(&self, binding: &str) -> Result<(), Option<&'static str>> {
        match self.kinds.get(binding).copied() {
            Some(kind) if kind == BindingType::Assets.as_str() => Ok(()),
            other => Err(other),
        }
    }

    /// The namespace behind a binding, or the type that the binding has instead, if it exists at all.
    pub(crate) fn door(&self, binding: &str) -> Result<&Arc<Door>, Option<&'static str>> {
        self.doors.get(binding).ok_or_else(|| self.kinds.get(binding).copied())
    }

    /// The script behind a service binding, or the type that the binding has instead, if it exists at all.
    pub(crate) fn service(&self, binding: &str) -> Result<&Arc<Service>, Option<&'static str>> {
        self.services.get(binding).ok_or_else(|| self.kinds.get(binding).copied())
    }
}
