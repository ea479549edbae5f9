//! Whether custom hostnames are their customers': a check of one, and when the next is due.
//!
//! Owns the order in which a check reads, looks and writes. What a check means is `wasmyard-ownership`'; that it is made
//! when it is due, and once among many nodes, is the registry's. Must never write what was decided on another state than
//! the one that is replaced.

use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use wasmyard_namespaces::domain::Domain;
use wasmyard_namespaces::hostname::{CustomHostname, HostnameStatus};
use wasmyard_namespaces::ids::{CustomHostnameId, ZoneId};
use wasmyard_namespaces::registry::ZoneError;
use wasmyard_namespaces::{RegistryError, Timestamp};
use wasmyard_ownership::dns::Dns;
use wasmyard_ownership::rules::{self, Expected, Finding, Web};
use wasmyard_ownership::step;

use crate::{Control, Result};

/// What checks look with.
pub struct Lookout {
    /// Name servers that resolve for others. More than half of them must say the same.
    pub servers: Vec<Arc<dyn Dns>>,
    /// Customers' web servers.
    pub web: Arc<dyn Web>,
    /// Addresses at which this platform takes requests, for names that can have no CNAME.
    pub apex: Vec<IpNet>,
}

impl fmt::Debug for Lookout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers: Vec<String> = self.servers.iter().map(|server| server.name()).collect();
        f.debug_struct("Lookout").field("servers", &servers).field("apex", &self.apex).finish_non_exhaustive()
    }
}

impl Control {
    /// Checks a custom hostname: looks, and makes what follows so. Returns how long to wait for the next check; none where
    /// nothing would come of it, or where the hostname is gone.
    ///
    /// # Errors
    /// The registry's failure.
    ///
    /// # Cancel safety
    /// Dropping the future ends the questions; what was decided is written whole or not at all.
    pub async fn check_hostname(
        &self,
        zone: &ZoneId,
        id: &CustomHostnameId,
        lookout: &Lookout,
    ) -> Result<Option<Duration>> {
        let Some(found) = self.registry.zone(zone) else { return Ok(None) };
        let hostname = match self.registry.hostname(zone, id).await {
            Ok(hostname) => hostname,
            Err(RegistryError::Zone(ZoneError::HostnameNotFound(_))) => {
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let records = self.registry.dns_records(zone).await?;
        let held = self.is_held_elsewhere(&hostname, self.now());
        let blocked = self.is_blocked(&hostname);
        // One that is served has nothing left to show.
        let contested = !hostname.status.is_served() && self.registry.is_contested(&hostname).await?;
        let expected = Expected {
            hostname: &hostname,
            zone: &found,
            records: &records,
            apex: &lookout.apex,
            held,
            blocked,
            contested,
        };
        let finding = match blocked {
            // Nothing that could be seen would change anything.
            true => Finding::nothing(),
            false => rules::look(&expected, &lookout.servers, lookout.web.as_ref()).await,
        };
        let mut next = None;
        let after = self
            .registry
            // Another zone may have come to the name while the questions were out.
            .judge_hostname(zone, id, |before, contested, now| {
                let expected = Expected { hostname: before, contested, ..expected };
                let after = step(&expected, &finding.clone().judged(&expected), now);
                next = after.next.map(|next| next.since(now));
                Ok(Some(after.hostname))
            })
            .await?;
        tell(&hostname, &after);
        if hostname.status != after.status {
            self.deploy_certificates(&after).await;
        }
        Ok(next)
    }

    /// Whether the operator lets nobody have the name.
    pub(crate) fn is_blocked(&self, hostname: &CustomHostname) -> bool {
        hostname.served_names().any(|name| self.blocks(name.base()))
    }

    /// Has all names be checked soon that are served and that nobody may have any more. Returns how many that are.
    ///
    /// # Errors
    /// The registry's failure.
    pub async fn check_blocked_names(&self) -> Result<usize> {
        let blocked = self.blocked.read().unwrap_or_else(PoisonError::into_inner).clone();
        if blocked.is_empty() {
            return Ok(0);
        }
        Ok(self.registry.check_served_names(|name| blocked.contains(name.base())).await?)
    }

    /// Whether another zone keeps the name to itself.
    fn is_held_elsewhere(&self, hostname: &CustomHostname, now: Timestamp) -> bool {
        let Ok(name) = Domain::parse(hostname.name.base()) else { return false };
        self.registry.zones().iter().any(|zone| zone.id != hostname.zone && zone.holds(&name, now))
    }
}

/// A change of status is news; that nothing changed is none.
fn tell(before: &CustomHostname, after: &CustomHostname) {
    if before.status == after.status {
        return;
    }
    let (name, errors) = (&after.name, after.verification_errors.join(" "));
    match after.status {
        HostnameStatus::Active => {
            tracing::info!(hostname = %name, zone = %after.zone, "custom hostname is active")
        }
        status => {
            tracing::warn!(hostname = %name, zone = %after.zone, %status, errors, "custom hostname changed its status")
        }
    }
}
