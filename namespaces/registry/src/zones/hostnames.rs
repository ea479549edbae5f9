//! Custom hostnames: make, read, list, change, delete.
//!
//! Owns their records and that a zone has one of a name; several zones may wait for the same name, and one is served
//! under it at a time (`claims`). Ids sort by when they were made, so that lists need no other order. Whether a name is
//! its customer's is found out elsewhere: it comes here as a change like any other ([`Registry::change_hostname`]).

use std::sync::Arc;

use async_trait::async_trait;

use super::certificates::CERTIFICATE_ORDER;
use super::{check_key, within};
use crate::collection::{ATTEMPTS, Collection, PAGE, Seen, Transaction, step_aside};
use crate::error::RegistryError;
use crate::follow::Follow;
use crate::ownership::refuse;
use crate::zone_error::ZoneError;
use crate::{Inner, Registry, RegistryEvent, Result};
use wasmyard_model::domain::Domain;
use wasmyard_model::hostname::{
    CustomHostname, CustomHostnameEdit, CustomName, HostnameError, MadeUp, NewCustomHostname, Ssl,
};
use wasmyard_model::ids::{CertificatePackId, CustomHostnameId, ZoneId};
use wasmyard_model::timestamp::Timestamp;
use wasmyard_stores::Revision;

/// Custom hostnames, by their zone's id and their own.
pub(super) const HOSTNAMES: Collection<CustomHostname> = Collection::at("hostname/");
/// Makes names unique within a zone, by the zone's id and the name; the record is the id.
pub(super) const HOSTNAME_NAMES: Collection<CustomHostnameId> = Collection::at("hostname-name/");

/// How many custom hostnames a zone has, and may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostnameQuota {
    /// How many it may have.
    pub allocated: u64,
    /// How many it has.
    pub used: u64,
}

/// What a change of a hostname hangs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decided {
    /// On the hostname alone.
    ByItself,
    /// Also on whether another zone has to do with its name.
    ByContest,
}

/// The kind of the jobs that check custom hostnames.
pub const HOSTNAME_CHECK: &str = "hostname-check";

/// Which custom hostname a job of this key checks.
#[must_use]
pub fn hostname_of_check(key: &str) -> Option<(ZoneId, CustomHostnameId)> {
    let (zone, id) = key.split_once(':')?;
    Some((ZoneId::parse(zone).ok()?, CustomHostnameId::parse(id).ok()?))
}

impl Registry {
    /// Makes a custom hostname, and the job that checks whose it is.
    ///
    /// # Errors
    /// [`ZoneError`]: that the zone is not there, that it has one of that name, as many as it may have, or which rule is
    /// broken; [`RegistryError::Store`].
    pub async fn create_hostname(
        &self,
        zone: &ZoneId,
        new: &NewCustomHostname,
    ) -> Result<Arc<CustomHostname>> {
        let inner = &self.inner;
        for attempt in 0..ATTEMPTS {
            let (zone_seen, _) = inner.find_zone(zone).await?;
            let free = inner.log.read(&HOSTNAME_NAMES, &name_key(zone, &new.name)).await?;
            if free.exists() {
                return Err(ZoneError::from(HostnameError::Duplicate).into());
            }
            let quota = self.hostname_quota(zone).await?;
            if quota.allocated == 0 {
                return Err(ZoneError::NoQuota.into());
            }
            if quota.used >= quota.allocated {
                return Err(ZoneError::Quota { allocated: quota.allocated }.into());
            }
            let now = inner.clock().now();
            let made_up = MadeUp {
                id: made_in_order(now)?,
                ownership_token: uuid::Uuid::new_v4().to_string(),
                pack: new_pack()?,
            };
            let mut hostname =
                CustomHostname::new(zone.clone(), new, made_up, now).map_err(ZoneError::Hostname)?;
            inner.judge_origin(zone, &new.edit).await?;
            let mut transaction = Transaction::default();
            self.ask(&mut transaction, None, &mut hostname, now).await?;
            transaction.expect(&zone_seen);
            transaction.put(&free, &hostname.id)?;
            transaction.put_with(&free, &HOSTNAMES, &hostname_key(zone, &hostname.id), &hostname)?;
            inner.change_custom(&mut transaction, None, Some(&hostname)).await?;
            inner.job_soon(&mut transaction, HOSTNAME_CHECK, &check_key(zone, &hostname.id)).await?;
            inner.change_waiting(&mut transaction, None, Some(&hostname)).await?;
            if hostname.ssl.as_ref().is_some_and(Ssl::is_wanted) {
                inner.job_soon(&mut transaction, CERTIFICATE_ORDER, &check_key(zone, &hostname.id)).await?;
            }
            match inner.log.commit(&transaction).await {
                Ok(_) => {
                    inner.refresh_waiting(hostname.name.as_str()).await?;
                    inner.jobs_made.notify_waiters();
                    return Ok(Arc::new(hostname));
                }
                Err(RegistryError::Conflict(_)) => step_aside(attempt).await,
                Err(error) => return Err(error),
            }
        }
        Err(RegistryError::Conflict(format!("custom hostname {}", new.name)))
    }

