//! All that a configuration file declares, applied to the registry.
//!
//! Owns the order, and what the log says of it: what was replaced, and what is no longer declared. The file itself is
//! its reader's; what arrives here is parsed. Must never touch a key that the file does not name.

use wasmyard_namespaces::{
    Applied, AssetsConfig, ConfigKeys, ConfigName, FinishedAssets, NamespaceName, NewNamespace, RoutePattern,
    RouteTarget, Script, ScriptKey, UploadDraft,
};

use crate::deploy::Component;
use crate::{Control, Result};

/// A namespace that is declared, with the keys that are named.
pub type DeclaredNamespace = (NewNamespace, ConfigKeys);
/// A route that is declared.
pub type DeclaredRoute = (RoutePattern, RouteTarget);

/// A script that is declared.
#[derive(Debug)]
pub struct DeclaredScript {
    /// Which.
    pub key: ScriptKey,
    /// Its bindings, limits, tags and flags.
    pub draft: UploadDraft,
    /// Its code.
    pub component: Component,
    /// Its files, brought into the registry beforehand.
    pub files: Option<(FinishedAssets, AssetsConfig)>,
    /// The keys that are named.
    pub keys: ConfigKeys,
}

impl Control {
    /// Namespaces and routes. `scripts` are those that are going to be declared: they are remembered, so that a later
    /// file that has them no longer lets go of them.
    ///
    /// # Errors
    /// The registry's refusal or failure.
    pub async fn declare_settings(
        &self,
        configuration: &ConfigName,
        namespaces: Vec<DeclaredNamespace>,
        routes: Vec<DeclaredRoute>,
        scripts: &[ScriptKey],
    ) -> Result<()> {
        let names: Vec<NamespaceName> = namespaces.iter().map(|(new, _)| new.name.clone()).collect();
        for (new, keys) in namespaces {
            let name = format!("namespace {}", new.name);
            tell(&name, &self.registry.declare_namespace(new, keys).await?);
        }
        for pattern in self.registry.replace_config_routes(configuration, routes).await? {
            tracing::info!("the configuration replaced what the route {pattern} had");
        }
        Ok(self.registry.announce(configuration, &names, scripts).await?)
    }

    /// A script, unless that very version serves already.
    ///
    /// # Errors
    /// What an upload would be refused with.
    pub async fn declare_script(&self, script: DeclaredScript) -> Result<Applied<Script>> {
        let DeclaredScript { key, draft, component, files, keys } = script;
        self.declare(&key, draft, component, files, keys).await
    }

    /// Gives what the configuration no longer declares to the API. Comes last: what is declared is in place by then.
    ///
    /// # Errors
    /// The registry's failure.
    pub async fn let_go_of_others(
        &self,
        configuration: &ConfigName,
        namespaces: &[NamespaceName],
        scripts: &[ScriptKey],
    ) -> Result<()> {
        for name in self.registry.let_go_of_others(configuration, namespaces, scripts).await? {
            tracing::warn!(
                "{name} is no longer in the configuration: it stays as it is, and the API may change it"
            );
        }
        Ok(())
    }
}

/// Says what the configuration changed about what was there.
pub fn tell<T>(name: &str, applied: &Applied<T>) {
    if !applied.replaced.is_empty() {
        let keys = applied.replaced.join(", ");
        tracing::info!(keys, "the configuration replaced what {name} had");
    }
    if !applied.let_go.is_empty() {
        let keys = applied.let_go.join(", ");
        tracing::warn!(
            keys,
            "the configuration no longer names these keys of {name}: what they granted is taken back, what they bounded stays"
        );
    }
}
