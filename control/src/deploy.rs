//! A script's new version: from an upload, or from what the configuration declares.
//!
//! Owns the order of it. Everything that can be refused for nothing comes before the component, which costs a
//! compilation; the component comes before the store; and the registry decides again, on what is true by then.

use std::sync::Arc;

use bytes::Bytes;
use wasmyard_namespaces::registry::{self, AssetSession};
use wasmyard_namespaces::{
    Applied, AssetsConfig, AssetsUpload, BindingType, CodeKind, CodeUpload, ConfigKeys, Digest,
    FinishedAssets, LimitSpec, Script, ScriptKey, Upload, UploadDraft, Version, bindings,
};

use crate::capabilities::imports_of;
use crate::error::ControlError;
use crate::{Control, Done, Result, configured, own};

/// A version to deploy.
#[derive(Debug)]
pub struct Deploy {
    /// Bindings, limits, tags and the rest; its component and its assets are overwritten by the fields below.
    pub draft: UploadDraft,
    /// The code.
    pub component: Component,
    /// The static files.
    pub files: Files,
    /// Etags of which the script's must be one; none takes any, and a script that is not there.
    pub only_over: Option<Vec<String>>,
}

/// The code of a version.
#[derive(Clone, Debug)]
pub enum Component {
    /// This one.
    New(NewCode),
    /// That of the version before, which has this name.
    Keep {
        /// What its file is called.
        name: String,
    },
    /// None: only files are served.
    None,
}

/// Code that is new here.
#[derive(Clone, Debug)]
pub struct NewCode {
    /// What its main file is called.
    pub name: String,
    /// The component, or a script's files as a bundle.
    pub bytes: Bytes,
    /// What came with the component.
    pub beside: Option<Beside>,
}

/// Files that came with a component, do not run, and are kept with it.
#[derive(Clone, Debug)]
pub struct Beside {
    /// What the component's own file is called.
    pub component: String,
    /// The others, as a bundle.
    pub files: Bytes,
}

/// The static files of a version.
#[derive(Debug)]
pub enum Files {
    /// None.
    None,
    /// Those of the version before, if it has any.
    Keep {
        /// Another way of serving them.
        config: Option<AssetsConfig>,
    },
    /// Those of an upload whose contents are all there.
    Of {
        /// The upload.
        session: Arc<AssetSession>,
        /// How they are served.
        config: AssetsConfig,
    },
}

impl Control {
    /// Deploys a version. It serves when this returns.
    ///
    /// # Errors
    /// [`ControlError`] with the first rule that is broken; then nothing was stored.
    pub async fn deploy(&self, key: &ScriptKey, deploy: Deploy) -> Result<Done<Arc<Script>>> {
        let before = self.find(key).await?;
        let only_over = deploy.only_over.clone();
        let upload = self.ready_to_deploy(key, before.as_deref(), deploy).await?;
        // Held against what is replaced once more: another one may have been faster since.
        let script = self.registry.deploy_over(key, upload, only_over.as_deref()).await?;
        tracing::info!(script = %key, version = script.version.number, bytes = script.version.code.size(), "deployed");
        let mut remarks =
            before.map(|before| configured::changed_script(&before, &script)).unwrap_or_default();
        remarks.extend(self.remarks_on_version(key, &script.version).await?);
        Ok(Done::new(script, remarks))
    }

    /// Judges a version and stores what it consists of: what is left is to write it down.
    pub(crate) async fn ready_to_deploy(
        &self,
        key: &ScriptKey,
        before: Option<&Script>,
        deploy: Deploy,
    ) -> Result<Upload> {
        let Deploy { mut draft, component, files, only_over } = deploy;
        registry::only_over(key, before, only_over.as_deref())?;
        if let Component::Keep { name } = &component {
            same_component(name, before)?;
            draft.code = CodeUpload::Keep;
        }
        let judged = UploadDraft { bindings: own::standing_in(&draft.bindings), ..draft.clone() };
        self.judge(key, &judged, before)?;
        draft.bindings = self.with_own(key, &draft.bindings).await?;
        self.note_bindings(key, &draft.bindings).await?;
        if let Component::New(code) = component {
            draft = self.stored(key, code, draft).await?;
        }
        draft.assets = match files {
            Files::None => AssetsUpload::None,
            Files::Keep { config } => AssetsUpload::Keep { config },
            Files::Of { session, config } => {
                AssetsUpload::Attach { assets: self.registry.finish_assets(&session).await?, config }
            }
        };
        Ok(Upload::parse(draft)?)
    }

    /// Remarks on what of a version leads nowhere.
    pub(crate) async fn remarks_on_version(&self, key: &ScriptKey, version: &Version) -> Result<Vec<String>> {
        let mut remarks = self.remarks_on_bindings(key, &version.bindings).await?;
        if let Some(attached) = &version.assets {
            let mistakes = attached.config.mistakes().into_iter();
            remarks
                .extend(mistakes.map(|(file, mistake)| format!("{file} {mistake}; this line is left out.")));
        }
        Ok(remarks)
    }

