//! What the scripts of a namespace may import and be bound to, held against each version that is to serve or to be kept.
//!
//! Owns the moments at which it is asked. Platform scripts are the builder's own: nothing bounds them.

use wasmyard_namespaces::bundle::Bundle;
use wasmyard_namespaces::capabilities::{MAX_IMPORTS, import_name};
use wasmyard_namespaces::{BindingDecl, BindingInput, ScriptKey, Version};

use crate::error::ControlError;
use crate::{Control, Result, own};

impl Control {
    /// Refuses what the script's namespace does not let it have.
    pub(crate) fn may_have(
        &self,
        key: &ScriptKey,
        imports: &[String],
        bindings: &[BindingDecl],
    ) -> Result<()> {
        let namespace = key.namespace().and_then(|name| self.registry.namespace_cached(name));
        let policy = namespace.as_ref().and_then(|namespace| namespace.capabilities.as_ref());
        match (key.namespace(), policy) {
            (Some(name), Some(policy)) => {
                policy.judge(name, imports, bindings).map_err(ControlError::invalid)
            }
            _ => Ok(()),
        }
    }

    /// The same for bindings that are declared, before anything is made for them.
    pub(crate) fn may_be_bound(&self, key: &ScriptKey, inputs: &[BindingInput]) -> Result<()> {
        let inputs = own::standing_in(inputs);
        let bindings: Vec<_> = inputs.iter().filter_map(BindingInput::declared).cloned().collect();
        self.may_have(key, &[], &bindings)
    }

    /// The same for a version that is there.
    pub(crate) fn may_serve(&self, key: &ScriptKey, version: &Version) -> Result<()> {
        self.may_have(key, version.code.imports(), &version.bindings)
    }
}

/// What code imports, as it is kept: as the engine found it, or for a script as its files name it.
pub(crate) fn imports_of(bytes: &bytes::Bytes, found: &[String]) -> Vec<String> {
    if let Ok(bundle) = Bundle::read(bytes) {
        return bundle.imports();
    }
    let mut imports: Vec<String> = found.iter().map(|import| import_name(import)).collect();
    imports.sort_unstable();
    imports.dedup();
    imports.truncate(MAX_IMPORTS);
    imports
}
