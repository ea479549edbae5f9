//! What the configuration declares, read from its files and handed to the use cases.

use std::path::Path;

use bytes::Bytes;
use wasmyard_control::audit::Declaration;
use wasmyard_control::configuration::{DeclaredScript, DeclaredZone};
use wasmyard_control::{Component, Control, ControlError, NewCode};
use wasmyard_namespaces::limits::MAX_COMPONENT_BYTES;
use wasmyard_namespaces::registry::DeclaredNames;
use wasmyard_namespaces::{
    Applied, AssetsConfig, BindingInput, FinishedAssets, NewNamespace, Registry, RegistryError, Script,
    Served, UploadDraft,
};

use crate::assets::{AssetsSource, FolderError};
use crate::config::{ResolvedConfig, ScriptConfig};
use crate::sources;

/// All that the configuration declares, and nothing that it does not declare any more. Says what was refused: the rest is
/// in place.
pub(crate) async fn everything(control: &Control, config: &ResolvedConfig) -> Vec<String> {
    let unapplied = |error: ControlError| format!("the configuration cannot be applied: {error}");
    let source = &config.server.configuration;
    let part = |kind, name: String| Declaration { kind, name };
    let settled = control.audited(source, part("settings", source.to_string()), settings(control, config));
    if let Err(error) = settled.await {
        return vec![unapplied(error)];
    }
    let mut refused = zones(control, config).await;
    for script in &config.scripts {
        let deployed =
            control.audited(source, part("script", script.key.to_string()), deploy(control, script));
        match deployed.await {
            Ok(applied) => {
                wasmyard_control::configuration::tell(&format!("script {}", script.key), &applied);
            }
            Err(refusal) => refused.push(format!("script {}: {refusal}", script.key)),
        }
    }
    let let_go = control.audited(source, part("end", source.to_string()), let_go(control, config));
    refused.extend(let_go.await.err().map(unapplied));
    refused
}

/// Namespaces and routes, as the configuration has them. What the API made beside them stays.
pub(crate) async fn settings(control: &Control, config: &ResolvedConfig) -> Result<(), ControlError> {
    let namespaces = config.namespaces.iter().map(|namespace| {
        let new = NewNamespace {
            name: namespace.name.clone(),
            trusted_workers: namespace.trusted_workers,
            limits: namespace.limits,
            outbound: namespace.outbound.clone(),
            egress: namespace.egress.clone(),
            service_bindings: namespace.service_bindings,
            callable_by: namespace.callable_by.clone(),
            capabilities: namespace.capabilities.clone(),
        };
        (new, namespace.keys.clone())
    });
    let routes = config.routes.iter().map(|route| (route.pattern.clone(), route.target.clone()));
    let source = &config.server.configuration;
    control.declare_settings(source, namespaces.collect(), routes.collect(), &names(config)).await
}

/// Zones with all that belongs to them. Returns what was refused; other zones are in place.
pub(crate) async fn zones(control: &Control, config: &ResolvedConfig) -> Vec<String> {
    let mut refused = Vec::new();
    for zone in &config.zones {
        let source = &config.server.configuration;
        let part = Declaration { kind: "zone", name: zone.name.to_string() };
        let declared = control.audited(source, part, control.declare_zone(source, zone));
        if let Err(error) = declared.await {
            refused.push(format!("zone {}: {error}", zone.name));
        }
    }
    refused
}

/// All that the configuration declares, by name.
fn names(config: &ResolvedConfig) -> DeclaredNames {
    let hostnames = |zone: &DeclaredZone| {
        let name = zone.name.clone();
        zone.hostnames.iter().map(move |(new, _)| (name.clone(), new.name.clone())).collect::<Vec<_>>()
    };
    DeclaredNames {
        namespaces: config.namespaces.iter().map(|namespace| namespace.name.clone()).collect(),
        scripts: config.scripts.iter().map(|script| script.key.clone()).collect(),
        zones: config.zones.iter().map(|zone| zone.name.clone()).collect(),
        hostnames: config.zones.iter().flat_map(hostnames).collect(),
    }
}

/// Gives what the configuration no longer declares to the API. Comes last: what is declared is in place by then.
async fn let_go(control: &Control, config: &ResolvedConfig) -> Result<(), ControlError> {
    control.let_go_of_others(&config.server.configuration, &names(config)).await
}

/// How often a folder is looked at again when it changes while it is being read.
const ATTEMPTS: usize = 5;
/// How long an upload from a folder of this machine may take.
const SESSION: std::time::Duration = std::time::Duration::from_secs(3_600);

