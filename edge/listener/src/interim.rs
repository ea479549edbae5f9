//! What a client can be told before its answer: early hints (RFC 8297).
//!
//! Owns the way from whoever answers to the connection. What is said belongs to others.

use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, Response, StatusCode};

/// Where whoever answers a request leaves what its client is to be told before the answer. A request has it among its
/// extensions if its protocol can carry that, and clients of that protocol expect it: HTTP/2 and HTTP/3.
#[derive(Debug, Clone, Default)]
pub struct Interim(Arc<Mutex<Option<HeaderMap>>>);

impl Interim {
    /// Leaves early hints: they are sent while the answer is waited for, and not at all once it is there.
    pub fn hint(&self, fields: HeaderMap) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(fields);
    }

    /// What was left, as the answer that goes ahead.
    pub(crate) fn take(&self) -> Option<Response<()>> {
        let fields = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let mut hints = Response::new(());
        *hints.status_mut() = StatusCode::EARLY_HINTS;
        *hints.headers_mut() = fields;
        Some(hints)
    }
}
