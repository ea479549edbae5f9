//! Deployments: which versions of a script serve, and how much each.
//!
//! Owns the choice between the two versions of a gradual deployment. It is made from a key alone, so that whoever comes
//! with the same key meets the same version, on every node; and a key that met the newer version meets it again when its
//! share grows.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::script::{Script, Version};
use crate::timestamp::Timestamp;

/// The field of a request that says with which key it is counted, as the product calls it.
pub const VERSION_KEY: &str = "cloudflare-workers-version-key";
/// The field of a request that names a version, by script: `my-script="<version id>"`.
pub const VERSION_OVERRIDES: &str = "cloudflare-workers-version-overrides";
/// Longest name of a cookie whose value is a key.
pub const MAX_COOKIE_NAME: usize = 128;

/// When a version, or two, began to serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// A UUID.
    pub id: String,
    /// When it was made.
    pub created_on: Timestamp,
    /// Free texts by key, such as `workers/message`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// A deployment that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastDeployment {
    /// What it was.
    #[serde(flatten)]
    pub deployment: Deployment,
    /// Which versions served, by their ids.
    pub versions: Vec<(String, Share)>,
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

/// A share of requests, in thousandths of a percent: more than none, and not more than all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Share(u32);

/// What is no share of requests. Safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("percentage {0} is out of range; it must be from 0.001 to 100")]
pub struct ShareError(String);

impl Share {
    /// All of them.
    pub const ALL: Share = Share(100_000);

    /// A share of so many percent, rounded to thousandths.
    ///
    /// # Errors
    /// [`ShareError`] for none, for more than all, and for what is no number.
    pub fn percent(percent: f64) -> Result<Share, ShareError> {
        let thousandths = (percent * 1_000.0).round();
        if !(1.0..=100_000.0).contains(&thousandths) {
            return Err(ShareError(percent.to_string()));
        }
        // In range, as was just seen: nothing is cut off.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to 100,000")]
        Ok(Share(thousandths as u32))
    }

    /// What is left of all requests.
    #[must_use]
    pub fn rest(self) -> Share {
        Share(Share::ALL.0.saturating_sub(self.0))
    }

    /// In percent.
    #[must_use]
    pub fn as_percent(self) -> f64 {
        f64::from(self.0) / 1_000.0
    }
}

/// `12.5%`.
impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.as_percent())
    }
}

impl Script {
    /// The versions that serve, with their shares: one, or two in a gradual deployment.
    pub fn serving(&self) -> impl Iterator<Item = (&Version, Share)> {
        let second = self.gradual.as_deref();
        let first = second.map_or(Share::ALL, |second| second.share.rest());
        std::iter::once((&self.version, first)).chain(second.map(|second| (&second.version, second.share)))
    }

    /// The version that serves whoever has this key.
    #[must_use]
    pub fn for_key(self: Arc<Self>, key: &[u8]) -> Arc<Script> {
        let Some(second) = self.gradual.as_deref() else { return self };
        let digest = Digest::of(&[self.id.as_bytes(), &[0], key].concat());
        let drawn = digest.as_bytes().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        if drawn % u64::from(Share::ALL.0) < u64::from(second.share.0) {
            Arc::new(self.with(&second.version))
        } else {
            self
        }
    }

    /// The version of this id, if it serves.
    #[must_use]
    pub fn for_version(self: &Arc<Self>, id: &str) -> Option<Arc<Script>> {
        if self.version.id == id {
            return Some(Arc::clone(self));
        }
        let second = self.gradual.as_deref().filter(|second| second.version.id == id)?;
        Some(Arc::new(self.with(&second.version)))
    }

    /// The script as if this version served alone.
    #[must_use]
    pub fn with(&self, version: &Version) -> Script {
        Script { version: version.clone(), gradual: None, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::ScriptName;
    use crate::script::ScriptKey;

    fn version(id: &str) -> Version {
        Version {
            id: id.to_owned(),
            number: 1,
            created_on: Timestamp::now(),
            code: crate::code::Code::None,
            bindings: Vec::new(),
            limits: crate::limits::LimitSpec::default(),
            compatibility_date: None,
            compatibility_flags: Vec::new(),
            etag: String::new(),
            annotations: BTreeMap::new(),
            assets: None,
        }
    }

    fn script(percent: f64) -> Arc<Script> {
        let now = Timestamp::now();
        Arc::new(Script {
            key: ScriptKey::Platform(ScriptName::parse("shop").unwrap()),
            id: "8a0f".to_owned(),
            created_on: now,
            modified_on: now,
            tags: Vec::new(),
            version: version("old"),
            gradual: Some(Box::new(Gradual {
                share: Share::percent(percent).unwrap(),
                cookie: None,
                version: version("new"),
            })),
            deployment: Deployment { id: "d".to_owned(), created_on: now, annotations: BTreeMap::new() },
            last_number: 2,
            config: None,
        })
    }

    #[test]
    fn shares_are_of_thousandths_of_a_percent() {
        for (percent, rest) in [(100.0, 0.0), (0.001, 99.999), (12.5, 87.5)] {
            let share = Share::percent(percent).unwrap();
            assert!((share.as_percent() - percent).abs() < 1e-9);
            assert!((share.rest().as_percent() - rest).abs() < 1e-9);
        }
        for none in [0.0, -1.0, 100.001, 0.0001, f64::NAN, f64::INFINITY] {
            assert!(Share::percent(none).is_err(), "{none}");
        }
    }

    #[test]
    fn a_key_meets_one_version_and_keeps_the_newer_one_as_its_share_grows() {
        let keys: Vec<String> = (0..20_000).map(|number| format!("visitor-{number}")).collect();
        let new_of = |percent: f64| -> Vec<bool> {
            let script = script(percent);
            keys.iter().map(|key| Arc::clone(&script).for_key(key.as_bytes()).version.id == "new").collect()
        };
        let (few, more) = (new_of(10.0), new_of(60.0));
        assert_eq!(few, new_of(10.0), "the same key, the same version");
        assert!(few.iter().zip(&more).all(|(few, more)| !few || *more), "nobody goes back");
        // Three standard deviations of 20,000 draws are 127 and 208.
        let count = |of: &[bool]| of.iter().filter(|new| **new).count();
        assert!((1_873..=2_127).contains(&count(&few)), "{}", count(&few));
        assert!((11_792..=12_208).contains(&count(&more)), "{}", count(&more));
        assert!(new_of(100.0).iter().all(|new| *new));
    }

    #[test]
    fn a_version_is_named_only_while_it_serves() {
        let script = script(1.0);
        assert_eq!(script.for_version("new").unwrap().version.id, "new");
        assert_eq!(script.for_version("new").unwrap().gradual, None);
        assert_eq!(script.for_version("old").unwrap().version.id, "old");
        assert!(script.for_version("older").is_none());
    }
}