    /// A custom hostname.
    ///
    /// # Errors
    /// [`ZoneError::HostnameNotFound`]; [`RegistryError::Store`].
    pub async fn hostname(&self, zone: &ZoneId, id: &CustomHostnameId) -> Result<Arc<CustomHostname>> {
        let seen = self.inner.log.read(&HOSTNAMES, &hostname_key(zone, id)).await?;
        let found = seen.record()?.ok_or_else(|| ZoneError::HostnameNotFound(id.to_string()))?;
        Ok(Arc::new(found))
    }

    /// Makes an edit of a custom hostname.
    ///
    /// # Errors
    /// [`ZoneError`]: that it is not there, or which rule is broken; [`RegistryError::Configured`] for what the
    /// configuration names, unless this handle is [over it](Registry::over_configuration); [`RegistryError::Store`].
    pub async fn edit_hostname(
        &self,
        zone: &ZoneId,
        id: &CustomHostnameId,
        edit: &CustomHostnameEdit,
    ) -> Result<Arc<CustomHostname>> {
        // First what is cheap: a hostname that is not there has no origin to be judged.
        self.hostname(zone, id).await?;
        self.inner.judge_origin(zone, edit).await?;
        let pack = new_pack()?;
        let mut begins_again = false;
        let over = self.over_configuration;
        let after = self
            .change_hostname(zone, id, |before, now| {
                let after = before.edited(edit, pack.clone(), now).map_err(ZoneError::Hostname)?;
                refuse_configured(before, Some(&after), over)?;
                begins_again = after.checks != before.checks;
                Ok(Some(after))
            })
            .await?;
        if begins_again {
            // Without it the check that is due later would be made all the same.
            self.do_soon(HOSTNAME_CHECK, &check_key(zone, id)).await?;
            if after.ssl.as_ref().is_some_and(|ssl| ssl.issuing.is_some()) {
                self.do_soon(CERTIFICATE_ORDER, &check_key(zone, id)).await?;
            }
        }
        Ok(after)
    }

    /// Reads a custom hostname, has it decided what becomes of it, and makes it so; decides again when somebody else
    /// was faster. One that becomes active, or takes more names, is served under them from then on, in place of whoever
    /// was: that one has moved. Nothing decided leaves it as it is.
    ///
    /// # Errors
    /// [`ZoneError::HostnameNotFound`]; what was decided with; [`RegistryError::Store`].
    pub async fn change_hostname(
        &self,
        zone: &ZoneId,
        id: &CustomHostnameId,
        mut decide: impl FnMut(&CustomHostname, Timestamp) -> Result<Option<CustomHostname>>,
    ) -> Result<Arc<CustomHostname>> {
        self.decide_hostname(zone, id, Decided::ByItself, |before, _, now| decide(before, now)).await
    }

