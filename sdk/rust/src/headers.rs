//! Owns header fields. Those of a message that came in are asked for once, all together, when a worker looks at the
//! first of them.

use std::fmt;

use wasip2::http::types as wasi;

use crate::url::excerpt;

/// The header fields (or trailers) of a message.
///
/// Names are compared without regard to case. `host`, `connection`, `transfer-encoding` and other fields that
/// belong to one connection are neither shown nor taken: see [`Request::authority`](crate::Request::authority).
#[derive(Default)]
pub struct Headers(Vec<(String, Vec<u8>)>);

impl Headers {
    /// No fields.
    pub fn new() -> Headers {
        Headers::default()
    }

    pub(crate) fn of(fields: &wasi::Fields) -> Headers {
        Headers(fields.entries())
    }

    /// The first value of that name, if it is text.
    pub fn get(&self, name: &str) -> Option<String> {
        let (_, value) = self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        String::from_utf8(value.clone()).ok()
    }

    /// All values of that name, as they came.
    pub fn get_all(&self, name: &str) -> Vec<Vec<u8>> {
        let named = self.0.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.clone()).collect()
    }

    /// Whether there is a field of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    /// All fields: name and value.
    pub fn entries(&self) -> Vec<(String, Vec<u8>)> {
        self.0.clone()
    }

    /// Makes this the only value of that name.
    ///
    /// # Errors
    /// When name or value break the rules of HTTP, or the field belongs to a connection.
    pub fn set(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), HeaderError> {
        let value = value.as_ref();
        check(name, value)?;
        self.remove(name);
        self.0.push((name.to_owned(), value.to_vec()));
        Ok(())
    }

    /// Adds a value and keeps those that are there.
    ///
    /// # Errors
    /// As for [`set`](Headers::set).
    pub fn append(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), HeaderError> {
        let value = value.as_ref();
        check(name, value)?;
        self.0.push((name.to_owned(), value.to_vec()));
        Ok(())
    }

    /// Removes all values of that name. It is no error when there are none.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    /// As the platform takes them.
    pub(crate) fn into_list(self) -> Vec<(String, Vec<u8>)> {
        self.0
    }

    /// A handle of the worker's own, to put into a message that goes out.
    pub(crate) fn into_fields(self) -> Result<wasi::Fields, HeaderError> {
        wasi::Fields::from_list(&self.0).map_err(|fault| {
            let names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
            HeaderError::refused(&names.join(", "), &fault)
        })
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be secrets.
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// A header field cannot be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderError {
    name: String,
    rule: &'static str,
}

impl HeaderError {
    fn refused(name: &str, fault: &wasi::HeaderError) -> HeaderError {
        let rule = match fault {
            wasi::HeaderError::InvalidSyntax => "name or value break the rules of HTTP",
            wasi::HeaderError::Forbidden => "it belongs to the connection and is set by the platform",
            wasi::HeaderError::Immutable => "these headers cannot be changed any more",
        };
        HeaderError { name: excerpt(name), rule }
    }
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "header `{}` cannot be set: {}", self.name, self.rule)
    }
}

impl std::error::Error for HeaderError {}

fn check(name: &str, value: &[u8]) -> Result<(), HeaderError> {
    let fault = |rule| Err(HeaderError { name: excerpt(name), rule });
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(token) {
        return fault("a name is made of letters, digits and !#$%&'*+-.^_`|~");
    }
    if !value.iter().all(|&byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f)) {
        return fault("a value holds no control characters");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_case_and_order_is_kept() {
        let mut headers = Headers::new();
        headers.append("X-Tag", "one").unwrap();
        headers.append("x-tag", "two").unwrap();
        headers.set("content-type", "text/plain").unwrap();
        assert_eq!(headers.get("x-TAG").as_deref(), Some("one"));
        assert_eq!(headers.get_all("x-tag"), [b"one", b"two"]);
        headers.set("x-tag", "three").unwrap();
        assert_eq!(headers.get_all("X-TAG"), [b"three"]);
        headers.remove("Content-Type");
        assert!(!headers.contains("content-type"));
        assert_eq!(headers.entries(), [("x-tag".to_owned(), b"three".to_vec())]);
    }

    #[test]
    fn a_value_that_is_not_text_is_given_as_bytes_only() {
        let mut headers = Headers::new();
        headers.set("x", [0xff]).unwrap();
        assert_eq!(headers.get("x"), None);
        assert_eq!(headers.get_all("x"), [[0xff]]);
    }

    #[test]
    fn smuggled_lines_and_bad_names_are_refused() {
        let mut headers = Headers::new();
        for (name, value) in [("x", "a\r\nset-cookie: b"), ("x", "a\0"), ("", "a"), ("x y", "a"), ("x:", "a")]
        {
            assert!(headers.append(name, value).is_err(), "{name:?}: {value:?}");
            assert!(headers.set(name, value).is_err(), "{name:?}: {value:?}");
        }
        assert!(headers.entries().is_empty());
    }

    #[test]
    fn debug_output_does_not_show_values() {
        let mut headers = Headers::new();
        headers.set("authorization", "Bearer 123").unwrap();
        assert_eq!(format!("{headers:?}"), r#"["authorization"]"#);
    }
}
