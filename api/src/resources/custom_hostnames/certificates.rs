//! Owns the calls on one certificate of a pack that somebody brought: replace it, delete it.
//! Must never show anything of a key.

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::request::Parts;
use wasmyard_namespaces::{CertificateId, CertificatePackId, IdError};

use super::{InHostname, shown, wanted};
use crate::body::{Small, object, parse};
use crate::envelope::{self, Answer, Reply};
use crate::error::{ApiError, Code};
use crate::state::{Shared, SharedState};
use crate::target::named_segment;
use crate::views::custom_hostname::View;

/// The certificate that the path names; it need not exist.
pub(crate) struct InPack(InHostname, CertificatePackId, CertificateId);

impl FromRequestParts<Arc<Shared>> for InPack {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let hostname = InHostname::from_request_parts(parts, shared).await?;
        // An id that is none is nobody's.
        let missing = |error: IdError| {
            ApiError::new(Code::HostnameNotFound, "The custom hostname was not found.")
                .with_detail(error.to_string())
        };
        let pack = named_segment(parts, shared, "certificate_pack_id").await?;
        let pack = CertificatePackId::parse(&pack.to_ascii_lowercase()).map_err(missing)?;
        let certificate = named_segment(parts, shared, "certificate_id").await?;
        let certificate = CertificateId::parse(&certificate.to_ascii_lowercase()).map_err(missing)?;
        Ok(Self(hostname, pack, certificate))
    }
}

pub(crate) async fn replace(
    State(shared): SharedState,
    InPack(InHostname(zone, id), pack, certificate): InPack,
    Small(body): Small,
) -> Answer<View> {
    shared.control.zone(&zone)?;
    let value = parse(&body).map_err(|error| wanted::undecodable(error.message()))?;
    let keys = object(value).map_err(|error| wanted::undecodable(error.message()))?;
    let brought = wanted::pair(keys.get("custom_certificate"), keys.get("custom_key"))?;
    let done = shared.control.replace_certificate(&zone, &id, (&pack, &certificate), brought).await?;
    Ok(Reply::ok(shown(&shared, &done.result)).with_status(StatusCode::ACCEPTED).with_notes(done.remarks))
}

pub(crate) async fn delete(
    State(shared): SharedState,
    InPack(InHostname(zone, id), pack, certificate): InPack,
) -> Result<Response, ApiError> {
    shared.control.zone(&zone)?;
    shared.control.delete_certificate(&zone, &id, (&pack, &certificate)).await?;
    Ok((StatusCode::ACCEPTED, envelope::deleted(certificate.as_str(), &[])).into_response())
}
