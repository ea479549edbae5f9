//! Scripts and their versions.
//!
//! Owns the names of scripts across the platform ([`ScriptKey`]), what a script is, and what an upload
//! must bring. An [`Upload`] is proof that its counts and sizes are within bounds. Never serialized as it
//! is: a version holds secrets; views are made by the api, records by the registry.

use std::collections::BTreeMap;
use std::fmt;

use crate::assets::{AssetsConfig, AssetsConfigError, FinishedAssets, VersionAssets};
use crate::bindings::{BindingDecl, BindingError, BindingInput, BindingType};
use crate::capabilities::{CapabilityDiff, all_of};
use crate::code::{Code, CodeUpload};
use crate::config_keys::ConfigKeys;
use crate::cron::{Cron, CronError, Schedule};
use crate::deployment::{Deployment, RollbackError, RollbackRule, Share};
use crate::limits::{
    LimitError, LimitSpec, Limits, MAX_BINDINGS, MAX_METADATA_BYTES, MAX_METADATA_ENTRIES, MAX_TAGS,
};
use crate::name::{NamespaceName, ScriptName, Tag};
use crate::namespace::Origin;
use crate::timestamp::Timestamp;

/// Which script: a platform script, or a user script in its namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScriptKey {
    /// Outside any namespace.
    Platform(ScriptName),
    /// In a namespace.
    User {
        /// The namespace.
        namespace: NamespaceName,
        /// The script.
        script: ScriptName,
    },
}

impl ScriptKey {
    /// The key of a user script.
    #[must_use]
    pub fn user(namespace: NamespaceName, script: ScriptName) -> ScriptKey {
        ScriptKey::User { namespace, script }
    }

    /// The key that a text names, as it is displayed. None: it names none.
    #[must_use]
    pub fn parse(text: &str) -> Option<ScriptKey> {
        match text.split_once('/') {
            None => ScriptName::parse(text).ok().map(ScriptKey::Platform),
            Some((namespace, script)) => {
                Some(ScriptKey::user(NamespaceName::parse(namespace).ok()?, ScriptName::parse(script).ok()?))
            }
        }
    }

    /// The script's own name.
    #[must_use]
    pub fn script(&self) -> &ScriptName {
        match self {
            ScriptKey::Platform(script) | ScriptKey::User { script, .. } => script,
        }
    }

    /// The namespace; none for a platform script.
    #[must_use]
    pub fn namespace(&self) -> Option<&NamespaceName> {
        match self {
            ScriptKey::Platform(_) => None,
            ScriptKey::User { namespace, .. } => Some(namespace),
        }
    }
}

/// `production/customer-a`, or `dispatcher`.
impl fmt::Display for ScriptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScriptKey::Platform(script) => write!(f, "{script}"),
            ScriptKey::User { namespace, script } => write!(f, "{namespace}/{script}"),
        }
    }
}

/// A script with what serves of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// Its name.
    pub key: ScriptKey,
    /// A UUID that stays the same from the first upload to the deletion.
    pub id: String,
    /// When it was first uploaded.
    pub created_on: Timestamp,
    /// When it last changed: upload, settings or tags.
    pub modified_on: Timestamp,
    /// Its tags, sorted, at most [`MAX_TAGS`].
    pub tags: Vec<Tag>,
    /// When it is run by itself, whichever version serves.
    pub schedules: Vec<Schedule>,
    /// The version that serves.
    pub version: Version,
    /// The other version that serves, in a gradual deployment: the newer one.
    pub gradual: Option<Box<Gradual>>,
    /// Since when they serve.
    pub deployment: Deployment,
    /// The highest number that a version of it was given, deployed or not.
    pub last_number: u64,
    /// What the operator's configuration says of it; none when it is not in the configuration.
    pub config: Option<ConfigKeys>,
}

impl Script {
    /// Who it belongs to.
    #[must_use]
    pub fn origin(&self) -> Origin {
        if self.config.is_some() { Origin::Config } else { Origin::Api }
    }

    /// Its cron expressions.
    pub fn crons(&self) -> impl Iterator<Item = &Cron> {
        self.schedules.iter().map(|schedule| &schedule.cron)
    }
}

/// A second version that serves, in a gradual deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gradual {
    /// How many of the requests it serves.
    pub share: Share,
    /// The cookie whose value is a visitor's key, where the request does not bring another.
    pub cookie: Option<String>,
    /// What serves them.
    pub version: Version,
}

