//! All that a configuration file declares, applied to the registry.
//!
//! Owns the order, and what the log says of it: what was replaced, and what is no longer declared. The file itself is
//! its reader's; what arrives here is parsed. Must never touch a key that the file does not name.

use wasmyard_namespaces::registry::DeclaredNames;
use wasmyard_namespaces::zone::DnsRecordEdit;
use wasmyard_namespaces::{
    Applied, AssetsConfig, ConfigKeys, ConfigName, Domain, FinishedAssets, NewCustomHostname, NewNamespace,
    RoutePattern, RouteTarget, Script, ScriptKey, UploadDraft, ZoneEdit,
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

/// A zone that is declared, with all that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredZone {
    /// Its name.
    pub name: Domain,
    /// Its settings, fallback origin and hold, as far as they are named.
    pub edit: ZoneEdit,
    /// The keys that are named.
    pub keys: ConfigKeys,
    /// Its DNS records.
    pub records: Vec<DnsRecordEdit>,
    /// Its custom hostnames, each with the keys that are named.
    pub hostnames: Vec<(NewCustomHostname, ConfigKeys)>,
}

impl Control {
    /// Namespaces and routes. `names` are all that is going to be declared: they are remembered, so that a later file
    /// that has them no longer lets go of them.
    ///
    /// # Errors
    /// The registry's refusal or failure.
    pub async fn declare_settings(
        &self,
        configuration: &ConfigName,
        namespaces: Vec<DeclaredNamespace>,
        routes: Vec<DeclaredRoute>,
        names: &DeclaredNames,
    ) -> Result<()> {
        for (new, keys) in namespaces {
            let name = format!("namespace {}", new.name);
            tell(&name, &self.registry.declare_namespace(new, keys).await?);
        }
        for pattern in self.registry.replace_config_routes(configuration, routes).await? {
            tracing::info!("the configuration replaced what the route {pattern} had");
        }
        Ok(self.registry.announce(configuration, names).await?)
    }

    /// A zone with its records and custom hostnames: records first, because origins are judged by them.
    ///
    /// # Errors
    /// What the API would refuse it with.
    pub async fn declare_zone(&self, configuration: &ConfigName, zone: &DeclaredZone) -> Result<()> {
        let applied = self.registry.declare_zone(&zone.name, &zone.edit, zone.keys.clone()).await?;
        let id = applied.record.id.clone();
        tell_kept(&format!("zone {}", zone.name), &applied);
        for record in self.registry.declare_dns_records(configuration, &id, &zone.records).await? {
            tracing::info!(zone = %zone.name, "the configuration replaced what the {record} had");
        }
        for (new, keys) in &zone.hostnames {
            let applied = self.registry.declare_hostname(&id, new, keys.clone()).await?;
            tell_kept(&format!("hostname {}", new.name), &applied);
        }
        Ok(())
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
    pub async fn let_go_of_others(&self, configuration: &ConfigName, names: &DeclaredNames) -> Result<()> {
        for name in self.registry.let_go_of_others(configuration, names).await? {
            tracing::warn!(
                "{name} is no longer in the configuration: it stays as it is, and the API may change it"
            );
        }
        Ok(())
    }
}

fn tell_replaced<T>(name: &str, applied: &Applied<T>) {
    if !applied.replaced.is_empty() {
        let keys = applied.replaced.join(", ");
        tracing::info!(keys, "the configuration replaced what {name} had");
    }
}

/// The same of something whose keys all stay as they were when the file names them no longer.
fn tell_kept<T>(name: &str, applied: &Applied<T>) {
    tell_replaced(name, applied);
    if !applied.let_go.is_empty() {
        let keys = applied.let_go.join(", ");
        tracing::warn!(keys, "the configuration no longer names these keys of {name}: they stay as they are");
    }
}

/// Says what the configuration changed about what was there.
pub fn tell<T>(name: &str, applied: &Applied<T>) {
    tell_replaced(name, applied);
    if !applied.let_go.is_empty() {
        let keys = applied.let_go.join(", ");
        tracing::warn!(
            keys,
            "the configuration no longer names these keys of {name}: what they granted is taken back, what they bounded stays"
        );
    }
}
