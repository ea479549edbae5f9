//! Owns the calls on mTLS certificates, which are authorities of clients or certificates that scripts show: list, upload, show,
//! delete; and those on which hostnames of a zone ask clients for certificates of which authorities.

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::response::Response;
use http::request::Parts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wasmyard_namespaces::Secret;
use wasmyard_namespaces::client_ca::{ClientCertificateMode, MtlsCertificate, MtlsError};
use wasmyard_namespaces::ids::MtlsCertificateId;
use wasmyard_namespaces::registry::ZoneError;

use crate::body::Json;
use crate::envelope::{Answer, Reply};
use crate::error::ApiError;
use crate::lists;
use crate::query::Pairs;
use crate::resources::zones::InZone;
use crate::state::{Shared, SharedState};
use crate::target::{Account, Forced, QueryOf, named_segment};

fn refused(error: MtlsError) -> ApiError {
    ZoneError::Mtls(error).into()
}

fn id_of(text: &str) -> Result<MtlsCertificateId, ApiError> {
    MtlsCertificateId::parse(&text.to_ascii_lowercase())
        .map_err(|error| refused(MtlsError::NotFound(error.value)))
}

/// The authorities that the path names; they need not exist.
pub(crate) struct One(MtlsCertificateId);

impl FromRequestParts<Arc<Shared>> for One {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        Account::from_request_parts(parts, shared).await?;
        let text = named_segment(parts, shared, "mtls_certificate_id").await?;
        id_of(&text).map(Self)
    }
}

/// mTLS certificates as clients of this API see them.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MtlsCertificate")]
pub(crate) struct View {
    id: String,
    /// Whether they are of authorities of clients; if not, scripts can show them.
    ca: bool,
    name: String,
    /// The certificates in PEM form, as they were given.
    certificates: String,
    /// Who issued the first of them.
    issuer: String,
    signature: String,
    serial_number: String,
    #[serde(rename = "type")]
    kind: &'static str,
    uploaded_on: String,
    updated_at: String,
    /// When the first of them to expire does.
    expires_on: String,
}

fn view(authority: MtlsCertificate) -> View {
    let MtlsCertificate { id, name, ca, certificates, issuer, signature, serial_number, .. } = authority;
    let MtlsCertificate { uploaded_on, expires_on, .. } = authority;
    View {
        id: id.to_string(),
        ca,
        name,
        certificates,
        issuer,
        signature,
        serial_number,
        kind: "custom",
        uploaded_on: uploaded_on.to_string(),
        updated_at: uploaded_on.to_string(),
        expires_on: expires_on.to_string(),
    }
}

/// What is uploaded.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "MtlsCertificateWanted")]
pub(crate) struct Wanted {
    /// Whether they are of authorities of clients; if not, it is a certificate that scripts show.
    ca: bool,
    /// Up to eight certificates of authorities, in PEM form; or the certificate that is shown, with those above it behind it.
    #[schemars(regex(pattern = "-----BEGIN CERTIFICATE-----"))]
    certificates: String,
    /// What you call them.
    name: Option<String>,
    /// The key of the certificate that is shown, in PEM form, which no call gives back. Refused of an authority.
    private_key: Option<String>,
}

/// What a certificate is used by.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MtlsCertificateAssociation")]
pub(crate) struct Association {
    service: &'static str,
    status: &'static str,
}

pub(crate) async fn list(State(shared): SharedState, _: Account, query: Pairs) -> Result<Response, ApiError> {
    let (page, per_page) = query.paging(50, 1_000)?;
    let (ca, name) = (query.flag("ca")?, query.get("name").filter(|name| !name.is_empty()));
    let mut found = shared.registry().mtls_certificates().await?;
    found.retain(|one| ca.is_none_or(|ca| one.ca == ca) && name.is_none_or(|name| one.name == name));
    let rows: Vec<View> = found.into_iter().map(view).collect();
    Ok(lists::slice(&rows, page, per_page))
}

pub(crate) async fn create(
    State(shared): SharedState,
    _: Account,
    Json(wanted, notes): Json<Wanted>,
) -> Answer<View> {
    let Wanted { ca, certificates, name, private_key } = wanted;
    let (control, name) = (&shared.control, name.unwrap_or_default());
    let made = match (ca, private_key) {
        (true, None) => control.create_mtls_certificate(&name, &certificates).await?,
        (true, Some(_)) => return Err(refused(MtlsError::PrivateKey)),
        (false, Some(key)) => {
            control.create_client_certificate(&name, &certificates, &Secret::new(key)).await?
        }
        (false, None) => return Err(refused(MtlsError::NoKey)),
    };
    Ok(Reply::ok(view(made)).with_notes(notes))
}