/// One immutable upload of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// A UUID.
    pub id: String,
    /// Counts up from 1 within the script.
    pub number: u64,
    /// When it was uploaded.
    pub created_on: Timestamp,
    /// What runs.
    pub code: Code,
    /// What the script is given, sorted by name.
    pub bindings: Vec<BindingDecl>,
    /// What the upload asked for.
    pub limits: LimitSpec,
    /// The date of the behaviour it was written for.
    pub compatibility_date: Option<String>,
    /// Switches for behaviour.
    pub compatibility_flags: Vec<String>,
    /// Identifies the content.
    pub etag: String,
    /// Free texts by key, such as `workers/message`.
    pub annotations: BTreeMap<String, String>,
    /// The files that it serves; none for a script that is only code.
    pub assets: Option<VersionAssets>,
}

/// The compatibility flag by which a platform script lets an instance that has served a request serve another.
pub const REUSE_INSTANCES: &str = "reuse_instances";

impl Version {
    /// What it can reach more and less than the one before; all of it where there is none.
    #[must_use]
    pub fn capabilities_over(&self, before: Option<&Version>) -> CapabilityDiff {
        let all = |version: &Version| all_of(version.code.imports(), &version.bindings);
        CapabilityDiff::between(&before.map(all).unwrap_or_default(), &all(self))
    }

    /// Whether an instance that has served a request may serve another.
    pub fn reuses_instances(&self) -> bool {
        self.compatibility_flags.iter().any(|flag| flag == REUSE_INSTANCES)
    }
}

/// Everything that a new version needs, not yet checked as a whole.
#[derive(Clone, Debug, Default)]
pub struct UploadDraft {
    /// What is to run.
    pub code: CodeUpload,
    /// Bindings, declared or inherited.
    pub bindings: Vec<BindingInput>,
    /// Types of which all bindings of the version before are kept.
    pub keep_bindings: Vec<BindingType>,
    /// Whether a binding that cannot be inherited is an error, or left out.
    pub bindings_strict: bool,
    /// Tags for the script; none leaves them as they are.
    pub tags: Option<Vec<Tag>>,
    /// What the version has to keep, or else what served before serves again.
    pub rollback: Option<RollbackRule>,
    /// Cron expressions for the script; none leaves them as they are.
    pub crons: Option<Vec<Cron>>,
    /// Limits that the version asks for.
    pub limits: LimitSpec,
    /// The date of the behaviour it was written for.
    pub compatibility_date: Option<String>,
    /// Switches for behaviour.
    pub compatibility_flags: Vec<String>,
    /// Free texts by key.
    pub annotations: BTreeMap<String, String>,
    /// The files that the version serves.
    pub assets: AssetsUpload,
}

/// What an upload says of assets.
#[derive(Clone, Debug, Default)]
pub enum AssetsUpload {
    /// The version has none.
    #[default]
    None,
    /// Those of the version before, if it has any.
    Keep {
        /// Another way of serving them.
        config: Option<AssetsConfig>,
    },
    /// These.
    Attach {
        /// A finished upload.
        assets: FinishedAssets,
        /// How they are served.
        config: AssetsConfig,
    },
}

/// Everything that a new version needs, within all bounds.
#[derive(Clone, Debug)]
pub struct Upload(UploadDraft);

impl std::ops::Deref for Upload {
    type Target = UploadDraft;

    fn deref(&self) -> &UploadDraft {
        &self.0
    }
}

/// An upload that cannot be taken. Safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UploadError {
    /// Too many tags.
    #[error("{found} tags are more than the {MAX_TAGS} that a script may have; remove some")]
    TooManyTags {
        /// How many there are.
        found: usize,
    },
    /// A binding breaks a rule, or there are too many.
    #[error(transparent)]
    Binding(#[from] BindingError),
    /// A limit is outside its range.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// The compatibility date is no date.
    #[error("compatibility_date \"{found}\" is not a date; write it like 2026-01-31")]
    CompatibilityDate {
        /// What was given, shortened.
        found: String,
    },
    /// The rule by which it is rolled back is none, or there is nothing to roll back to.
    #[error(transparent)]
    Rollback(#[from] RollbackError),
    /// A cron expression breaks a rule, or there are too many.
    #[error(transparent)]
    Cron(#[from] CronError),
    /// How assets are to be served breaks a rule.
    #[error(transparent)]
    Assets(#[from] AssetsConfigError),
    /// There is nothing to run and nothing to serve.
    #[error("the upload has neither a component nor assets, and there are none to keep; send one of them")]
    Empty,
    /// A user script asks for what only platform scripts may have.
    #[error(
        "compatibility_flags: \"{flag}\" is for platform scripts; what one request leaves in a user script's instance must not reach the next. Remove it"
    )]
    PlatformFlag {
        /// The flag.
        flag: &'static str,
    },
    /// A list or map of metadata has too many entries, or one is too long.
    #[error(
        "{field} may have {MAX_METADATA_ENTRIES} entries of {MAX_METADATA_BYTES} bytes at most; shorten it"
    )]
    Metadata {
        /// The field.
        field: &'static str,
    },
}

