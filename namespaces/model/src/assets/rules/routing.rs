//! Which paths the script takes before the assets are looked at, and which it never does.

use super::super::RunWorkerFirst;
use crate::url_path::decoded;

/// Who answers a path, by rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runs {
    /// The script.
    Worker,
    /// The assets, and nobody else.
    Assets,
}

/// The rules of `run_worker_first`: globs, where `*` stands for anything; those that begin with `!` keep a path
/// for the assets and win over the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoutingRules {
    worker: Vec<Glob>,
    assets: Vec<Glob>,
}

impl RoutingRules {
    /// Takes over a configuration that was checked when it was uploaded.
    #[must_use]
    pub fn new(config: &RunWorkerFirst) -> RoutingRules {
        match config {
            RunWorkerFirst::All(false) => RoutingRules::default(),
            RunWorkerFirst::All(true) => RoutingRules { worker: vec![Glob::parse("/*")], assets: Vec::new() },
            RunWorkerFirst::Rules(rules) => {
                let mut sorted = RoutingRules::default();
                for rule in rules {
                    match rule.strip_prefix('!') {
                        Some(path) => sorted.assets.push(Glob::parse(path)),
                        None => sorted.worker.push(Glob::parse(rule)),
                    }
                }
                sorted
            }
        }
    }

    /// Who answers a path, which must be decoded; none when no rule says.
    #[must_use]
    pub fn decide(&self, path: &str) -> Option<Runs> {
        if self.assets.iter().any(|glob| glob.matches(path)) {
            return Some(Runs::Assets);
        }
        self.worker.iter().any(|glob| glob.matches(path)).then_some(Runs::Worker)
    }
}

/// What stands between the stars, decoded: a rule holds for a path in whatever spelling either is written.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Glob(Vec<String>);

impl Glob {
    fn parse(text: &str) -> Glob {
        Glob(text.split('*').map(|part| decoded(part).into_owned()).collect())
    }

    /// Takes every part between two stars at its first place: no later one would leave more for the rest.
    fn matches(&self, path: &str) -> bool {
        let (start, middle, end) = match self.0.as_slice() {
            [] => return false,
            [whole] => return whole == path,
            [start, middle @ .., end] => (start, middle, end),
        };
        let inner = path.strip_prefix(start.as_str()).and_then(|inner| inner.strip_suffix(end.as_str()));
        let Some(mut inner) = inner else {
            return false;
        };
        for part in middle {
            match inner.find(part.as_str()) {
                Some(at) => inner = inner.get(at + part.len()..).unwrap_or_default(),
                None => return false,
            }
        }
        true
    }
}
