//! What one version of a script was given, in the shape that host calls look it up.

use std::collections::HashMap;

use wasmtime_wasi_config::WasiConfigVariables;
use wasmyard_namespaces::binding::{BindingDecl, BindingKind, BindingType};
use wasmyard_namespaces::name::NamespaceName;

/// The bindings of one version. Holds secrets: has no `Debug`.
pub struct Grants {
    pub(crate) config: WasiConfigVariables,
    namespaces: HashMap<String, NamespaceName>,
    kinds: HashMap<String, &'static str>,
}

impl Grants {
    /// Sorts a version's declarations.
    ///
    /// Text, JSON and secret bindings become configuration values (`wasi:config`).
    pub fn new(bindings: &[BindingDecl]) -> Self {
        let mut grants =
            Self { config: WasiConfigVariables::new(), namespaces: HashMap::new(), kinds: HashMap::new() };
        for binding in bindings {
            let name = binding.name.as_ref().to_owned();
            grants.kinds.insert(name.clone(), binding.kind.binding_type().as_str());
            match &binding.kind {
                BindingKind::PlainText { text } => {
                    grants.config.insert(name, text.clone());
                }
                BindingKind::Json { json } => {
                    grants.config.insert(name, json.to_string());
                }
                BindingKind::SecretText { text } => {
                    grants.config.insert(name, text.expose());
                }
                BindingKind::DispatchNamespace { namespace, .. } => {
                    grants.namespaces.insert(name, namespace.clone());
                }
                BindingKind::Service { .. } | BindingKind::Assets | BindingKind::VersionMetadata => {}
            }
        }
        grants
    }

    /// Whether this is the assets binding; if not, the type that the binding has instead, if it exists at all.
    pub(crate) fn assets(&self, binding: &str) -> Result<(), Option<&'static str>> {
        match self.kinds.get(binding).copied() {
            Some(kind) if kind == BindingType::Assets.as_str() => Ok(()),
            other => Err(other),
        }
    }

    /// The namespace behind a binding, or the type that the binding has instead, if it exists at all.
    pub(crate) fn namespace(&self, binding: &str) -> Result<&NamespaceName, Option<&'static str>> {
        self.namespaces.get(binding).ok_or_else(|| self.kinds.get(binding).copied())
    }
}
