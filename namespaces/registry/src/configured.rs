//! What the operator's configuration declares, joined with what the API made.
//!
//! Owns the rule between the two. The configuration owns the keys that it names and nothing else. When it no
//! longer names a key, it takes back what it granted (bindings, tags, flags, files, trust), and leaves what it
//! bounded (limits, egress, the outbound worker) as it is, so that nothing opens because a line is gone.
//! Never makes a new version of a script that is already as it is declared.

use std::collections::BTreeSet;
use std::sync::Arc;

mod zones;

use super::collection::{ATTEMPTS, Transaction, step_aside};
use super::record::{CONFIGURATIONS, Declared};
use super::scripts::change::Decision;
use super::scripts::upload::{deployment, etag, new_id};
use super::{Registry, Result};
use crate::error::RegistryError;
use wasmyard_model::assets::VersionAssets;
use wasmyard_model::bindings::{self, BindingDecl, BindingInput};
use wasmyard_model::capabilities::CapabilityPolicy;
use wasmyard_model::config_keys::{ConfigKeys, namespace_changes, script_changes};
use wasmyard_model::cron;
use wasmyard_model::domain::Domain;
use wasmyard_model::egress::EgressRules;
use wasmyard_model::hostname::CustomName;
use wasmyard_model::name::{ConfigName, NamespaceName};
use wasmyard_model::namespace::{Namespace, NewNamespace};
use wasmyard_model::script::{AssetsUpload, Script, ScriptKey, Upload, UploadError, Version, check_flags};
use wasmyard_model::timestamp::Timestamp;

/// A record as the configuration left it, and what that did.
#[derive(Clone, Debug)]
pub struct Applied<T> {
    /// The record as it is now.
    pub record: Arc<T>,
    /// Whether it was not there before.
    pub made: bool,
    /// Keys of the configuration that held something else before.
    pub replaced: Vec<String>,
    /// Keys that the configuration named before and names no longer.
    pub let_go: Vec<String>,
}

/// All that a configuration declares, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeclaredNames {
    /// Namespaces.
    pub namespaces: Vec<NamespaceName>,
    /// Scripts.
    pub scripts: Vec<ScriptKey>,
    /// Zones.
    pub zones: Vec<Domain>,
    /// Custom hostnames, each with its zone's name.
    pub hostnames: Vec<(Domain, CustomName)>,
}

impl Registry {
    /// Makes a namespace as the configuration declares it, or changes the keys that it names.
    ///
    /// # Errors
    /// As [`Registry::create_namespace`].
    pub async fn declare_namespace(&self, new: NewNamespace, keys: ConfigKeys) -> Result<Applied<Namespace>> {
        let name = new.name.clone();
        let made = match self.namespace_cached(&name) {
            Some(_) => false,
            None => match self.create_namespace(new.clone()).await {
                Ok(_) => true,
                Err(RegistryError::NamespaceExists(_)) => false,
                Err(error) => return Err(error),
            },
        };
        new.limits.validate(&self.inner.options.ceiling)?;
        new.egress.as_ref().map_or(Ok(()), EgressRules::validate)?;
        new.capabilities.as_ref().map_or(Ok(()), CapabilityPolicy::validate)?;
        let now = self.inner.clock().now();
        let decide = |before: &Namespace| {
            let after = declared_namespace(before, &new, &keys);
            Ok((after != *before).then_some(Namespace { modified_on: now, ..after }))
        };
        let (before, record) = self.inner.change_namespace(&name, decide).await?;
        let replaced = if made { Vec::new() } else { namespace_changes(&keys, &before, &record) };
        Ok(Applied { record, made, replaced, let_go: let_go(before.config.as_ref(), &keys) })
    }

