//! Each event of the product's page, by the change that it follows from, in its shape.

use serde_json::{Value, json};

use super::*;
use crate::hostname::{CustomHostname, SslStatus};

const PACK: &str = "198d3c94-cd7b-46e6-9a49-d44dab59dfb5";

/// A hostname whose certificate has this status and these errors.
fn hostname(status: SslStatus, errors: &[&str]) -> CustomHostname {
    let mut record = json!({
        "id": "1d74f419-c24c-4619-9ff2-489751b61d27", "zone": "e330ccb17b3f6f8b137ddda52a76d045",
        "name": "blog.com", "created_at": "2026-11-28T03:00:00Z", "modified_at": "2026-11-28T03:00:00Z",
        "status": "active", "ownership_token": "t", "checks": {"began": "2026-11-28T03:00:00Z", "tries": 0},
        "metadata": {"key1": "value1", "key2": "value2"}, "origin": {"server": "0001.blog.com"},
        "ssl": {
            "id": PACK, "status": status, "validation_errors": errors,
            "config": {"method": "txt", "type": "dv", "settings": {"min_tls_version": "1.2", "http2": "on"}},
        },
    });
    if !errors.is_empty() {
        record["ssl"]["validation_records"] =
            json!([{"status": "pending", "txt_name": "_acme-challenge.blog.com", "txt_value": "proof"}]);
    }
    serde_json::from_value(record).unwrap()
}

fn names(before: &CustomHostname, after: Option<&CustomHostname>) -> Vec<CertificateEvent> {
    events(before, after).into_iter().map(|(event, _)| event).collect()
}

/// What the page shows of `data`.
fn data(ssl: Value) -> Value {
    json!({
        "id": "1d74f419-c24c-4619-9ff2-489751b61d27", "hostname": "blog.com", "ssl": ssl,
        "custom_metadata": {"key1": "value1", "key2": "value2"}, "custom_origin_server": "0001.blog.com",
    })
}

#[test]
fn every_event_of_the_page_has_its_shape() {
    use CertificateEvent as Event;
    use SslStatus as Status;
    let settings = json!({"min_tls_version": "1.2", "http2": "on"});
    let fine = |status: &str| json!({"id": PACK, "type": "dv", "method": "txt", "status": status, "settings": settings});
    let failed = |status: &str, message: &str| {
        let mut ssl = fine(status);
        ssl["validation_records"] =
            json!([{"status": "pending", "txt_name": "_acme-challenge.blog.com", "txt_value": "proof"}]);
        ssl["validation_errors"] = json!([{ "message": message }]);
        ssl
    };
    let without = |mut ssl: Value| {
        ssl.as_object_mut().unwrap().remove("settings");
        ssl
    };
    let risk = "blog.example.com reported as potential risk: google_safe_browsing";
    let caa = "caa_error: blog.example.com";
    let [risky, forbidden] = [[risk], [caa]];
    let rows: Vec<(Event, Status, Status, &[&str], Value)> = vec![
        (
            Event::ValidationSucceeded,
            Status::PendingValidation,
            Status::PendingIssuance,
            &[],
            fine("pending_issuance"),
        ),
        (
            Event::ValidationFailed,
            Status::PendingValidation,
            Status::PendingValidation,
            &risky,
            failed("pending_validation", risk),
        ),
        (
            Event::IssuanceSucceeded,
            Status::PendingIssuance,
            Status::PendingDeployment,
            &[],
            fine("pending_deployment"),
        ),
        (
            Event::IssuanceSucceeded,
            Status::PendingValidation,
            Status::PendingDeployment,
            &[],
            fine("pending_deployment"),
        ),
        (
            Event::IssuanceFailed,
            Status::PendingIssuance,
            Status::PendingIssuance,
            &forbidden,
            failed("pending_issuance", caa),
        ),
        (Event::DeploymentSucceeded, Status::PendingDeployment, Status::Active, &[], fine("active")),
        (
            Event::DeploymentFailed,
            Status::PendingDeployment,
            Status::PendingDeployment,
            &["x"],
            failed("pending_deployment", "x"),
        ),
        (Event::DeletionSucceeded, Status::PendingDeletion, Status::Deleted, &[], without(fine("deleted"))),
        (
            Event::DeletionFailed,
            Status::PendingDeletion,
            Status::PendingDeletion,
            &["x"],
            without(failed("pending_deletion", "x")),
        ),
        (
            Event::RenewalUpcoming,
            Status::Active,
            Status::PendingExpiration,
            &[],
            json!({"id": PACK, "status": "active", "settings": settings}),
        ),
        (Event::RenewalSucceeded, Status::Active, Status::PendingDeployment, &[], fine("pending_deployment")),
        (
            Event::RenewalFailed,
            Status::Active,
            Status::PendingIssuance,
            &forbidden,
            failed("pending_issuance", caa),
        ),
    ];
    for (event, from, to, errors, ssl) in &rows {
        let found = events(&hostname(*from, &[]), Some(&hostname(*to, errors)));
        assert_eq!(found, [(*event, data(ssl.clone()))], "{event}: {from} to {to}");
    }
    let seen: BTreeSet<Event> = rows.iter().map(|row| row.0).collect();
    assert_eq!(seen, Event::ALL.iter().copied().collect(), "each event of the page has a row");
    let sent = AlertEvent {
        id: AlertEventId::parse("0123456789abcdef0123456789abcdef").unwrap(),
        kind: Event::ValidationSucceeded,
        created_at: "2022-02-09T00:03:28.385080Z".parse().unwrap(),
        zone: ZoneId::parse("e330ccb17b3f6f8b137ddda52a76d045").unwrap(),
        data: data(fine("pending_issuance")),
    };
    let expected = json!({
        "metadata": {
            "event": {
                "id": "0123456789abcdef0123456789abcdef",
                "type": "ssl.custom_hostname_certificate.validation.succeeded",
                "created_at": "2022-02-09T00:03:28.385080Z",
            },
            "account": {"id": "acme"},
            "zone": {"id": "e330ccb17b3f6f8b137ddda52a76d045"},
        },
        "data": data(fine("pending_issuance")),
    });
    assert_eq!(sent.body("acme"), expected);
}

