//! What a version can reach beside computing: what its code imports, and what it is bound to; and what a namespace
//! lets its scripts have of that.
//!
//! Owns the names of capabilities, how two versions differ in them, and the policy. An import is named as the code names it, without
//! its version: `wasi:http/outgoing-handler`, `node:crypto`. A binding is `binding:` and its type, `binding:kv_namespace`. Never
//! gives a capability.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::bindings::BindingDecl;
use crate::name::{NamespaceName, shorten};

/// The most patterns of a policy, those that allow and those that deny together.
pub const MAX_PATTERNS: usize = 100;
/// The longest pattern, in bytes.
pub const MAX_PATTERN_BYTES: usize = 200;
/// The most imports that are kept of a version. A component may have more; what it has beyond is named by this many alone.
pub const MAX_IMPORTS: usize = 256;

/// What the scripts of a namespace may have. Patterns are names of capabilities; `*` at the end stands for anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CapabilityPolicy {
    /// The only ones that they may have; left out, all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow: Option<Vec<String>>,
    /// Those that they may not have, whatever is allowed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
}

/// A policy that breaks a rule. Safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CapabilityPolicyError {
    /// There are too many patterns.
    #[error("capabilities have {found} patterns, more than {MAX_PATTERNS}; join some with *")]
    TooMany {
        /// How many there are.
        found: usize,
    },
    /// One is none.
    #[error(
        "capabilities: the pattern \"{pattern}\" is not the name of a capability like wasi:sockets/* or \
         binding:kv_namespace, with * at its end alone and {MAX_PATTERN_BYTES} bytes at most; correct it"
    )]
    Pattern {
        /// The pattern, shortened.
        pattern: String,
    },
}

/// A version that has what it may not have. Safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the namespace \"{namespace}\" does not let its scripts have {capability}, by its capabilities: {rule}. Do without \
     it, or have the namespace's capabilities changed"
)]
pub struct NotAllowed {
    /// The namespace.
    pub namespace: NamespaceName,
    /// The capability, as it is shown.
    pub capability: String,
    /// What the policy says.
    pub rule: String,
}

/// How the capabilities of a version differ from those of another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CapabilityDiff {
    /// What it has more.
    pub added: Vec<String>,
    /// What it has no more.
    pub removed: Vec<String>,
}

impl CapabilityPolicy {
    /// Checks every bound.
    ///
    /// # Errors
    /// [`CapabilityPolicyError`] for the first rule that it breaks.
    pub fn validate(&self) -> Result<(), CapabilityPolicyError> {
        let all = || self.allow.iter().flatten().chain(&self.deny);
        let found = all().count();
        if found > MAX_PATTERNS {
            return Err(CapabilityPolicyError::TooMany { found });
        }
        let is_one = |pattern: &String| {
            let name = pattern.strip_suffix('*').unwrap_or(pattern);
            (1..=MAX_PATTERN_BYTES).contains(&pattern.len())
                && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'*')
        };
        match all().find(|pattern| !is_one(pattern)) {
            Some(pattern) => Err(CapabilityPolicyError::Pattern { pattern: shorten(pattern) }),
            None => Ok(()),
        }
    }

    /// Whether scripts may have a capability that none of them declares.
    #[must_use]
    pub fn allows(&self, capability: &str) -> bool {
        self.against(capability).is_none()
    }

    /// Refuses a version that has what it may not have.
    ///
    /// # Errors
    /// [`NotAllowed`] for the first capability.
    pub fn judge(
        &self,
        namespace: &NamespaceName,
        imports: &[String],
        bindings: &[BindingDecl],
    ) -> Result<(), NotAllowed> {
        let of_imports = imports.iter().map(|import| (import.clone(), format!("the import \"{import}\"")));
        let of_bindings = bindings.iter().map(|decl| {
            let name = of_binding(decl);
            let shown = format!("\"{name}\", the binding \"{}\"", decl.name);
            (name, shown)
        });
        for (name, shown) in of_imports.chain(of_bindings) {
            if let Some(rule) = self.against(&name) {
                return Err(NotAllowed { namespace: namespace.clone(), capability: shown, rule });
            }
        }
        Ok(())
    }

    /// The rule that stands against a capability.
    fn against(&self, name: &str) -> Option<String> {
        if let Some(pattern) = self.deny.iter().find(|pattern| takes(pattern, name)) {
            return Some(format!("deny has \"{pattern}\""));
        }
        let allow = self.allow.as_ref()?;
        (!allow.iter().any(|pattern| takes(pattern, name)))
            .then(|| "allow has nothing that takes it".to_owned())
    }
}

