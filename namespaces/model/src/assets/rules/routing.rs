//! Which paths the script takes before the assets are looked at, and which it never does.

use super::super::RunWorkerFirst;

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
            RunWorkerFirst::All(true) => {
                RoutingRules { worker: vec![Glob("/*".to_owned())], assets: Vec::new() }
            }
            RunWorkerFirst::Rules(rules) => {
                let mut sorted = RoutingRules::default();
                for rule in rules {
                    match rule.strip_prefix('!') {
                        Some(path) => sorted.assets.push(Glob(path.to_owned())),
                        None => sorted.worker.push(Glob(rule.clone())),
                    }
                }
                sorted
            }
        }
    }

    /// Who answers a path; none when no rule says.
    #[must_use]
    pub fn decide(&self, path: &str) -> Option<Runs> {
        if self.assets.iter().any(|glob| glob.matches(path)) {
            return Some(Runs::Assets);
        }
        self.worker.iter().any(|glob| glob.matches(path)).then_some(Runs::Worker)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Glob(String);

impl Glob {
    /// Takes every part between two stars at its first place: no later one would leave more for the rest.
    fn matches(&self, path: &str) -> bool {
        let Some((start, rest)) = self.0.split_once('*') else { return self.0 == path };
        let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
        let Some(mut inner) = path.strip_prefix(start).and_then(|inner| inner.strip_suffix(end)) else {
            return false;
        };
        for part in middle.split('*') {
            match inner.find(part) {
                Some(at) => inner = inner.get(at + part.len()..).unwrap_or_default(),
                None => return false,
            }
        }
        true
    }
}
