//! Owns the call on accounts that are had with authorities of certificates: another key for one.

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use http::request::Parts;
use schemars::JsonSchema;
use serde::Serialize;
use wasmyard_namespaces::hostname::CertificateAuthority;

use crate::envelope::{Answer, Reply};
use crate::error::ApiError;
use crate::state::{Shared, SharedState};
use crate::target::{Account, named_segment};

/// The authority that the path names.
pub(crate) struct Named(CertificateAuthority);

impl FromRequestParts<Arc<Shared>> for Named {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        Account::from_request_parts(parts, shared).await?;
        let text = named_segment(parts, shared, "certificate_authority").await?;
        CertificateAuthority::parse(&text).map(Self).ok_or_else(|| {
            let names: Vec<&str> = CertificateAuthority::ALL.iter().map(|name| name.as_str()).collect();
            let shown: String = text.chars().take(40).collect();
            ApiError::parameter(format!("\"{shown}\" is no authority; it is one of {}", names.join(", ")))
        })
    }
}

/// An account with an authority.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AcmeAccount")]
pub(crate) struct View {
    certificate_authority: &'static str,
}

pub(crate) async fn roll_key(State(shared): SharedState, Named(authority): Named) -> Answer<View> {
    shared.control.roll_account_key(authority).await?;
    Ok(Reply::ok(View { certificate_authority: authority.as_str() }))
}
