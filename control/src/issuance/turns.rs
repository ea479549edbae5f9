//! Whose turn it is to order: an authority takes so many orders, and one zone is not to have all of them.
//!
//! Owns the turns of one order, which are in its record, and what is shown of all.

use std::time::Duration;

use wasmyard_namespaces::hostname::{CertificateAuthority, CustomHostname, Issuing};
use wasmyard_namespaces::ids::ZoneId;
use wasmyard_namespaces::registry::{IssueQuota, OrderPace};
use wasmyard_namespaces::{Registry, Timestamp};

use super::work::After;
use crate::{Control, Result};

/// How soon an authority would be sent an order that is asked for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrdersLeft {
    /// Which one.
    pub authority: CertificateAuthority,
    /// How many it is sent within an hour: of all zones, and of one.
    pub pace: OrderPace,
    /// When the next one of this zone would be made.
    pub next_at: Timestamp,
}

impl Control {
    /// The same use cases, where a zone may ask for so many certificates within a minute.
    #[must_use]
    pub fn with_certificates_per_minute(mut self, most: u64) -> Control {
        self.per_minute = Some(most);
        self
    }

    /// A registry through which certificates are asked for: of it what is asked for too often is refused.
    pub(crate) fn asking(&self, registry: &Registry) -> Registry {
        match (&self.issuers, self.per_minute) {
            (Some(_), Some(most)) => registry.asking_for(most),
            _ => registry.clone(),
        }
    }

    /// How many certificates a zone may ask for within a minute, and asked for; none where nobody counts.
    ///
    /// # Errors
    /// The registry's failure.
    pub async fn issue_quota(&self, zone: &ZoneId) -> Result<Option<IssueQuota>> {
        Ok(self.asking(&self.registry).issue_quota(zone).await?)
    }

    /// How soon each authority would be sent an order of a zone.
    ///
    /// # Errors
    /// The registry's failure.
    pub async fn orders_left(&self, zone: &ZoneId) -> Result<Vec<OrdersLeft>> {
        let mut left = Vec::new();
        for (authority, pace) in self.issuers.iter().flat_map(|issuers| issuers.paced()) {
            let next_at = self.registry.next_turn(authority, zone, pace).await?;
            left.push(OrdersLeft { authority, pace, next_at });
        }
        Ok(left)
    }

    /// Takes the turns that an order needs. None when it has them, and they have come.
    pub(super) async fn turns(
        &self,
        hostname: &CustomHostname,
        issuing: &Issuing,
        pace: Option<OrderPace>,
    ) -> Result<Option<After>> {
        // What takes the place of a certificate as its authority wished counts for nothing there.
        let Some(pace) = pace.filter(|_| !issuing.replaces) else { return Ok(None) };
        let now = self.now();
        let mut turns = issuing.turns.clone();
        while turns.len() < 2 && turns.last().is_none_or(|last| *last <= now) {
            let turn = match turns.len() {
                0 => self.registry.zone_turn(issuing.authority, &hostname.zone, pace).await?,
                _ => self.registry.order_turn(issuing.authority, pace).await?,
            };
            turns.push(turn);
        }
        let next = turns.last().copied().unwrap_or(now);
        if next <= now && turns == issuing.turns {
            return Ok(None);
        }
        // The week in which something is to come of it begins with its turn.
        let issuing = Issuing { began: issuing.began.max(next), turns, ..issuing.clone() };
        let wait = next.since(now);
        let waits = format!("waits for its turn to be ordered of {}, at {next}", issuing.authority);
        let errors = if wait > Duration::ZERO { vec![waits] } else { Vec::new() };
        Ok(Some(After { errors, ..After::going_on(issuing, wait) }))
    }
}