    /// The way of each change.
    pub(super) async fn decide_hostname(
        &self,
        zone: &ZoneId,
        id: &CustomHostnameId,
        by: Decided,
        mut decide: impl FnMut(&CustomHostname, bool, Timestamp) -> Result<Option<CustomHostname>>,
    ) -> Result<Arc<CustomHostname>> {
        let inner = &self.inner;
        for attempt in 0..ATTEMPTS {
            let (seen, before) = inner.find_hostname(zone, id).await?;
            let mut contest = Transaction::default();
            let contested = by == Decided::ByContest
                && !before.status.is_served()
                && inner.contest(&before, &mut contest).await?;
            let now = inner.clock().now();
            let Some(mut after) = decide(&before, contested, now)? else { return Ok(Arc::new(before)) };
            if after.status.is_served() && !before.status.is_served() {
                after.activated_at = Some(now);
            }
            let mut transaction = Transaction::default();
            if after.status.is_served() {
                transaction.join(&contest);
            }
            self.ask(&mut transaction, before.ssl.as_ref(), &mut after, now).await?;
            transaction.put(&seen, &after)?;
            let claims = inner.change_claims(&mut transaction, Some(&before), Some(&after)).await?;
            inner.follow_certificates(&mut transaction, &before, Some(&after), &claims).await?;
            inner.change_waiting(&mut transaction, Some(&before), Some(&after)).await?;
            inner.change_custom(&mut transaction, Some(&before), Some(&after)).await?;
            let tokens =
                inner.change_challenges(&mut transaction, &seen, Some(&before), Some(&after)).await?;
            let texts = Inner::change_texts(&mut transaction, &seen, Some(&before), Some(&after))?;
            inner.tell_of_certificate(&mut transaction, &before, Some(&after)).await?;
            match inner.log.commit(&transaction).await {
                Ok(_) => {
                    inner.forget_hostname(&before, &claims).await?;
                    for token in tokens {
                        inner.refresh_challenge(&token).await?;
                    }
                    for text in texts {
                        inner.refresh_text(&text).await?;
                    }
                    inner.jobs_made.notify_waiters();
                    return Ok(Arc::new(after));
                }
                Err(RegistryError::Conflict(_)) => step_aside(attempt).await,
                Err(error) => return Err(error),
            }
        }
        Err(RegistryError::Conflict(format!("custom hostname {id}")))
    }

    /// Deletes a custom hostname: nobody is served under its names from then on.
    ///
    /// # Errors
    /// [`ZoneError::HostnameNotFound`]; [`RegistryError::Configured`] for one of the configuration, unless this handle is
    /// [over it](Registry::over_configuration); [`RegistryError::Store`].
    pub async fn delete_hostname(&self, zone: &ZoneId, id: &CustomHostnameId) -> Result<()> {
        let inner = &self.inner;
        for attempt in 0..ATTEMPTS {
            let (seen, before) = inner.find_hostname(zone, id).await?;
            refuse_configured(&before, None, self.over_configuration)?;
            let mut transaction = Transaction::default();
            let claims = inner.delete_hostname_in(&mut transaction, &seen, &before).await?;
            match inner.log.commit(&transaction).await {
                Ok(_) => {
                    inner.forget_hostname(&before, &claims).await?;
                    inner.jobs_made.notify_waiters();
                    return Ok(());
                }
                Err(RegistryError::Conflict(_)) => step_aside(attempt).await,
                Err(error) => return Err(error),
            }
        }
        Err(RegistryError::Conflict(format!("custom hostname {id}")))
    }

    /// How many custom hostnames a zone has, and may have.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn hostname_quota(&self, zone: &ZoneId) -> Result<HostnameQuota> {
        let used = self.inner.log.count(&HOSTNAME_NAMES, &within(zone)).await?;
        Ok(HostnameQuota { allocated: self.inner.options.hostname_quota, used })
    }
}

/// Refuses a change of what the configuration names. `after` is none for a deletion.
fn refuse_configured(before: &CustomHostname, after: Option<&CustomHostname>, over: bool) -> Result<()> {
    let Some(keys) = before.config.as_ref().filter(|_| !over) else { return Ok(()) };
    let changed = after.map_or_else(|| vec!["hostname".to_owned()], |after| before.changed(keys, after));
    refuse(&changed, &format!("hostname {}", before.name))
}

/// An id that sorts after those that were made before: a UUID of version 7, to the microsecond.
fn made_in_order(now: Timestamp) -> Result<CustomHostnameId> {
    super::made(CustomHostnameId::parse(&super::uuid_in_order(now)?))
}

pub(crate) fn new_pack() -> Result<CertificatePackId> {
    super::made(CertificatePackId::parse(&uuid::Uuid::new_v4().to_string()))
}

pub(super) fn hostname_key(zone: &ZoneId, id: &CustomHostnameId) -> String {
    format!("{zone}/{id}")
}

fn name_key(zone: &ZoneId, name: &CustomName) -> String {
    format!("{zone}/{name}")
}

