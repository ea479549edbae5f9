//! The visitor's request body: bounded in time, and noting how it failed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body::Body as HttpBody;
use wasmyard_listener::ReceiveError;
use wasmyard_runtime::{Body, BodyError};

use crate::paced::{Fault, LEAST_BYTES_PER_SECOND, paced};
use crate::visit::{UploadFault, Visit};

/// Bounds the pauses of a visit's body. One without content costs nothing.
pub(crate) fn bounded<B>(visit: Visit<B>, idle: Duration) -> Visit<Body>
where
    B: HttpBody<Data = Bytes, Error = ReceiveError> + Send + Unpin + 'static,
{
    visit.with_body(|body, log| {
        if body.is_end_stream() {
            return wasmyard_runtime::body::empty();
        }
        let log = Arc::clone(log);
        paced(body, idle, Some(LEAST_BYTES_PER_SECOND), move |fault| match fault {
            Fault::Stalled => {
                log.upload_failed(UploadFault::Stalled);
                BodyError::ConnectionReadTimeout
            }
            Fault::Broken(error) => {
                tracing::debug!(ray_id = %log.trace.ray_id, %error, "request body broke off");
                log.upload_failed(UploadFault::Broken);
                BodyError::ConnectionTerminated
            }
        })
    })
}
