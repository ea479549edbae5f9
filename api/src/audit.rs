//! Owns the entry that each change by the API leaves in the audit log: whoever is told that a change was made finds it there.
//! Must never take more of a call than names and identifiers, nor anything of an answer but the id of what was made and the
//! code of what was refused.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, Method, header};
use http_body_util::BodyExt as _;
use serde::Deserialize;
use wasmyard_listener::Client;
use wasmyard_namespaces::access::{Family, Level};
use wasmyard_namespaces::audit::{ActionKind, Actor, ActorKind, AuditEntry, AuditZone, bounded};
use wasmyard_namespaces::{Registry, ZoneId};

use crate::caller::Caller;
use crate::error::{ApiError, Code};
use crate::state::Shared;
use crate::table::Asks;

/// Names the entry of a call in its answer.
pub(crate) const AUDIT_LOG_ID: HeaderName = HeaderName::from_static("cf-auditlog-id");

/// The calls that send, pull and settle messages of queues.
const MESSAGES: &str = "queues.messages.";

/// Larger answers are not looked into.
const LARGEST: u64 = 64 * 1024;

/// A call that will leave an entry.
pub(crate) struct Pending {
    shared: Arc<Shared>,
    entry: AuditEntry,
}

/// What an answer says that an entry tells.
#[derive(Default, Deserialize)]
struct Told {
    #[serde(default)]
    errors: Vec<ToldError>,
    #[serde(default)]
    result: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct ToldError {
    code: u32,
}

/// The beginning of an entry, if the call is to have one: each has that is no look.
pub(crate) fn begin(
    shared: &Arc<Shared>,
    operation: &str,
    asks: Asks,
    request: &Request,
    path: &str,
    named: &[(String, String)],
) -> Option<Pending> {
    // Who has a script answer a request changes nothing.
    let Asks::Of { family, level: Level::Write, .. } = asks else { return None };
    // Messages are data: who consumes would fill the log with nothing else.
    if family == Family::Dispatch || operation.starts_with(MESSAGES) {
        return None;
    }
    let token = request.extensions().get::<Caller>()?.token();
    let address = request.extensions().get::<Client>().map(|client| client.address);
    let agent = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let kind = match *request.method() {
        Method::POST => ActionKind::Create,
        Method::DELETE => ActionKind::Delete,
        _ => ActionKind::Update,
    };
    let named: Vec<(String, String)> = named
        .iter()
        .filter(|(name, _)| name != "account_id")
        .map(|(name, value)| (short(name), bounded(value)))
        .collect();
    let zone = named.iter().find(|(name, _)| name == "zone").map(|(_, id)| AuditZone {
        id: id.clone(),
        name: ZoneId::parse(id)
            .ok()
            .and_then(|id| shared.control.zone(&id).ok())
            .map(|zone| zone.name.to_string()),
    });
    let entry = AuditEntry {
        id: Registry::audit_id(),
        when: shared.registry().clock().now(),
        actor: Actor { kind: ActorKind::Token, id: token.id.clone(), name: token.label.clone() },
        address: address.map(|address: IpAddr| address.to_canonical()),
        user_agent: agent.map(bounded),
        action: operation.to_owned(),
        kind,
        method: request.method().to_string(),
        path: path.to_owned(),
        named,
        made: None,
        zone,
        status: 0,
        code: None,
    };
    Some(Pending { shared: Arc::clone(shared), entry })
}

/// `script_name` is a script, `dispatch_namespace` a namespace, `zone_id` a zone.
fn short(segment: &str) -> String {
    let name = segment.strip_suffix("_id").or_else(|| segment.strip_suffix("_name")).unwrap_or(segment);
    if name == "dispatch_namespace" { "namespace".to_owned() } else { name.to_owned() }
}

impl Pending {
    /// The answer, when its entry is durable. Where none can be written, a change that was made is not answered as one that
    /// was: the answer says so. What was refused stays refused.
    pub(crate) async fn entered(self, answer: Response) -> Response {
        let Pending { shared, mut entry } = self;
        let (mut answer, told) = told(answer).await;
        entry.status = answer.status().as_u16();
        entry.when = shared.registry().clock().now();
        entry.code = told.errors.first().map(|error| error.code);
        let made = told.result.as_ref().and_then(|result| result.get("id")?.as_str());
        entry.made = made.filter(|_| entry.kind == ActionKind::Create).map(bounded);
        match shared.registry().append_audit(&entry).await {
            Ok(()) => {
                if let Ok(id) = HeaderValue::from_str(&entry.id) {
                    answer.headers_mut().insert(AUDIT_LOG_ID, id);
                }
                answer
            }
            Err(error) if entry.succeeded() => {
                let action = &entry.action;
                tracing::error!(%error, action, "a change was made whose entry in the audit log was not written");
                ApiError::new(
                    Code::NotAudited,
                    "The change was made, but its entry in the audit log could not be written. Look before you repeat it; the server's log names the cause.",
                )
                .into_response()
            }
            Err(error) => {
                let (action, code) = (&entry.action, entry.code);
                tracing::warn!(%error, action, code, "a refused call left no entry in the audit log");
                answer
            }
        }
    }
}

/// What a short answer says. It was made whole before it is sent, so that reading it waits for nobody.
async fn told(answer: Response) -> (Response, Told) {
    let is_json = answer.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    let length = answer.body().size_hint().exact();
    if !is_json || length.is_none_or(|length| length > LARGEST) {
        return (answer, Told::default());
    }
    let (head, body) = answer.into_parts();
    let Ok(whole) = body.collect().await else {
        return (ApiError::internal("an answer that was whole broke off").into_response(), Told::default());
    };
    let whole = whole.to_bytes();
    let told = serde_json::from_slice(&whole).unwrap_or_default();
    (Response::from_parts(head, Body::from(whole)), told)
}
