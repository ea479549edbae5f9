//! Owns the grammar of the URLs that a worker sends requests to. Pure: text in, parts out.

use std::fmt;

use crate::method::Scheme;

/// The parts of an absolute URL that a request carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) scheme: Scheme,
    /// Host, and the port where there is one.
    pub(crate) authority: String,
    /// Begins with `/`.
    pub(crate) path_and_query: String,
}

/// A text is not an absolute URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlError {
    url: String,
    rule: &'static str,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a URL to send a request to: {}", self.url, self.rule)
    }
}

impl std::error::Error for UrlError {}

/// Splits an absolute URL. A fragment is dropped, since it is never sent.
pub(crate) fn parse(text: &str) -> Result<Url, UrlError> {
    let fault = |rule| UrlError { url: excerpt(text), rule };
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(fault("it may hold only visible ASCII characters: percent-encode the others"));
    }
    let (scheme, rest) = text
        .split_once("://")
        .filter(|(scheme, _)| is_scheme(scheme))
        .ok_or_else(|| fault("it must begin with a scheme, as in `https://example.com/`"))?;
    let rest = rest.split_once('#').map_or(rest, |(sent, _fragment)| sent);
    let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if authority.is_empty() {
        return Err(fault("it must name a host"));
    }
    if authority.contains('@') {
        return Err(fault("it must not hold a user name: set the `authorization` header instead"));
    }
    Ok(Url {
        scheme: Scheme::from(scheme),
        authority: authority.to_owned(),
        path_and_query: if tail.starts_with('/') { tail.to_owned() } else { format!("/{tail}") },
    })
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

/// Enough of a value to recognise it in a message.
pub(crate) fn excerpt(text: &str) -> String {
    const SHOWN: usize = 100;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (String, String, String) {
        let url = parse(text).unwrap();
        (url.scheme.to_string(), url.authority, url.path_and_query)
    }

    fn split(scheme: &str, authority: &str, path: &str) -> (String, String, String) {
        (scheme.to_owned(), authority.to_owned(), path.to_owned())
    }

    #[test]
    fn absolute_urls_are_split() {
        assert_eq!(parts("https://example.com"), split("https", "example.com", "/"));
        assert_eq!(parts("HTTP://example.com:8080/a/b?c=d#e"), split("http", "example.com:8080", "/a/b?c=d"));
        assert_eq!(parts("http://[::1]:80?q"), split("http", "[::1]:80", "/?q"));
        assert_eq!(parts("http://a/b@c"), split("http", "a", "/b@c"));
    }

    #[test]
    fn what_is_not_a_url_is_refused_with_its_rule() {
        for (text, rule) in [
            ("", "scheme"),
            ("/path", "scheme"),
            ("example.com/x", "scheme"),
            ("1http://example.com", "scheme"),
            ("http:///path", "name a host"),
            ("http://user:secret@example.com/", "user name"),
            ("http://example.com/a b", "percent-encode"),
            ("http://exämple.com/", "percent-encode"),
            ("http://example.com/\r\nx: y", "percent-encode"),
        ] {
            let message = parse(text).unwrap_err().to_string();
            assert!(message.contains(rule), "{text}: {message}");
        }
    }

    #[test]
    fn a_long_url_is_shortened_in_the_message() {
        let message = parse(&"ä".repeat(5000)).unwrap_err().to_string();
        assert!(message.len() < 400, "{message}");
    }
}
