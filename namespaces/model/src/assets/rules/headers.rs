//! `_headers`: header fields by path.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::pattern::{Pattern, encoded};
use super::{Mistake, Mistakes, lines};
use crate::url_path::decoded;

/// The most rules of a file.
pub(super) const MAX_HEADER_RULES: usize = 100;

/// The rules of a `_headers` file, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderRules {
    rules: Vec<HeaderRule>,
}

/// What is to be done to answers whose request matches a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderRule {
    /// Which requests.
    pub pattern: Pattern,
    /// Fields to take out, before any is put in.
    pub unset: Vec<HeaderName>,
    /// Fields to put in; values may name placeholders.
    pub set: Vec<(HeaderName, String)>,
}

impl HeaderRules {
    /// Reads a file. What breaks a rule is passed over and reported; the rest holds.
    #[must_use]
    pub fn parse(text: &str) -> (HeaderRules, Vec<Mistake>) {
        let mut mistakes = Mistakes::default();
        let mut reader = Reader::default();
        for (number, line) in lines(text, &mut mistakes) {
            if line.starts_with('/') || is_absolute(line) {
                reader.close(&mut mistakes);
                if reader.rules.len() == MAX_HEADER_RULES {
                    mistakes.add(
                        number,
                        format!("at most {MAX_HEADER_RULES} rules are allowed; this one and all after it are left out"),
                    );
                    break;
                }
                reader.open(number, line, &mut mistakes);
            } else {
                reader.field(number, line, &mut mistakes);
            }
        }
        reader.close(&mut mistakes);
        (HeaderRules { rules: reader.rules }, mistakes.0)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// How many rules there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Does what the rules say to the head of an answer. `location` and `path_at` are as for
    /// [`Pattern::matches`].
    ///
    /// A rule for `/@me/*` holds for `/%40me/a.txt` as well, which is the address that such a file is served at.
    ///
    /// Rules act in their order, each first taking out and then putting in. The first that puts in a field
    /// replaces what the answer had of that name, later ones add to it. A value that a request's own text made
    /// unfit for a header is left out.
    pub fn apply(&self, location: &str, path_at: usize, headers: &mut HeaderMap) {
        let plain = plain_spelling(location, path_at);
        let mut ours: Vec<&HeaderName> = Vec::new();
        for rule in &self.rules {
            let as_sent = rule.pattern.matches(location, path_at);
            let plainly = || plain.as_deref().and_then(|plain| rule.pattern.matches(plain, path_at));
            let Some(captures) = as_sent.or_else(plainly) else { continue };
            for name in &rule.unset {
                headers.remove(name);
            }
            for (name, value) in &rule.set {
                let Ok(value) = HeaderValue::try_from(captures.fill(value).as_ref()) else { continue };
                if ours.contains(&name) {
                    headers.append(name, value);
                } else {
                    headers.insert(name, value);
                    ours.push(name);
                }
            }
        }
    }
}

/// The location with nothing escaped in its path that a rule may hold unescaped; none where that is how it was sent.
fn plain_spelling(location: &str, path_at: usize) -> Option<String> {
    let (host, path) = location.split_at_checked(path_at)?;
    let decoded = decoded(path);
    let plain = encoded(&decoded);
    (plain != path).then(|| format!("{host}{plain}"))
}

fn is_absolute(line: &str) -> bool {
    line.split_whitespace().next().is_some_and(|word| word.contains("://") && !word.starts_with(':'))
        && !line.split("://").next().unwrap_or_default().contains(':')
}

#[derive(Default)]
struct Reader {
    rules: Vec<HeaderRule>,
    /// The rule being read, and the line it began in.
    current: Option<(usize, HeaderRule)>,
    /// Whether the last path was wrong: what belongs to it is passed over in silence.
    skipping: bool,
}

impl Reader {
    fn open(&mut self, number: usize, line: &str, mistakes: &mut Mistakes) {
        match Pattern::parse(line) {
            Ok(pattern) if !line.contains(char::is_whitespace) => {
                self.skipping = false;
                self.current = Some((number, HeaderRule { pattern, unset: Vec::new(), set: Vec::new() }));
            }
            Ok(_) => {
                self.skipping = true;
                mistakes.add(number, "a path must not hold spaces");
            }
            Err(error) => {
                self.skipping = true;
                mistakes.add(number, error.to_string());
            }
        }
    }

    fn field(&mut self, number: usize, line: &str, mistakes: &mut Mistakes) {
        if self.skipping {
            return;
        }
        let Some((_, rule)) = &mut self.current else {
            mistakes.add(number, "a path, such as /images/*, must stand before the first header");
            return;
        };
        if let Some(name) = line.strip_prefix("! ") {
            match header_name(name) {
                Ok(name) => rule.unset.push(name),
                Err(text) => mistakes.add(number, text),
            }
            return;
        }
        let Some((name, value)) = line.split_once(':') else {
            mistakes.add(number, "a header must be written as \"name: value\", or \"! name\" to take it out");
            return;
        };
        let name = match header_name(name) {
            Ok(name) => name,
            Err(text) => return mistakes.add(number, text),
        };
        let value = value.trim();
        if value.is_empty() {
            return mistakes.add(number, format!("the header {name} has no value"));
        }
        if HeaderValue::from_str(value).is_err() {
            return mistakes.add(number, format!("the value of {name} may hold visible ASCII only"));
        }
        if OURS.contains(&name) {
            return mistakes.add(number, format!("{name} is set by the platform and cannot be changed"));
        }
        match rule.set.iter_mut().find(|(known, _)| *known == name) {
            Some((_, before)) => *before = format!("{before}, {value}"),
            None => rule.set.push((name, value.to_owned())),
        }
    }

    fn close(&mut self, mistakes: &mut Mistakes) {
        if let Some((number, rule)) = self.current.take() {
            if rule.set.is_empty() && rule.unset.is_empty() {
                mistakes.add(number, "no headers follow this path");
            } else {
                self.rules.push(rule);
            }
        }
    }
}

/// What frames a message or says how its body is encoded: a rule that changed it would break the answer.
const OURS: [HeaderName; 6] = [
    http::header::CONNECTION,
    http::header::CONTENT_ENCODING,
    http::header::CONTENT_LENGTH,
    http::header::CONTENT_RANGE,
    http::header::TRANSFER_ENCODING,
    http::header::UPGRADE,
];

fn header_name(text: &str) -> Result<HeaderName, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("the header has no name".to_owned());
    }
    if text.contains(char::is_whitespace) {
        return Err("a header's name must not hold spaces".to_owned());
    }
    HeaderName::try_from(text.to_ascii_lowercase())
        .map_err(|_| "a header's name may hold letters, digits and -_.!#$%&'*+^`|~ only".to_owned())
}
