//! Deployments: a version that was uploaded before begins to serve, alone or beside another.
//!
//! Owns what may be deployed together, and what is told of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use wasmyard_model::deployment::{
    Deployment, MAX_COOKIE_NAME, PastDeployment, Rollback, RollbackRule, Share,
};
use wasmyard_model::name::shorten;
use wasmyard_model::script::{Gradual, Script, ScriptKey, Upload, UploadError, Version, check_texts};

use super::change::Decision;
use super::upload::{MESSAGE, deployment, uploaded};
use crate::collection::{ATTEMPTS, Transaction, step_aside};
use crate::error::RegistryError;
use crate::ownership::refuse_script;
use crate::record::PAST_DEPLOYMENTS;
use crate::{Registry, Result};

/// What is to serve.
#[derive(Clone, Debug, Default)]
pub struct Rollout {
    /// The versions, by their ids, with their shares: one with all, or two.
    pub versions: Vec<(String, Share)>,
    /// The cookie by whose value visitors are told apart.
    pub cookie: Option<String>,
    /// Free texts by key.
    pub annotations: BTreeMap<String, String>,
    /// What the newer version has to keep, or else what served before serves again.
    pub rollback: Option<RollbackRule>,
}

/// A script with everything that is kept of it.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The script, and what serves.
    pub script: Arc<Script>,
    /// The versions that do not, the newest first.
    pub idle: Vec<Version>,
    /// The deployments that have ended, the newest first.
    pub past: Vec<PastDeployment>,
}

impl Kept {
    /// All versions, the newest first.
    pub fn versions(&self) -> Vec<&Version> {
        let serving = self.script.serving().map(|(version, _)| version);
        let mut versions: Vec<&Version> = serving.chain(&self.idle).collect();
        versions.sort_by_key(|version| std::cmp::Reverse(version.number));
        versions
    }
}

impl Registry {
    /// Keeps a version of a script that does not serve. Durable when it returns.
    ///
    /// # Errors
    /// As of [`Registry::deploy`]; [`RegistryError::ScriptNotFound`] where nothing of the script serves.
    pub async fn put_version(&self, key: &ScriptKey, upload: Upload) -> Result<(Arc<Script>, Version)> {
        upload.limits.validate(&self.inner.options.ceiling)?;
        let mut made = None;
        let decide = |before: Option<&Script>| {
            let before = before.ok_or_else(|| RegistryError::ScriptNotFound(key.clone()))?;
            let version = uploaded(key, Some(before), &upload, self.inner.clock().now())?;
            made = Some(version.clone());
            let script = Script { last_number: version.number, ..before.clone() };
            Ok(Decision::Shelve(Box::new(script), Box::new(version)))
        };
        let script = self.inner.change_script(key, decide).await?;
        script.zip(made).ok_or_else(|| RegistryError::ScriptNotFound(key.clone()))
    }

    /// Has versions of a script serve from now on, and no others. Durable, and seen by every later lookup, when it returns.
    ///
    /// # Errors
    /// [`RegistryError::ScriptNotFound`]; [`RegistryError::VersionNotFound`]; [`RegistryError::Invalid`] for shares that are not all
    /// together; [`RegistryError::Configured`] for a script of the configuration, unless this handle is
    /// [over it](Registry::over_configuration); [`RegistryError::Store`].
    pub async fn roll_out(&self, key: &ScriptKey, rollout: &Rollout) -> Result<Arc<Script>> {
        check_texts("annotations", rollout.annotations.keys())?;
        check_texts("annotations", rollout.annotations.values())?;
        let over = self.over_configuration;
        let decide = |before: Option<&Script>, idle: &[Version]| {
            let before = before.ok_or_else(|| RegistryError::ScriptNotFound(key.clone()))?;
            let now = self.inner.clock().now();
            let (version, gradual) = chosen(before, idle, rollout)?;
            let begun = deployment("deployment", now);
            let annotations = begun.annotations.into_iter().chain(rollout.annotations.clone()).collect();
            let rollback = rollout.rollback.map(|rule| watched(rule, before, &version, gradual.as_ref()));
            let rollback = rollback.transpose()?;
            let script = Script {
                version,
                gradual: gradual.map(Box::new),
                modified_on: now,
                deployment: Deployment { annotations, rollback, ..begun },
                ..before.clone()
            };
            refuse_script(before, Some(&script), over)?;
            Ok(Decision::Write(Box::new(script)))
        };
        let script = self.inner.change_versions(key, decide).await?;
        script.ok_or_else(|| RegistryError::ScriptNotFound(key.clone()))
    }

