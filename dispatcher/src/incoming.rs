//! The visitor's request body: bounded in time, and telling the context how it failed.

use std::sync::Arc;
use std::time::Duration;

use http_body::Body as _;
use wasmyard_listener::Received;
use wasmyard_runtime::{Body, BodyError};

use crate::context::{RequestContext, UploadFault};
use crate::paced::{Fault, LEAST_BYTES_PER_SECOND, paced};

/// Wraps a visitor's body. One without content costs nothing.
pub(crate) fn guard(body: Received, idle: Duration, context: &Arc<RequestContext>) -> Body {
    if body.is_end_stream() {
        return wasmyard_runtime::body::empty();
    }
    let context = Arc::clone(context);
    paced(body, idle, Some(LEAST_BYTES_PER_SECOND), move |fault| match fault {
        Fault::Stalled => {
            context.upload_failed(UploadFault::Stalled);
            BodyError::ConnectionReadTimeout
        }
        Fault::Broken(error) => {
            tracing::debug!(ray_id = %context.ray_id, %error, "request body broke off");
            context.upload_failed(UploadFault::Broken);
            BodyError::ConnectionTerminated
        }
    })
}
