//! Owns the calls on requests for certificates (custom CSRs), of a zone and of the account: list, create, show, delete.
//! Must never show anything of a key.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::response::Response;
use http::StatusCode;
use http::request::Parts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use wasmyard_namespaces::CustomCsrId;
use wasmyard_namespaces::csr::{CsrError, CsrField, CsrKeyType, CsrOwner, CsrSubject, CustomCsr, NewCsr};

use crate::body::{Small, object, parse};
use crate::envelope::{Answer, Reply};
use crate::error::{ApiError, CsrCode};
use crate::lists;
use crate::query::Pairs;
use crate::resources::zones::{Identified, InZone};
use crate::state::{Shared, SharedState};
use crate::target::{ACCOUNT, Account, named_segment};
use crate::unknown;

/// Whose requests the path names: those of a zone, which need not exist, or the account's.
pub(crate) struct Of(CsrOwner);

impl FromRequestParts<Arc<Shared>> for Of {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        if parts.uri.path().starts_with("/client/v4/zones/") {
            let InZone(zone) = InZone::from_request_parts(parts, shared).await?;
            return Ok(Self(CsrOwner::Zone(zone)));
        }
        Account::from_request_parts(parts, shared).await.map(|_| Self(CsrOwner::Account))
    }
}

/// The request that the path names; it need not exist.
pub(crate) struct One(CsrOwner, CustomCsrId);

impl FromRequestParts<Arc<Shared>> for One {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let Of(owner) = Of::from_request_parts(parts, shared).await?;
        let text = named_segment(parts, shared, "custom_csr_id").await?;
        let id = CustomCsrId::parse(&text.to_ascii_lowercase());
        let id = id.map_err(|error| CsrError::Id(error.to_string()))?;
        Ok(Self(owner, id))
    }
}

/// A request for a certificate as clients see it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CustomCsr")]
pub(crate) struct View {
    id: String,
    created_at: String,
    /// "rsa2048" or "p256v1".
    key_type: &'static str,
    common_name: String,
    sans: Vec<String>,
    country: String,
    state: String,
    locality: String,
    organization: String,
    organizational_unit: String,
    name: String,
    description: String,
    /// The request, in PEM form.
    csr: String,
    account_tag: &'static str,
}

fn view(csr: CustomCsr) -> View {
    let CustomCsr { id, owner: _, created_at, key_type, subject, name, description, request } = csr;
    let CsrSubject { common_name, sans, country, state, locality, organization, organizational_unit } =
        subject;
    View {
        id: id.to_string(),
        created_at: created_at.to_string(),
        key_type: key_type.as_str(),
        common_name,
        sans,
        country,
        state,
        locality,
        organization,
        organizational_unit,
        name,
        description,
        csr: request,
        account_tag: ACCOUNT,
    }
}

/// What a new request says.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "CustomCsrWanted")]
#[expect(dead_code, reason = "only its shape is used: each field that is missing has a code of its own")]
pub(crate) struct Wanted {
    /// The name that stands first, of up to 64 characters.
    #[schemars(length(min = 1, max = 64))]
    common_name: String,
    /// All names that the certificate is to be for.
    #[schemars(length(min = 1))]
    sans: Vec<String>,
    /// Two letters.
    #[schemars(regex(pattern = "^[A-Za-z]{2}$"))]
    country: String,
    /// The state or province.
    #[schemars(length(min = 1))]
    state: String,
    /// The city.
    #[schemars(length(min = 1))]
    locality: String,
    /// The organization.
    #[schemars(length(min = 1))]
    organization: String,
    /// A part of it.
    organizational_unit: Option<String>,
    /// "rsa2048" is the default.
    #[schemars(extend("enum" = ["rsa2048", "p256v1", null]))]
    key_type: Option<String>,
    /// What you call it.
    name: Option<String>,
    /// What you say of it.
    description: Option<String>,
}

/// The body of a new request, and remarks on keys that nothing here knows.
pub(crate) struct Body(NewCsr, Vec<String>);

fn undecodable(detail: impl Into<String>) -> ApiError {
    let text = "Unable to decode the JSON request body. Check your input and try again.";
    ApiError::new(CsrCode::Json, text).with_detail(detail)
}

