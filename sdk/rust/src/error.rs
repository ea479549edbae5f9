//! Owns `Error`, the one type that a worker's `?` ends in, and `BodyError`.
//!
//! An error's text goes to the worker's log, never to the visitor: see `entry`.

use std::error::Error as StdError;
use std::fmt;

/// What a worker returns: a [`Response`](crate::Response), or an [`Error`] that ends up in its log.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Any error. `?` makes one of every type that implements [`std::error::Error`].
///
/// The alternate form `{:#}` prints the whole chain of causes.
///
/// ```
/// # use wasmyard::{Error, Result};
/// fn port(text: &str) -> Result<u16> {
///     let port: u16 = text.parse()?;
///     if port == 0 {
///         return Err(Error::msg("port 0 cannot be used: give one from 1 to 65535"));
///     }
///     Ok(port)
/// }
/// assert!(port("http").is_err());
/// ```
pub struct Error(Box<dyn StdError + 'static>);

impl Error {
    /// Makes an error of a text.
    pub fn msg(text: impl Into<String>) -> Error {
        Error(Box::new(Text(text.into())))
    }

    /// The error inside, if it is of type `T`.
    pub fn downcast_ref<T: StdError + 'static>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

impl<E: StdError + 'static> From<E> for Error {
    fn from(error: E) -> Error {
        Error(Box::new(error))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        if f.alternate() {
            let mut cause = self.0.source();
            while let Some(error) = cause {
                write!(f, ": {error}")?;
                cause = error.source();
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#}")
    }
}

#[derive(Debug)]
struct Text(String);

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Text {}

/// A body broke off: the other side went away, or its connection failed.
#[derive(Debug)]
pub struct BodyError {
    message: String,
}

impl BodyError {
    pub(crate) fn new(message: impl Into<String>) -> BodyError {
        BodyError { message: message.into() }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for BodyError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Outer(std::num::ParseIntError);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("no port")
        }
    }

    impl StdError for Outer {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn the_chain_of_causes_is_printed_in_the_alternate_form_only() {
        let error = Error::from(Outer("x".parse::<u8>().unwrap_err()));
        assert_eq!(error.to_string(), "no port");
        assert_eq!(format!("{error:#}"), "no port: invalid digit found in string");
    }

    #[test]
    fn an_error_gives_back_what_it_was_made_of() {
        let error = Error::from(BodyError::new("gone"));
        assert_eq!(error.downcast_ref::<BodyError>().map(ToString::to_string), Some("gone".to_owned()));
        assert!(Error::msg("gone").downcast_ref::<BodyError>().is_none());
    }
}