impl Upload {
    /// Checks a draft against every bound that does not depend on the version before.
    ///
    /// # Errors
    /// [`UploadError`] for the first rule that it breaks.
    pub fn parse(mut draft: UploadDraft) -> Result<Upload, UploadError> {
        if draft.bindings.len() > MAX_BINDINGS {
            let found = draft.bindings.len();
            return Err(BindingError::TooMany { what: "bindings", found, max: MAX_BINDINGS }.into());
        }
        if let Some(tags) = draft.tags.take() {
            draft.tags = Some(sorted_tags(tags)?);
        }
        draft.limits.validate(&Limits::CEILING)?;
        check_date(draft.compatibility_date.as_deref())?;
        check_texts("compatibility_flags", &draft.compatibility_flags)?;
        check_texts("annotations", draft.annotations.keys())?;
        check_texts("annotations", draft.annotations.values())?;
        let names = draft.code.new_code().map(Code::main_module);
        check_texts("main_module", names)?;
        match &draft.assets {
            AssetsUpload::Attach { config, .. } | AssetsUpload::Keep { config: Some(config) } => {
                config.validate()?;
            }
            AssetsUpload::None | AssetsUpload::Keep { config: None } => {}
        }
        Ok(Upload(draft))
    }
}

impl TryFrom<UploadDraft> for Upload {
    type Error = UploadError;

    fn try_from(draft: UploadDraft) -> Result<Upload, UploadError> {
        Upload::parse(draft)
    }
}

/// What is to change about a script's active version; what is none stays as it is.
#[derive(Clone, Debug, Default)]
pub struct SettingsPatch {
    /// All bindings of the new version; those to keep are inherited by name.
    pub bindings: Option<Vec<BindingInput>>,
    /// New limits, in place of all old ones.
    pub limits: Option<LimitSpec>,
    /// New tags, in place of all old ones.
    pub tags: Option<Vec<Tag>>,
    /// A new compatibility date.
    pub compatibility_date: Option<String>,
    /// New compatibility flags, in place of all old ones.
    pub compatibility_flags: Option<Vec<String>>,
    /// New annotations, in place of all old ones.
    pub annotations: Option<BTreeMap<String, String>>,
}

/// Sorts tags, drops doubles, and checks their number.
pub fn sorted_tags(mut tags: Vec<Tag>) -> Result<Vec<Tag>, UploadError> {
    tags.sort();
    tags.dedup();
    match tags.len() {
        0..=MAX_TAGS => Ok(tags),
        found => Err(UploadError::TooManyTags { found }),
    }
}

/// Checks a compatibility date.
///
/// # Errors
/// [`UploadError`] with the rule that it breaks.
pub fn check_date(date: Option<&str>) -> Result<(), UploadError> {
    let Some(date) = date else { return Ok(()) };
    // A date is the first ten characters of a time; the time's parser knows the calendar.
    let is_date = date.len() == 10 && format!("{date}T00:00:00Z").parse::<Timestamp>().is_ok();
    if is_date { Ok(()) } else { Err(UploadError::CompatibilityDate { found: crate::name::shorten(date) }) }
}

/// Whether a script may have these flags.
pub fn check_flags(key: &ScriptKey, flags: &[String]) -> Result<(), UploadError> {
    let reused = flags.iter().any(|flag| flag == REUSE_INSTANCES);
    if reused && key.namespace().is_some() {
        return Err(UploadError::PlatformFlag { flag: REUSE_INSTANCES });
    }
    Ok(())
}

/// Checks texts of a version: how many there are, and how long each is.
///
/// # Errors
/// [`UploadError`] with the field and the rule that it breaks.
pub fn check_texts<'t>(
    field: &'static str,
    texts: impl IntoIterator<Item = &'t (impl AsRef<str> + ?Sized + 't)>,
) -> Result<(), UploadError> {
    let mut texts = texts.into_iter();
    let fits =
        texts.by_ref().take(MAX_METADATA_ENTRIES).all(|text| text.as_ref().len() <= MAX_METADATA_BYTES);
    if fits && texts.next().is_none() { Ok(()) } else { Err(UploadError::Metadata { field }) }
}

#[cfg(test)]
mod tests;