/// Deploys one script of the configuration from its files, unless that very version serves already.
///
/// # Errors
/// The text that an upload would be refused with.
pub(crate) async fn deploy(control: &Control, script: &ScriptConfig) -> Result<Applied<Script>, String> {
    let component = match &script.main {
        Some(main) => Component::New(NewCode {
            name: main.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            bytes: read(main).await?,
            beside: None,
        }),
        None => Component::None,
    };
    let files = match &script.assets {
        Some(source) => Some(files(control.registry(), script, source).await?),
        None => None,
    };
    let mut bindings: Vec<BindingInput> =
        script.bindings.iter().cloned().map(BindingInput::Declare).collect();
    bindings
        .extend(script.own.iter().map(|(name, kind)| BindingInput::Own { name: name.clone(), kind: *kind }));
    for kv in &script.kv_namespaces {
        let found = control.kv().titled(&kv.title).await.map_err(|error| error.to_string())?;
        bindings.push(BindingInput::Declare(kv.bound_to(found.id)));
    }
    for database in &script.d1_databases {
        let d1 = control.d1().map_err(|error| error.to_string())?;
        let found = d1.named(&database.database).await.map_err(|error| error.to_string())?;
        bindings.push(BindingInput::Declare(database.bound_to(found.id)));
    }
    control.declare_queues(&script.bindings).await.map_err(|error| error.to_string())?;
    for bucket in script.bindings.iter().filter_map(|decl| decl.kind.bucket()) {
        control.ensure_bucket(bucket).await.map_err(|error| error.to_string())?;
    }
    let draft = UploadDraft {
        bindings,
        tags: Some(script.tags.clone()),
        crons: script.crons.clone(),
        compatibility_flags: script.compatibility_flags.clone(),
        limits: script.limits,
        ..UploadDraft::default()
    };
    let (key, keys) = (script.key.clone(), script.keys.clone());
    let declared = DeclaredScript { key, draft, component, files, keys };
    let applied = control.declare_script(declared).await.map_err(|error| error.to_string())?;
    // Afterwards: who consumes is there.
    let consuming = control.declare_consumers(&script.key, &script.queue_consumers);
    consuming.await.map_err(|error| error.to_string())?;
    Ok(applied)
}

async fn read(main: &Path) -> Result<Bytes, String> {
    let shown = main.display();
    let bytes = sources::read(main).await.map_err(|error| format!("{shown} cannot be read: {error}"))?;
    if !sources::is_javascript(main) && bytes.len() as u64 > MAX_COMPONENT_BYTES {
        let size = bytes.len();
        return Err(format!("{shown} has {size} bytes or more; at most {MAX_COMPONENT_BYTES} are allowed"));
    }
    Ok(bytes)
}

/// Brings the files of a folder into the registry, as an upload does. A folder that is being written to is
/// looked at until it holds still.
async fn files(
    registry: &Registry,
    script: &ScriptConfig,
    source: &AssetsSource,
) -> Result<(FinishedAssets, AssetsConfig), String> {
    let mut attempt = 1;
    loop {
        match files_once(registry, script, source).await {
            Err(FilesError::Folder(FolderError::Changed(_) | FolderError::Read { .. }))
                if attempt < ATTEMPTS =>
            {
                attempt += 1;
            }
            done => return done.map_err(|error| error.to_string()),
        }
    }
}

/// Why files cannot be brought in.
#[derive(Debug, thiserror::Error)]
enum FilesError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error("the files could not be read: {0}")]
    Ended(#[from] tokio::task::JoinError),
}

async fn files_once(
    registry: &Registry,
    script: &ScriptConfig,
    source: &AssetsSource,
) -> Result<(FinishedAssets, AssetsConfig), FilesError> {
    let source = source.clone();
    let scanned = tokio::task::spawn_blocking(move || {
        let folder = source.scan()?;
        let (config, private) = (folder.config.clone(), folder.left_out());
        folder.hash().map(|hashed| (hashed, config, private))
    });
    let (hashed, config, private) = scanned.await??;
    if let Some(private) = private {
        tracing::warn!(script = %script.key, "{private}");
    }
    for (file, mistake) in config.mistakes() {
        let line = mistake.line;
        tracing::warn!(script = %script.key, file, line, "a rule of assets is left out: {}", mistake.text);
    }
    let session = registry.begin_assets(&script.key, hashed.draft()?, SESSION).await?;
    let missing = registry.missing_assets(&session).await?;
    let by_hash = hashed.by_hash();
    for declared in missing {
        let Some((found, _)) = by_hash.get(&declared.hash).map(|file| (*file).clone()) else { continue };
        let read = tokio::task::spawn_blocking(move || found.read_again(&declared));
        registry.put_asset(&session, declared.hash, Served::ByName, read.await??).await?;
    }
    Ok((registry.finish_assets(&session).await?, config))
}
