//! The rules that travel with a version's assets: `_headers`, `_redirects`, and which paths the script takes
//! first.
//!
//! Owns their grammar and their bounds, and matching them against a request in time that is linear in the
//! request. Shared by the api, which refuses or reports what is wrong with them, and by the dispatcher, which
//! obeys them. Never looks at a manifest.

use std::fmt;

pub use headers::{HeaderRule, HeaderRules};
pub use pattern::{Captures, Pattern, PatternError, encoded as percent_encoded};
pub use redirects::{RedirectRule, RedirectRules, Redirection};
pub use routing::{RoutingRules, Runs};

mod headers;
mod pattern;
mod redirects;
mod routing;

/// The most bytes of a line.
pub const MAX_LINE_BYTES: usize = 2_000;
/// The most bytes of a file of rules: more than all allowed lines of usual length.
pub const MAX_RULES_BYTES: usize = 1 << 20;
/// The most lines that are reported as wrong, one by one.
const MAX_MISTAKES: usize = 50;

/// A line that was passed over, and why. Safe to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub text: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.text)
    }
}

/// Collects mistakes, up to a bound.
#[derive(Default)]
struct Mistakes(Vec<Mistake>);

impl Mistakes {
    fn add(&mut self, line: usize, text: impl Into<String>) {
        if self.0.len() < MAX_MISTAKES {
            self.0.push(Mistake { line, text: text.into() });
        }
    }
}

/// The lines of a file of rules that say something: their number, and their text without space around it.
fn lines<'t>(text: &'t str, mistakes: &mut Mistakes) -> Vec<(usize, &'t str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > MAX_RULES_BYTES {
        mistakes.add(1, format!("the file has {} bytes; at most {MAX_RULES_BYTES} are allowed", text.len()));
        return Vec::new();
    }
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.len() > MAX_LINE_BYTES {
            mistakes.add(
                number,
                format!("the line has {} bytes; at most {MAX_LINE_BYTES} are allowed", line.len()),
            );
            continue;
        }
        found.push((number, line));
    }
    found
}

#[cfg(test)]
mod tests;
