//! What may change about a script beside its component and its secrets: bindings, limits, dates, flags.

use std::sync::Arc;

use wasmyard_namespaces::{Script, ScriptKey, SettingsPatch};

use crate::{Control, Done, Force, Result, configured};

impl Control {
    /// Makes a new version of a script with other settings.
    ///
    /// # Errors
    /// That the script is not there, that a setting breaks a rule, or that the configuration declares it; or the
    /// registry's failure.
    pub async fn change_settings(
        &self,
        key: &ScriptKey,
        mut patch: SettingsPatch,
        force: Force,
    ) -> Result<Done<Arc<Script>>> {
        let before = self.existing(key).await?;
        if let Some(inputs) = &mut patch.bindings {
            self.may_be_bound(key, inputs)?;
            *inputs = self.with_own(key, inputs).await?;
            self.note_bindings(key, inputs).await?;
        }
        let after = self.changing(force).update_settings(key, patch).await?;
        let mut remarks = configured::changed_script(&before, &after);
        remarks.extend(self.remarks_on_bindings(key, &after.version.bindings).await?);
        Ok(Done::new(after, remarks))
    }
}
