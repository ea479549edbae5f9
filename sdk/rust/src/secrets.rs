//! Owns the binding of a secret in a store: its value, when it is asked for.

use std::fmt;
use std::rc::Rc;

use crate::bindings::secrets as platform;
use crate::dispatch::BindingError;

/// A secret of a store: see [`Env::stored_secret`](crate::Env::stored_secret).
#[derive(Debug, Clone)]
pub struct StoredSecret {
    handle: Rc<platform::Secret>,
}

/// Why a secret was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretError {
    /// There is no such secret for scripts any more.
    NotFound(String),
    /// This worker has no subrequests left.
    ExceededSubrequests(String),
    /// The platform failed.
    Internal(String),
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretError::NotFound(text)
            | SecretError::ExceededSubrequests(text)
            | SecretError::Internal(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for SecretError {}

impl From<platform::SecretError> for SecretError {
    fn from(error: platform::SecretError) -> SecretError {
        match error {
            platform::SecretError::NotFound(text) => SecretError::NotFound(text),
            platform::SecretError::ExceededSubrequests(text) => SecretError::ExceededSubrequests(text),
            platform::SecretError::Internal(text) => SecretError::Internal(text),
        }
    }
}

impl StoredSecret {
    pub(crate) fn open(binding: &str) -> Result<StoredSecret, BindingError> {
        let handle = platform::Secret::open(binding).map_err(BindingError::from)?;
        Ok(StoredSecret { handle: Rc::new(handle) })
    }

    /// The value that it has now. A call is a subrequest.
    ///
    /// # Errors
    /// [`SecretError`].
    pub fn get(&self) -> Result<String, SecretError> {
        self.handle.get().map_err(SecretError::from)
    }
}
