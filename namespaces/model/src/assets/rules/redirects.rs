//! `_redirects`: requests that are sent elsewhere, or answered with another file.

use std::collections::HashMap;

use super::pattern::{Pattern, encoded};
use super::{Mistake, Mistakes, lines};
use crate::assets::HtmlHandling;

/// The most rules without placeholders and splats.
pub(super) const MAX_STATIC_REDIRECTS: usize = 2_000;
/// The most rules with them, and after them.
pub(super) const MAX_DYNAMIC_REDIRECTS: usize = 100;

/// The rules of a `_redirects` file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedirectRules {
    /// By their path.
    fixed: HashMap<String, Target>,
    /// In their order.
    dynamic: Vec<RedirectRule>,
}

/// A rule with a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectRule {
    from: Pattern,
    target: Target,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Target {
    /// A path, or a URL; may name placeholders.
    to: String,
    status: u16,
}

/// What a rule makes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redirection {
    /// The visitor is sent elsewhere.
    Away {
        /// 301, 302, 303, 307 or 308.
        status: u16,
        /// The value of `Location`.
        location: String,
    },
    /// The request is answered as if it had asked for this path.
    Rewrite {
        /// The path, encoded, without a query.
        path: String,
    },
}

impl RedirectRules {
    /// Reads a file. What breaks a rule is passed over and reported; the rest holds.
    #[must_use]
    pub fn parse(text: &str, html: HtmlHandling) -> (RedirectRules, Vec<Mistake>) {
        let mut mistakes = Mistakes::default();
        let mut rules = RedirectRules::default();
        for (number, line) in lines(text, &mut mistakes) {
            let (from, target) = match rule(line, html) {
                Ok(rule) => rule,
                Err(text) => {
                    mistakes.add(number, text);
                    continue;
                }
            };
            match from.exact() {
                // Once a dynamic rule has appeared, order counts for all that follow.
                Some(path) if rules.dynamic.is_empty() => {
                    if rules.fixed.contains_key(path) {
                        mistakes
                            .add(number, format!("there is a rule for {path} already; the first one holds"));
                    } else if rules.fixed.len() == MAX_STATIC_REDIRECTS {
                        mistakes.add(
                            number,
                            format!("at most {MAX_STATIC_REDIRECTS} static rules are allowed; this one is left out"),
                        );
                    } else {
                        rules.fixed.insert(path.to_owned(), target);
                    }
                }
                _ => {
                    if rules.dynamic.iter().any(|known| known.from == from)
                        || from.exact().is_some_and(|path| rules.fixed.contains_key(path))
                    {
                        mistakes.add(number, "there is a rule for this path already; the first one holds");
                    } else if rules.dynamic.len() == MAX_DYNAMIC_REDIRECTS {
                        let text = format!(
                            "at most {MAX_DYNAMIC_REDIRECTS} dynamic rules are allowed; this one and all after \
                             it are left out"
                        );
                        mistakes.add(number, text);
                        break;
                    } else {
                        rules.dynamic.push(RedirectRule { from, target });
                    }
                }
            }
        }
        (rules, mistakes.0)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fixed.is_empty() && self.dynamic.is_empty()
    }

    /// How many rules there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fixed.len() + self.dynamic.len()
    }

    /// What becomes of a request for this path and query. `location` and `path_at` are as for
    /// [`Pattern::matches`]. A rule that would send the request to where it is already is passed over.
    #[must_use]
    pub fn find(&self, location: &str, path_at: usize, query: Option<&str>) -> Option<Redirection> {
        let path = location.get(path_at..)?;
        let fixed = self.fixed.get(path).map(|target| target.redirection(&target.to, query));
        let found = fixed.into_iter().chain(self.dynamic.iter().filter_map(|rule| {
            let captures = rule.from.matches(location, path_at)?;
            Some(rule.target.redirection(&captures.fill(&rule.target.to), query))
        }));
        found.into_iter().find(|redirection| match redirection {
            Redirection::Away { location, .. } => !is_same(location, path, query),
            Redirection::Rewrite { .. } => true,
        })
    }
}

impl Target {
    fn redirection(&self, to: &str, query: Option<&str>) -> Redirection {
        let (rest, fragment) = to.find('#').map_or((to, ""), |at| to.split_at(at));
        let (address, own_query) = rest.find('?').map_or((rest, ""), |at| rest.split_at(at));
        let address =
            if has_host(address) { encoded(address).into_owned() } else { one_slash(&encoded(address)) };
        if self.status == 200 {
            return Redirection::Rewrite { path: address };
        }
        let mut location = address;
        match query {
            // Whatever the rule asks for comes before what the visitor asked for.
            Some(query) if own_query.len() <= 1 && !query.is_empty() => {
                location.push('?');
                location.push_str(query);
            }
            _ => location.push_str(&encoded(own_query)),
        }
        location.push_str(&encoded(fragment));
        Redirection::Away { status: self.status, location }
    }
}

fn rule(line: &str, html: HtmlHandling) -> Result<(Pattern, Target), String> {
    let words: Vec<&str> = line.split_whitespace().take_while(|word| !word.starts_with('#')).collect();
    let (from, to, status) = match words.as_slice() {
        [from, to] => (*from, *to, "302"),
        [from, to, status] => (*from, *to, *status),
        _ => return Err(format!("2 or 3 words are needed, from to [status]; there are {}", words.len())),
    };
    let status = match status {
        "200" | "301" | "302" | "303" | "307" | "308" => status.parse().unwrap_or(302),
        _ => return Err("the status must be 200, 301, 302, 303, 307 or 308".to_owned()),
    };
    let pattern = Pattern::path(from).map_err(|error| error.to_string())?;
    if !to.starts_with('/') && !has_host(to) {
        return Err("the target must begin with / , https:// or http://".to_owned());
    }
    if has_host(to) && status == 200 {
        return Err("with status 200 the target must be a path of the same site".to_owned());
    }
    if !has_host(to) && loops(from, to, html) {
        return Err("this would send a page back to itself without end; remove the rule".to_owned());
    }
    let same = !pattern.is_exact() || status == 200 || pattern.exact() != Some(one_slash(to).as_str());
    if !same {
        return Err("this sends a path to itself; remove the rule".to_owned());
    }
    Ok((pattern, Target { to: if has_host(to) { to.to_owned() } else { one_slash(to) }, status }))
}

/// Whether html handling would take the target back to where the rule begins.
fn loops(from: &str, to: &str, html: HtmlHandling) -> bool {
    let to_index = to.ends_with("/index") || to.ends_with("/index.html");
    to_index && (from.ends_with("/*") || (from.ends_with('/') && html != HtmlHandling::None))
}

fn has_host(target: &str) -> bool {
    let scheme =
        |scheme: &str| target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    scheme("https://") || scheme("http://")
}

/// Two slashes at the start of a path would name another host; a backslash is a slash to browsers.
fn one_slash(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let end = path.find(['?', '#']).unwrap_or(path.len());
    let (path, rest) = path.split_at(end);
    for character in path.chars() {
        let character = if character == '\\' { '/' } else { character };
        if character != '/' || !out.ends_with('/') {
            out.push(character);
        }
    }
    out.push_str(rest);
    out
}

fn is_same(location: &str, path: &str, query: Option<&str>) -> bool {
    match location.split_once('?') {
        Some((to, its_query)) => to == path && Some(its_query) == query,
        None => location == path && query.is_none_or(str::is_empty),
    }
}
