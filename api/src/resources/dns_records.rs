//! Owns the calls on the DNS records of a zone.
//! Must never answer DNS: the records say where origins are, and the zone's name server has its own.

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::response::Response;
use http::request::Parts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wasmyard_control::Force;
use wasmyard_namespaces::registry::{DnsChange, ZoneError};
use wasmyard_namespaces::zone::DnsRecordEdit;
use wasmyard_namespaces::{DnsRecord, DnsRecordId, ZoneId};

use crate::body::Json;
use crate::envelope::{Answer, Reply};
use crate::error::ApiError;
use crate::lists;
use crate::query::Pairs;
use crate::resources::zones::{Identified, InZone};
use crate::state::{Shared, SharedState};
use crate::target::{Forced, QueryOf, named_segment};

pub(crate) mod bulk;

/// A DNS record as clients see it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DnsRecord")]
pub(crate) struct View {
    id: String,
    zone_id: String,
    zone_name: String,
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    content: String,
    /// Whether it could be proxied: always.
    proxiable: bool,
    proxied: bool,
    ttl: u32,
    settings: Empty,
    meta: Empty,
    comment: Option<String>,
    tags: Vec<String>,
    created_on: String,
    modified_on: String,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Nothing")]
struct Empty {}

/// What a record is to say.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "DnsRecordWanted")]
pub(crate) struct Wanted {
    /// "A", "AAAA" or "CNAME".
    #[serde(default, rename = "type")]
    kind: Option<String>,
    /// Whole, or without the zone's; `@` is the zone itself, and the first label may be `*`.
    #[serde(default)]
    name: Option<String>,
    /// An address, or a name.
    #[serde(default)]
    content: Option<String>,
    /// Seconds; 1 lets the platform choose.
    #[serde(default)]
    ttl: Option<f64>,
    /// Whether requests for the name come through the platform: such a name is an origin.
    #[serde(default)]
    proxied: Option<bool>,
    /// A note.
    #[serde(default)]
    comment: Option<String>,
    /// Labels to sort by.
    #[serde(default)]
    tags: Option<Vec<String>>,
}

/// The record that the path names; it need not exist.
pub(crate) struct InRecord(ZoneId, DnsRecordId);

impl FromRequestParts<Arc<Shared>> for InRecord {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let InZone(zone) = InZone::from_request_parts(parts, shared).await?;
        let text = named_segment(parts, shared, "dns_record_id").await?;
        match DnsRecordId::parse(&text) {
            Ok(id) => Ok(Self(zone, id)),
            Err(_) => Err(ZoneError::RecordNotFound(text.chars().take(64).collect()).into()),
        }
    }
}

impl Wanted {
    /// As a change of a record that is there, or the whole of one.
    fn edit(self, whole: bool) -> DnsRecordEdit {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "out of range is refused later"
        )]
        let ttl = self.ttl.map(|ttl| if ttl.fract() == 0.0 { ttl as u64 } else { 0 });
        DnsRecordEdit {
            kind: self.kind,
            name: self.name,
            content: self.content,
            ttl: ttl.or(whole.then_some(1)),
            proxied: self.proxied.or(whole.then_some(false)),
            comment: self.comment.map(Some).or(whole.then_some(None)),
            tags: self.tags.or(whole.then(Vec::new)),
        }
    }
}

fn view(record: &DnsRecord, zone_name: &str) -> View {
    View {
        id: record.id.to_string(),
        zone_id: record.zone.to_string(),
        zone_name: zone_name.to_owned(),
        name: record.name.to_string(),
        kind: record.content.kind().as_str(),
        content: record.content.to_string(),
        proxiable: true,
        proxied: record.proxied,
        ttl: record.ttl,
        settings: Empty {},
        meta: Empty {},
        comment: record.comment.clone(),
        tags: record.tags.iter().map(|tag| tag.to_string()).collect(),
        created_on: record.created_on.to_string(),
        modified_on: record.modified_on.to_string(),
    }
}

/// What the filters of a text say of it: `name=`, `name.exact=`, `name.contains=`, `name.startswith=`, `name.endswith=`;
/// none for those that were not given.
fn is_asked_for(query: &Pairs, name: &str, text: &str) -> [Option<bool>; 5] {
    let text = text.to_ascii_lowercase();
    let holds = |suffix: &str, test: fn(&str, &str) -> bool| {
        let wanted = query.get(&format!("{name}{suffix}")).map(str::to_ascii_lowercase);
        wanted.map(|wanted| test(&text, &wanted))
    };
    [
        holds("", |text, wanted| text == wanted),
        holds(".exact", |text, wanted| text == wanted),
        holds(".contains", |text, wanted| text.contains(wanted)),
        holds(".startswith", |text, wanted| text.starts_with(wanted)),
        holds(".endswith", |text, wanted| text.ends_with(wanted)),
    ]
}

