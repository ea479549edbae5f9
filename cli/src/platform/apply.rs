//! The configuration, written into the registry: components take the same way through that an upload takes.

use std::path::Path;

use bytes::Bytes;
use wasmyard_api::ComponentChecker as _;
use wasmyard_namespaces::limits::MAX_COMPONENT_BYTES;
use wasmyard_namespaces::{
    AssetsConfig, AssetsUpload, BindingInput, Digest, FinishedAssets, NamespacePatch, NewNamespace, Origin,
    Registry, RegistryError, Served, Upload, UploadDraft,
};

use super::checker::ForUploads;
use crate::assets::{AssetsSource, FolderError};
use crate::config::{ResolvedConfig, ScriptConfig};

/// Namespaces and routes, as the configuration has them. What the API made beside them stays.
pub(super) async fn settings(registry: &Registry, config: &ResolvedConfig) -> Result<(), RegistryError> {
    for namespace in &config.namespaces {
        if registry.namespace(&namespace.name).await?.is_none() {
            let new = NewNamespace {
                name: namespace.name.clone(),
                trusted_workers: namespace.trusted_workers,
                limits: namespace.limits,
                outbound: namespace.outbound.clone(),
                egress: namespace.egress.clone(),
                service_bindings: namespace.service_bindings,
                origin: Origin::Config,
            };
            registry.create_namespace(new).await?;
            continue;
        }
        let patch = NamespacePatch {
            name: None,
            trusted_workers: Some(namespace.trusted_workers),
            limits: Some(namespace.limits),
            outbound: Some(namespace.outbound.clone()),
            egress: Some(namespace.egress.clone()),
            service_bindings: Some(namespace.service_bindings),
            origin: Some(Origin::Config),
        };
        registry.update_namespace(&namespace.name, patch).await?;
    }
    let routes = config.routes.iter().map(|route| (route.pattern.clone(), route.target.clone())).collect();
    registry.replace_config_routes(routes).await
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
) -> Result<(), String> {
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
    let now = registry.script(&script.key).await.map_err(text)?;
    if now.is_some_and(|now| {
        let served = now.version.assets.as_ref().map(|assets| (assets.manifest, &assets.config));
        now.version.component == digest
            && served == assets.as_ref().map(|(assets, config)| (assets.manifest, config))
            && now.version.bindings == script.bindings
            && now.version.limits == script.limits
            && now.version.compatibility_flags == script.compatibility_flags
            && now.tags == script.tags
    }) {
        return Ok(());
    }
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
        let namespace = script.key.namespace().and_then(|name| registry.namespace_cached(name));
        let asked = [script.limits, namespace.map(|namespace| namespace.limits).unwrap_or_default()];
        let checked =
            checker.check(&digest, bytes.clone(), &asked).await.map_err(|refusal| refusal.message)?;
        draft.component_size = bytes.len() as u64;
        draft.component = Some(registry.put_component(bytes).await.map_err(text)?);
        draft.main_module =
            main.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        draft.startup_time_ms = checked.startup_time_ms;
    }
    let upload = Upload::parse(draft).map_err(|error| error.to_string())?;
    registry.deploy(&script.key, upload).await.map(|_| ()).map_err(text)
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
