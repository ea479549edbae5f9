//! What an upload makes of a script: a version, and a deployment of it.

use wasmyard_model::assets::VersionAssets;
use wasmyard_model::bindings;
use wasmyard_model::code::{Code, CodeUpload};
use wasmyard_model::cron;
use wasmyard_model::deployment::Deployment;
use wasmyard_model::digest::Digest;
use wasmyard_model::script::{AssetsUpload, Script, ScriptKey, Upload, UploadError, Version, check_flags};
use wasmyard_model::timestamp::Timestamp;

use crate::Result;

/// The script as it is after an upload.
pub(super) fn deployed(
    key: &ScriptKey,
    before: Option<&Script>,
    upload: &Upload,
    now: Timestamp,
) -> Result<Script> {
    let version = uploaded(key, before, upload, now)?;
    let old_tags = || before.map(|script| script.tags.clone()).unwrap_or_default();
    let old_schedules = before.map(|script| &script.schedules[..]).unwrap_or_default();
    let schedules = match &upload.crons {
        Some(crons) => cron::schedules(old_schedules, crons, now).map_err(UploadError::from)?,
        None => old_schedules.to_vec(),
    };
    let served = before.into_iter().flat_map(Script::serving);
    let served = served.map(|(version, share)| (version.id.clone(), share));
    let rollback = upload.rollback.map(|rule| rule.watching(&version.id, served)).transpose();
    let rollback = rollback.map_err(UploadError::from)?;
    Ok(Script {
        key: key.clone(),
        id: before.map_or_else(new_id, |script| script.id.clone()),
        created_on: before.map_or(now, |script| script.created_on),
        modified_on: now,
        tags: upload.tags.clone().unwrap_or_else(old_tags),
        schedules,
        last_number: version.number,
        deployment: told(Deployment { rollback, ..deployment("upload", now) }, upload),
        version,
        gradual: None,
        config: before.and_then(|script| script.config.clone()),
    })
}

/// The version that an upload makes. What it inherits is the version's that serves.
pub(super) fn uploaded(
    key: &ScriptKey,
    before: Option<&Script>,
    upload: &Upload,
    now: Timestamp,
) -> Result<Version> {
    check_flags(key, &upload.compatibility_flags)?;
    let old_bindings = before.map_or(&[][..], |script| &script.version.bindings);
    let bindings =
        bindings::resolve(&upload.bindings, old_bindings, &upload.keep_bindings, upload.bindings_strict)?;
    let assets = assets_after(before, upload);
    let code = match &upload.code {
        CodeUpload::New(code) => code.clone(),
        CodeUpload::Keep => before.map(|script| script.version.code.clone()).unwrap_or_default(),
    };
    if code.is_none() && assets.is_none() {
        return Err(UploadError::Empty.into());
    }
    Ok(Version {
        id: new_id(),
        number: before.map_or(1, |script| script.last_number.saturating_add(1)),
        created_on: now,
        etag: etag(&code, assets.as_ref()),
        code,
        bindings,
        limits: upload.limits,
        compatibility_date: upload.compatibility_date.clone(),
        compatibility_flags: upload.compatibility_flags.clone(),
        annotations: upload.annotations.clone(),
        assets,
    })
}

/// The annotation that says in words what a version or a deployment is for.
pub(super) const MESSAGE: &str = "workers/message";

/// A deployment with what its upload says of it.
fn told(mut deployment: Deployment, upload: &Upload) -> Deployment {
    let message = upload.annotations.get_key_value(MESSAGE);
    deployment.annotations.extend(message.map(|(key, text)| (key.clone(), text.clone())));
    deployment
}

/// A deployment that begins now; what made it is told as the product does.
pub(crate) fn deployment(triggered_by: &str, now: Timestamp) -> Deployment {
    let annotations = [("workers/triggered_by".to_owned(), triggered_by.to_owned())].into();
    Deployment { id: new_id(), created_on: now, annotations, rollback: None }
}

fn assets_after(before: Option<&Script>, upload: &Upload) -> Option<VersionAssets> {
    match &upload.assets {
        AssetsUpload::None => None,
        AssetsUpload::Keep { config } => {
            let mut kept = before?.version.assets.clone()?;
            if let Some(config) = config {
                kept.config.clone_from(config);
            }
            Some(kept)
        }
        AssetsUpload::Attach { assets, config } => Some(VersionAssets {
            scope: assets.scope.clone(),
            manifest: assets.manifest,
            files: assets.files,
            bytes: assets.bytes,
            config: config.clone(),
        }),
    }
}

/// Identifies what a version consists of: the digest of its code where that is all.
pub(crate) fn etag(code: &Code, assets: Option<&VersionAssets>) -> String {
    let content = code.content();
    let Some(assets) = assets else { return content.map(|digest| digest.to_string()).unwrap_or_default() };
    // Writing plain texts, numbers and switches as JSON cannot fail.
    let config = serde_json::to_vec(&assets.config).unwrap_or_default();
    let parts = [content.map(|digest| *digest.as_bytes()).unwrap_or_default(), *assets.manifest.as_bytes()];
    Digest::of(&[parts.concat(), config].concat()).to_string()
}

pub(crate) fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}
