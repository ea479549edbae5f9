//! Deployments: which versions of a script serve, and how much each.
//!
//! Owns what a share of requests is, and by which rule a deployment is taken back. Which version a request meets is chosen in
//! `serving`.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

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
    /// When it is taken back by itself, and to what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Rollback>,
}

/// A version that is watched, and what serves again where it does not do well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollback {
    /// What it has to keep.
    #[serde(flatten)]
    pub rule: RollbackRule,
    /// The version that is watched, by its id.
    pub watched: String,
    /// The versions that serve again, by their ids.
    pub back_to: Vec<(String, Share)>,
}

/// What a new version has to keep, over each so many invocations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollbackRule {
    /// How many invocations are judged together.
    pub over: u32,
    /// How many of them may fail, or be answered with a status from 500 up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<Share>,
    /// How much CPU time they may take in the mean, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_ms: Option<u32>,
}

/// What is no rule. Safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RollbackError {
    /// It judges too few invocations together, or too many.
    #[error("rollback over {0} invocations: judge 1 to {MAX_ROLLBACK_OVER} together")]
    Over(u32),
    /// It asks for nothing.
    #[error(
        "a rollback rule must say how many may fail (errors_percent), how much CPU time they may take (cpu_ms), or both"
    )]
    Empty,
    /// Nothing served before.
    #[error("there is nothing to roll back to: no other version of the script serves; leave the rule out")]
    Nothing,
}

/// The most invocations that a rollback rule judges together.
pub const MAX_ROLLBACK_OVER: u32 = 1_000_000;

impl RollbackRule {
    /// A rule, if it is one.
    ///
    /// # Errors
    /// [`RollbackError`] with what is wrong with it.
    pub fn new(over: u32, errors: Option<Share>, cpu_ms: Option<u32>) -> Result<RollbackRule, RollbackError> {
        if !(1..=MAX_ROLLBACK_OVER).contains(&over) {
            return Err(RollbackError::Over(over));
        }
        if errors.is_none() && cpu_ms.is_none() {
            return Err(RollbackError::Empty);
        }
        Ok(RollbackRule { over, errors, cpu_ms })
    }

    /// Watches a version; `back_to` is what serves again, of which the version itself is no part.
    ///
    /// # Errors
    /// [`RollbackError::Nothing`].
    pub fn watching(
        self,
        watched: &str,
        back_to: impl IntoIterator<Item = (String, Share)>,
    ) -> Result<Rollback, RollbackError> {
        let mut back_to: Vec<(String, Share)> =
            back_to.into_iter().filter(|(version, _)| version != watched).collect();
        if let [(_, share)] = back_to.as_mut_slice() {
            *share = Share::ALL;
        }
        if back_to.is_empty() {
            return Err(RollbackError::Nothing);
        }
        Ok(Rollback { rule: self, watched: watched.to_owned(), back_to })
    }

    /// Why a version is taken back that had so many errors, and took so much CPU time, within one window; none where it keeps
    /// the rule so far. A window need not be full: what is too much for all of it is too much already.
    #[must_use]
    pub fn broken_by(&self, invocations: u32, errors: u32, cpu: Duration) -> Option<String> {
        let over = self.over;
        let may_fail = |share: Share| u64::from(share.0) * u64::from(over) / u64::from(Share::ALL.0);
        if let Some(share) = self.errors.filter(|share| u64::from(errors) > may_fail(*share)) {
            return Some(format!(
                "{errors} of {invocations} invocations failed; the rule is {share} of {over}"
            ));
        }
        let mean_ms = self.cpu_ms.filter(|ms| cpu > Duration::from_millis(u64::from(*ms)) * over)?;
        let total = cpu.as_millis();
        Some(format!(
            "{invocations} invocations took {total} ms of CPU time; the rule is {mean_ms} ms each over {over}"
        ))
    }
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

    /// Whether a number that was drawn from all that there are falls into it.
    pub(crate) fn takes(self, drawn: u64) -> bool {
        drawn % u64::from(Share::ALL.0) < u64::from(self.0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_broken_as_soon_as_no_rest_of_the_window_can_mend_it() {
        let (percent, ms) = (Share::percent(5.0).unwrap(), Duration::from_millis);
        let rule = RollbackRule::new(100, Some(percent), Some(20)).unwrap();
        assert_eq!(rule.broken_by(100, 5, ms(2_000)), None, "what is allowed to the last");
        let told = rule.broken_by(7, 6, ms(0)).unwrap();
        assert_eq!(told, "6 of 7 invocations failed; the rule is 5% of 100");
        let told = rule.broken_by(30, 0, ms(2_001)).unwrap();
        assert_eq!(told, "30 invocations took 2001 ms of CPU time; the rule is 20 ms each over 100");
        // One of few is more than its share.
        let rule = RollbackRule::new(10, Some(percent), None).unwrap();
        assert!(rule.broken_by(1, 1, ms(0)).is_some() && rule.broken_by(10, 0, ms(1 << 40)).is_none());
    }

    #[test]
    fn a_rule_says_something_and_has_something_to_go_back_to() {
        assert_eq!(RollbackRule::new(10, None, None), Err(RollbackError::Empty));
        assert_eq!(RollbackRule::new(0, None, Some(1)), Err(RollbackError::Over(0)));
        let rule = RollbackRule::new(10, None, Some(1)).unwrap();
        assert_eq!(rule.watching("new", []), Err(RollbackError::Nothing));
        let both = [
            ("old".to_owned(), Share::percent(90.0).unwrap()),
            ("new".to_owned(), Share::percent(10.0).unwrap()),
        ];
        let watched = rule.watching("new", both).unwrap();
        assert_eq!(watched.back_to, [("old".to_owned(), Share::ALL)]);
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
}
