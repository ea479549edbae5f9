//! The configuration, written into the registry: components take the same way through that an upload takes.

use std::path::Path;

use bytes::Bytes;
use wasmyard_api::ComponentChecker as _;
use wasmyard_namespaces::limits::MAX_COMPONENT_BYTES;
use wasmyard_namespaces::{
    Applied, AssetsConfig, AssetsUpload, BindingInput, Digest, FinishedAssets, NewNamespace, Registry,
    RegistryError, Script, ScriptKey, Served, Upload, UploadDraft,
};

use super::checker::ForUploads;
use crate::assets::{AssetsSource, FolderError};
use crate::config::{ResolvedConfig, ScriptConfig};

/// Namespaces and routes, as the configuration has them. What the API made beside them stays.
pub(super) async fn settings(registry: &Registry, config: &ResolvedConfig) -> Result<(), RegistryError> {
    for namespace in &config.namespaces {
        let new = NewNamespace {
            name: namespace.name.clone(),
            trusted_workers: namespace.trusted_workers,
            limits: namespace.limits,
            outbound: namespace.outbound.clone(),
            egress: namespace.egress.clone(),
            service_bindings: namespace.service_bindings,
        };
        let applied = registry.declare_namespace(new, namespace.keys.clone()).await?;
        tell(&format!("namespace {}", namespace.name), &applied);
    }
    let routes = config.routes.iter().map(|route| (route.pattern.clone(), route.target.clone())).collect();
    for pattern in registry.replace_config_routes(&config.server.configuration, routes).await? {
        tracing::info!("the configuration replaced what the route {pattern} had");
    }
    let namespaces: Vec<_> = config.namespaces.iter().map(|namespace| namespace.name.clone()).collect();
    let scripts: Vec<ScriptKey> = config.scripts.iter().map(|script| script.key.clone()).collect();
    registry.announce(&config.server.configuration, &namespaces, &scripts).await
}

/// Gives what the configuration no longer declares to the API. Comes last: what is declared is in place by then.
pub(super) async fn let_go(registry: &Registry, config: &ResolvedConfig) -> Result<(), RegistryError> {
    let namespaces: Vec<_> = config.namespaces.iter().map(|namespace| namespace.name.clone()).collect();
    let scripts: Vec<_> = config.scripts.iter().map(|script| script.key.clone()).collect();
    for name in registry.let_go_of_others(&config.server.configuration, &namespaces, &scripts).await? {
        tracing::warn!(
            "{name} is no longer in the configuration: it stays as it is, and the API may change it"
        );
    }
    Ok(())
}

/// Says what the configuration changed about what was there.
pub(super) fn tell<T>(name: &str, applied: &Applied<T>) {
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

/// How often a folder is looked at again when it changes while it is being read.
const ATTEMPTS: usize = 5;
/// How long an upload from a folder of this machine may take.
const SESSION: std::time::Duration = std::time::Duration::from_secs(3_600);

/// Deploys one script of the configuration from its files, unless that very version serves already.
///
/// # Errors
/// The text that an upload would be refused with.
pub(super) async fn deploy(
    registry: &Registry,
    checker: &ForUploads,
    script: &ScriptConfig,
) -> Result<Applied<Script>, String> {
    let text = |error: RegistryError| error.to_string();
    let bytes = match &script.main {
        Some(main) => Some(read(main).await?),
        None => None,
    };
    let digest = bytes.as_ref().map(|bytes| Digest::of(bytes));
    let assets = match &script.assets {
        Some(source) => Some(files(registry, script, source).await?),
        None => None,
    };
    let mut draft = UploadDraft {
        bindings: script.bindings.iter().cloned().map(BindingInput::Declare).collect(),
        tags: Some(script.tags.clone()),
        compatibility_flags: script.compatibility_flags.clone(),
        limits: script.limits,
        assets: match assets {
            Some((assets, config)) => AssetsUpload::Attach { assets, config },
            None => AssetsUpload::None,
        },
        ..UploadDraft::default()
    };
    if let (Some(main), Some(bytes), Some(digest)) = (&script.main, bytes, digest) {
        draft.component = Some(digest);
        draft.component_size = bytes.len() as u64;
        draft.main_module =
            main.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let now = registry.script(&script.key).await.map_err(text)?;
        let limits = now.as_ref().map_or(script.limits, |now| script.limits.over(now.version.limits));
        // What serves under these limits was judged under them.
        if !now.is_some_and(|now| now.version.component == Some(digest) && now.version.limits == limits) {
            let namespace = script.key.namespace().and_then(|name| registry.namespace_cached(name));
            let asked = [limits, namespace.map(|namespace| namespace.limits).unwrap_or_default()];
            let checked =
                checker.check(&digest, bytes.clone(), &asked).await.map_err(|refusal| refusal.message)?;
            registry.put_component(bytes).await.map_err(text)?;
            draft.startup_time_ms = checked.startup_time_ms;
        }
    }
    let upload = Upload::parse(draft).map_err(|error| error.to_string())?;
    registry.declare_script(&script.key, upload, script.keys.clone()).await.map_err(text)
}

async fn read(main: &Path) -> Result<Bytes, String> {
    let failed = |error| format!("{} cannot be read: {error}", main.display());
    let size = tokio::fs::metadata(main).await.map_err(failed)?.len();
    if size > MAX_COMPONENT_BYTES {
        let shown = main.display();
        return Err(format!("{shown} has {size} bytes; at most {MAX_COMPONENT_BYTES} are allowed"));
    }
    Ok(Bytes::from(tokio::fs::read(main).await.map_err(failed)?))
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
        let config = folder.config.clone();
        folder.hash().map(|hashed| (hashed, config))
    });
    let (hashed, config) = scanned.await??;
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
