//! The certificates that an operator names in files: the operator's word comes before what the vault has.

use std::collections::HashMap;
use std::sync::Arc;

use wasmyard_listener::tls::Found;

use super::claimed::{Kind, LARGEST_ID, Step};
use super::kept::Kept;
use crate::name::ServedName;

/// The certificates of files: few, and all in memory.
#[derive(Default)]
pub(super) struct Files {
    names: HashMap<ServedName, (Found, Kind)>,
    kept: HashMap<u64, Arc<Kept>>,
    /// The name whose certificate clients are served with that name none.
    default: Option<ServedName>,
    /// The last number that was given. A reload gives new ones, so that nothing takes the new for the old.
    last: u64,
}

impl Files {
    /// None yet, with numbers that come after these.
    pub(super) fn after(before: &Files) -> Self {
        Self { last: before.last, ..Self::default() }
    }

    /// Adds the keys of names, which are one thing to whoever asks over one connection for several of them.
    pub(super) fn add(&mut self, kind: Kind, group: u16, kept: Kept) {
        self.last += 1;
        // Beyond all numbers of the vault.
        let certificate = LARGEST_ID + self.last;
        for name in &kept.names {
            self.names.insert(name.clone(), (Found { certificate, group }, kind));
        }
        self.kept.insert(certificate, Arc::new(kept));
    }

    /// Serves clients that name no host with the certificate of this one.
    pub(super) fn default_to(&mut self, name: ServedName) {
        self.default = Some(name);
    }

    /// What clients are served with that name no host, and under which name it is kept.
    pub(super) fn nameless(&self) -> Option<(Box<str>, Found)> {
        let name = self.default.as_ref()?;
        self.names.get(name).map(|(found, _)| (name.as_str().into(), *found))
    }

    /// The keys of a number.
    pub(super) fn keys(&self, certificate: u64) -> Option<Arc<Kept>> {
        self.kept.get(&certificate).cloned()
    }

    /// What a step leads to.
    pub(super) fn at(&self, step: &Step<'_>) -> Option<Found> {
        if self.names.is_empty() {
            return None;
        }
        let (name, of_zone) = match step {
            Step::Exact(name) => (*name, false),
            Step::Zone(name) => (*name, true),
            Step::Wildcard(name) => (name.as_str(), false),
        };
        let (found, kind) = self.names.get(name)?;
        (!of_zone || *kind == Kind::Zone).then_some(*found)
    }
}
