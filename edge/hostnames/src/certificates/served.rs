//! What a name is served with, as whoever brings it says so.

use wasmyard_listener::tls::Settings;

use super::claimed::Kind;
use super::pair::Pair;
use crate::name::ServedName;

/// A name with its certificates and settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The name.
    pub name: ServedName,
    /// What it is.
    pub kind: Kind,
    /// How it is served.
    pub settings: Settings,
    /// Its certificates: one for each kind of key.
    pub pairs: Vec<Pair>,
}

/// What is served in the same way with the same certificates, each once with all of its names.
pub(super) fn shared(served: &[Served]) -> Vec<(&Served, Box<[ServedName]>)> {
    let mut found: Vec<(&Served, Vec<ServedName>)> = Vec::new();
    for one in served {
        let same = |before: &&mut (&Served, Vec<ServedName>)| {
            let before = before.0;
            (before.kind, &before.settings, &before.pairs) == (one.kind, &one.settings, &one.pairs)
        };
        match found.iter_mut().find(same) {
            Some((_, names)) => names.push(one.name.clone()),
            None => found.push((one, vec![one.name.clone()])),
        }
    }
    found.into_iter().map(|(one, names)| (one, names.into())).collect()
}
