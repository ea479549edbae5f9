//! Owns the calls on custom hostnames: list, create, show, change, delete; the quota and the label of delegated
//! validation. What a body says is read in [`wanted`]; single certificates of a pack are in [`certificates`].

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::response::Response;
use http::StatusCode;
use http::request::Parts;
use schemars::JsonSchema;
use serde::Serialize;
use wasmyard_namespaces::hostname::{CertificateAuthority, HostnameStatus, SslStatus};
use wasmyard_namespaces::registry::HostnameNames;
use wasmyard_namespaces::{CustomHostname, CustomHostnameId, Registry, ZoneId};

use crate::envelope::{self, Answer, Reply};
use crate::error::{ApiError, Code};
use crate::lists::{self, Rows};
use crate::query::Pairs;
use crate::resources::zones::InZone;
use crate::state::{Shared, SharedState};
use crate::target::{Forced, QueryOf, named_segment};
use crate::views::custom_hostname::{View, view};

pub(crate) use wanted::{CertificateWanted, Wanted};

pub(crate) mod certificates;
mod wanted;

/// The custom hostname that the path names; it need not exist.
pub(crate) struct InHostname(pub(super) ZoneId, pub(super) CustomHostnameId);

impl FromRequestParts<Arc<Shared>> for InHostname {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let InZone(zone) = InZone::from_request_parts(parts, shared).await?;
        let text = named_segment(parts, shared, "custom_hostname_id").await?;
        let id = CustomHostnameId::parse(&text.to_ascii_lowercase()).map_err(|error| {
            let text = "The custom hostname ID is invalid. Check your input and try again.";
            ApiError::new(Code::HostnameId, text).with_detail(error.to_string())
        })?;
        Ok(Self(zone, id))
    }
}

/// How many custom hostnames a zone has, and may have.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CustomHostnameQuota")]
pub(crate) struct QuotaView {
    allocated: u64,
    used: u64,
    hard_cap: u64,
    exceeded: bool,
}

/// The label under which validation can be delegated.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DcvDelegation")]
pub(crate) struct DcvView {
    uuid: String,
}

/// Which custom hostnames a list is for.
struct Filter {
    names: HostnameNames,
    id: Option<CustomHostnameId>,
    status: Option<HostnameStatus>,
    ssl_status: Option<SslStatus>,
    authority: Option<CertificateAuthority>,
    origin: Option<String>,
    wildcard: Option<bool>,
    ssl: Option<bool>,
}

/// Most custom hostnames that are sorted by something else than their names or ages.
const SORTED: usize = 100_000;

impl Filter {
    fn parse(query: &Pairs) -> Result<Filter, ApiError> {
        let names = ["hostname", "hostname.exact", "hostname.startsWith", "hostname.contain"];
        let given: Vec<&str> =
            names.into_iter().chain(["id"]).filter(|name| query.get(name).is_some()).collect();
        if given.len() > 1 {
            let text = "Cannot specify other filter parameters in addition to `id`. Only one must be specified. Check \
                        your input and try again.";
            let detail = format!("given together: {}", given.join(", "));
            return Err(ApiError::new(Code::HostnameFilters, text).with_detail(detail));
        }
        let name = |name: &str| query.get(name).map(str::to_ascii_lowercase);
        let exactly = name("hostname").or_else(|| name("hostname.exact"));
        let names = if let Some(exactly) = exactly {
            HostnameNames::Exactly(exactly)
        } else if let Some(start) = name("hostname.startsWith") {
            HostnameNames::Beginning(part_of_a_name(&start)?)
        } else if let Some(part) = name("hostname.contain") {
            HostnameNames::Containing(part_of_a_name(&part)?)
        } else {
            HostnameNames::All
        };
        Ok(Filter {
            names,
            // One that is malformed is nobody's: the list is empty.
            id: query
                .get("id")
                .map(|id| CustomHostnameId::parse(id).map_err(ApiError::parameter))
                .transpose()?,
            status: one_of(query, "hostname_status", HostnameStatus::parse)?,
            ssl_status: one_of(query, "ssl_status", SslStatus::parse)?,
            authority: one_of(query, "certificate_authority", CertificateAuthority::parse)?,
            origin: name("custom_origin_server"),
            wildcard: query.flag("wildcard")?,
            ssl: query.flag("ssl")?,
        })
    }

    fn takes(&self, hostname: &CustomHostname) -> bool {
        let ssl = hostname.ssl.as_ref();
        let origin = hostname.origin.as_ref().map(|origin| origin.server.as_str());
        self.id.as_ref().is_none_or(|id| *id == hostname.id)
            && self.status.is_none_or(|status| status == hostname.status)
            && self.ssl_status.is_none_or(|status| ssl.is_some_and(|ssl| ssl.status == status))
            && self
                .authority
                .is_none_or(|wanted| ssl.is_some_and(|ssl| ssl.config.certificate_authority == Some(wanted)))
            && self.origin.as_ref().is_none_or(|wanted| origin == Some(wanted.as_str()))
            && self
                .wildcard
                .is_none_or(|wanted| wanted == ssl.is_some_and(|ssl| ssl.config.wildcard == Some(true)))
            && self.ssl.is_none_or(|wanted| wanted == ssl.is_some())
    }

    fn is_all(&self) -> bool {
        self.names == HostnameNames::All
            && self.id.is_none()
            && self.status.is_none()
            && self.ssl_status.is_none()
            && self.authority.is_none()
            && self.origin.is_none()
            && self.wildcard.is_none()
            && self.ssl.is_none()
    }
}

fn one_of<T>(query: &Pairs, name: &str, parse: fn(&str) -> Option<T>) -> Result<Option<T>, ApiError> {
    let unknown = || ApiError::parameter(format_args!("{name} is none of the values that there are"));
    query.get(name).map(|text| parse(text).ok_or_else(unknown)).transpose()
}

