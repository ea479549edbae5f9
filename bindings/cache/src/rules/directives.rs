//! The directives of `Cache-Control` in a response (RFC 9111, section 5.2.2).
//!
//! Owns the grammar alone. What a directive leads to is said where it is asked for.

use http::header::{CACHE_CONTROL, HeaderMap};

/// More seconds than this are this many (RFC 9111, section 1.2.2).
const MOST_SECONDS: u64 = 1 << 31;

/// A time in seconds that a directive gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Seconds {
    /// The directive is not there.
    #[default]
    Absent,
    /// So many.
    Given(u64),
    /// What is there is no number: whoever reads it takes the response as stale (section 4.2.1).
    Broken,
}

/// A directive that is for all of the response, or for fields of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// The directive is not there.
    #[default]
    Absent,
    /// For these fields, in lower case.
    Fields(Vec<String>),
    /// For the whole response.
    Whole,
}

impl Scope {
    fn join(&mut self, value: Option<&str>) {
        match (value, &mut *self) {
            (None, _) => *self = Scope::Whole,
            (Some(names), Scope::Fields(fields)) => fields.extend(names_of(names)),
            (Some(names), Scope::Absent) => *self = Scope::Fields(names_of(names).collect()),
            (Some(_), Scope::Whole) => {}
        }
    }

    /// The fields that it is for, where it is not for all.
    #[must_use]
    pub fn fields(&self) -> &[String] {
        match self {
            Scope::Fields(fields) => fields,
            Scope::Absent | Scope::Whole => &[],
        }
    }
}

fn names_of(list: &str) -> impl Iterator<Item = String> {
    list.split(',').map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty())
}

/// What the `Cache-Control` fields of a response say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// `no-store`.
    pub no_store: bool,
    /// `no-cache`.
    pub no_cache: Scope,
    /// `private`.
    pub private: Scope,
    /// `public`.
    pub public: bool,
    /// `must-revalidate`.
    pub must_revalidate: bool,
    /// `must-understand`.
    pub must_understand: bool,
    /// `max-age`.
    pub max_age: Seconds,
    /// `s-maxage`.
    pub s_maxage: Seconds,
}

impl Directives {
    /// Reads all fields of the name. What is no directive that is known is passed over (section 5.2.3).
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Directives {
        let mut found = Directives::default();
        for value in headers.get_all(CACHE_CONTROL) {
            let text = String::from_utf8_lossy(value.as_bytes());
            for directive in split(&text) {
                let (name, value) = match directive.split_once('=') {
                    Some((name, value)) => (name, Some(unquoted(value))),
                    None => (directive, None),
                };
                found.take(&name.trim().to_ascii_lowercase(), value.as_deref());
            }
        }
        found
    }

    fn take(&mut self, name: &str, value: Option<&str>) {
        match name {
            "no-store" => self.no_store = true,
            "no-cache" => self.no_cache.join(value),
            "private" => self.private.join(value),
            "public" => self.public = true,
            "must-revalidate" => self.must_revalidate = true,
            "must-understand" => self.must_understand = true,
            "max-age" => first(&mut self.max_age, value),
            "s-maxage" => first(&mut self.s_maxage, value),
            _ => {}
        }
    }
}

/// Of several the first counts (section 4.2.1).
fn first(held: &mut Seconds, value: Option<&str>) {
    if *held == Seconds::Absent {
        *held = value.map_or(Seconds::Broken, seconds);
    }
}

/// A number of seconds: digits alone (section 1.2.2).
pub(super) fn seconds(text: &str) -> Seconds {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Seconds::Broken;
    }
    Seconds::Given(text.parse().unwrap_or(MOST_SECONDS).min(MOST_SECONDS))
}

/// The parts between commas that are in no quoted string.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |letter| {
        if escaped {
            escaped = false;
            return false;
        }
        match letter {
            '"' => quoted = !quoted,
            '\\' if quoted => escaped = true,
            _ => {}
        }
        letter == ',' && !quoted
    })
    .map(str::trim)
    .filter(|part| !part.is_empty())
}

/// A value without the quotes around it (section 5.2: either form is understood).
fn unquoted(value: &str) -> String {
    let value = value.trim();
    match value.strip_prefix('"') {
        Some(inner) => inner.strip_suffix('"').unwrap_or(inner).replace('\\', ""),
        None => value.to_owned(),
    }
}
