//! The configuration, written into the registry: components take the same way through that an upload takes.

use std::path::Path;

use bytes::Bytes;
use wasmyard_api::ComponentChecker as _;
use wasmyard_namespaces::limits::MAX_COMPONENT_BYTES;
use wasmyard_namespaces::{
    BindingInput, Digest, NamespacePatch, NewNamespace, Origin, Registry, RegistryError, Upload, UploadDraft,
};

use super::checker::ForUploads;
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

/// Deploys one script of the configuration from its file, unless that very version serves already.
///
/// # Errors
/// The text that an upload would be refused with.
pub(super) async fn deploy(
    registry: &Registry,
    checker: &ForUploads,
    script: &ScriptConfig,
    wasm: &Path,
) -> Result<(), String> {
    let read = |error| format!("{} cannot be read: {error}", wasm.display());
    let size = tokio::fs::metadata(wasm).await.map_err(read)?.len();
    if size > MAX_COMPONENT_BYTES {
        return Err(format!(
            "{} has {size} bytes; at most {MAX_COMPONENT_BYTES} are allowed",
            wasm.display()
        ));
    }
    let bytes = Bytes::from(tokio::fs::read(wasm).await.map_err(read)?);
    let digest = Digest::of(&bytes);
    let now = registry.script(&script.key).await.map_err(|error| error.to_string())?;
    if now.is_some_and(|now| {
        now.version.component == Some(digest)
            && now.version.bindings == script.bindings
            && now.version.limits == script.limits
            && now.tags == script.tags
    }) {
        return Ok(());
    }
    let checked = checker.check(&digest, bytes.clone()).await.map_err(|refusal| refusal.message)?;
    let component_size = bytes.len() as u64;
    let component = registry.put_component(bytes).await.map_err(|error| error.to_string())?;
    let main_module = wasm.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let upload = Upload::parse(UploadDraft {
        component: Some(component),
        component_size,
        main_module,
        bindings: script.bindings.iter().cloned().map(BindingInput::Declare).collect(),
        tags: Some(script.tags.clone()),
        limits: script.limits,
        startup_time_ms: checked.startup_time_ms,
        ..UploadDraft::default()
    })
    .map_err(|error| error.to_string())?;
    registry.deploy(&script.key, upload).await.map(|_| ()).map_err(|error| error.to_string())
}
