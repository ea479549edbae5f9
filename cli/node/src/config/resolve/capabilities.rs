//! What the scripts of a namespace may import and be bound to.

use wasmyard_namespaces::CapabilityPolicy;

use super::{Fault, Resolver, Spot};
use crate::config::keys::RawCapabilities;

impl Resolver<'_> {
    pub(super) fn capabilities(&mut self, raw: &RawCapabilities) -> CapabilityPolicy {
        let texts = |spots: &Option<Vec<Spot<String>>>| -> Option<Vec<String>> {
            Some(spots.as_ref()?.iter().map(|spot| spot.value.clone()).collect())
        };
        let policy =
            CapabilityPolicy { allow: texts(&raw.allow), deny: texts(&raw.deny).unwrap_or_default() };
        if let Err(error) = policy.validate() {
            self.faults.push(Fault::new(raw.place.line, raw.place.key.clone(), error.to_string()));
        }
        policy
    }
}
