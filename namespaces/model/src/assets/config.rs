//! How the assets of a version are served.
//!
//! Owns the fields of `assets.config`, their names on the wire, the bounds that can be checked without
//! reading the rules in them, and the list of what is wrong with those rules. Never matches a request.

use serde::{Deserialize, Serialize};

use super::base_path::BasePath;
use super::rules::{HeaderRules, Mistake, RedirectRules};
use crate::limits::{
    MAX_ASSET_HEADERS_BYTES, MAX_ASSET_REDIRECTS_BYTES, MAX_WORKER_FIRST_RULE_CHARS, MAX_WORKER_FIRST_RULES,
};

/// How the assets of a version are served.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AssetsConfig {
    /// How paths find HTML files.
    pub html_handling: HtmlHandling,
    /// What is served when nothing is found.
    pub not_found_handling: NotFoundHandling,
    /// Which requests go to the script before the assets are asked.
    #[serde(skip_serializing_if = "RunWorkerFirst::is_never")]
    pub run_worker_first: RunWorkerFirst,
    /// The text of the `_headers` file.
    #[serde(rename = "_headers", skip_serializing_if = "Option::is_none")]
    pub headers: Option<String>,
    /// The text of the `_redirects` file.
    #[serde(rename = "_redirects", skip_serializing_if = "Option::is_none")]
    pub redirects: Option<String>,
    /// Whether files with a fingerprint in their name are served as immutable.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub immutable_fingerprinted: bool,
    /// The path that all files are below.
    #[serde(skip_serializing_if = "BasePath::is_root")]
    pub base_path: BasePath,
}

/// How paths find HTML files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HtmlHandling {
    /// `/page` for `page.html`, `/folder/` for `folder/index.html`.
    #[default]
    AutoTrailingSlash,
    /// `/page/` for both.
    ForceTrailingSlash,
    /// `/page` for both.
    DropTrailingSlash,
    /// Only the exact path.
    None,
}

/// What is served when nothing is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotFoundHandling {
    /// An empty 404.
    #[default]
    None,
    /// The nearest `404.html`, with status 404.
    #[serde(rename = "404-page")]
    Page404,
    /// `/index.html`, with status 200.
    SinglePageApplication,
}

/// Which requests go to the script before the assets are asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RunWorkerFirst {
    /// All, or none.
    All(bool),
    /// Those whose path a rule takes; `!` before a rule takes paths out again, `*` stands for anything.
    Rules(Vec<String>),
}

impl RunWorkerFirst {
    fn is_never(&self) -> bool {
        *self == RunWorkerFirst::default()
    }
}

impl Default for RunWorkerFirst {
    fn default() -> RunWorkerFirst {
        RunWorkerFirst::All(false)
    }
}

/// A configuration that breaks a rule. Safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssetsConfigError {
    /// A text is too long.
    #[error("{file} has {found} bytes, more than the {most} that it may have; shorten it")]
    TooLong {
        /// Which.
        file: &'static str,
        /// Its bytes.
        found: usize,
        /// The most.
        most: usize,
    },
    /// There are too many rules.
    #[error("run_worker_first has {found} rules, more than {MAX_WORKER_FIRST_RULES}; merge some with *")]
    TooManyRules {
        /// How many there are.
        found: usize,
    },
    /// A rule is wrong.
    #[error("run_worker_first rule \"{rule}\" {fault}")]
    Rule {
        /// The rule, shortened.
        rule: String,
        /// What is wrong with it, and what to do.
        fault: &'static str,
    },
    /// All rules take paths out.
    #[error("run_worker_first has only rules with !; add one without, like /api/*")]
    OnlyNegative,
}

impl AssetsConfig {
    /// Checks every bound.
    ///
    /// # Errors
    /// [`AssetsConfigError`] for the first rule that it breaks.
    pub fn validate(&self) -> Result<(), AssetsConfigError> {
        fits("_headers", self.headers.as_deref(), MAX_ASSET_HEADERS_BYTES)?;
        fits("_redirects", self.redirects.as_deref(), MAX_ASSET_REDIRECTS_BYTES)?;
        match &self.run_worker_first {
            RunWorkerFirst::All(_) => Ok(()),
            RunWorkerFirst::Rules(rules) => check_rules(rules),
        }
    }

    /// The lines of `_headers` and `_redirects` that break a rule, each with the name of its file. They keep nothing
    /// from being deployed: serving passes over them.
    #[must_use]
    pub fn mistakes(&self) -> Vec<(&'static str, Mistake)> {
        let headers = HeaderRules::parse(self.headers.as_deref().unwrap_or_default()).1;
        let redirects =
            RedirectRules::parse(self.redirects.as_deref().unwrap_or_default(), self.html_handling).1;
        let headers = headers.into_iter().map(|mistake| ("_headers", mistake));
        headers.chain(redirects.into_iter().map(|mistake| ("_redirects", mistake))).collect()
    }

    /// Bytes of all texts in it.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        let rules = match &self.run_worker_first {
            RunWorkerFirst::All(_) => 0,
            RunWorkerFirst::Rules(rules) => rules.iter().map(|rule| rule.len() + 32).sum(),
        };
        let texts = [&self.headers, &self.redirects];
        rules + self.base_path.as_str().len() + texts.into_iter().flatten().map(String::len).sum::<usize>()
    }
}

fn fits(file: &'static str, text: Option<&str>, most: usize) -> Result<(), AssetsConfigError> {
    match text.map_or(0, str::len) {
        found if found > most => Err(AssetsConfigError::TooLong { file, found, most }),
        _ => Ok(()),
    }
}

fn check_rules(rules: &[String]) -> Result<(), AssetsConfigError> {
    if rules.len() > MAX_WORKER_FIRST_RULES {
        return Err(AssetsConfigError::TooManyRules { found: rules.len() });
    }
    for (place, rule) in rules.iter().enumerate() {
        let fault = |fault| Err(AssetsConfigError::Rule { rule: crate::name::shorten(rule), fault });
        if rule.chars().count() > MAX_WORKER_FIRST_RULE_CHARS {
            return fault("is longer than 100 characters; shorten it");
        }
        if rule.chars().any(char::is_control) {
            return fault("has a control character; remove it");
        }
        if !rule.strip_prefix('!').unwrap_or(rule).starts_with('/') {
            return fault("must begin with / or !/");
        }
        let (mut before, mut others) =
            (rules.iter().take(place), rules.iter().filter(|other| *other != rule));
        if before.any(|other| other == rule) {
            return fault("is there twice; remove one");
        }
        if others.any(|other| other.strip_suffix('*').is_some_and(|start| rule.starts_with(start))) {
            return fault("is taken by another rule that ends in *; remove it");
        }
    }
    if rules.iter().all(|rule| rule.starts_with('!')) {
        return Err(AssetsConfigError::OnlyNegative);
    }
    Ok(())
}
