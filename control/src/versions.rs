//! Versions that are uploaded without serving, and deployments of versions that are kept.

use std::sync::Arc;

use wasmyard_namespaces::registry::{Kept, Rollout};
use wasmyard_namespaces::{BindingInput, RegistryError, Script, ScriptKey, Version};

use crate::{Control, Deploy, Done, Force, Result, configured};

impl Control {
    /// Keeps a version that does not serve yet.
    ///
    /// # Errors
    /// As [`Control::deploy`]; and that there is no such script.
    pub async fn upload_version(
        &self,
        key: &ScriptKey,
        deploy: Deploy,
    ) -> Result<Done<(Arc<Script>, Version)>> {
        let before = self.existing(key).await?;
        let upload = self.ready_to_deploy(key, Some(&before), deploy).await?;
        let (script, version) = self.registry.put_version(key, upload).await?;
        tracing::info!(script = %key, version = version.number, bytes = version.code.size(), "kept");
        let remarks = self.remarks_on_version(key, &version).await?;
        Ok(Done::new((script, version), remarks))
    }

    /// Has versions that are kept serve. They do when this returns.
    ///
    /// # Errors
    /// That the script or a version is not there, that the shares are not all together, or that the configuration
    /// declares what changes; or the registry's failure.
    pub async fn roll_out(
        &self,
        key: &ScriptKey,
        rollout: &Rollout,
        force: Force,
    ) -> Result<Done<Arc<Script>>> {
        let before = self.kept(key).await?;
        let wanted = |version: &&Version| rollout.versions.iter().any(|(id, _)| *id == version.id);
        let mut remarks = Vec::new();
        for version in before.versions().into_iter().filter(wanted) {
            // What the namespace lets its scripts have may be less than when it was uploaded.
            self.may_serve(key, version)?;
            // What a version is bound to may be gone since it served.
            let inputs: Vec<_> = version.bindings.iter().cloned().map(BindingInput::Declare).collect();
            self.note_bindings(key, &inputs).await?;
            remarks.extend(self.remarks_on_version(key, version).await?);
        }
        let script = self.changing(force).roll_out(key, rollout).await?;
        let numbers: Vec<String> =
            script.serving().map(|(version, share)| format!("{} {share}", version.number)).collect();
        tracing::info!(script = %key, versions = numbers.join(", "), "deployed");
        remarks.extend(configured::changed_script(&before.script, &script));
        Ok(Done::new(script, remarks))
    }

    /// Takes back a deployment whose version broke the rule that it was deployed with. Nothing where another one serves by now.
    ///
    /// # Errors
    /// That what served before is not kept any more; or the registry's failure.
    pub async fn take_back(
        &self,
        key: &ScriptKey,
        deployment: &str,
        reason: &str,
    ) -> Result<Option<Arc<Script>>> {
        // The rule came with the deployment, from whoever may change what serves.
        let taken = self.changing(Force::Yes).take_back(key, deployment, reason).await?;
        if let Some(script) = &taken {
            let version = script.version.number;
            tracing::warn!(script = %key, deployment, reason, version, "a deployment was rolled back by its rule");
        }
        Ok(taken)
    }

    /// Forgets a deployment that has ended. Whether it was known.
    ///
    /// # Errors
    /// That there is no such script; or the registry's failure.
    pub async fn forget_deployment(&self, key: &ScriptKey, id: &str) -> Result<bool> {
        Ok(self.registry.forget_deployment(key, id).await?)
    }

    /// A script with the versions and the deployments that are kept of it.
    ///
    /// # Errors
    /// That there is no such script or namespace; or the registry's failure.
    pub async fn kept(&self, key: &ScriptKey) -> Result<Kept> {
        self.existing(key).await?;
        self.registry.kept(key).await?.ok_or_else(|| RegistryError::ScriptNotFound(key.clone()).into())
    }
}
