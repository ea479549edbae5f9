//! Which modules of the platform a script's files name: `node:crypto`, `cloudflare:workers`.
//!
//! Looks for texts where a module can be named, behind `from`, `import`, `import(` and `require(`, outside of comments. It
//! reads no further than that: a name in a text that only looks like code is taken for one, and one that is put together
//! when the script runs is not seen. What a script can reach is bounded by what it is given, not by this list.

use std::collections::BTreeSet;

use super::{Bundle, PartKind};
use crate::capabilities::{MAX_IMPORTS, import_name};

/// Names that need no prefix, as older packages write them.
const BARE: [&str; 12] = [
    "assert",
    "async_hooks",
    "buffer",
    "crypto",
    "events",
    "fs",
    "path",
    "process",
    "stream",
    "timers",
    "url",
    "util",
];

impl Bundle {
    /// The modules of the platform that are named in it, sorted.
    #[must_use]
    pub fn imports(&self) -> Vec<String> {
        let mut found = BTreeSet::new();
        let own = |name: &str| self.parts.iter().any(|part| part.name == name);
        for part in self.parts.iter().filter(|part| part.kind == PartKind::Module) {
            let text = String::from_utf8_lossy(&part.bytes);
            for name in named(&text) {
                let is_platform = name.split_once(':').is_some_and(|(scheme, _)| {
                    !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_lowercase())
                });
                if is_platform && found.len() < MAX_IMPORTS {
                    found.insert(import_name(name));
                } else if BARE.contains(&name) && !own(name) && found.len() < MAX_IMPORTS {
                    found.insert(format!("node:{name}"));
                }
            }
        }
        found.into_iter().collect()
    }
}

/// The texts in quotes that stand where a module is named.
fn named(source: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for keyword in ["from", "import", "require"] {
        let mut rest = source;
        while let Some(at) = rest.find(keyword) {
            let (before, after) = rest.split_at(at);
            rest = after.get(keyword.len()..).unwrap_or_default();
            if before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '.')) {
                continue;
            }
            let text = rest.trim_start();
            let text =
                if keyword == "from" { text } else { text.strip_prefix('(').unwrap_or(text).trim_start() };
            let Some(quote @ ('"' | '\'')) = text.chars().next() else { continue };
            if let Some((name, _)) = text.get(1..).and_then(|text| text.split_once(quote))
                && !name.contains('\n')
            {
                found.push(name);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::Part;
    use super::*;

    #[test]
    fn modules_of_the_platform_are_found_however_they_are_named() {
        let source = r#"
            import { Buffer } from "node:buffer";
            import"node:process";import a from'cloudflare:workers';
            export * from "./own.js";
            const fs = require("fs"), path = await import( "node:path" );
            import own from "util";
            const important = "node:none"; x.from("node:nobody"); perform"#;
        let part = |name: &str, kind, text: &str| Part {
            name: name.to_owned(),
            kind,
            bytes: bytes::Bytes::copy_from_slice(text.as_bytes()),
        };
        let parts = vec![
            part("a.js", PartKind::Module, source),
            part("util", PartKind::Module, ""),
            part("t.txt", PartKind::Text, "from \"node:http\""),
        ];
        let found = Bundle::new(parts).unwrap().imports();
        assert_eq!(found, ["cloudflare:workers", "node:buffer", "node:fs", "node:path", "node:process"]);
    }
}
