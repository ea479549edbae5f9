//! What may change about a script without a new component: tags, bindings, limits, dates, flags.
//!
//! Owns these changes as decisions over the script as it is. Never appends by itself.

use std::sync::Arc;

use super::change::Decision;
use super::new_id;
use crate::binding::{self, BindingDecl, BindingInput};
use crate::error::RegistryError;
use crate::name::{BindingName, Tag};
use crate::registry::{Registry, Result};
use crate::script::{
    Script, ScriptKey, SettingsPatch, Version, check_date, check_flags, check_texts, sorted_tags,
};
use crate::timestamp::Timestamp;

impl Registry {
    /// Sets all tags of a script.
    ///
    /// # Errors
    /// [`RegistryError::ScriptNotFound`]; [`RegistryError::Upload`] for too many; [`RegistryError::Store`].
    pub async fn set_tags(&self, key: &ScriptKey, tags: Vec<Tag>) -> Result<Arc<Script>> {
        let tags = sorted_tags(tags)?;
        self.change_tags(key, |_| tags.clone()).await
    }

    /// Adds a tag to a script; one that it has already changes nothing.
    ///
    /// # Errors
    /// [`RegistryError::ScriptNotFound`]; [`RegistryError::Upload`] for too many; [`RegistryError::Store`].
    pub async fn add_tag(&self, key: &ScriptKey, tag: Tag) -> Result<Arc<Script>> {
        self.change_tags(key, |tags| tags.iter().cloned().chain([tag.clone()]).collect()).await
    }

    /// Takes a tag from a script; one that it does not have changes nothing.
    ///
    /// # Errors
    /// [`RegistryError::ScriptNotFound`]; [`RegistryError::Store`].
    pub async fn remove_tag(&self, key: &ScriptKey, tag: &Tag) -> Result<Arc<Script>> {
        self.change_tags(key, |tags| tags.iter().filter(|known| *known != tag).cloned().collect()).await
    }

    async fn change_tags(&self, key: &ScriptKey, change: impl Fn(&[Tag]) -> Vec<Tag>) -> Result<Arc<Script>> {
        self.change_existing(key, |script| {
            script.tags = sorted_tags(change(&script.tags))?;
            Ok(())
        })
        .await
    }

    /// Makes a new version of a script with the same component and other settings.
    ///
    /// # Errors
    /// [`RegistryError::ScriptNotFound`]; [`RegistryError::Upload`] for settings out of bounds;
    /// [`RegistryError::Store`].
    pub async fn update_settings(&self, key: &ScriptKey, patch: SettingsPatch) -> Result<Arc<Script>> {
        if let Some(limits) = &patch.limits {
            limits.validate(&self.inner.options.ceiling)?;
        }
        check_date(patch.compatibility_date.as_deref())?;
        check_texts("compatibility_flags", patch.compatibility_flags.iter().flatten())?;
        check_flags(key, patch.compatibility_flags.as_deref().unwrap_or_default())?;
        check_texts("annotations", patch.annotations.iter().flat_map(|map| map.keys()))?;
        check_texts("annotations", patch.annotations.iter().flat_map(|map| map.values()))?;
        let tags = patch.tags.clone().map(sorted_tags).transpose()?;
        self.change_existing(key, |script| {
            if let Some(inputs) = &patch.bindings {
                script.version.bindings = binding::resolve(inputs, &script.version.bindings, &[], true)?;
            }
            if let Some(tags) = &tags {
                script.tags.clone_from(tags);
            }
            apply_settings(&mut script.version, &patch);
            next_version(&mut script.version);
            Ok(())
        })
        .await
    }

    /// Makes a new version of a script with one binding more, or another of that name.
    ///
    /// # Errors
    /// As [`Registry::update_settings`].
    pub async fn put_binding(&self, key: &ScriptKey, decl: BindingDecl) -> Result<Arc<Script>> {
        self.change_bindings(key, |bindings| {
            bindings.retain(|known| known.name != decl.name);
            bindings.push(decl.clone());
        })
        .await
    }

    /// Makes a new version of a script without a binding; returns whether it had one of that name.
    ///
    /// # Errors
    /// [`RegistryError::ScriptNotFound`]; [`RegistryError::Store`].
    pub async fn remove_binding(&self, key: &ScriptKey, name: &BindingName) -> Result<bool> {
        let mut had = false;
        let decide = |before: Option<&Script>| {
            let mut script = before.cloned().ok_or_else(|| RegistryError::ScriptNotFound(key.clone()))?;
            had = script.version.bindings.iter().any(|decl| decl.name == *name);
            if !had {
                return Ok(Decision::Nothing);
            }
            script.version.bindings.retain(|decl| decl.name != *name);
            next_version(&mut script.version);
            script.modified_on = script.version.created_on;
            Ok(Decision::Write(Box::new(script)))
        };
        self.inner.change_script(key, decide).await?;
        Ok(had)
    }

    async fn change_bindings(
        &self,
        key: &ScriptKey,
        change: impl Fn(&mut Vec<BindingDecl>),
    ) -> Result<Arc<Script>> {
        self.change_existing(key, |script| {
            let mut bindings = script.version.bindings.clone();
            change(&mut bindings);
            let inputs: Vec<BindingInput> = bindings.into_iter().map(BindingInput::Declare).collect();
            script.version.bindings = binding::resolve(&inputs, &[], &[], true)?;
            next_version(&mut script.version);
            Ok(())
        })
        .await
    }

    async fn change_existing(
        &self,
        key: &ScriptKey,
        change: impl Fn(&mut Script) -> Result<()>,
    ) -> Result<Arc<Script>> {
        let not_found = || RegistryError::ScriptNotFound(key.clone());
        let decide = |before: Option<&Script>| {
            let mut script = before.cloned().ok_or_else(not_found)?;
            script.modified_on = Timestamp::now();
            change(&mut script)?;
            Ok(Decision::Write(Box::new(script)))
        };
        self.inner.change_script(key, decide).await?.ok_or_else(not_found)
    }
}

fn apply_settings(version: &mut Version, patch: &SettingsPatch) {
    if let Some(limits) = patch.limits {
        version.limits = limits;
    }
    if let Some(date) = &patch.compatibility_date {
        version.compatibility_date = Some(date.clone());
    }
    if let Some(flags) = &patch.compatibility_flags {
        version.compatibility_flags.clone_from(flags);
    }
    if let Some(annotations) = &patch.annotations {
        version.annotations.clone_from(annotations);
    }
}

fn next_version(version: &mut Version) {
    version.id = new_id();
    version.number = version.number.saturating_add(1);
    version.created_on = Timestamp::now();
}
