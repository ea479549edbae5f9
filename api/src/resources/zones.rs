//! Owns the calls on zones: list, create, show, change, delete; their settings and their hold.
//! Must never decide what a name or a setting may be: that is the model's.

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::response::Response;
use http::request::Parts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wasmyard_control::Force;
use wasmyard_namespaces::access::{Family, Place};
use wasmyard_namespaces::zone::{Setting, SettingError, SettingId, ZoneEdit, ZoneHold, ZoneType};
use wasmyard_namespaces::{Timestamp, Zone, ZoneId};

use crate::body::Json;
use crate::caller::Sight;
use crate::envelope::{Answer, Reply};
use crate::error::{ApiError, Code};
use crate::lists;
use crate::query::Pairs;
use crate::state::{Shared, SharedState};
use crate::target::{Forced, Item, QueryOf, named_segment};
use crate::views::zone::{View, view};

/// The zone that the path names; it need not exist.
pub(crate) struct InZone(pub(crate) ZoneId);

impl FromRequestParts<Arc<Shared>> for InZone {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let text = named_segment(parts, shared, "zone_id").await?;
        ZoneId::parse(&text).map(Self).map_err(|_| ApiError::no_route(parts.uri.path()))
    }
}

/// What a new zone needs.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "ZoneWanted")]
pub(crate) struct Create {
    /// The domain.
    name: String,
    /// The account; there is one.
    #[serde(default)]
    #[expect(dead_code, reason = "any account means the one that there is")]
    account: Option<Value>,
    /// "full" is the default; nothing depends on it.
    #[serde(default, rename = "type")]
    #[schemars(extend("enum" = ["full", "partial", "secondary", "internal", null]))]
    kind: Option<String>,
    #[serde(default)]
    #[expect(dead_code, reason = "an older form of clients' calls; there are no records to look for")]
    jump_start: Option<bool>,
}

/// What may change about a zone.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "ZonePatch")]
pub(crate) struct Patch {
    /// Whether its custom hostnames lead nowhere for the moment.
    #[serde(default)]
    paused: Option<bool>,
    /// Nothing depends on it.
    #[serde(default, rename = "type")]
    #[schemars(extend("enum" = ["full", "partial", "secondary", "internal", null]))]
    kind: Option<String>,
    /// Always refused: this server is no name server.
    #[serde(default)]
    vanity_name_servers: Option<Vec<String>>,
}

/// An identifier, of what was done to something.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ZoneIdentifier")]
pub(crate) struct Identified {
    pub(crate) id: String,
}

/// The value of a setting.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "ZoneSettingValue")]
pub(crate) struct SettingValue {
    /// What it is to be.
    value: Value,
}

/// A setting as clients see it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ZoneSetting")]
pub(crate) struct SettingView {
    id: &'static str,
    value: Value,
    editable: bool,
    modified_on: Option<String>,
}

/// A hold as clients see it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ZoneHold")]
pub(crate) struct HoldView {
    hold: bool,
    /// "true" or "false", as a text.
    include_subdomains: &'static str,
    hold_after: Option<String>,
}

/// What may change about a hold.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "ZoneHoldPatch")]
pub(crate) struct HoldPatch {
    /// From when on it holds.
    #[serde(default)]
    hold_after: Option<String>,
    /// Whether names below are held as well: true or false, or as a text.
    #[serde(default)]
    include_subdomains: Option<Value>,
}

fn kind(text: Option<&str>) -> Result<Option<ZoneType>, ApiError> {
    let parse = |text| {
        ZoneType::parse(text).ok_or_else(|| {
            ApiError::invalid("type: it is full, partial, secondary or internal; choose one of them")
        })
    };
    text.map(parse).transpose()
}

/// Whether a name is as a filter asks: `contains:saas`, `starts_with:`, `ends_with:`, `equal:`, `not_equal:`, or the
/// name by itself.
fn is_named(name: &str, filter: &str) -> bool {
    let (operator, text) = filter.split_once(':').unwrap_or(("equal", filter));
    let text = text.to_ascii_lowercase();
    match operator.strip_suffix("_case_sensitive").unwrap_or(operator) {
        "not_equal" => name != text,
        "starts_with" => name.starts_with(&text),
        "ends_with" => name.ends_with(&text),
        "contains" => name.contains(&text),
        _ => name == text,
    }
}