impl CapabilityDiff {
    /// What one has more and less than another, each as [`all_of`] says it.
    #[must_use]
    pub fn between(old: &BTreeSet<String>, new: &BTreeSet<String>) -> CapabilityDiff {
        CapabilityDiff {
            added: new.difference(old).cloned().collect(),
            removed: old.difference(new).cloned().collect(),
        }
    }
}

/// The import without its version, as it is kept.
#[must_use]
pub fn import_name(import: &str) -> String {
    import.split('@').next().unwrap_or_default().chars().take(MAX_PATTERN_BYTES).collect()
}

/// The capabilities of what imports these and is bound to those; bindings with their names.
#[must_use]
pub fn all_of(imports: &[String], bindings: &[BindingDecl]) -> BTreeSet<String> {
    let bindings = bindings.iter().map(|decl| format!("{} {}", of_binding(decl), decl.name));
    imports.iter().cloned().chain(bindings).collect()
}

fn of_binding(decl: &BindingDecl) -> String {
    format!("binding:{}", decl.kind.binding_type())
}

fn takes(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy(json: serde_json::Value) -> CapabilityPolicy {
        let policy: CapabilityPolicy = serde_json::from_value(json).unwrap();
        policy.validate().unwrap();
        policy
    }

    fn judged(policy: &CapabilityPolicy, imports: &[&str], kinds: &[serde_json::Value]) -> Option<String> {
        let imports: Vec<_> = imports.iter().map(|import| (*import).to_owned()).collect();
        let bindings: Vec<_> = kinds.iter().map(|json| BindingDecl::from_json(json).unwrap()).collect();
        let namespace = NamespaceName::parse("production").unwrap();
        policy.judge(&namespace, &imports, &bindings).err().map(|error| error.to_string())
    }

    #[test]
    fn what_is_denied_or_not_allowed_is_named_with_the_rule() {
        let kv = [json!({"type": "kv_namespace", "name": "KV", "namespace_id": "a"})];
        let deny = policy(json!({"deny": ["wasi:sockets/*", "binding:kv_namespace"]}));
        assert_eq!(judged(&deny, &["wasi:http/outgoing-handler"], &[]), None);
        let refused = judged(&deny, &["wasi:sockets/tcp"], &[]).unwrap();
        for part in ["\"production\"", "the import \"wasi:sockets/tcp\"", "deny has \"wasi:sockets/*\""] {
            assert!(refused.contains(part), "{refused}");
        }
        let refused = judged(&deny, &[], &kv).unwrap();
        assert!(refused.contains("\"binding:kv_namespace\", the binding \"KV\""), "{refused}");
        let allow =
            policy(json!({"allow": ["wasi:*", "binding:kv_namespace"], "deny": ["wasi:sockets/tcp"]}));
        assert_eq!(judged(&allow, &["wasi:io/poll"], &kv), None);
        assert!(judged(&allow, &["wasi:sockets/tcp"], &[]).unwrap().contains("deny"));
        assert!(judged(&allow, &["node:fs"], &[]).unwrap().contains("allow has nothing"));
        assert!(judged(&policy(json!({"allow": []})), &["node:fs"], &[]).is_some());
        assert_eq!(judged(&policy(json!({})), &["node:fs"], &kv), None);
    }

    #[test]
    fn a_policy_that_is_none_is_refused() {
        for bad in [
            json!({"deny": [""]}),
            json!({"deny": ["a*b"]}),
            json!({"allow": ["a b"]}),
            json!({"deny": ["x".repeat(201)]}),
        ] {
            let policy: CapabilityPolicy = serde_json::from_value(bad.clone()).unwrap();
            assert!(matches!(policy.validate(), Err(CapabilityPolicyError::Pattern { .. })), "{bad}");
        }
        let many = CapabilityPolicy { allow: None, deny: vec!["a".to_owned(); MAX_PATTERNS + 1] };
        assert_eq!(many.validate(), Err(CapabilityPolicyError::TooMany { found: MAX_PATTERNS + 1 }));
        assert!(serde_json::from_value::<CapabilityPolicy>(json!({"denied": []})).is_err());
    }

    #[test]
    fn an_import_is_named_without_its_version() {
        assert_eq!(import_name("wasi:http/types@0.2.3"), "wasi:http/types");
        assert_eq!(import_name("node:fs"), "node:fs");
    }
}