    /// Deploys a script as the configuration declares it: its component and files, and of everything else the
    /// keys that it names. A script that is so already keeps its version.
    ///
    /// # Errors
    /// As [`Registry::deploy`].
    pub async fn declare_script(
        &self,
        key: &ScriptKey,
        upload: Upload,
        keys: ConfigKeys,
    ) -> Result<Applied<Script>> {
        upload.limits.validate(&self.inner.options.ceiling)?;
        check_flags(key, &upload.compatibility_flags)?;
        let (mut was, now): (Option<Script>, _) = (None, self.inner.clock().now());
        let decide = |before: Option<&Script>| {
            was = before.cloned();
            let after = declared_script(key, before, &upload, &keys, now)?;
            Ok(if before == Some(&after) { Decision::Nothing } else { Decision::Write(Box::new(after)) })
        };
        let record = self.inner.change_script(key, decide).await?;
        let record = record.ok_or_else(|| RegistryError::ScriptNotFound(key.clone()))?;
        let replaced = was.as_ref().map(|was| script_changes(&keys, was, &record)).unwrap_or_default();
        let let_go = let_go(was.as_ref().and_then(|was| was.config.as_ref()), &keys);
        Ok(Applied { made: was.is_none(), record, replaced, let_go })
    }

    /// Gives the namespaces and scripts that a configuration declared and no longer declares to the API, as they
    /// are, and remembers those that it declares now; so with zones and custom hostnames. What another configuration
    /// declared is not touched. Returns the names of what was let go.
    ///
    /// # Errors
    /// [`RegistryError::Store`] when the store fails.
    pub async fn let_go_of_others(
        &self,
        configuration: &ConfigName,
        names: &DeclaredNames,
    ) -> Result<Vec<String>> {
        let before = self.inner.log.read(&CONFIGURATIONS, configuration.as_str()).await?;
        let before = before.record()?.unwrap_or_default();
        let mut gone = Vec::new();
        for name in before.namespaces.iter().filter(|name| !names.namespaces.contains(name)) {
            let mut had = false;
            let decide = |before: &Namespace| {
                had = before.config.is_some();
                Ok(had.then(|| Namespace { config: None, ..before.clone() }))
            };
            match self.inner.change_namespace(name, decide).await {
                Ok(_) if had => gone.push(format!("namespace {name}")),
                Ok(_) | Err(RegistryError::NamespaceNotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let keys = before.scripts.iter().filter_map(|name| ScriptKey::parse(name));
        for key in keys.filter(|key| !names.scripts.contains(key)) {
            let mut had = false;
            let decide = |before: Option<&Script>| match before {
                Some(script) if script.config.is_some() => {
                    had = true;
                    Ok(Decision::Write(Box::new(Script { config: None, ..script.clone() })))
                }
                Some(_) | None => Ok(Decision::Nothing),
            };
            match self.inner.change_script(&key, decide).await {
                Ok(_) | Err(RegistryError::NamespaceNotFound(_)) => {}
                Err(error) => return Err(error),
            }
            if had {
                gone.push(format!("script {key}"));
            }
        }
        gone.extend(self.let_go_of_zones(configuration, &before, names).await?);
        self.remember(configuration, |_| declared(names)).await?;
        Ok(gone)
    }

    /// Remembers what a configuration is about to declare, beside what it declared: should the start end in the
    /// middle, the next one knows of all that the configuration may own.
    ///
    /// # Errors
    /// [`RegistryError::Store`] when the store fails.
    pub async fn announce(&self, configuration: &ConfigName, names: &DeclaredNames) -> Result<()> {
        self.remember(configuration, |before| {
            let mut all = declared(names);
            all.namespaces.extend(before.namespaces);
            all.scripts.extend(before.scripts);
            all.zones.extend(before.zones);
            all.hostnames.extend(before.hostnames);
            all
        })
        .await
    }

    async fn remember(&self, configuration: &ConfigName, now: impl Fn(Declared) -> Declared) -> Result<()> {
        let log = &self.inner.log;
        for attempt in 0..ATTEMPTS {
            let seen = log.read(&CONFIGURATIONS, configuration.as_str()).await?;
            let before = seen.record()?.unwrap_or_default();
            let mut now = now(before.clone());
            now.namespaces.sort();
            now.namespaces.dedup();
            now.scripts.sort();
            now.scripts.dedup();
            now.zones.sort();
            now.zones.dedup();
            now.hostnames.sort();
            now.hostnames.dedup();
            if now == before {
                return Ok(());
            }
            let mut transaction = Transaction::default();
            transaction.put(&seen, &now)?;
            match log.commit(&transaction).await {
                Ok(_) => return Ok(()),
                Err(RegistryError::Conflict(_)) => step_aside(attempt).await,
                Err(error) => return Err(error),
            }
        }
        Err(RegistryError::Conflict(format!("configuration {configuration}")))
    }
}

fn declared(names: &DeclaredNames) -> Declared {
    Declared {
        namespaces: names.namespaces.clone(),
        scripts: names.scripts.iter().map(ToString::to_string).collect(),
        zones: names.zones.clone(),
        hostnames: names.hostnames.iter().map(|(zone, name)| format!("{zone}/{name}")).collect(),
    }
}

fn let_go(before: Option<&ConfigKeys>, now: &ConfigKeys) -> Vec<String> {
    before.into_iter().flat_map(ConfigKeys::iter).filter(|key| !now.has(key)).map(str::to_owned).collect()
}

/// A namespace with the keys of the configuration as it has them.
fn declared_namespace(before: &Namespace, new: &NewNamespace, keys: &ConfigKeys) -> Namespace {
    // What was granted and is no longer named is taken back; what the API granted stays.
    let granted = |key: &str, new: bool, before_value: bool| match &before.config {
        _ if keys.has(key) => new,
        Some(named) if named.has(key) => false,
        Some(_) | None => before_value,
    };
    Namespace {
        trusted_workers: granted(ConfigKeys::TRUSTED_WORKERS, new.trusted_workers, before.trusted_workers),
        service_bindings: granted(
            ConfigKeys::SERVICE_BINDINGS,
            new.service_bindings,
            before.service_bindings,
        ),
        callable_by: match &before.config {
            _ if keys.has(ConfigKeys::CALLABLE_BY) => new.callable_by.clone(),
            Some(named) if named.has(ConfigKeys::CALLABLE_BY) => BTreeSet::new(),
            Some(_) | None => before.callable_by.clone(),
        },
        // What bounds stays when it is no longer named.
        capabilities: if keys.has(ConfigKeys::CAPABILITIES) {
            new.capabilities.clone()
        } else {
            before.capabilities.clone()
        },
        limits: new.limits.over(before.limits),
        outbound: if keys.has(ConfigKeys::OUTBOUND) { new.outbound.clone() } else { before.outbound.clone() },
        egress: declared_egress(before.egress.as_ref(), new.egress.as_ref(), keys),
        config: Some(keys.clone()),
        ..before.clone()
    }
}

fn declared_egress(
    before: Option<&Arc<EgressRules>>,
    new: Option<&EgressRules>,
    keys: &ConfigKeys,
) -> Option<Arc<EgressRules>> {
    let Some(new) = new else { return before.cloned() };
    let mut rules = before.map(|rules| EgressRules::clone(rules)).unwrap_or_default();
    if keys.has_egress("allow_hosts") {
        rules.allow_hosts.clone_from(&new.allow_hosts);
    }
    if keys.has_egress("deny_hosts") {
        rules.deny_hosts.clone_from(&new.deny_hosts);
    }
    if keys.has_egress("allow_private") {
        rules.allow_private.clone_from(&new.allow_private);
    }
    if keys.has_egress("ports") {
        rules.ports.clone_from(&new.ports);
    }
    Some(match before {
        // The same rules stay the same value: what egress made of them is kept by it.
        Some(before) if **before == rules => Arc::clone(before),
        Some(_) | None => Arc::new(rules),
    })
}

/// A script with the keys of the configuration as it has them.
fn declared_script(
    key: &ScriptKey,
    before: Option<&Script>,
    upload: &Upload,
    keys: &ConfigKeys,
    now: Timestamp,
) -> Result<Script> {
    let empty = ConfigKeys::default();
    let named = before.and_then(|script| script.config.as_ref()).unwrap_or(&empty);
    let old = before.map(|script| &script.version);
    // What the API made of a key that neither the file nor the one before it names.
    let kept = |key: &str| old.filter(|_| !keys.has(key) && !named.has(key));
    let code = match upload.code.new_code().filter(|_| keys.has(ConfigKeys::MAIN)) {
        // What is the same was judged already, and has the name by which it came.
        Some(new) => {
            old.map(|old| &old.code).filter(|old| old.content() == new.content()).unwrap_or(new).clone()
        }
        None => kept(ConfigKeys::MAIN).map(|old| old.code.clone()).unwrap_or_default(),
    };
    let assets = match &upload.assets {
        AssetsUpload::Attach { assets, config } => Some(VersionAssets {
            scope: assets.scope.clone(),
            manifest: assets.manifest,
            files: assets.files,
            bytes: assets.bytes,
            config: config.clone(),
        }),
        AssetsUpload::None | AssetsUpload::Keep { .. } => {
            kept(ConfigKeys::ASSETS).and_then(|old| old.assets.clone())
        }
    };
    if code.is_none() && assets.is_none() {
        return Err(UploadError::Empty.into());
    }
    let etag = etag(&code, assets.as_ref());
    let old_tags = || before.filter(|_| !named.has(ConfigKeys::TAGS)).map(|script| script.tags.clone());
    let tags = upload.tags.clone().filter(|_| keys.has(ConfigKeys::TAGS)).or_else(old_tags);
    let old_schedules = before.map(|script| &script.schedules[..]).unwrap_or_default();
    let schedules = match &upload.crons {
        Some(crons) if keys.has(ConfigKeys::CRONS) => {
            cron::schedules(old_schedules, crons, now).map_err(UploadError::from)?
        }
        _ if named.has(ConfigKeys::CRONS) => Vec::new(),
        _ => old_schedules.to_vec(),
    };
    let flags = || kept(ConfigKeys::FLAGS).map(|old| old.compatibility_flags.clone()).unwrap_or_default();
    let compatibility_flags =
        if keys.has(ConfigKeys::FLAGS) { upload.compatibility_flags.clone() } else { flags() };
    let version = Version {
        id: old.map_or_else(new_id, |old| old.id.clone()),
        number: old.map_or(1, |old| old.number),
        created_on: old.map_or(now, |old| old.created_on),
        code,
        bindings: declared_bindings(old.map_or(&[][..], |old| &old.bindings), upload, keys, named)?,
        limits: upload.limits.over(old.map(|old| old.limits).unwrap_or_default()),
        compatibility_date: old.and_then(|old| old.compatibility_date.clone()),
        compatibility_flags,
        etag,
        annotations: old.map(|old| old.annotations.clone()).unwrap_or_default(),
        assets,
    };
    let version = match old {
        Some(old) if *old != version => {
            let number = before.map_or(old.number, |script| script.last_number).saturating_add(1);
            Version { id: new_id(), number, created_on: now, ..version }
        }
        Some(_) | None => version,
    };
    let unchanged = old.is_some_and(|old| old.id == version.id);
    let script = Script {
        key: key.clone(),
        id: before.map_or_else(new_id, |script| script.id.clone()),
        created_on: before.map_or(now, |script| script.created_on),
        modified_on: before.map_or(now, |script| script.modified_on),
        tags: tags.unwrap_or_default(),
        schedules,
        gradual: before.filter(|_| unchanged).and_then(|script| script.gradual.clone()),
        deployment: match before.filter(|_| unchanged) {
            Some(before) => before.deployment.clone(),
            None => deployment("configuration", now),
        },
        last_number: before.map_or(0, |script| script.last_number).max(version.number),
        version,
        config: Some(keys.clone()),
    };
    let same = before.is_none_or(|before| {
        before.version == script.version && before.tags == script.tags && before.schedules == script.schedules
    });
    Ok(if same { script } else { Script { modified_on: now, ..script } })
}

/// The bindings of the configuration, and those that the API made under other names.
fn declared_bindings(
    old: &[BindingDecl],
    upload: &Upload,
    keys: &ConfigKeys,
    named: &ConfigKeys,
) -> Result<Vec<BindingDecl>> {
    let mut inputs = upload.bindings.clone();
    let others = old.iter().filter(|decl| !keys.has_binding(&decl.name) && !named.has_binding(&decl.name));
    inputs.extend(others.cloned().map(BindingInput::Declare));
    Ok(bindings::resolve(&inputs, &[], &[], true)?)
}
