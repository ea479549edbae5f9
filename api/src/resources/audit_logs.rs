//! Owns the calls on the audit log, in the two forms that clients know: pages that are counted, and pages by cursor.
//! Must never show more of an entry than it holds, nor hold more entries than a page has.

use std::net::IpAddr;

use axum::extract::State;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use wasmyard_namespaces::audit::{ActorKind, AuditEntry};
use wasmyard_namespaces::{AuditRange, Registry, Timestamp};

use crate::envelope;
use crate::error::ApiError;
use crate::query::{DIRECTIONS, Pairs};
use crate::state::SharedState;
use crate::target::{ACCOUNT, ACCOUNT_NAME, EMAIL, OPERATOR};

/// Entries that are read at a time.
const PAGE: usize = 128;

/// An entry, as the older of the two calls shows it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditLog")]
pub(crate) struct View {
    id: String,
    when: String,
    action: Action,
    actor: ActorView,
    /// "API", or "configuration".
    interface: &'static str,
    /// The call: operation, method, path, what that names, status, code, token, user agent.
    metadata: Map<String, Value>,
    #[serde(rename = "newValue")]
    new_value: &'static str,
    #[serde(rename = "oldValue")]
    old_value: &'static str,
    owner: Owner,
    resource: Resource,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditLogAction")]
struct Action {
    /// Whether the change was made.
    result: bool,
    /// "create", "update" or "delete".
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditLogActor")]
struct ActorView {
    id: String,
    email: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<String>,
    /// "user", or "system" for the configuration.
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditLogOwner")]
struct Owner {
    id: &'static str,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditLogResource")]
struct Resource {
    id: String,
    #[serde(rename = "type")]
    kind: String,
}

/// An entry, as the newer of the two calls shows it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditEntry")]
pub(crate) struct Entry {
    id: String,
    account: AccountOf,
    action: ActionOf,
    actor: ActorOf,
    raw: Raw,
    resource: ResourceOf,
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<ZoneOf>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditEntryAccount")]
struct AccountOf {
    id: &'static str,
    name: &'static str,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditEntryAction")]
struct ActionOf {
    /// The call by its name in this document, or "configuration.apply".
    description: String,
    /// "success" or "failure".
    result: &'static str,
    time: String,
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditEntryActor")]
struct ActorOf {
    id: String,
    /// "api_token", or "system" for the configuration.
    context: &'static str,
    email: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_name: Option<String>,
    /// "account", or "system".
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditEntryRaw")]
struct Raw {
    /// The entry's own id, which the answer had as `Cf-Auditlog-Id`.
    cf_ray_id: String,
    method: String,
    status_code: u16,
    uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    /// The code of the error.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<u32>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditEntryResource")]
struct ResourceOf {
    id: String,
    product: String,
    /// "accounts", or "zones".
    scope: &'static str,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditEntryZone")]
struct ZoneOf {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

/// How a change can have ended.
pub(crate) const RESULTS: &[&str] = &["success", "failure"];

/// Which entries are asked for.
#[derive(Default)]
struct Filter {
    range: AuditRange,
    id: Option<String>,
    /// The id or the name of a token, or of a configuration.
    actors: Vec<String>,
    address: Option<IpAddr>,
    kinds: Vec<String>,
    zones: Vec<String>,
    succeeded: Option<bool>,
    resources: Vec<String>,
    resource_kinds: Vec<String>,
}

impl Filter {
    /// Reads the names that both calls have for one thing.
    fn read(query: &Pairs) -> Result<Filter, ApiError> {
        let first = |names: [&str; 2]| names.into_iter().find_map(|name| query.get(name));
        let all = |names: &[&str]| {
            let values = names.iter().flat_map(|name| query.all(name).filter(|value| !value.is_empty()));
            values.map(str::to_owned).collect::<Vec<String>>()
        };
        let oldest_first = query.choice("direction", DIRECTIONS)? == Some("asc");
        let address = first(["actor.ip", "actor_ip_address"]).map(str::parse::<IpAddr>).transpose();
        let address = address.map_err(|_| ApiError::parameter("actor.ip is an IP address; write one"))?;
        let succeeded = query.choice("action_result", RESULTS)?.map(|result| result == "success");
        Ok(Filter {
            range: AuditRange {
                since: moment(query, "since")?,
                before: moment(query, "before")?,
                oldest_first,
            },
            id: query.get("id").map(str::to_owned),
            actors: all(&["actor.id", "actor_id", "actor_token_id", "actor_token_name"]),
            address: address.map(|address| address.to_canonical()),
            kinds: all(&["action.type", "action_type"]),
            zones: all(&["zone.name", "zone_name", "zone_id"]),
            succeeded,
            resources: all(&["resource_id"]),
            resource_kinds: all(&["resource_type", "resource_product"]),
        })
    }

