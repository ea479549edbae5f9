//! One mistake in a configuration, and a list of them.
//!
//! Owns the wording: every fault names the line, the key, the value, what was expected and what to do.
//! It must never hold the value of a secret, since faults are printed and logged.

use std::fmt;

use serde::Serialize;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing starts before it is mended.
    Error,
    /// It may be meant that way.
    Warning,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// How bad it is.
    pub severity: Severity,
    /// The line in the file, counted from 1; 0 when it has none.
    pub line: usize,
    /// The key as a path, such as `namespaces.production.limits.cpu_ms`; may be empty.
    pub key: String,
    /// The value as it stands in the file, shortened; none when it is missing or secret.
    pub value: Option<String>,
    /// What is wrong, or what was expected.
    pub expected: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Fault {
    /// A mistake at `line` and `key`.
    pub fn new(line: usize, key: impl Into<String>, expected: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            line,
            key: key.into(),
            value: None,
            expected: expected.into(),
            remedy: None,
        }
    }

    /// Adds the offending value, shortened to one line.
    pub fn value(mut self, value: impl AsRef<str>) -> Self {
        self.value = Some(first_line(value.as_ref()));
        self
    }

    /// Adds what to do about it.
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Makes it a warning.
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// The fault as one line of text, after `file:line: `.
    pub fn at<'a>(&'a self, file: &'a str) -> impl fmt::Display + 'a {
        At { file, fault: self }
    }
}

struct At<'a> {
    file: &'a str,
    fault: &'a Fault,
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, fault } = self;
        f.write_str(file)?;
        if fault.line > 0 {
            write!(f, ":{}", fault.line)?;
        }
        f.write_str(": ")?;
        if fault.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        match (fault.key.is_empty(), &fault.value) {
            (false, Some(value)) => write!(f, "{} = {value}: ", fault.key)?,
            (false, None) => write!(f, "{}: ", fault.key)?,
            (true, _) => {}
        }
        f.write_str(&fault.expected)?;
        if let Some(remedy) = &fault.remedy {
            write!(f, "; {remedy}")?;
        }
        Ok(())
    }
}

/// Everything that was found in one file, in the order of its lines.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// The file as the user named it.
    pub file: String,
    /// The findings.
    pub list: Vec<Fault>,
}

impl Faults {
    /// Whether any of them forbids a start.
    pub fn any_error(&self) -> bool {
        self.list.iter().any(|fault| fault.severity == Severity::Error)
    }

    /// How many of them forbid a start.
    pub fn errors(&self) -> usize {
        self.list.iter().filter(|fault| fault.severity == Severity::Error).count()
    }

    /// How many mistakes there are in which file.
    pub fn summary(&self) -> String {
        let errors = self.errors();
        format!("{errors} {} in {}", if errors == 1 { "mistake" } else { "mistakes" }, self.file)
    }

    /// Puts them in the order of the file.
    pub fn sort(&mut self) {
        self.list.sort_by_key(|fault| fault.line);
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}", fault.at(&self.file))?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// The name among `known` that `typed` was probably meant to be.
pub(super) fn closest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::osa_distance(&typed.to_lowercase(), name), name))
        .filter(|(distance, name)| *distance <= 1 + name.chars().count() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// One line of at most 60 characters.
fn first_line(value: &str) -> String {
    let line = value.lines().next().unwrap_or_default();
    let cut = line.len() < value.len() || line.chars().count() > 60;
    let mut text: String = line.chars().filter(|c| !c.is_control()).take(60).collect();
    if cut {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_reads_as_one_line() {
        let fault = Fault::new(3, "limits.cpu_ms", "expected a whole number from 1 to 30000")
            .value("0")
            .remedy("write cpu_ms = 50");
        assert_eq!(
            fault.at("wasmyard.toml").to_string(),
            "wasmyard.toml:3: limits.cpu_ms = 0: expected a whole number from 1 to 30000; write cpu_ms = 50"
        );
    }

    #[test]
    fn values_are_shortened_to_one_line() {
        let fault = Fault::new(1, "k", "e").value("a\nb");
        assert_eq!(fault.value.as_deref(), Some("a…"));
        let long = "x".repeat(100);
        assert_eq!(Fault::new(1, "k", "e").value(long).value.unwrap().chars().count(), 61);
    }

    #[test]
    fn near_misses_are_recognised_and_far_ones_are_not() {
        assert_eq!(closest("lisen", ["listen", "api_listen"]), Some("listen"));
        assert_eq!(closest("Listen", ["listen", "api_listen"]), Some("listen"));
        assert_eq!(closest("zebra", ["listen", "api_listen"]), None);
    }
}