pub(crate) async fn get(State(shared): SharedState, One(id): One) -> Answer<View> {
    Ok(Reply::ok(view(shared.registry().mtls_certificate(&id).await?)))
}

pub(crate) async fn delete(
    State(shared): SharedState,
    One(id): One,
    QueryOf(query): QueryOf<Forced>,
) -> Answer<View> {
    let done = shared.control.delete_mtls_certificate(&id, query.wanted()?).await?;
    Ok(Reply::ok(view(done.result)).with_notes(done.remarks))
}

pub(crate) async fn associations(State(shared): SharedState, One(id): One) -> Answer<Vec<Association>> {
    shared.registry().mtls_certificate(&id).await?;
    let used = [
        ("hostname_associations", shared.registry().is_mtls_certificate_used(&id).await?),
        ("workers", shared.control.is_mtls_certificate_bound(&id).await?),
    ];
    let used = used.into_iter().filter(|(_, is_used)| *is_used);
    Ok(Reply::ok(used.map(|(service, _)| Association { service, status: "active" }).collect()))
}

/// Hostnames that ask for the same authorities.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "HostnameAssociations")]
pub(crate) struct Hostnames {
    hostnames: Vec<String>,
    /// The first one's: "optional" or "required".
    #[serde(skip_serializing_if = "Option::is_none")]
    client_certificates: Option<&'static str>,
}

/// Which hostnames are to ask for certificates.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "HostnameAssociationsWanted")]
pub(crate) struct HostnamesWanted {
    /// Custom hostnames of the zone, and wildcards below them; the zone's own name stands for all wildcards below its custom
    /// hostnames that are not named. Those that are left out ask for these authorities no more.
    hostnames: Vec<String>,
    /// The authorities that were uploaded.
    mtls_certificate_id: Option<String>,
    /// What becomes of clients without a certificate: "optional" (the default) lets them in and tells whoever answers them,
    /// "required" refuses them in the handshake.
    #[schemars(extend("enum" = ["optional", "required", null]))]
    client_certificates: Option<String>,
}

pub(crate) async fn hostnames(
    State(shared): SharedState,
    InZone(zone): InZone,
    query: Pairs,
) -> Answer<Hostnames> {
    shared.control.zone(&zone)?;
    // The platform has no authority of its own, for which nothing would be given.
    let Some(text) = query.get("mtls_certificate_id").filter(|text| !text.is_empty()) else {
        return Ok(Reply::ok(Hostnames { hostnames: Vec::new(), client_certificates: None }));
    };
    let id = id_of(text)?;
    shared.registry().mtls_certificate(&id).await?;
    let found = shared.registry().hostname_associations(&zone).await?;
    let found: Vec<_> = found.into_iter().filter(|(_, association)| association.authority == id).collect();
    let client_certificates = found.first().map(|(_, association)| association.mode.as_str());
    let hostnames = found.into_iter().map(|(name, _)| name).collect();
    Ok(Reply::ok(Hostnames { hostnames, client_certificates }))
}

pub(crate) async fn associate(
    State(shared): SharedState,
    InZone(zone): InZone,
    Json(wanted, notes): Json<HostnamesWanted>,
) -> Answer<Hostnames> {
    shared.control.zone(&zone)?;
    let HostnamesWanted { hostnames, mtls_certificate_id, client_certificates } = wanted;
    let mode = match client_certificates.as_deref() {
        None => ClientCertificateMode::Optional,
        Some(text) => ClientCertificateMode::parse(text).ok_or_else(|| {
            ApiError::invalid("client_certificates is \"optional\" or \"required\"; say one of them")
        })?,
    };
    let Some(text) = mtls_certificate_id.filter(|text| !text.is_empty()) else {
        return Err(refused(MtlsError::Unnamed));
    };
    let id = id_of(&text)?;
    let set = shared.control.associate_hostnames(&zone, &id, mode, &hostnames).await?;
    let hostnames: Vec<String> = set.iter().map(ToString::to_string).collect();
    let client_certificates = (!hostnames.is_empty()).then(|| mode.as_str());
    Ok(Reply::ok(Hostnames { hostnames, client_certificates }).with_notes(notes))
}
