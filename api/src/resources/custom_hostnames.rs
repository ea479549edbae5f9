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
    /// How many certificates the zone may ask for; left out where nobody counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificates: Option<CertificatesLeft>,
    /// How soon each authority would be sent an order that the zone asks for now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    orders: Vec<OrdersView>,
}

/// How many certificates a zone may ask for within a minute.
#[derive(Serialize, JsonSchema)]
struct CertificatesLeft {
    per_minute: u64,
    used: u64,
    /// Whether none may be asked for until then.
    blocked: bool,
    /// When as many may be asked for again; left out when none was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    returns_at: Option<String>,
}

/// How many orders an authority is sent within an hour.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OrdersLeft")]
struct OrdersView {
    authority: &'static str,
    per_hour: u64,
    per_hour_and_zone: u64,
    /// When the next one of this zone would be made.
    next_at: String,
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
    delegated_below: Option<String>,
    filter: Filter,
}

impl Rows for Filtered {
    type Row = View;

    async fn page(&self, after: Option<&str>, limit: usize) -> Result<Vec<(String, View)>, ApiError> {
        let Filtered { registry, zone, delegated_below, filter } = self;
        let below = delegated_below.as_deref();
        let keep = |hostname: &CustomHostname| filter.takes(hostname);
        let found = registry.hostnames(zone, &filter.names, keep, after, limit).await?;
        Ok(found.into_iter().map(|(key, hostname)| (key, view(&hostname, below))).collect())
    }

    async fn count(&self) -> Result<Option<u64>, ApiError> {
        if !self.filter.is_all() {
            return Ok(None);
        }
        Ok(Some(self.registry.hostname_quota(&self.zone).await?.used))
    }
}

/// By what a list can be ordered.
pub(crate) const ORDERS: &[&str] = &["ssl", "ssl_status"];

pub(crate) async fn list(
    State(shared): SharedState,
    InZone(zone): InZone,
    query: Pairs,
) -> Result<Response, ApiError> {
    shared.control.zone(&zone)?;
    let (page, per_page) = query.paging(50, 1_000)?;
    let filter = Filter::parse(&query)?;
    let registry = shared.registry().clone();
    let delegated_below = shared.control.delegated_below(&zone);
    let backwards = query.is_backwards()?;
    match query.choice("order", ORDERS)? {
        Some(order) => {
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
            if backwards {
                found.reverse();
            }
            let rows: Vec<View> =
                found.iter().map(|hostname| view(hostname, delegated_below.as_deref())).collect();
            Ok(lists::slice(&rows, page, per_page))
        }
        None => {
            let rows = Filtered { registry, zone, delegated_below, filter };
            lists::counted(rows, page, per_page, query.get("cursor")).await
        }
    }
}

/// A custom hostname as it is answered with.
fn shown(shared: &Shared, hostname: &CustomHostname) -> View {
    view(hostname, shared.control.delegated_below(&hostname.zone).as_deref())
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
    Ok(Reply::ok(shown(&shared, &done.result)).with_status(StatusCode::CREATED).with_notes(notes))
}

pub(crate) async fn get(State(shared): SharedState, InHostname(zone, id): InHostname) -> Answer<View> {
    shared.control.zone(&zone)?;
    let hostname = shared.registry().hostname(&zone, &id).await?;
    Ok(Reply::ok(shown(&shared, &hostname)))
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
    Ok(Reply::ok(shown(&shared, &done.result)).with_status(StatusCode::ACCEPTED).with_notes(notes))
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
    let asked = shared.control.issue_quota(&zone).await?;
    let certificates = asked.map(|asked| CertificatesLeft {
        per_minute: asked.per_minute,
        used: asked.used,
        blocked: asked.is_blocked,
        returns_at: asked.returns_at.map(|at| at.to_string()),
    });
    let orders = shared.control.orders_left(&zone).await?.into_iter().map(|left| OrdersView {
        authority: left.authority.as_str(),
        per_hour: left.pace.all,
        per_hour_and_zone: left.pace.per_zone,
        next_at: left.next_at.to_string(),
    });
    Ok(Reply::ok(QuotaView {
        allocated: quota.allocated,
        used: quota.used,
        hard_cap: quota.allocated,
        exceeded: quota.used > quota.allocated,
        certificates,
        orders: orders.collect(),
    }))
}

pub(crate) async fn dcv_delegation(State(shared): SharedState, InZone(zone): InZone) -> Answer<DcvView> {
    Ok(Reply::ok(DcvView { uuid: shared.control.zone(&zone)?.dcv_label.clone() }))
}
