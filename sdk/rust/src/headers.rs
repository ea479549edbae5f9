//! Owns header fields: those of a message that came in are read where they are, at the host; only what a
//! worker makes itself is in its memory.

use std::fmt;

use wasip2::http::types as wasi;

use crate::url::excerpt;

/// The header fields (or trailers) of a message.
///
/// Names are compared without regard to case. `host`, `connection`, `transfer-encoding` and other fields that
/// belong to one connection are neither shown nor taken: see [`Request::authority`](crate::Request::authority).
pub struct Headers(Repr);

enum Repr {
    /// Made by the worker.
    List(Vec<(String, Vec<u8>)>),
    /// Belongs to a message that came in: cannot be changed, and must be dropped before that message.
    View(wasi::Fields),
    /// A copy of a view, made to be changed. It never was in the worker's memory.
    Copy(wasi::Fields),
}

impl Headers {
    /// No fields.
    pub fn new() -> Headers {
        Headers(Repr::List(Vec::new()))
    }

    pub(crate) fn view(fields: wasi::Fields) -> Headers {
        Headers(Repr::View(fields))
    }

    /// The first value of that name, if it is text.
    pub fn get(&self, name: &str) -> Option<String> {
        match &self.0 {
            Repr::List(list) => {
                let (_, value) = list.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
                String::from_utf8(value.clone()).ok()
            }
            Repr::View(fields) | Repr::Copy(fields) => {
                String::from_utf8(fields.get(name).into_iter().next()?).ok()
            }
        }
    }

    /// All values of that name, as they came.
    pub fn get_all(&self, name: &str) -> Vec<Vec<u8>> {
        match &self.0 {
            Repr::List(list) => list
                .iter()
                .filter(|(known, _)| known.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.clone())
                .collect(),
            Repr::View(fields) | Repr::Copy(fields) => fields.get(name),
        }
    }

    /// Whether there is a field of that name.
    pub fn contains(&self, name: &str) -> bool {
        match &self.0 {
            Repr::List(list) => list.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)),
            Repr::View(fields) | Repr::Copy(fields) => fields.has(name),
        }
    }

    /// All fields: name and value.
    pub fn entries(&self) -> Vec<(String, Vec<u8>)> {
        match &self.0 {
            Repr::List(list) => list.clone(),
            Repr::View(fields) | Repr::Copy(fields) => fields.entries(),
        }
    }

    /// Makes this the only value of that name.
    ///
    /// # Errors
    /// When name or value break the rules of HTTP, or the field belongs to a connection.
    pub fn set(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), HeaderError> {
        let value = value.as_ref();
        check(name, value)?;
        match self.changeable() {
            Changeable::List(list) => {
                list.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
                list.push((name.to_owned(), value.to_vec()));
                Ok(())
            }
            Changeable::Copy(fields) => {
                fields.set(name, &[value.to_vec()]).map_err(|fault| HeaderError::refused(name, &fault))
            }
        }
    }

    /// Adds a value and keeps those that are there.
    ///
    /// # Errors
    /// As for [`set`](Headers::set).
    pub fn append(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), HeaderError> {
        let value = value.as_ref();
        check(name, value)?;
        match self.changeable() {
            Changeable::List(list) => {
                list.push((name.to_owned(), value.to_vec()));
                Ok(())
            }
            Changeable::Copy(fields) => {
                fields.append(name, value).map_err(|fault| HeaderError::refused(name, &fault))
            }
        }
    }

    /// Removes all values of that name. It is no error when there are none.
    pub fn remove(&mut self, name: &str) {
        match self.changeable() {
            Changeable::List(list) => list.retain(|(known, _)| !known.eq_ignore_ascii_case(name)),
            // The host refuses only names that cannot be in there.
            Changeable::Copy(fields) => drop(fields.delete(name)),
        }
    }

    fn changeable(&mut self) -> Changeable<'_> {
        if let Repr::View(fields) = &self.0 {
            self.0 = Repr::Copy(fields.clone());
        }
        match &mut self.0 {
            Repr::List(list) => Changeable::List(list),
            Repr::View(fields) | Repr::Copy(fields) => Changeable::Copy(fields),
        }
    }

    /// A handle of the worker's own, to put into a message that goes out.
    pub(crate) fn into_fields(self) -> Result<wasi::Fields, HeaderError> {
        match self.0 {
            Repr::List(list) if list.is_empty() => Ok(wasi::Fields::new()),
            Repr::List(list) => wasi::Fields::from_list(&list).map_err(|fault| {
                let names: Vec<&str> = list.iter().map(|(name, _)| name.as_str()).collect();
                HeaderError::refused(&names.join(", "), &fault)
            }),
            Repr::View(fields) => Ok(fields.clone()),
            Repr::Copy(fields) => Ok(fields),
        }
    }
}

impl Default for Headers {
    fn default() -> Headers {
        Headers::new()
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be secrets.
        f.debug_list().entries(self.entries().iter().map(|(name, _)| name)).finish()
    }
}

enum Changeable<'a> {
    List(&'a mut Vec<(String, Vec<u8>)>),
    Copy(&'a wasi::Fields),
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
