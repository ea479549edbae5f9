//! Lists of texts of a script, its tags and its cron expressions; and the callers of a namespace.

use std::collections::BTreeSet;

use wasmyard_namespaces::cron::{self, Cron};
use wasmyard_namespaces::limits::MAX_TAGS;
use wasmyard_namespaces::{NamespaceName, Tag, Timestamp, namespace};

use super::Resolver;
use crate::config::fault::Fault;
use crate::config::keys::{RawNamespace, RawScript};

/// The switches of a script.
pub(super) fn flags(raw: &RawScript) -> Vec<String> {
    raw.compatibility_flags.iter().flatten().map(|spot| spot.value.clone()).collect()
}

impl Resolver<'_> {
    /// Namespaces whose scripts may be bound to those of one.
    pub(super) fn callers(&mut self, raw: &RawNamespace) -> BTreeSet<NamespaceName> {
        let spots = raw.callable_by.as_deref().unwrap_or_default();
        let names: Vec<NamespaceName> = spots.iter().filter_map(|spot| self.name(spot)).collect();
        namespace::callers(names).unwrap_or_else(|rule| {
            self.faults.extend(spots.first().map(|spot| Fault::new(spot.line, spot.key.clone(), rule)));
            BTreeSet::new()
        })
    }

    pub(super) fn crons(&mut self, raw: &RawScript) -> Option<Vec<Cron>> {
        let spots = raw.crons.as_deref()?;
        // No date is told of them here.
        let now = Timestamp::from(std::time::UNIX_EPOCH);
        let mut crons = Vec::new();
        for spot in spots {
            match spot.value.parse::<Cron>() {
                Ok(cron) => crons.push(cron),
                Err(error) => self.faults.push(spot.fault(error.to_string())),
            }
        }
        if let (Err(error), Some(last)) = (cron::schedules(&[], &crons, now), spots.last()) {
            self.faults.push(last.fault(error.to_string()));
        }
        Some(crons)
    }

    pub(super) fn tags(&mut self, raw: &RawScript) -> Vec<Tag> {
        let spots = raw.tags.as_deref().unwrap_or_default();
        let tags: Vec<Tag> = spots.iter().filter_map(|spot| self.name(spot)).collect();
        if let Some(spot) = spots.get(MAX_TAGS) {
            let fault =
                Fault::new(spot.line, spot.key.clone(), format!("a script has at most {MAX_TAGS} tags"));
            self.faults.push(fault.remedy(format!("remove {}", spots.len() - MAX_TAGS)));
        }
        tags
    }
}
