//! Whether another zone has to do with a name that a zone would like to be served under, and decisions that hang on it.
//!
//! Owns the question and that its answer still holds when what was decided is written: two zones that show the same address in the
//! same instant must not both have the name.

use std::sync::Arc;

use super::ZONE_NAMES;
use super::claims::{CLAIMS, MOST_LABELS, RELEASED};
use super::hostnames::Decided;
use crate::collection::Transaction;
use crate::{Inner, Registry, Result};
use wasmyard_model::hostname::CustomHostname;
use wasmyard_model::ids::{CustomHostnameId, ZoneId};
use wasmyard_model::timestamp::Timestamp;

impl Registry {
    /// Whether another zone has to do with the name of a hostname: it is served under it or under a wildcard above it, was
    /// the last that was, or has it as one of its own. What zones of one platform share, such as its addresses, says
    /// nothing then about whose the name is.
    ///
    /// # Errors
    /// [`crate::RegistryError::Store`].
    pub async fn is_contested(&self, hostname: &CustomHostname) -> Result<bool> {
        self.inner.contest(hostname, &mut Transaction::default()).await
    }

    /// As [`Registry::change_hostname`], where what is decided hangs on whether another zone has to do with the name, as
    /// [`Registry::is_contested`] says: what is written is written only as long as that is still so, and else decided again. Of
    /// one that is served it is not asked.
    ///
    /// # Errors
    /// As [`Registry::change_hostname`].
    pub async fn judge_hostname(
        &self,
        zone: &ZoneId,
        id: &CustomHostnameId,
        mut decide: impl FnMut(&CustomHostname, bool, Timestamp) -> Result<Option<CustomHostname>>,
    ) -> Result<Arc<CustomHostname>> {
        let decide = |before: &CustomHostname, contested, now| decide(before, contested, now);
        self.decide_hostname(zone, id, Decided::ByContest, decide).await
    }
}

impl Inner {
    /// Whether a name is contested. What that was read from is added to what a transaction expects.
    pub(super) async fn contest(
        &self,
        hostname: &CustomHostname,
        expected: &mut Transaction,
    ) -> Result<bool> {
        let (zone, base) = (&hostname.zone, hostname.name.base());
        let mut is_contested = false;
        // The zone with the longest name that the host is within owns it.
        let mut names =
            std::iter::successors(Some(base), |name| name.split_once('.').map(|(_, above)| above));
        for name in names.by_ref().take(MOST_LABELS) {
            let owner = self.log.read(&ZONE_NAMES, name).await?;
            expected.expect(&owner);
            if let Some(owner) = owner.whole() {
                is_contested |= owner != *zone;
                break;
            }
        }
        let above = std::iter::successors(base.split_once('.'), |(_, parent)| parent.split_once('.'));
        let above = above.take(MOST_LABELS).map(|(_, parent)| format!("*.{parent}"));
        for name in std::iter::once(hostname.name.to_string()).chain(above) {
            let claim = self.log.read(&CLAIMS, &name).await?;
            let last = self.log.read(&RELEASED, &name).await?;
            expected.expect(&claim);
            expected.expect(&last);
            is_contested |= claim.whole().is_some_and(|claim| claim.zone != *zone)
                || last.whole().is_some_and(|last| last != *zone);
        }
        Ok(is_contested)
    }
}
