//! Tags of a script: replace all, or add and remove some.

use std::sync::Arc;

use wasmyard_namespaces::{Script, ScriptKey, Tag};

use crate::{Control, Done, Force, Result, configured};

impl Control {
    /// Replaces all tags of a script.
    ///
    /// # Errors
    /// That the script is not there, that there would be too many, or that the configuration declares them; or the
    /// registry's failure.
    pub async fn set_tags(&self, key: &ScriptKey, tags: Vec<Tag>, force: Force) -> Result<Done<Arc<Script>>> {
        let before = self.existing(key).await?;
        let after = self.changing(force).set_tags(key, tags).await?;
        Ok(Done::new(Arc::clone(&after), configured::changed_script(&before, &after)))
    }

    /// Adds and removes tags of a script: all of it, or nothing.
    ///
    /// # Errors
    /// As [`Control::set_tags`].
    pub async fn change_tags(
        &self,
        key: &ScriptKey,
        add: Vec<Tag>,
        remove: &[Tag],
        force: Force,
    ) -> Result<Done<Arc<Script>>> {
        let before = self.existing(key).await?;
        let after = self.changing(force).change_tags(key, add, remove).await?;
        Ok(Done::new(Arc::clone(&after), configured::changed_script(&before, &after)))
    }
}
