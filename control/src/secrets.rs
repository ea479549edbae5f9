//! Secrets of a script: put, delete, several at once.
//!
//! Owns the rule that a secret takes the place of a secret and of no other binding. Must never show what one holds.

use std::sync::Arc;

use wasmyard_namespaces::{BindingDecl, BindingName, Script, ScriptKey};

use crate::error::ControlError;
use crate::{Control, Done, Force, Result, configured};

impl Control {
    /// Puts and deletes secrets: all of it as one version, or nothing.
    ///
    /// # Errors
    /// That the script is not there, that a secret to delete is not, that another binding has the name, that there
    /// would be too many, or that the configuration declares one; or the registry's failure.
    pub async fn change_secrets(
        &self,
        key: &ScriptKey,
        put: Vec<BindingDecl>,
        delete: &[BindingName],
        force: Force,
    ) -> Result<Done<Arc<Script>>> {
        let before = self.existing(key).await?;
        put.iter().try_for_each(|decl| puttable(&before, decl))?;
        self.may_have(key, &[], &put)?;
        delete.iter().try_for_each(|name| deletable(&before, name))?;
        let after = self.changing(force).change_bindings(key, put, delete).await?;
        Ok(Done::new(Arc::clone(&after), configured::changed_script(&before, &after)))
    }
}

/// Whether a binding is a secret.
#[must_use]
pub fn is_secret(binding: &BindingDecl) -> bool {
    binding.kind.binding_type().is_secret()
}

fn puttable(script: &Script, decl: &BindingDecl) -> Result<()> {
    if script.version.bindings.iter().any(|held| held.name == decl.name && !is_secret(held)) {
        return Err(ControlError::Invalid(format!(
            "The script has another binding called \"{}\"; choose another name, or remove that binding first.",
            decl.name
        )));
    }
    Ok(())
}

fn deletable(script: &Script, name: &BindingName) -> Result<()> {
    let held = script.version.bindings.iter().any(|held| held.name == *name && is_secret(held));
    if held { Ok(()) } else { Err(ControlError::SecretNotFound { name: name.to_string() }) }
}