impl FromRequest<Arc<Shared>> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let Small(bytes) = Small::from_request(request, shared).await?;
        let value = parse(&bytes).map_err(|error| undecodable(error.message()))?;
        let mut keys = object(value).map_err(|error| undecodable(error.message()))?;
        let notes = unknown::take::<Wanted>(&mut keys);
        new_csr(&keys).map(|new| Self(new, notes))
    }
}

fn new_csr(keys: &Map<String, Value>) -> Result<NewCsr, ApiError> {
    let text = |name: &str| match keys.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(undecodable(format!("{name}: it must be a text"))),
    };
    let required = |field: CsrField| {
        text(field.as_str())?.filter(|text| !text.trim().is_empty()).ok_or_else(|| {
            let rule = "it is missing".to_owned();
            ApiError::from(CsrError::Field { field, rule })
        })
    };
    let (country, state) = (required(CsrField::Country)?, required(CsrField::State)?);
    let (locality, organization) = (required(CsrField::Locality)?, required(CsrField::Organization)?);
    let common_name = required(CsrField::CommonName)?;
    let sans = match keys.get("sans") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(names)) => {
            let name = |name: &Value| name.as_str().map(str::to_owned);
            let names: Option<Vec<String>> = names.iter().map(name).collect();
            names.ok_or_else(|| undecodable("sans: it must be an array of texts"))?
        }
        Some(_) => return Err(undecodable("sans: it must be an array of texts")),
    };
    let key_type = match text("key_type")? {
        None => CsrKeyType::Rsa2048,
        Some(kind) => CsrKeyType::parse(&kind)
            .ok_or_else(|| CsrError::KeyType(wasmyard_namespaces::name::shorten(&kind)))?,
    };
    let subject = CsrSubject {
        common_name,
        sans,
        country,
        state,
        locality,
        organization,
        organizational_unit: text("organizational_unit")?.unwrap_or_default(),
    };
    let (name, description) = (text("name")?.unwrap_or_default(), text("description")?.unwrap_or_default());
    Ok(NewCsr { subject, key_type, name, description })
}

/// Refuses what is below a zone that is not there.
fn judge(shared: &Shared, owner: &CsrOwner) -> Result<(), ApiError> {
    match owner {
        CsrOwner::Zone(zone) => shared.control.zone(zone).map(drop).map_err(ApiError::from),
        CsrOwner::Account => Ok(()),
    }
}

/// By what a list can be ordered.
pub(crate) const ORDERS: &[&str] = &["name", "account_tag", "created_at"];

pub(crate) async fn list(
    State(shared): SharedState,
    Of(owner): Of,
    query: Pairs,
) -> Result<Response, ApiError> {
    judge(&shared, &owner)?;
    let (page, per_page) = query.paging(20, 1_000)?;
    let mut found = shared.registry().csrs(&owner).await?;
    // Otherwise they come in the order in which they were made, and all are of one account.
    if query.choice("order", ORDERS)? == Some("name") {
        found.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    }
    if query.is_backwards()? {
        found.reverse();
    }
    let rows: Vec<View> = found.into_iter().map(view).collect();
    Ok(lists::slice(&rows, page, per_page))
}

pub(crate) async fn create(
    State(shared): SharedState,
    Of(owner): Of,
    Body(new, notes): Body,
) -> Answer<View> {
    judge(&shared, &owner)?;
    let made = shared.control.create_csr(owner, new).await?;
    Ok(Reply::ok(view(made)).with_status(StatusCode::CREATED).with_notes(notes))
}

pub(crate) async fn get(State(shared): SharedState, One(owner, id): One) -> Answer<View> {
    judge(&shared, &owner)?;
    Ok(Reply::ok(view(shared.registry().csr(&owner, &id).await?)))
}

pub(crate) async fn delete(State(shared): SharedState, One(owner, id): One) -> Answer<Identified> {
    judge(&shared, &owner)?;
    shared.control.delete_csr(&owner, &id).await?;
    Ok(Reply::ok(Identified { id: id.to_string() }))
}
