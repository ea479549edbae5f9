//! Paths with placeholders and a splat: `/blog/:year/*`.
//!
//! Owns the grammar and a matcher that never goes back: its time is linear in the path, whatever the pattern,
//! because patterns come from tenants and paths from strangers.

use std::borrow::Cow;

/// The most placeholders of a pattern.
const MAX_PLACEHOLDERS: usize = 32;

/// A path, or a host and a path, with `:placeholders` and at most one `*`.
///
/// A placeholder takes one character or more up to the next `/`; in a host, up to the next `.`. A splat takes
/// anything, nothing included. Where there is a choice, what stands further left takes more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// Up to the splat.
    before: Vec<Piece>,
    /// From the splat on; none where there is no splat.
    after: Option<Vec<Piece>>,
    /// Whether it begins with a host.
    has_host: bool,
}

/// What a pattern is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Placeholder {
        name: String,
        /// Whether it is part of a host, and ends before a dot, too.
        in_host: bool,
    },
}

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It begins neither with a slash nor with `https://`.
    #[error("a path must begin with / , or with https:// and a host")]
    Start,
    /// A host where only a path may be.
    #[error("only paths are allowed here, without a host")]
    Host,
    /// The host has a port.
    #[error("a host must be given without a port")]
    Port,
    /// More than one splat.
    #[error("only one * is allowed")]
    Splats,
    /// Two placeholders of the same name.
    #[error("the placeholder :{0} stands there twice")]
    Doubled(String),
    /// Too many placeholders.
    #[error("at most {MAX_PLACEHOLDERS} placeholders are allowed")]
    Placeholders,
    /// A placeholder and a splat in one host.
    #[error("a host may have placeholders or a *, not both")]
    HostMix,
}

/// What placeholders and the splat stand for in one match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captures<'p> {
    values: Vec<(&'p str, &'p str)>,
}

/// The name under which the splat's text is found.
const SPLAT: &str = "splat";

impl Pattern {
    /// Reads a path such as `/blog/:year/*`.
    ///
    /// # Errors
    /// [`PatternError`] for the rule it breaks; [`PatternError::Host`] when there is a host.
    pub fn path(text: &str) -> Result<Pattern, PatternError> {
        if text.contains("://") && !text.starts_with('/') {
            return Err(PatternError::Host);
        }
        Pattern::parse(text)
    }

    /// Reads a path, or `https://` with a host and a path. Query and fragment are not looked at.
    ///
    /// # Errors
    /// [`PatternError`] for the rule it breaks.
    pub fn parse(text: &str) -> Result<Pattern, PatternError> {
        let (host, path) = match text.strip_prefix("https://") {
            Some(rest) => rest.find('/').map_or((rest, "/"), |at| rest.split_at(at)),
            None => ("", text),
        };
        let end = path.find(['?', '#']).unwrap_or(path.len());
        let path = path.get(..end).unwrap_or(path);
        if !path.starts_with('/') || (host.is_empty() && text.starts_with("https://")) {
            return Err(PatternError::Start);
        }
        let mut reader = Reader::default();
        reader.read(&host.to_ascii_lowercase(), true)?;
        if reader.splat.is_some() && !reader.names.is_empty() {
            return Err(PatternError::HostMix);
        }
        reader.read(&encoded(path), false)?;
        let Reader { mut pieces, splat, .. } = reader;
        let after = splat.map(|at| pieces.split_off(at));
        Ok(Pattern { before: pieces, after, has_host: !host.is_empty() })
    }

    /// Whether it stands for one path only.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.after.is_none() && self.before.iter().all(|piece| matches!(piece, Piece::Literal(_)))
    }

    /// What it stands for where it stands for one path only: that path, in its encoded form.
    #[must_use]
    pub fn exact(&self) -> Option<&str> {
        match (self.before.as_slice(), &self.after) {
            ([Piece::Literal(path)], None) => Some(path),
            _ => None,
        }
    }

    /// Matches a request. `location` is the host, in lower case and without a port, and right after it the
    /// path as it was sent; the path begins at `path_at`.
    #[must_use]
    pub fn matches<'p>(&'p self, location: &'p str, path_at: usize) -> Option<Captures<'p>> {
        let text = if self.has_host { location } else { location.get(path_at..)? };
        let mut captures = Captures::default();
        match &self.after {
            None => {
                self::anchored(&self.before, text, &mut captures)?;
            }
            Some(after) => {
                let to = self::trailing(after, text, &mut captures)?;
                let from = self::leading(&self.before, text.get(..to)?, &mut captures)?;
                captures.values.push((SPLAT, text.get(from..to)?));
            }
        }
        Some(captures)
    }
}