    /// Takes back a deployment whose version broke the rule that it was deployed with: what it says serves again. Nothing where
    /// another deployment serves by now.
    ///
    /// # Errors
    /// [`RegistryError::VersionNotFound`] where a version to go back to is not kept any more; [`RegistryError::Store`].
    pub async fn take_back(&self, key: &ScriptKey, id: &str, reason: &str) -> Result<Option<Arc<Script>>> {
        let mut taken = false;
        let decide = |before: Option<&Script>, idle: &[Version]| {
            taken = false;
            let Some(before) = before.filter(|before| before.deployment.id == id) else {
                return Ok(Decision::Nothing);
            };
            let Some(rollback) = &before.deployment.rollback else { return Ok(Decision::Nothing) };
            let back = Rollout { versions: rollback.back_to.clone(), ..Rollout::default() };
            let (version, gradual) = chosen(before, idle, &back)?;
            let now = self.inner.clock().now();
            let mut begun = deployment("automatic_rollback", now);
            begun.annotations.insert(MESSAGE.to_owned(), reason.to_owned());
            let gradual = gradual.map(Box::new);
            taken = true;
            Ok(Decision::Write(Box::new(Script {
                version,
                gradual,
                modified_on: now,
                deployment: begun,
                ..before.clone()
            })))
        };
        let script = self.inner.change_versions(key, decide).await?;
        Ok(script.filter(|_| taken))
    }

    /// Forgets a deployment of a script that has ended. Whether it was known.
    ///
    /// # Errors
    /// [`RegistryError::Conflict`] under constant change by others; [`RegistryError::Store`].
    pub async fn forget_deployment(&self, key: &ScriptKey, id: &str) -> Result<bool> {
        let inner = &self.inner;
        for attempt in 0..ATTEMPTS {
            let Some(place) = inner.place(key) else { return Ok(false) };
            let script = inner.log.read(place.scripts, &place.id).await?;
            let seen = inner.log.read(&PAST_DEPLOYMENTS, script.key()).await?;
            let mut past = seen.whole().unwrap_or_default();
            let before = past.len();
            past.retain(|past| past.deployment.id != id);
            if past.len() == before {
                return Ok(false);
            }
            let mut transaction = Transaction::default();
            transaction.expect(&script);
            transaction.put(&seen, &past)?;
            match inner.log.commit(&transaction).await {
                Err(RegistryError::Conflict(_)) => step_aside(attempt).await,
                done => return done.map(|_| true),
            }
        }
        Err(RegistryError::Conflict(format!("script {key}")))
    }

    /// A script with the versions and the deployments that are kept of it; none when there is no such script.
    ///
    /// # Errors
    /// [`RegistryError::Store`] or [`RegistryError::Record`] when it cannot be read.
    pub async fn kept(&self, key: &ScriptKey) -> Result<Option<Kept>> {
        let inner = &self.inner;
        let Some(place) = inner.place(key) else { return Ok(None) };
        // Read in turn: a version that moves meanwhile is seen in one of the two places.
        let _turn = inner.scripts.turn(&place.cache_key).await;
        let seen = inner.log.read(place.scripts, &place.id).await?;
        let Some(script) = crate::record::script_of(&seen, key.clone())? else { return Ok(None) };
        let (idle, past) = (inner.idle_versions(&seen).await?, inner.past_deployments(&seen).await?);
        Ok(Some(Kept { script: Arc::new(script), idle, past }))
    }
}

/// The newer version under a rule: the older one serves again, or what served before where it is alone.
fn watched(
    rule: RollbackRule,
    before: &Script,
    version: &Version,
    gradual: Option<&Gradual>,
) -> Result<Rollback> {
    let rollback = match gradual {
        Some(newer) => rule.watching(&newer.version.id, [(version.id.clone(), Share::ALL)]),
        None => {
            let served = before.serving().map(|(version, share)| (version.id.clone(), share));
            rule.watching(&version.id, served)
        }
    };
    Ok(rollback.map_err(UploadError::from)?)
}

/// The versions that are to serve: the older one, and where there are two the newer one as the second.
fn chosen(before: &Script, idle: &[Version], rollout: &Rollout) -> Result<(Version, Option<Gradual>)> {
    let find = |id: &str| {
        let serving = before.serving().map(|(version, _)| version);
        let found = serving.chain(idle).find(|version| version.id == id).cloned();
        found.ok_or_else(|| RegistryError::VersionNotFound {
            script: before.key.clone(),
            id: shorten(id),
            kept: before.serving().count() + idle.len(),
        })
    };
    if let Some(cookie) = &rollout.cookie {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if cookie.is_empty() || cookie.len() > MAX_COOKIE_NAME || !cookie.bytes().all(is_token) {
            return Err(RegistryError::Invalid(format!(
                "cookie \"{}\" is not the name of a cookie: letters, digits and !#$%&'*+-.^_`|~, {MAX_COOKIE_NAME} at most",
                shorten(cookie)
            )));
        }
    }
    match rollout.versions.as_slice() {
        [(id, share)] if *share == Share::ALL => Ok((find(id)?, None)),
        [(one, share), (other, rest)] if one != other && share.rest() == *rest => {
            let (mut first, mut second, mut share) = (find(one)?, find(other)?, *rest);
            if first.number > second.number {
                std::mem::swap(&mut first, &mut second);
                share = share.rest();
            }
            Ok((first, Some(Gradual { share, cookie: rollout.cookie.clone(), version: second })))
        }
        versions => {
            let shares: Vec<String> = versions.iter().take(8).map(|(_, share)| share.to_string()).collect();
            Err(RegistryError::Invalid(format!(
                "a deployment has one version with 100%, or two different ones whose percentages are 100 together; there are [{}]",
                shares.join(", ")
            )))
        }
    }
}
