//! Notifications: what happened to the certificate of a custom hostname, who is told of it, and where.
//!
//! Owns the events and the change of a hostname that each one follows from, the destinations and the policies. Must never
//! send anything, and never show the secret of a destination.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::closed::closed;
use crate::ids::{AlertEventId, AlertPolicyId, WebhookId, ZoneId};
use crate::name::shorten;
use crate::secret::Secret;
use crate::timestamp::Timestamp;

pub use event::events;

mod event;

closed! {
    /// What can be told of.
    AlertType {
        /// What happens to certificates of custom hostnames.
        CustomHostnameCertificate = "custom_ssl_certificate_event_type",
    }
}

closed! {
    /// What happened to the certificate of a custom hostname.
    CertificateEvent {
        /// The authority saw what it wanted to see.
        ValidationSucceeded = "ssl.custom_hostname_certificate.validation.succeeded",
        /// It did not, once more.
        ValidationFailed = "ssl.custom_hostname_certificate.validation.failed",
        /// The certificate was made.
        IssuanceSucceeded = "ssl.custom_hostname_certificate.issuance.succeeded",
        /// It was not, once more.
        IssuanceFailed = "ssl.custom_hostname_certificate.issuance.failed",
        /// The certificate is used.
        DeploymentSucceeded = "ssl.custom_hostname_certificate.deployment.succeeded",
        /// It could not be brought into use, once more.
        DeploymentFailed = "ssl.custom_hostname_certificate.deployment.failed",
        /// The certificate is gone.
        DeletionSucceeded = "ssl.custom_hostname_certificate.deletion.succeeded",
        /// It could not be taken away, once more.
        DeletionFailed = "ssl.custom_hostname_certificate.deletion.failed",
        /// A certificate that nobody renews by itself ends soon.
        RenewalUpcoming = "ssl.custom_hostname_certificate.renewal.upcoming_certificate_expiration_notification",
        /// A certificate that is used has a successor.
        RenewalSucceeded = "ssl.custom_hostname_certificate.renewal.succeeded",
        /// It has none yet, and should.
        RenewalFailed = "ssl.custom_hostname_certificate.renewal.failed",
    }
}

/// Something that happened, as it is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertEvent {
    /// Its id: the same each time that it is sent.
    pub id: AlertEventId,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: CertificateEvent,
    /// When.
    pub created_at: Timestamp,
    /// In which zone.
    pub zone: ZoneId,
    /// The hostname as it was then.
    pub data: Value,
}

impl AlertEvent {
    /// What is sent, in the words of an account.
    #[must_use]
    pub fn body(&self, account: &str) -> Value {
        let AlertEvent { id, kind, created_at, zone, data } = self;
        serde_json::json!({
            "metadata": {
                "event": {"id": id, "type": kind, "created_at": created_at},
                "account": {"id": account},
                "zone": {"id": zone},
            },
            "data": data,
        })
    }
}

/// A place that is told by an HTTP request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// What it is called.
    pub name: String,
    /// Where requests go.
    pub url: String,
    /// What they carry to show from whom they are.
    pub secret: Option<Secret>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last took something.
    pub last_success: Option<Timestamp>,
    /// When it last took nothing.
    pub last_failure: Option<Timestamp>,
}

/// Who is told of what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertPolicy {
    /// Its id.
    pub id: AlertPolicyId,
    /// What it is called.
    pub name: String,
    /// A note.
    #[serde(default)]
    pub description: String,
    /// Whether anybody is told.
    pub enabled: bool,
    /// Of what.
    pub alert_type: AlertType,
    /// Who.
    pub webhooks: Vec<WebhookId>,
    /// The zones that it is about; none named: all.
    #[serde(default)]
    pub zones: BTreeSet<ZoneId>,
    /// When it was made.
    pub created: Timestamp,
    /// When it last changed.
    pub modified: Timestamp,
}

impl AlertPolicy {
    /// Whether it is about what happens in a zone.
    #[must_use]
    pub fn is_about(&self, zone: &ZoneId) -> bool {
        self.enabled && (self.zones.is_empty() || self.zones.contains(zone))
    }
}

/// What was sent to whom, or could not be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertRecord {
    /// What.
    pub event: AlertEvent,
    /// By which policy.
    pub policy: AlertPolicyId,
    /// What that was called.
    pub policy_name: String,
    /// Where to.
    pub webhook: WebhookId,
    /// When it was sent, or given up.
    pub sent: Timestamp,
    /// Why it was given up; none: it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Longest name of a webhook or policy, in characters.
const LONGEST_NAME: usize = 256;
/// Longest URL, in bytes.
const LONGEST_URL: usize = 2_048;
/// Longest secret, in bytes.
const LONGEST_SECRET: usize = 1_024;

/// Checks the name of a webhook or a policy.
///
/// # Errors
/// The rule that is broken. Safe to show.
pub fn check_name(name: &str) -> Result<(), String> {
    let count = name.chars().count();
    if count == 0 || count > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(format!("name: it has 1 to {LONGEST_NAME} characters, none of them a control character"));
    }
    Ok(())
}

/// Checks the address of a webhook: its grammar alone. What may be reached is judged when it is sent to.
///
/// # Errors
/// The rule that is broken. Safe to show.
pub fn check_url(url: &str) -> Result<(), String> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let authority = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    let fits = url.len() <= LONGEST_URL && url.bytes().all(|byte| byte.is_ascii_graphic());
    match authority {
        Some(authority) if fits && !authority.is_empty() && !authority.contains('@') => Ok(()),
        // Whatever stands before the host is a password.
        _ => Err(format!(
            "url: \"{}\" is no address of http or https with at most {LONGEST_URL} characters, without a user in it",
            shorten(url.split('?').next().unwrap_or_default().rsplit('@').next().unwrap_or_default())
        )),
    }
}

/// Checks a secret, which goes into a header as it is.
///
/// # Errors
/// The rule that is broken. Says nothing of the secret.
pub fn check_secret(secret: &Secret) -> Result<(), String> {
    let text = secret.expose();
    if text.len() > LONGEST_SECRET || !text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return Err(format!(
            "secret: it goes into a header, and may have {LONGEST_SECRET} printable ASCII characters"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
