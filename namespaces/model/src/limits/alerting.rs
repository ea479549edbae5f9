//! How many webhooks and notification policies there may be, and how much waits for them.
//!
//! Owns the numbers. Never counts anything: the registry does.

use super::row::LimitRow;
use super::row::LimitScope::Zone;
use super::row::Unit::Count;

/// Webhooks.
pub const WEBHOOKS: u64 = 100;
/// Notification policies.
pub const POLICIES: u64 = 100;
/// Webhooks of one policy.
pub const POLICY_WEBHOOKS: usize = 20;
/// Zones of one policy's filter.
pub const POLICY_ZONES: usize = 1_000;
/// Events that wait for one webhook, of one hostname.
pub const QUEUE: usize = 100;
/// Events whose delivery, or failure, is remembered.
pub const HISTORY: u64 = 1_000;

const fn row(name: &'static str, most: u64, doc: &'static str) -> LimitRow {
    LimitRow { name, scope: Zone, unit: Count, default: Some(most), min: 0, ceiling: most, doc }
}

/// The rows of the table of limits.
pub(super) const ROWS: &[LimitRow] = &[
    row("webhooks", WEBHOOKS, "Webhooks that are told of certificates."),
    row("alert_policies", POLICIES, "Notification policies."),
    row("alert_queue", QUEUE as u64, "Events of one hostname that wait for one webhook; more are not sent."),
    row("alert_history", HISTORY, "Events whose delivery, or failure, is remembered."),
];
