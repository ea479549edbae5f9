//! Which events follow from a change of a custom hostname, and what each tells of it.

use serde_json::{Map, Value, json};

use super::CertificateEvent;
use crate::hostname::{CustomHostname, Ssl, SslStatus, ValidationRecord};

/// What happened to the certificate of a hostname between two states of it, in order, each with what is told. A hostname
/// that is gone is none.
#[must_use]
pub fn events(before: &CustomHostname, after: Option<&CustomHostname>) -> Vec<(CertificateEvent, Value)> {
    let Some(old) = &before.ssl else { return Vec::new() };
    let Some(after) = after else {
        let gone = Ssl { status: SslStatus::Deleted, ..old.clone() };
        let event = CertificateEvent::DeletionSucceeded;
        return vec![(event, told(event, before, &gone))];
    };
    let Some(new) = after.ssl.as_ref().filter(|new| new.id == old.id) else { return Vec::new() };
    let found = between(old, new).into_iter();
    found.map(|event| (event, told(event, after, new))).collect()
}

/// How far a certificate has come on its way; none where it is not on it.
fn step(status: SslStatus) -> Option<u8> {
    match status {
        SslStatus::Initializing | SslStatus::PendingValidation => Some(0),
        SslStatus::PendingIssuance => Some(1),
        SslStatus::PendingDeployment => Some(2),
        SslStatus::Active => Some(3),
        _ => None,
    }
}

fn between(old: &Ssl, new: &Ssl) -> Vec<CertificateEvent> {
    use CertificateEvent as Event;
    use SslStatus as Status;
    // What somebody asked for is no news to them.
    if old.config != new.config {
        return Vec::new();
    }
    match (old.status, new.status) {
        (Status::Active | Status::PendingExpiration | Status::Expired, Status::PendingDeployment) => {
            return vec![Event::RenewalSucceeded];
        }
        (Status::Active | Status::PendingExpiration, Status::PendingValidation | Status::PendingIssuance) => {
            return vec![Event::RenewalFailed];
        }
        (Status::Active, Status::PendingExpiration) => return vec![Event::RenewalUpcoming],
        (Status::DeploymentTimedOut, Status::Active) => return vec![Event::DeploymentSucceeded],
        (Status::PendingDeletion | Status::DeletionTimedOut, Status::Deleted) => {
            return vec![Event::DeletionSucceeded];
        }
        (_, Status::ValidationTimedOut) if old.status != new.status => return vec![Event::ValidationFailed],
        (_, Status::IssuanceTimedOut) if old.status != new.status => return vec![Event::IssuanceFailed],
        (_, Status::DeploymentTimedOut) if old.status != new.status => return vec![Event::DeploymentFailed],
        (_, Status::DeletionTimedOut) if old.status != new.status => return vec![Event::DeletionFailed],
        _ => {}
    }
    if old.status == new.status {
        // It was tried once more: something of it is new, and says what is wrong.
        let failed = old != new && !new.validation_errors.is_empty();
        let event = match new.status {
            Status::PendingValidation => Event::ValidationFailed,
            Status::PendingIssuance => Event::IssuanceFailed,
            Status::PendingDeployment => Event::DeploymentFailed,
            Status::PendingDeletion => Event::DeletionFailed,
            _ => return Vec::new(),
        };
        return if failed { vec![event] } else { Vec::new() };
    }
    let (Some(from), Some(to)) = (step(old.status), step(new.status)) else { return Vec::new() };
    // Steps that were taken at once are told one by one. A validation is told by itself only where it is a step.
    let mut steps = Vec::new();
    if from < 1 && to == 1 {
        steps.push(Event::ValidationSucceeded);
    }
    if from < 2 && to >= 2 {
        steps.push(Event::IssuanceSucceeded);
    }
    if from < 3 && to == 3 {
        steps.push(Event::DeploymentSucceeded);
    }
    steps
}

/// The status that a step leads to: where two were taken at once, the record has the last one's.
fn status(event: CertificateEvent, ssl: &Ssl) -> SslStatus {
    match event {
        CertificateEvent::IssuanceSucceeded => SslStatus::PendingDeployment,
        // Until it ends, it is used.
        CertificateEvent::RenewalUpcoming => SslStatus::Active,
        _ => ssl.status,
    }
}

fn told(event: CertificateEvent, hostname: &CustomHostname, ssl: &Ssl) -> Value {
    let config = &ssl.config;
    let mut shown = Map::new();
    let mut show = |name: &str, value: Value| shown.insert(name.to_owned(), value);
    show("id", json!(ssl.id));
    if event != CertificateEvent::RenewalUpcoming {
        config.kind.map(|kind| show("type", json!(kind)));
        config.method.map(|method| show("method", json!(method)));
    }
    show("status", json!(status(event, ssl)));
    let failed = matches!(
        event,
        CertificateEvent::ValidationFailed
            | CertificateEvent::IssuanceFailed
            | CertificateEvent::DeploymentFailed
            | CertificateEvent::DeletionFailed
            | CertificateEvent::RenewalFailed
    );
    let records: Vec<&ValidationRecord> = ssl.published_records().filter(|_| failed).collect();
    if !records.is_empty() {
        show("validation_records", json!(records));
    }
    if failed && !ssl.validation_errors.is_empty() {
        let errors: Vec<Value> =
            ssl.validation_errors.iter().map(|message| json!({ "message": message })).collect();
        show("validation_errors", json!(errors));
    }
    let ends = matches!(event, CertificateEvent::DeletionSucceeded | CertificateEvent::DeletionFailed);
    if let Some(settings) = config.settings.as_ref().filter(|_| !ends) {
        show("settings", json!(settings));
    }
    let mut data = Map::from_iter([
        ("id".to_owned(), json!(hostname.id)),
        ("hostname".to_owned(), json!(hostname.name)),
        ("ssl".to_owned(), Value::Object(shown)),
    ]);
    if let Some(metadata) = &hostname.metadata {
        data.insert("custom_metadata".to_owned(), Value::Object(metadata.to_object()));
    }
    if let Some(origin) = &hostname.origin {
        data.insert("custom_origin_server".to_owned(), json!(origin.server));
    }
    Value::Object(data)
}
