//! Deployments: which versions of a script serve, and how much each.
//!
//! Owns what a share of requests is. Which version a request meets is chosen in `serving`.

use std::collections::BTreeMap;
use std::fmt;

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