    /// Deploys a version with another component and everything else as it was.
    ///
    /// # Errors
    /// As [`Control::deploy`].
    pub async fn replace_component(
        &self,
        key: &ScriptKey,
        code: NewCode,
        only_over: Option<&[String]>,
    ) -> Result<Done<Arc<Script>>> {
        let before = self.existing(key).await?;
        registry::only_over(key, Some(&before), only_over)?;
        let version = &before.version;
        let kept = UploadDraft {
            // Every type: whatever the version has by the time it is followed stays.
            keep_bindings: BindingType::ALL.to_vec(),
            limits: version.limits,
            compatibility_date: version.compatibility_date.clone(),
            compatibility_flags: version.compatibility_flags.clone(),
            annotations: version.annotations.clone(),
            assets: AssetsUpload::Keep { config: None },
            ..UploadDraft::default()
        };
        let draft = self.stored(key, code, kept).await?;
        let script = self.registry.deploy_over(key, Upload::parse(draft)?, only_over).await?;
        tracing::info!(script = %key, version = script.version.number, bytes = script.version.code.size(), "deployed");
        let remarks = configured::changed_script(&before, &script);
        Ok(Done::new(script, remarks))
    }

    /// Deploys a script as the configuration declares it, unless that very version serves already.
    pub(crate) async fn declare(
        &self,
        key: &ScriptKey,
        mut draft: UploadDraft,
        component: Component,
        files: Option<(FinishedAssets, AssetsConfig)>,
        keys: ConfigKeys,
    ) -> Result<Applied<Script>> {
        self.may_be_bound(key, &draft.bindings)?;
        draft.bindings = self.with_own(key, &draft.bindings).await?;
        self.note_bindings(key, &draft.bindings).await?;
        draft.assets = match files {
            Some((assets, config)) => AssetsUpload::Attach { assets, config },
            None => AssetsUpload::None,
        };
        if let Component::New(code) = component {
            let digest = Digest::of(&code.bytes);
            let now = self.registry.script(key).await?;
            let limits = now.as_ref().map_or(draft.limits, |now| draft.limits.over(now.version.limits));
            // What serves under these limits was judged under them.
            let served =
                now.filter(|now| now.version.code.content() == Some(digest) && now.version.limits == limits);
            draft = match served {
                Some(now) => UploadDraft { code: CodeUpload::New(now.version.code.clone()), ..draft },
                None => {
                    let own = draft.limits;
                    let judged = UploadDraft { limits, ..draft };
                    UploadDraft { limits: own, ..self.stored(key, code, judged).await? }
                }
            };
        }
        Ok(self.registry.declare_script(key, Upload::parse(draft)?, keys).await?)
    }

    /// Has a component judged and, if it passes, stored. Returns a draft that carries it.
    async fn stored(&self, key: &ScriptKey, new: NewCode, draft: UploadDraft) -> Result<UploadDraft> {
        let NewCode { name, bytes, beside } = new;
        let digest = Digest::of(&bytes);
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let asked = [draft.limits, self.limits_of_namespace(key)];
        // Before it is compiled: on a full disk that could only fail, and in other words.
        self.registry.has_room()?;
        let checked =
            self.checker.check(&digest, bytes.clone(), &asked).await.map_err(ControlError::Component)?;
        let imports = imports_of(&bytes, &checked.imports);
        self.may_have(key, &imports, &[])?;
        let kind = CodeKind::of_upload(&bytes).unwrap_or(CodeKind::Component);
        let beside = match beside {
            None => None,
            Some(Beside { component, files }) => Some(wasmyard_namespaces::Beside {
                component,
                digest: self.registry.put_component(files).await?,
            }),
        };
        let code = kind.code(wasmyard_namespaces::Component {
            digest: self.registry.put_component(bytes).await?,
            size,
            main_module: name,
            startup_time_ms: checked.startup_time_ms,
            handlers: checked.handlers,
            imports,
            beside,
        });
        Ok(UploadDraft { code: CodeUpload::New(code), ..draft })
    }

    fn limits_of_namespace(&self, key: &ScriptKey) -> LimitSpec {
        let namespace = key.namespace().and_then(|name| self.registry.namespace_cached(name));
        namespace.map(|namespace| namespace.limits).unwrap_or_default()
    }

    /// Everything about a version that can be refused before the component costs anything.
    fn judge(&self, key: &ScriptKey, draft: &UploadDraft, before: Option<&Script>) -> Result<()> {
        draft.limits.validate(&self.registry.options().ceiling)?;
        Upload::parse(draft.clone())?;
        let bindings = before.map_or(&[][..], |script| &script.version.bindings);
        let bindings =
            bindings::resolve(&draft.bindings, bindings, &draft.keep_bindings, draft.bindings_strict)?;
        let kept = before.filter(|_| matches!(draft.code, CodeUpload::Keep));
        self.may_have(key, kept.map_or(&[], |script| script.version.code.imports()), &bindings)
    }
}

/// A version without a component of its own names the one that is to stay.
fn same_component(named: &str, before: Option<&Script>) -> Result<()> {
    let known = before.filter(|script| !script.version.code.is_none());
    match known.map(|script| script.version.code.main_module()) {
        Some(known) if known == named => Ok(()),
        Some(known) => Err(ControlError::Invalid(format!(
            "main_module is {named:?} and no part is called that, and the script's component is {known:?}. Send the \
             part, or name the component that is to stay."
        ))),
        None => Err(ControlError::Invalid(format!(
            "main_module is {named:?} and no part is called that, and the script has no component yet. Send the part, \
             or leave main_module out for a script of assets alone."
        ))),
    }
}
