//! Owns the answers for operators: live, ready, metrics, the OpenAPI document.
//! Must never tell anything about a script or its owner: these need no token.

use std::sync::OnceLock;

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};

use crate::envelope;
use crate::router;
use crate::state::SharedState;

const TEXT: [(header::HeaderName, &str); 2] =
    [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];

/// The process answers.
pub(crate) async fn live() -> Response {
    (TEXT, "ok\n").into_response()
}

/// The platform can take traffic, or the reason why not.
pub(crate) async fn ready(state: SharedState) -> Response {
    match (state.api.ready)() {
        Ok(None) => (TEXT, "ok\n").into_response(),
        Ok(Some(warning)) => (TEXT, format!("ok, but {warning}\n")).into_response(),
        Err(reason) => {
            (StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("not ready: {reason}\n")).into_response()
        }
    }
}

/// Prometheus text format.
pub(crate) async fn metrics(state: SharedState) -> Response {
    let text = (state.api.metrics)();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// The OpenAPI document.
pub(crate) async fn openapi() -> Response {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    let text = DOCUMENT.get_or_init(|| format!("{:#}\n", router::openapi_document()));
    envelope::json(StatusCode::OK, text.clone().into_bytes())
}
