//! What follows from a check: `pending` to `active` or `moved`, `active` to `moved`, `moved` to `deleted`; and when the next is due.
//!
//! Owns the statuses and the texts of what is missing. Source: the product's pages *Validation status* and *Error codes*. Pure: the
//! same input has the same result. Must never take a hostname off the net because somebody did not answer.

use std::fmt;

use wasmyard_model::hostname::{Checks, CustomHostname, HostnameStatus, SslStatus};
use wasmyard_model::timestamp::Timestamp;

use crate::rules::{Expected, Finding, Leads};
use crate::schedule::{AFTER_A_MISS, LONGEST_WAIT, MISSES, WEEK, next_try};

/// What becomes of a hostname after a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The hostname as it is from now on.
    pub hostname: CustomHostname,
    /// When to look again; never, where nothing would come of it.
    pub next: Option<Timestamp>,
}

/// What is missing before a name can be active, in the words of the v4 API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    FallbackOrigin,
    Cname,
    Address,
    Held,
    Blocked,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Missing::FallbackOrigin => "zone does not have a fallback origin set.",
            Missing::Cname => "custom hostname does not CNAME to this zone.",
            Missing::Address => {
                "none of the A or AAAA records are owned by this account and the pre-generated ownership validation token \
                 was not found."
            }
            Missing::Held => {
                "The hostname is associated with a held zone. Please contact the owner of this domain to have the hold \
                 removed."
            }
            Missing::Blocked => {
                "custom hostname cannot be added at this time. Please contact the operator of this platform."
            }
        })
    }
}

/// What follows from a check. Pure: the same input has the same result.
#[must_use]
pub fn step(expected: &Expected<'_>, finding: &Finding, now: Timestamp) -> Step {
    let mut hostname = expected.hostname.clone();
    hostname.check_notes.clone_from(&finding.notes);
    hostname.check_flaws.clone_from(&finding.flaws);
    let next = match hostname.status {
        HostnameStatus::Moved | HostnameStatus::Deleted | HostnameStatus::PendingDeletion => {
            gone(&mut hostname, now)
        }
        // Also from one that is served: what the operator lets nobody have is served no longer.
        _ if expected.blocked => Some(blocked(&mut hostname, now)),
        HostnameStatus::Active | HostnameStatus::ActiveRedeploying => {
            in_use(&mut hostname, expected, finding, now)
        }
        _ => pending(&mut hostname, expected, finding, now),
    };
    hostname.check_next_at = next;
    Step { hostname, next }
}

fn pending(
    hostname: &mut CustomHostname,
    expected: &Expected<'_>,
    finding: &Finding,
    now: Timestamp,
) -> Option<Timestamp> {
    let missing = if expected.held {
        Some(Missing::Held)
    } else if is_without_origin(hostname, expected) {
        Some(Missing::FallbackOrigin)
    } else if finding.proof.is_some() {
        None
    } else if expected.apex.is_empty() {
        Some(Missing::Cname)
    } else {
        Some(Missing::Address)
    };
    let Some(missing) = missing else {
        hostname.status = HostnameStatus::Active;
        hostname.activated_at = Some(now);
        hostname.verification_errors.clear();
        hostname.checks = Checks::from(now);
        note_where_it_leads(hostname, finding, now);
        return Some(now.later(LONGEST_WAIT));
    };
    hostname.status =
        if missing == Missing::Held { HostnameStatus::Blocked } else { HostnameStatus::Pending };
    hostname.verification_errors = vec![missing.to_string()];
    hostname.checks.tries = hostname.checks.tries.saturating_add(1);
    let next = next_try(hostname.checks, now);
    if next.is_none() {
        return Some(has_moved(hostname, now));
    }
    next
}

/// One in use stays in use until it was seen to lead elsewhere several times in a row. One whose customer showed the token
/// beforehand, and has not pointed it here yet, has nowhere to have left.
fn in_use(
    hostname: &mut CustomHostname,
    expected: &Expected<'_>,
    finding: &Finding,
    now: Timestamp,
) -> Option<Timestamp> {
    note_where_it_leads(hostname, finding, now);
    // It stays its customer's, and is told of what its visitors see.
    let missing = is_without_origin(hostname, expected).then_some(Missing::FallbackOrigin);
    hostname.verification_errors = missing.iter().map(ToString::to_string).collect();
    let left = finding.leads == Leads::Elsewhere && hostname.led_here_at.is_some();
    if !left {
        // Who does not answer takes nobody off the net, and takes nothing back that was seen before.
        if finding.leads == Leads::Here {
            hostname.checks.tries = 0;
        }
        return Some(now.later(LONGEST_WAIT));
    }
    hostname.checks.tries = hostname.checks.tries.saturating_add(1);
    if hostname.checks.tries < MISSES {
        return Some(now.later(AFTER_A_MISS));
    }
    hostname.verification_errors = vec![Missing::Cname.to_string()];
    Some(has_moved(hostname, now))
}

/// Whether neither it nor its zone says where its requests go.
fn is_without_origin(hostname: &CustomHostname, expected: &Expected<'_>) -> bool {
    let fallback = expected.zone.fallback_origin.as_ref().map(|fallback| &fallback.origin);
    hostname.origin_or(fallback).is_none()
}

fn note_where_it_leads(hostname: &mut CustomHostname, finding: &Finding, now: Timestamp) {
    if finding.leads == Leads::Here && hostname.led_here_at.is_none() {
        hostname.led_here_at = Some(now);
    }
}

/// It moved: when it is deleted.
fn has_moved(hostname: &mut CustomHostname, now: Timestamp) -> Timestamp {
    hostname.status = HostnameStatus::Moved;
    hostname.checks = Checks::from(now);
    now.later(WEEK)
}

/// It stays blocked for as long as the name is, and its validation begins anew afterwards.
fn blocked(hostname: &mut CustomHostname, now: Timestamp) -> Timestamp {
    hostname.status = HostnameStatus::Blocked;
    hostname.verification_errors = vec![Missing::Blocked.to_string()];
    hostname.checks = Checks::from(now);
    now.later(LONGEST_WAIT)
}

fn gone(hostname: &mut CustomHostname, now: Timestamp) -> Option<Timestamp> {
    if hostname.status != HostnameStatus::Moved {
        return None;
    }
    let until = hostname.checks.began.later(WEEK);
    if now < until {
        return Some(until);
    }
    hostname.status = HostnameStatus::Deleted;
    if let Some(ssl) = &mut hostname.ssl {
        ssl.status = SslStatus::PendingDeletion;
        (ssl.issuing, ssl.renew_at) = (None, None);
        ssl.validation_records.clear();
        ssl.validation_errors.clear();
    }
    None
}
