//! What may change about a script without a new component: tags, bindings, limits, dates, flags.
//!
//! Owns these changes as decisions over the script as it is. Never appends by itself.

use std::sync::Arc;

use super::change::Decision;
use super::upload::{deployment, new_id};
use crate::error::RegistryError;
use crate::ownership::refuse_script;
use crate::{Registry, Result};
use wasmyard_model::bindings::{self, BindingDecl, BindingInput};
use wasmyard_model::cron::{self, Cron};
use wasmyard_model::name::{BindingName, Tag};
use wasmyard_model::script::{
    Script, ScriptKey, SettingsPatch, UploadError, Version, check_date, check_flags, check_texts, sorted_tags,
};
use wasmyard_model::timestamp::Timestamp;

impl Registry {
    /// Sets all tags of a script. Like every change here, this refuses with [`RegistryError::Configured`] to touch
    /// what the configuration names, unless this handle is [over it](Registry::over_configuration).
    ///
    /// # Errors
    /// [`RegistryError::ScriptNotFound`]; [`RegistryError::Upload`] for too many; [`RegistryError::Store`].
    pub async fn set_tags(&self, key: &ScriptKey, tags: Vec<Tag>) -> Result<Arc<Script>> {
        let tags = sorted_tags(tags)?;
        self.change_existing(key, |script| {
            script.tags.clone_from(&tags);
            Ok(())
        })
        .await
    }

    /// Adds and removes tags of a script: all of it, or nothing when there would be too many. A tag to add that is
    /// there already, and one to remove that is not there, change nothing.
    ///
    /// # Errors
    /// [`RegistryError::ScriptNotFound`]; [`RegistryError::Upload`] for too many; [`RegistryError::Store`].
    pub async fn change_tags(&self, key: &ScriptKey, add: Vec<Tag>, remove: &[Tag]) -> Result<Arc<Script>> {
        self.change_existing(key, |script| {
            let kept = script.tags.iter().filter(|known| !remove.contains(known)).cloned();
            script.tags = sorted_tags(kept.chain(add.iter().cloned()).collect())?;
            Ok(())
        })
        .await
    }

    /// Sets all cron expressions of a script, whichever version serves. The first tick of a new one is the first after now.
    ///
    /// # Errors
    /// [`RegistryError::ScriptNotFound`]; [`RegistryError::Upload`] for too many, or one that is there twice;
    /// [`RegistryError::Store`].
    pub async fn set_crons(&self, key: &ScriptKey, crons: &[Cron]) -> Result<Arc<Script>> {
        self.change_existing(key, |script| {
            script.schedules = cron::schedules(&script.schedules, crons, self.inner.clock().now())
                .map_err(UploadError::from)?;
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
                script.version.bindings = bindings::resolve(inputs, &script.version.bindings, &[], true)?;
            }
            if let Some(tags) = &tags {
                script.tags.clone_from(tags);
            }
            apply_settings(&mut script.version, &patch);
            next_version(script, self.inner.clock().now());
            Ok(())
        })
        .await
    }

    /// Makes a new version of a script with one binding more, or another of that name.
    ///
    /// # Errors
    /// As [`Registry::update_settings`].
    pub async fn put_binding(&self, key: &ScriptKey, decl: BindingDecl) -> Result<Arc<Script>> {
        self.change_bindings(key, vec![decl], &[]).await
    }

    /// Makes a new version of a script without some bindings, and with others, in place of those of their names:
    /// all of it or nothing. A binding to remove that is not there changes nothing.
    ///
    /// # Errors
    /// As [`Registry::update_settings`].
    pub async fn change_bindings(
        &self,
        key: &ScriptKey,
        put: Vec<BindingDecl>,
        remove: &[BindingName],
    ) -> Result<Arc<Script>> {
        self.change_existing(key, |script| {
            let gone = |name| remove.contains(name) || put.iter().any(|decl| decl.name == *name);
            let kept = script.version.bindings.iter().filter(|known| !gone(&known.name));
            let inputs: Vec<BindingInput> = kept.chain(&put).cloned().map(BindingInput::Declare).collect();
            let bindings = bindings::resolve(&inputs, &[], &[], true)?;
            if bindings != script.version.bindings {
                script.version.bindings = bindings;
                next_version(script, self.inner.clock().now());
            }
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
        let over = self.over_configuration;
        let decide = |before: Option<&Script>| {
            let before = before.ok_or_else(not_found)?;
            let mut script = before.clone();
            script.modified_on = self.inner.clock().now();
            change(&mut script)?;
            let same = script.tags == before.tags && script.schedules == before.schedules;
            if same && script.version == before.version {
                return Ok(Decision::Nothing);
            }
            refuse_script(before, Some(&script), over)?;
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

/// A new version of the script, which serves all requests.
pub(super) fn next_version(script: &mut Script, now: Timestamp) {
    script.last_number = script.last_number.saturating_add(1);
    script.version.id = new_id();
    script.version.number = script.last_number;
    script.version.created_on = now;
    script.gradual = None;
    script.deployment = deployment("settings", now);
}