/// A part of a name, with nothing in it that no name has.
fn part_of_a_name(part: &str) -> Result<String, ApiError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.*".contains(&byte);
    let address = part.parse::<std::net::IpAddr>().is_ok();
    if part.len() < 256 && part.bytes().all(fits) && !address {
        return Ok(part.to_owned());
    }
    let text = "Invalid hostname.contain query parameter. The hostname.contain query parameter has to be smaller than \
                256 characters in length, cannot be IP addresses, cannot contain any special characters such as \
                ``~`!@#$%^&*()=+[]\\";
    let detail = format!("given: {}", part.chars().take(64).flat_map(char::escape_debug).collect::<String>());
    Err(ApiError::new(Code::HostnameContain, text).with_detail(detail))
}

/// The custom hostnames of a zone that a filter takes.
struct Filtered {
    registry: Registry,
    zone: ZoneId,
    filter: Filter,
}

impl Rows for Filtered {
    type Row = View;

    async fn page(&self, after: Option<&str>, limit: usize) -> Result<Vec<(String, View)>, ApiError> {
        let Filtered { registry, zone, filter } = self;
        let keep = |hostname: &CustomHostname| filter.takes(hostname);
        let found = registry.hostnames(zone, &filter.names, keep, after, limit).await?;
        Ok(found.into_iter().map(|(key, hostname)| (key, view(&hostname))).collect())
    }

    async fn count(&self) -> Result<Option<u64>, ApiError> {
        if !self.filter.is_all() {
            return Ok(None);
        }
        Ok(Some(self.registry.hostname_quota(&self.zone).await?.used))
    }
}

pub(crate) async fn list(
    State(shared): SharedState,
    InZone(zone): InZone,
    query: Pairs,
) -> Result<Response, ApiError> {
    shared.control.zone(&zone)?;
    let (page, per_page) = query.paging(50, 1_000)?;
    let filter = Filter::parse(&query)?;
    let registry = shared.registry().clone();
    match query.get("order") {
        Some(order @ ("ssl" | "ssl_status")) => {
            let keep = |hostname: &CustomHostname| filter.takes(hostname);
            let found = registry.hostnames(&zone, &filter.names, keep, None, SORTED + 1).await?;
            if found.len() > SORTED {
                return Err(ApiError::parameter(format_args!(
                    "order is for up to {SORTED} custom hostnames; filter the list, or leave order out"
                )));
            }
            let mut found: Vec<Arc<CustomHostname>> =
                found.into_iter().map(|(_, hostname)| hostname).collect();
            let status =
                |hostname: &Arc<CustomHostname>| hostname.ssl.as_ref().map(|ssl| ssl.status.as_str());
            match order {
                "ssl" => found.sort_by_key(|hostname| hostname.ssl.is_some()),
                _ => found.sort_by_key(status),
            }
            if query.is_backwards() {
                found.reverse();
            }
            let rows: Vec<View> = found.iter().map(|hostname| view(hostname)).collect();
            Ok(lists::slice(&rows, page, per_page))
        }
        Some(_) | None => {
            lists::counted(Filtered { registry, zone, filter }, page, per_page, query.get("cursor")).await
        }
    }
}

pub(crate) async fn create(
    State(shared): SharedState,
    InZone(zone): InZone,
    wanted: wanted::Body,
) -> Answer<View> {
    shared.control.zone(&zone)?;
    let (new, brought, mut notes) = wanted.new_hostname(&shared.control)?;
    let done = shared.control.create_hostname_with(&zone, &new, brought).await?;
    notes.extend(done.remarks);
    Ok(Reply::ok(view(&done.result)).with_status(StatusCode::CREATED).with_notes(notes))
}

pub(crate) async fn get(State(shared): SharedState, InHostname(zone, id): InHostname) -> Answer<View> {
    shared.control.zone(&zone)?;
    Ok(Reply::ok(view(&*shared.registry().hostname(&zone, &id).await?)))
}

pub(crate) async fn edit(
    State(shared): SharedState,
    InHostname(zone, id): InHostname,
    QueryOf(query): QueryOf<Forced>,
    wanted: wanted::Body,
) -> Answer<View> {
    shared.control.zone(&zone)?;
    let (edit, brought, mut notes) = wanted.edit(&shared.control)?;
    let done = shared.control.edit_hostname_with(&zone, &id, &edit, brought, query.wanted()?).await?;
    notes.extend(done.remarks);
    Ok(Reply::ok(view(&done.result)).with_status(StatusCode::ACCEPTED).with_notes(notes))
}

pub(crate) async fn delete(
    State(shared): SharedState,
    InHostname(zone, id): InHostname,
    QueryOf(query): QueryOf<Forced>,
) -> Result<Response, ApiError> {
    shared.control.zone(&zone)?;
    let done = shared.control.delete_hostname(&zone, &id, query.wanted()?).await?;
    Ok(envelope::deleted(id.as_str(), &done.remarks))
}

pub(crate) async fn quota(State(shared): SharedState, InZone(zone): InZone) -> Answer<QuotaView> {
    shared.control.zone(&zone)?;
    let quota = shared.registry().hostname_quota(&zone).await?;
    Ok(Reply::ok(QuotaView {
        allocated: quota.allocated,
        used: quota.used,
        hard_cap: quota.allocated,
        exceeded: quota.used > quota.allocated,
    }))
}

pub(crate) async fn dcv_delegation(State(shared): SharedState, InZone(zone): InZone) -> Answer<DcvView> {
    Ok(Reply::ok(DcvView { uuid: shared.control.zone(&zone)?.dcv_label.clone() }))
}
