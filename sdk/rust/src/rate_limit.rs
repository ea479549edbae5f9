//! Owns the rate limit binding: whether one more is let through.

use std::rc::Rc;

use crate::bindings::rate_limit as platform;
use crate::dispatch::BindingError;

/// A rate limit: see [`Env::rate_limit`](crate::Env::rate_limit).
///
/// Each node counts for itself. A call waits for nothing and is no subrequest.
#[derive(Debug, Clone)]
pub struct RateLimit {
    handle: Rc<platform::Limiter>,
}

impl RateLimit {
    pub(crate) fn open(binding: &str) -> Result<RateLimit, BindingError> {
        let handle = platform::Limiter::open(binding).map_err(BindingError::from)?;
        Ok(RateLimit { handle: Rc::new(handle) })
    }

    /// Whether one more is let through for this key, which is counted if it is.
    ///
    /// # Errors
    /// The rule that a key breaks: it has more than 512 bytes.
    pub fn limit(&self, key: &str) -> Result<bool, String> {
        self.handle.limit(key)
    }
}