/// By what a list can be ordered.
pub(crate) const ORDERS: &[&str] = &["name", "status", "account.id", "account.name", "plan.id"];

pub(crate) async fn list(
    State(shared): SharedState,
    sight: Sight,
    query: Pairs,
) -> Result<Response, ApiError> {
    let (page, per_page) = query.paging(20, 1_000)?;
    let one_of = |name: &str, value: &str| {
        let mut wanted = query.all(name).filter(|wanted| !wanted.is_empty()).peekable();
        wanted.peek().is_none() || wanted.any(|wanted| wanted == value)
    };
    let mut zones: Vec<Arc<Zone>> = shared.registry().zones();
    zones.retain(|zone| {
        let named = query.get("name").is_none_or(|filter| is_named(zone.name.as_str(), filter));
        let seen = sight.is_whole() || sight.shows(Family::Zone, Place::Zone(zone.id.clone()));
        seen && named && one_of("status", zone.status.as_str()) && one_of("type", zone.kind.as_str())
    });
    // Those of one account and one plan are all alike.
    match query.choice("order", ORDERS)? {
        Some("name") => zones.sort_by(|a, b| a.name.as_str().cmp(b.name.as_str())),
        Some("status") => zones.sort_by_key(|zone| zone.status.as_str()),
        Some(_) | None => {}
    }
    if query.is_backwards()? {
        zones.reverse();
    }
    let rows: Vec<View> = zones.iter().map(|zone| view(zone)).collect();
    Ok(lists::slice(&rows, page, per_page))
}

pub(crate) async fn create(
    State(shared): SharedState,
    Json(wanted, mut notes): Json<Create>,
) -> Answer<View> {
    let kind = kind(wanted.kind.as_deref())?.unwrap_or(ZoneType::Full);
    let done = shared.control.create_zone(&wanted.name, kind).await?;
    notes.extend(done.remarks);
    Ok(Reply::ok(view(&done.result)).with_notes(notes))
}

pub(crate) async fn get(State(shared): SharedState, InZone(id): InZone) -> Answer<View> {
    Ok(Reply::ok(view(&*shared.control.zone(&id)?)))
}

pub(crate) async fn edit(
    State(shared): SharedState,
    InZone(id): InZone,
    QueryOf(query): QueryOf<Forced>,
    Json(patch, notes): Json<Patch>,
) -> Answer<View> {
    if patch.vanity_name_servers.is_some_and(|servers| !servers.is_empty()) {
        return Err(ApiError::invalid("vanity_name_servers: this server is no name server; leave them out"));
    }
    let edit = ZoneEdit { paused: patch.paused, kind: kind(patch.kind.as_deref())?, ..ZoneEdit::default() };
    let done = shared.control.edit_zone(&id, edit, query.wanted()?).await?;
    Ok(Reply::ok(view(&done.result)).with_notes(notes).with_notes(done.remarks))
}

pub(crate) async fn delete(
    State(shared): SharedState,
    InZone(id): InZone,
    QueryOf(query): QueryOf<Forced>,
) -> Answer<Identified> {
    let done = shared.control.delete_zone(&id, query.wanted()?).await?;
    Ok(Reply::ok(Identified { id: id.to_string() }).with_notes(done.remarks))
}

/// A zone is active at once: there is nothing to check.
pub(crate) async fn activation_check(State(shared): SharedState, InZone(id): InZone) -> Answer<Identified> {
    shared.control.zone(&id)?;
    Ok(Reply::ok(Identified { id: id.to_string() }))
}

fn setting_id(text: &str) -> Result<SettingId, ApiError> {
    SettingId::parse(text)
        .ok_or_else(|| ApiError::parameter(SettingError::Unknown { name: text.chars().take(64).collect() }))
}

fn setting_view(zone: &Zone, id: SettingId) -> SettingView {
    SettingView {
        id: id.as_str(),
        value: zone.settings.setting(id).value(),
        editable: id != SettingId::ZeroRtt,
        modified_on: zone.settings.modified_on(id).map(|on| on.to_string()),
    }
}

pub(crate) async fn settings(State(shared): SharedState, InZone(id): InZone) -> Answer<Vec<SettingView>> {
    let zone = shared.control.zone(&id)?;
    Ok(Reply::ok(SettingId::ALL.iter().map(|setting| setting_view(&zone, *setting)).collect()))
}

