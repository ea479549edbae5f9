//! Which of a script's versions serves whom.
//!
//! The choice between the two versions of a gradual deployment is made from a key alone, so that whoever comes with the
//! same key meets the same version, on every node; and a key that met the newer version meets it again when its share
//! grows.

use std::sync::Arc;

use crate::deployment::Share;
use crate::digest::Digest;
use crate::script::{Script, Version};

impl Script {
    /// The versions that serve, with their shares: one, or two in a gradual deployment.
    pub fn serving(&self) -> impl Iterator<Item = (&Version, Share)> {
        let second = self.gradual.as_deref();
        let first = second.map_or(Share::ALL, |second| second.share.rest());
        std::iter::once((&self.version, first)).chain(second.map(|second| (&second.version, second.share)))
    }

    /// The version that serves whoever has this key.
    #[must_use]
    pub fn for_key(self: &Arc<Self>, key: &[u8]) -> Arc<Script> {
        let Some(second) = self.gradual.as_deref() else { return Arc::clone(self) };
        let digest = Digest::of(&[self.id.as_bytes(), &[0], key].concat());
        let drawn = digest.as_bytes().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        if second.share.takes(drawn) { Arc::new(self.with(&second.version)) } else { Arc::clone(self) }
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
    use std::collections::BTreeMap;

    use super::*;
    use crate::deployment::Deployment;
    use crate::name::ScriptName;
    use crate::script::Gradual;
    use crate::script::ScriptKey;
    use crate::timestamp::Timestamp;

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
            schedules: Vec::new(),
            version: version("old"),
            gradual: Some(Box::new(Gradual {
                share: Share::percent(percent).unwrap(),
                cookie: None,
                version: version("new"),
            })),
            deployment: Deployment {
                id: "d".to_owned(),
                created_on: now,
                annotations: BTreeMap::new(),
                rollback: None,
            },
            last_number: 2,
            config: None,
        })
    }

    #[test]
    fn a_key_meets_one_version_and_keeps_the_newer_one_as_its_share_grows() {
        let keys: Vec<String> = (0..20_000).map(|number| format!("visitor-{number}")).collect();
        let new_of = |percent: f64| -> Vec<bool> {
            let script = script(percent);
            keys.iter().map(|key| script.for_key(key.as_bytes()).version.id == "new").collect()
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