/// Whether a list is for a record: all filters that were given hold or, with `any`, one of them.
fn is_wanted(query: &Pairs, any: bool, proxied: Option<bool>, record: &DnsRecord) -> bool {
    let (name, content) = (record.name.as_str(), record.content.to_string());
    let comment = record.comment.as_deref().unwrap_or_default();
    let search = query.get("search").map(str::to_ascii_lowercase);
    let kind = query.get("type").is_some();
    let mut given: Vec<Option<bool>> = Vec::new();
    given.extend(is_asked_for(query, "name", name));
    given.extend(is_asked_for(query, "content", &content));
    given.extend(is_asked_for(query, "comment", comment));
    given.push(query.get("comment.present").map(|_| !comment.is_empty()));
    given.push(query.get("comment.absent").map(|_| comment.is_empty()));
    given.push(kind.then(|| query.all("type").any(|kind| kind == record.content.kind().as_str())));
    given.push(proxied.map(|proxied| proxied == record.proxied));
    given.push(
        search.map(|wanted| name.contains(&wanted) || content.contains(&wanted) || comment.contains(&wanted)),
    );
    let mut given = given.into_iter().flatten().peekable();
    if any { given.peek().is_none() || given.any(|holds| holds) } else { given.all(|holds| holds) }
}

/// By what a list can be ordered.
pub(crate) const ORDERS: &[&str] = &["type", "name", "content", "ttl", "proxied"];
/// How many of the filters a record has to pass.
pub(crate) const MATCHES: &[&str] = &["any", "all"];

pub(crate) async fn list(
    State(shared): SharedState,
    InZone(id): InZone,
    query: Pairs,
) -> Result<Response, ApiError> {
    let zone = shared.control.zone(&id)?;
    let (page, per_page) = query.paging(100, 1_000)?;
    let proxied = query.flag("proxied")?;
    let mut records = shared.registry().dns_records(&id).await?;
    let any = query.choice("match", MATCHES)? == Some("any");
    records.retain(|record| is_wanted(&query, any, proxied, record));
    match query.choice("order", ORDERS)? {
        Some("name") => records.sort_by(|a, b| a.name.cmp(&b.name)),
        Some("type") => records.sort_by_key(|record| record.content.kind().as_str()),
        Some("content") => records.sort_by_key(|record| record.content.to_string()),
        Some("ttl") => records.sort_by_key(|record| record.ttl),
        Some("proxied") => records.sort_by_key(|record| record.proxied),
        Some(_) | None => {}
    }
    if query.is_backwards()? {
        records.reverse();
    }
    let rows: Vec<View> = records.iter().map(|record| view(record, zone.name.as_str())).collect();
    Ok(lists::slice(&rows, page, per_page))
}

pub(crate) async fn create(
    State(shared): SharedState,
    InZone(id): InZone,
    Json(wanted, notes): Json<Wanted>,
) -> Answer<View> {
    let zone = shared.control.zone(&id)?;
    let change = DnsChange::Create(wanted.edit(true));
    let done = shared.control.change_dns_record(&id, change, Force::No).await?;
    Ok(Reply::ok(view(&done.result, zone.name.as_str())).with_notes(notes))
}

pub(crate) async fn get(State(shared): SharedState, InRecord(zone, id): InRecord) -> Answer<View> {
    let record = shared.registry().dns_record(&zone, &id).await?;
    Ok(Reply::ok(view(&record, shared.control.zone(&zone)?.name.as_str())))
}

/// Replaces the whole of a record.
pub(crate) async fn update(
    State(shared): SharedState,
    InRecord(zone, id): InRecord,
    QueryOf(query): QueryOf<Forced>,
    Json(wanted, notes): Json<Wanted>,
) -> Answer<View> {
    write(&shared, &zone, DnsChange::Edit(id, wanted.edit(true)), query.wanted()?, notes).await
}

/// Changes what is given of a record.
pub(crate) async fn edit(
    State(shared): SharedState,
    InRecord(zone, id): InRecord,
    QueryOf(query): QueryOf<Forced>,
    Json(wanted, notes): Json<Wanted>,
) -> Answer<View> {
    write(&shared, &zone, DnsChange::Edit(id, wanted.edit(false)), query.wanted()?, notes).await
}

async fn write(
    shared: &Shared,
    zone: &ZoneId,
    change: DnsChange,
    force: Force,
    notes: Vec<String>,
) -> Answer<View> {
    let name = shared.control.zone(zone)?.name.clone();
    let done = shared.control.change_dns_record(zone, change, force).await?;
    Ok(Reply::ok(view(&done.result, name.as_str())).with_notes(notes).with_notes(done.remarks))
}

pub(crate) async fn delete(
    State(shared): SharedState,
    InRecord(zone, id): InRecord,
    QueryOf(query): QueryOf<Forced>,
) -> Answer<Identified> {
    let change = DnsChange::Delete(id);
    let done = shared.control.change_dns_record(&zone, change, query.wanted()?).await?;
    Ok(Reply::ok(Identified { id: done.result.id.to_string() }).with_notes(done.remarks))
}