impl<'p> Captures<'p> {
    /// What a placeholder, or `splat`, stands for.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&'p str> {
        self.values.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// Puts what `:placeholders` and `:splat` stand for into a text. Names that are not known stay as they are.
    #[must_use]
    pub fn fill<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.values.is_empty() || !text.contains(':') {
            return Cow::Borrowed(text);
        }
        let mut filled = String::with_capacity(text.len() + 64);
        let mut rest = text;
        while let Some(at) = rest.find(':') {
            let (plain, named) = rest.split_at(at);
            filled.push_str(plain);
            let name = placeholder_name(named);
            match self.value(name) {
                Some(value) => filled.push_str(value),
                None => filled.push_str(named.get(..=name.len()).unwrap_or(named)),
            }
            rest = named.get(1 + name.len()..).unwrap_or_default();
        }
        filled.push_str(rest);
        Cow::Owned(filled)
    }
}

/// The name after a colon: a letter, then letters, digits and underscores. Empty where there is none.
fn placeholder_name(text: &str) -> &str {
    let name = text.get(1..).unwrap_or_default();
    if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return "";
    }
    let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
    name.get(..end).unwrap_or_default()
}

#[derive(Default)]
struct Reader {
    pieces: Vec<Piece>,
    names: Vec<String>,
    /// How many pieces stand before the splat.
    splat: Option<usize>,
}

impl Reader {
    fn read(&mut self, text: &str, in_host: bool) -> Result<(), PatternError> {
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if first == '*' {
                if self.splat.is_some() {
                    return Err(PatternError::Splats);
                }
                self.splat = Some(self.pieces.len());
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            let name = if first == ':' { placeholder_name(rest) } else { "" };
            if !name.is_empty() {
                self.placeholder(name, in_host)?;
                rest = rest.get(1 + name.len()..).unwrap_or_default();
                continue;
            }
            if first == ':' && in_host {
                return Err(PatternError::Port);
            }
            let end = first.len_utf8();
            let end =
                rest.get(end..).and_then(|more| more.find([':', '*'])).map_or(rest.len(), |at| at + end);
            let (literal, more) = rest.split_at(end);
            self.literal(literal);
            rest = more;
        }
        Ok(())
    }

    fn placeholder(&mut self, name: &str, in_host: bool) -> Result<(), PatternError> {
        if self.names.iter().any(|known| known == name) || name == SPLAT {
            return Err(PatternError::Doubled(name.to_owned()));
        }
        if self.names.len() == MAX_PLACEHOLDERS {
            return Err(PatternError::Placeholders);
        }
        self.names.push(name.to_owned());
        self.pieces.push(Piece::Placeholder { name: name.to_owned(), in_host });
        Ok(())
    }

    fn literal(&mut self, text: &str) {
        // Literals that touch, such as the end of a host and the start of its path, become one.
        let after_splat = self.splat == Some(self.pieces.len());
        match self.pieces.last_mut() {
            Some(Piece::Literal(before)) if !after_splat => before.push_str(text),
            _ => self.pieces.push(Piece::Literal(text.to_owned())),
        }
    }
}

/// Matches pieces against a whole text.
///
/// From right to left, each literal at its last possible place: that leaves what stands to its left the most,
/// and because no placeholder reaches over a slash, no earlier place can do better.
fn anchored<'p>(pieces: &'p [Piece], text: &'p str, captures: &mut Captures<'p>) -> Option<()> {
    let (first, rest) = match pieces.split_first() {
        Some((Piece::Literal(first), rest)) => (first.as_str(), rest),
        _ => ("", pieces),
    };
    if rest.is_empty() {
        return (text == first).then_some(());
    }
    let inner = text.strip_prefix(first)?;
    let left = backwards(rest, inner, captures)?;
    match left {
        // The leftmost piece is a placeholder that reaches to the first literal.
        Left::Open(name, in_host, value) => taken(name, in_host, value, captures),
        Left::At(at) => (at == 0).then_some(()),
    }
}