    fn takes(&self, entry: &AuditEntry) -> bool {
        let one_of = |wanted: &[String], values: &[Option<&str>]| {
            wanted.is_empty()
                || values.iter().flatten().any(|value| wanted.iter().any(|wanted| wanted == value))
        };
        let zone = entry.zone.as_ref();
        self.id.as_ref().is_none_or(|id| *id == entry.id)
            && self.address.is_none_or(|address| entry.address == Some(address))
            && self.succeeded.is_none_or(|succeeded| succeeded == entry.succeeded())
            && one_of(&self.actors, &[Some(&entry.actor.id), Some(&entry.actor.name)])
            && one_of(&self.kinds, &[Some(entry.kind.as_str()), Some(&entry.action)])
            && one_of(
                &self.zones,
                &[zone.map(|zone| zone.id.as_str()), zone.and_then(|zone| zone.name.as_deref())],
            )
            && one_of(&self.resources, &[entry.resource_id()])
            && one_of(&self.resource_kinds, &[Some(entry.resource_kind())])
    }

    /// Entries that it takes, after a key: `skipped` of them are passed over. With the key of the last one, if there may be
    /// more behind it.
    async fn find(
        &self,
        registry: &Registry,
        after: Option<&str>,
        mut skipped: usize,
        limit: usize,
    ) -> Result<(Vec<AuditEntry>, Option<String>), ApiError> {
        let (mut found, mut after) = (Vec::new(), after.map(str::to_owned));
        loop {
            let page = registry.audit_page(&self.range, after.as_deref(), PAGE).await?;
            let is_last = page.len() < PAGE;
            for (key, entry) in page {
                after = Some(key);
                if !self.takes(&entry) {
                    continue;
                }
                if skipped > 0 {
                    skipped -= 1;
                    continue;
                }
                found.push(entry);
                if found.len() == limit {
                    return Ok((found, after));
                }
            }
            if is_last {
                return Ok((found, None));
            }
        }
    }
}

/// A moment, or a day, which is its first moment.
fn moment(query: &Pairs, name: &str) -> Result<Option<Timestamp>, ApiError> {
    let Some(text) = query.get(name) else { return Ok(None) };
    let moment =
        text.parse::<Timestamp>().or_else(|error| format!("{text}T00:00:00Z").parse().map_err(|_| error));
    moment.map(Some).map_err(|error| ApiError::parameter(format_args!("{name}: {error}")))
}

/// `result_info` of a page that is counted, and of one by cursor.
#[derive(Serialize)]
struct Counted {
    page: u32,
    per_page: usize,
    count: usize,
}

#[derive(Serialize)]
struct ByCursor {
    count: usize,
    cursor: String,
}

/// Entries, the newest first where nothing else is asked for, in pages that are counted until one is empty.
pub(crate) async fn list(State(shared): SharedState, query: Pairs) -> Result<Response, ApiError> {
    let (page, per_page) = query.paging(100, 1_000)?;
    let before = (page.saturating_sub(1) as usize).saturating_mul(per_page);
    let filter = Filter::read(&query)?;
    let (found, _) = filter.find(shared.registry(), None, before, per_page).await?;
    let rows: Vec<View> = found.into_iter().map(view).collect();
    Ok(envelope::page(&rows, &Counted { page, per_page, count: rows.len() }))
}

/// Entries in the same order, in pages that lead from one to the next.
pub(crate) async fn list_by_cursor(State(shared): SharedState, query: Pairs) -> Result<Response, ApiError> {
    let limit = match query.get("limit") {
        None => 100,
        Some(text) => text
            .parse::<usize>()
            .ok()
            .filter(|limit| (1..=1_000).contains(limit))
            .ok_or_else(|| ApiError::parameter("limit is a number from 1 to 1000"))?,
    };
    let filter = Filter::read(&query)?;
    let (found, cursor) = filter.find(shared.registry(), query.get("cursor"), 0, limit).await?;
    let rows: Vec<Entry> = found.into_iter().map(entry).collect();
    Ok(envelope::page(&rows, &ByCursor { count: rows.len(), cursor: cursor.unwrap_or_default() }))
}

fn view(entry: AuditEntry) -> View {
    let is_token = entry.actor.kind == ActorKind::Token;
    let named = entry.named.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
    let metadata = [
        ("operation", Value::from(entry.action.as_str())),
        ("token_name", if is_token { Value::from(entry.actor.name.as_str()) } else { Value::Null }),
        ("method", Value::from(entry.method.as_str())),
        ("path", Value::from(entry.path.as_str())),
        ("named", Value::from(named.collect::<Map<String, Value>>())),
        ("status", Value::from(entry.status)),
        ("code", Value::from(entry.code)),
        ("user_agent", Value::from(entry.user_agent.clone())),
        ("zone_name", Value::from(entry.zone.as_ref().and_then(|zone| zone.name.clone()))),
    ];
    let metadata = metadata.into_iter().filter(|(_, value)| !value.is_null() && *value != "");
    View {
        when: entry.when.to_string(),
        action: Action { result: entry.succeeded(), kind: entry.kind.as_str() },
        actor: ActorView {
            id: entry.actor.id.clone(),
            email: EMAIL,
            ip: entry.address.map(|address| address.to_string()),
            kind: if is_token { "user" } else { "system" },
        },
        interface: if is_token { "API" } else { "configuration" },
        metadata: metadata.map(|(name, value)| (name.to_owned(), value)).collect(),
        new_value: "",
        old_value: "",
        owner: Owner { id: OPERATOR },
        resource: Resource {
            id: entry.resource_id().unwrap_or_default().to_owned(),
            kind: entry.resource_kind().to_owned(),
        },
        id: entry.id,
    }
}

fn entry(entry: AuditEntry) -> Entry {
    let is_token = entry.actor.kind == ActorKind::Token;
    let kind = entry.resource_kind().to_owned();
    let id = entry.resource_id().unwrap_or_default().to_owned();
    let token = |text: &str| is_token.then(|| text.to_owned());
    Entry {
        account: AccountOf { id: ACCOUNT, name: ACCOUNT_NAME },
        action: ActionOf {
            result: if entry.succeeded() { "success" } else { "failure" },
            time: entry.when.to_string(),
            kind: entry.kind.as_str(),
            description: entry.action,
        },
        actor: ActorOf {
            context: if is_token { "api_token" } else { "system" },
            email: EMAIL,
            ip_address: entry.address.map(|address| address.to_string()),
            token_id: token(&entry.actor.id),
            token_name: token(&entry.actor.name),
            kind: if is_token { "account" } else { "system" },
            id: entry.actor.id,
        },
        raw: Raw {
            cf_ray_id: entry.id.clone(),
            method: entry.method,
            status_code: entry.status,
            uri: entry.path,
            user_agent: entry.user_agent,
            error_code: entry.code,
        },
        resource: ResourceOf {
            id,
            product: kind.clone(),
            scope: if entry.zone.is_some() { "zones" } else { "accounts" },
            kind,
        },
        zone: entry.zone.map(|zone| ZoneOf { id: zone.id, name: zone.name }),
        id: entry.id,
    }
}