impl Inner {
    async fn find_hostname(
        &self,
        zone: &ZoneId,
        id: &CustomHostnameId,
    ) -> Result<(Seen<CustomHostname>, CustomHostname)> {
        let seen = self.log.read(&HOSTNAMES, &hostname_key(zone, id)).await?;
        let hostname = seen.record()?.ok_or_else(|| ZoneError::HostnameNotFound(id.to_string()))?;
        Ok((seen, hostname))
    }

    /// Refuses an origin that the zone has no proxied record for.
    async fn judge_origin(&self, zone: &ZoneId, edit: &CustomHostnameEdit) -> Result<()> {
        let Some(Some(server)) = &edit.origin.server else { return Ok(()) };
        if self.is_origin(zone, server).await? {
            return Ok(());
        }
        let unknown = HostnameError::OriginUnknown { zone: zone.clone(), server: Domain::clone(server) };
        Err(ZoneError::Hostname(unknown).into())
    }

    /// Adds to a transaction that a hostname goes with all that belongs to it. Returns the names whose claims change.
    async fn delete_hostname_in(
        &self,
        transaction: &mut Transaction,
        seen: &Seen<CustomHostname>,
        hostname: &CustomHostname,
    ) -> Result<Vec<CustomName>> {
        transaction.delete(seen);
        transaction.delete_with(seen, &HOSTNAME_NAMES, &name_key(&hostname.zone, &hostname.name));
        self.change_waiting(transaction, Some(hostname), None).await?;
        self.tell_of_certificate(transaction, hostname, None).await?;
        let claims = self.change_claims(transaction, Some(hostname), None).await?;
        self.follow_certificates(transaction, hostname, None, &claims).await?;
        self.change_custom(transaction, Some(hostname), None).await?;
        self.change_challenges(transaction, seen, Some(hostname), None).await?;
        Inner::change_texts(transaction, seen, Some(hostname), None)?;
        self.forget_order(transaction, hostname).await?;
        Ok(claims)
    }

    /// Has the memory read again what a change of a hostname may have made untrue.
    async fn forget_hostname(&self, before: &CustomHostname, claims: &[CustomName]) -> Result<()> {
        let own = before.served_names().filter(|name| !claims.contains(name));
        for name in own.chain(claims.iter().cloned()) {
            self.refresh_claim(&name).await?;
            // One that lost its claim waits now.
            self.refresh_waiting(name.as_str()).await?;
        }
        Ok(())
    }

    /// Removes the custom hostnames of a zone that is gone.
    pub(super) async fn purge_hostnames(&self, zone: &ZoneId) -> Result<()> {
        let within = within(zone);
        let mut attempt = 0;
        loop {
            let page = self.log.page(&HOSTNAMES, &within, None, PAGE).await?;
            if page.is_empty() {
                break;
            }
            let mut transaction = Transaction::default();
            let mut gone = Vec::new();
            for seen in &page {
                match seen.whole() {
                    Some(hostname) => {
                        let claims = self.delete_hostname_in(&mut transaction, seen, &hostname).await?;
                        gone.push((hostname, claims));
                    }
                    None => transaction.delete(seen),
                }
            }
            if !self.log.commit_page(&transaction, &mut attempt).await? {
                continue;
            }
            for (hostname, claims) in gone {
                self.forget_hostname(&hostname, &claims).await?;
            }
        }
        Ok(())
    }
}

/// How what is held of custom hostnames follows the store.
pub(crate) struct Hostnames;

#[async_trait]
impl Follow for Hostnames {
    fn prefix(&self) -> &'static str {
        HOSTNAMES.prefix()
    }

    async fn load(&self, _: &Inner) -> Result<()> {
        // Nothing of them is held but what their claims led to, which goes with the claims.
        Ok(())
    }

    async fn apply(&self, registry: &Inner, id: &str, _: Revision) -> Result<Option<RegistryEvent>> {
        let Some((zone, id)) = id.split_once('/') else { return Ok(None) };
        let (Ok(zone), Ok(id)) = (ZoneId::parse(zone), CustomHostnameId::parse(id)) else { return Ok(None) };
        let seen = registry.log.read(&HOSTNAMES, &hostname_key(&zone, &id)).await?;
        // One that is gone gave its claims up in the same append: those changes come by themselves.
        if let Some(hostname) = seen.whole() {
            registry.forget_hostname(&hostname, &[]).await?;
        }
        Ok(Some(RegistryEvent::CustomHostname { zone, id }))
    }
}