/// Matches pieces against the end of a text, as far right as they go; returns where they begin.
fn trailing<'p>(pieces: &'p [Piece], text: &'p str, captures: &mut Captures<'p>) -> Option<usize> {
    match backwards(pieces, text, captures)? {
        Left::At(at) => Some(at),
        Left::Open(name, in_host, value) => {
            // The splat to its left takes all it can: one character stays.
            let last = value.chars().next_back()?.len_utf8();
            let at = value.len() - last;
            taken(name, in_host, value.get(at..)?, captures)?;
            Some(at)
        }
    }
}

/// Matches pieces against the start of a text, as far as they reach; returns where they end.
fn leading<'p>(pieces: &'p [Piece], text: &'p str, captures: &mut Captures<'p>) -> Option<usize> {
    if let [Piece::Literal(only)] = pieces {
        return text.starts_with(only.as_str()).then_some(only.len());
    }
    let Some(last) = pieces.last() else { return Some(0) };
    // They hold so many slashes and no more, so they end before the next one.
    let slashes: usize = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Literal(literal) => literal.matches('/').count(),
            Piece::Placeholder { .. } => 0,
        })
        .sum();
    let window = text.match_indices('/').nth(slashes).map_or(text.len(), |(at, _)| at);
    let end = match last {
        Piece::Literal(literal) => text.get(..window)?.rfind(literal.as_str())? + literal.len(),
        Piece::Placeholder { .. } => window,
    };
    anchored(pieces, text.get(..end)?, captures)?;
    Some(end)
}

/// Where matching from the right has come to.
enum Left<'p> {
    /// At this place.
    At(usize),
    /// At a placeholder that may take all of this text, or less from its left.
    Open(&'p str, bool, &'p str),
}

fn backwards<'p>(pieces: &'p [Piece], text: &'p str, captures: &mut Captures<'p>) -> Option<Left<'p>> {
    let mut left = Left::At(text.len());
    for piece in pieces.iter().rev() {
        left = match (piece, left) {
            (Piece::Literal(literal), Left::At(at)) => {
                Left::At(text.get(..at)?.strip_suffix(literal.as_str())?.len())
            }
            (Piece::Placeholder { name, in_host }, Left::At(at)) => {
                Left::Open(name, *in_host, text.get(..at)?)
            }
            (Piece::Literal(literal), Left::Open(name, in_host, value)) => {
                // At least one character stays for the placeholder.
                let last = value.chars().next_back()?.len_utf8();
                let at = value.get(..value.len() - last)?.rfind(literal.as_str())?;
                taken(name, in_host, value.get(at + literal.len()..)?, captures)?;
                Left::At(at)
            }
            (Piece::Placeholder { name, in_host }, Left::Open(other, other_in_host, value)) => {
                // Two that touch: the one on the left takes all but one character.
                let last = value.chars().next_back()?.len_utf8();
                let at = value.len() - last;
                taken(other, other_in_host, value.get(at..)?, captures)?;
                Left::Open(name, *in_host, value.get(..at)?)
            }
        };
    }
    Some(left)
}

fn taken<'p>(name: &'p str, in_host: bool, value: &'p str, captures: &mut Captures<'p>) -> Option<()> {
    if value.is_empty() || value.contains('/') || (in_host && value.contains('.')) {
        return None;
    }
    captures.values.push((name, value));
    Some(())
}

/// A path as browsers send it: what may not stand there is percent-encoded, what is encoded already stays.
#[must_use]
pub fn encoded(path: &str) -> Cow<'_, str> {
    let plain =
        |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'}');
    if path.bytes().all(plain) {
        return Cow::Borrowed(path);
    }
    let mut encoded = String::with_capacity(path.len() + 16);
    for byte in path.bytes() {
        if plain(byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    Cow::Owned(encoded)
}