#[test]
fn steps_that_are_taken_at_once_are_told_one_by_one_and_time_outs_are_failures() {
    use CertificateEvent as Event;
    use SslStatus as Status;
    let change = |from, to| names(&hostname(from, &[]), Some(&hostname(to, &[])));
    let both = [Event::IssuanceSucceeded, Event::DeploymentSucceeded];
    assert_eq!(change(Status::PendingValidation, Status::Active), both);
    assert_eq!(change(Status::PendingIssuance, Status::Active), both);
    assert_eq!(change(Status::PendingValidation, Status::ValidationTimedOut), [Event::ValidationFailed]);
    assert_eq!(change(Status::PendingIssuance, Status::IssuanceTimedOut), [Event::IssuanceFailed]);
    assert_eq!(change(Status::PendingDeployment, Status::DeploymentTimedOut), [Event::DeploymentFailed]);
    assert_eq!(change(Status::PendingDeletion, Status::DeletionTimedOut), [Event::DeletionFailed]);
    assert_eq!(change(Status::ValidationTimedOut, Status::PendingValidation), []);
    let used = hostname(Status::Active, &[]);
    assert_eq!(names(&used, None), [Event::DeletionSucceeded]);
    assert_eq!(events(&used, None)[0].1["ssl"]["status"], "deleted");
}

#[test]
fn what_changes_nothing_about_a_certificate_is_no_event() {
    let waiting = hostname(SslStatus::PendingValidation, &["x"]);
    let mut edited = waiting.clone();
    edited.metadata = None;
    assert_eq!(names(&waiting, Some(&edited)), []);
    // Another certificate was asked for, or the same with other settings.
    let used = hostname(SslStatus::Active, &[]);
    let mut asked = hostname(SslStatus::PendingValidation, &[]);
    asked.ssl.as_mut().unwrap().config.wildcard = Some(true);
    assert_eq!(names(&used, Some(&asked)), []);
    let mut other = hostname(SslStatus::PendingIssuance, &[]);
    other.ssl.as_mut().unwrap().id =
        crate::ids::CertificatePackId::parse("298d3c94-cd7b-46e6-9a49-d44dab59dfb5").unwrap();
    assert_eq!(names(&used, Some(&other)), []);
    let plain = CustomHostname { ssl: None, ..used };
    assert_eq!(names(&plain, None), []);
}

#[test]
fn addresses_and_secrets_have_a_grammar() {
    for good in ["https://hooks.ops.test/x?y=1", "http://127.0.0.1:8080"] {
        check_url(good).unwrap();
    }
    for bad in [
        "",
        "ftp://a.test",
        "https://",
        "https:///x",
        "https://user:pass@a.test/",
        "https://a.test/ x",
        "a.test",
    ] {
        let said = check_url(bad).unwrap_err();
        assert!(!said.contains("pass@"), "{said}");
    }
    assert!(check_secret(&Secret::new("a\r\nx: y")).is_err());
    check_secret(&Secret::new("plain text")).unwrap();
    assert!(check_name("").is_err() && check_name("ops").is_ok());
}