pub(crate) async fn setting(
    State(shared): SharedState,
    InZone(id): InZone,
    Item(setting): Item,
) -> Answer<SettingView> {
    let zone = shared.control.zone(&id)?;
    Ok(Reply::ok(setting_view(&zone, setting_id(&setting)?)))
}

pub(crate) async fn set_setting(
    State(shared): SharedState,
    InZone(id): InZone,
    Item(setting): Item,
    QueryOf(query): QueryOf<Forced>,
    Json(wanted, mut notes): Json<SettingValue>,
) -> Answer<SettingView> {
    let setting_id = setting_id(&setting)?;
    let setting = Setting::parse(setting_id, &wanted.value).map_err(|error| {
        ApiError::new(Code::ZoneSetting, format!("Invalid value for zone setting {setting_id}"))
            .with_detail(error.to_string())
    })?;
    let done = shared.control.set_zone_setting(&id, setting, query.wanted()?).await?;
    notes.extend(done.remarks);
    Ok(Reply::ok(setting_view(&done.result, setting_id)).with_notes(notes))
}

fn hold_view(zone: &Zone, now: Timestamp) -> HoldView {
    let hold = zone.hold;
    HoldView {
        hold: hold.is_some_and(|hold| hold.holds_at(now)),
        include_subdomains: if hold.is_some_and(|hold| hold.include_subdomains) { "true" } else { "false" },
        hold_after: hold.and_then(|hold| hold.hold_after).map(|after| after.to_string()),
    }
}

fn moment(text: Option<&str>) -> Result<Option<Timestamp>, ApiError> {
    text.map(|text| text.parse().map_err(|error| ApiError::parameter(format_args!("hold_after: {error}"))))
        .transpose()
}

pub(crate) async fn hold(State(shared): SharedState, InZone(id): InZone) -> Answer<HoldView> {
    let zone = shared.control.zone(&id)?;
    Ok(Reply::ok(hold_view(&zone, shared.control.now())))
}

/// Puts a hold on a zone at once.
pub(crate) async fn put_hold(
    State(shared): SharedState,
    InZone(id): InZone,
    query: Pairs,
) -> Answer<HoldView> {
    let include_subdomains = query.flag("include_subdomains")?.unwrap_or(false);
    let hold = ZoneHold { include_subdomains, hold_after: None };
    set_hold(&shared, &id, Some(hold), query.forced()?).await
}

/// Takes a hold away, for good or until a moment.
pub(crate) async fn delete_hold(
    State(shared): SharedState,
    InZone(id): InZone,
    query: Pairs,
) -> Answer<HoldView> {
    let include_subdomains = shared.control.zone(&id)?.hold.is_some_and(|hold| hold.include_subdomains);
    let after = moment(query.get("hold_after"))?;
    let hold = after.map(|after| ZoneHold { include_subdomains, hold_after: Some(after) });
    set_hold(&shared, &id, hold, query.forced()?).await
}

pub(crate) async fn edit_hold(
    State(shared): SharedState,
    InZone(id): InZone,
    QueryOf(query): QueryOf<Forced>,
    Json(patch, notes): Json<HoldPatch>,
) -> Answer<HoldView> {
    let before = shared.control.zone(&id)?.hold;
    let include_subdomains = match &patch.include_subdomains {
        None => before.is_some_and(|hold| hold.include_subdomains),
        Some(Value::Bool(include)) => *include,
        Some(Value::String(text)) if text == "true" || text == "false" => text == "true",
        Some(_) => {
            return Err(ApiError::invalid("include_subdomains can be true or false; write one of them"));
        }
    };
    let hold_after = match &patch.hold_after {
        Some(text) => moment(Some(text.as_str()).filter(|text| !text.is_empty()))?,
        None => before.and_then(|hold| hold.hold_after),
    };
    let hold = Some(ZoneHold { include_subdomains, hold_after });
    let reply = set_hold(&shared, &id, hold, query.wanted()?).await?;
    Ok(reply.with_notes(notes))
}

async fn set_hold(shared: &Shared, id: &ZoneId, hold: Option<ZoneHold>, force: Force) -> Answer<HoldView> {
    let done = shared.control.set_zone_hold(id, hold, force).await?;
    Ok(Reply::ok(hold_view(&done.result, shared.control.now())).with_notes(done.remarks))
}
