//! How many certificates a zone may ask for within a minute, and how many orders an authority is sent.
//!
//! Owns the two counts, which outlive the process: a restart is no way around them. What is asked for is counted together with
//! the change that asks, so that what was refused for another reason costs nothing. Orders have turns: each is told when it may
//! be made, and comes back then, instead of all asking again and again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::collection::{ATTEMPTS, Collection, Transaction, step_aside};
use crate::error::RegistryError;
use crate::zone_error::ZoneError;
use crate::{Inner, Registry, Result};
use wasmyard_model::hostname::{CertificateAuthority, CustomHostname, Ssl, SslStatus};
use wasmyard_model::ids::ZoneId;
use wasmyard_model::timestamp::Timestamp;

mod orders;

/// What zones asked for, by their ids.
const ASKED: Collection<Asked> = Collection::at("issue-asked/");
/// When whoever orders next has a turn: `AUTHORITY` for all, `AUTHORITY:ZONE` for one zone.
const TURNS: Collection<Timestamp> = Collection::at("order-turn/");

/// What counts together.
const MINUTE: Duration = Duration::from_secs(60);
/// How long nothing may be asked for by who asked for more.
const BLOCKED: Duration = Duration::from_secs(30);
/// What an authority's bound counts together.
const HOUR: Duration = Duration::from_secs(3_600);

/// What a zone asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Asked {
    /// When the present minute began.
    began: Timestamp,
    /// How many were asked for in it.
    count: u64,
    /// Until when none may be asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    blocked_until: Option<Timestamp>,
}

impl Asked {
    /// What counts at a moment: what is over does not.
    fn at(found: Option<Asked>, now: Timestamp) -> Asked {
        let fresh = Asked { began: now, count: 0, blocked_until: None };
        let Some(asked) = found else { return fresh };
        match asked.blocked_until {
            Some(until) if until > now => asked,
            Some(_) => fresh,
            None if now.since(asked.began) >= MINUTE || asked.began > now => fresh,
            None => asked,
        }
    }
}

/// How many certificates a zone may ask for, and asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IssueQuota {
    /// How many it may ask for within a minute.
    pub per_minute: u64,
    /// How many it asked for in the present one.
    pub used: u64,
    /// When it may ask for as many again; none when it has asked for none.
    pub returns_at: Option<Timestamp>,
    /// Whether it may ask for none until then.
    pub is_blocked: bool,
}

/// How many orders an authority is sent within an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderPace {
    /// Of all zones.
    pub all: u64,
    /// Of one zone.
    pub per_zone: u64,
}

impl Registry {
    /// Counts what is asked for of an authority through this handle, which begins with its order.
    pub(super) async fn ask(
        &self,
        transaction: &mut Transaction,
        before: Option<&Ssl>,
        after: &mut CustomHostname,
        now: Timestamp,
    ) -> Result<()> {
        let Some(per_minute) = self.issues_a_minute else { return Ok(()) };
        let Some(ssl) = after.ssl.as_mut().filter(|ssl| ssl.asks_anew(before)) else { return Ok(()) };
        ssl.status = SslStatus::Initializing;
        self.inner.ask_for_certificate(transaction, &after.zone, per_minute, now).await
    }

    /// How many certificates a zone may ask for through this handle, and asked for; none where it may ask for any number.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn issue_quota(&self, zone: &ZoneId) -> Result<Option<IssueQuota>> {
        let Some(per_minute) = self.issues_a_minute else { return Ok(None) };
        let now = self.inner.clock().now();
        let asked = Asked::at(self.inner.log.read(&ASKED, zone.as_str()).await?.whole(), now);
        let is_over = (asked.count > 0).then(|| asked.began.later(MINUTE));
        let returns_at = asked.blocked_until.or(is_over);
        let is_blocked = asked.blocked_until.is_some();
        Ok(Some(IssueQuota { per_minute, used: asked.count, returns_at, is_blocked }))
    }

    /// Takes the next turn of a zone to order of an authority. Returns when that is: now, where little was asked for. A zone
    /// that asks for much waits for its own turns, so that others are not behind it.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn zone_turn(
        &self,
        authority: CertificateAuthority,
        zone: &ZoneId,
        pace: OrderPace,
    ) -> Result<Timestamp> {
        self.inner.take_turn(&of_zone(authority, zone), pace.per_zone).await
    }

    /// Takes the next turn to order of an authority. Returns when that is.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn order_turn(&self, authority: CertificateAuthority, pace: OrderPace) -> Result<Timestamp> {
        self.inner.take_turn(authority.as_str(), pace.all).await
    }

    /// When a zone would have both turns, if it took them now.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn next_turn(
        &self,
        authority: CertificateAuthority,
        zone: &ZoneId,
        pace: OrderPace,
    ) -> Result<Timestamp> {
        let (log, now) = (&self.inner.log, self.inner.clock().now());
        let own = log.read(&TURNS, &of_zone(authority, zone)).await?.whole();
        let all = log.read(&TURNS, authority.as_str()).await?.whole();
        Ok(turn(own, pace.per_zone, now).1.max(turn(all, pace.all, now).1))
    }
}

fn of_zone(authority: CertificateAuthority, zone: &ZoneId) -> String {
    format!("{authority}:{zone}")
}

/// The next of so many turns an hour: what is noted of it, and when it is. What was taken is as far ahead of now as there are
/// turns taken, and an hour's worth of them is had at once.
fn turn(before: Option<Timestamp>, per_hour: u64, now: Timestamp) -> (Timestamp, Timestamp) {
    let apart = HOUR / u32::try_from(per_hour.max(1)).unwrap_or(u32::MAX);
    let next = before.map_or(now, |before| before.max(now)).later(apart);
    (next, now.later(next.since(now).saturating_sub(HOUR)))
}

impl Inner {
    /// Adds to a transaction that a zone asks for one more certificate.
    ///
    /// # Errors
    /// [`ZoneError::TooOften`], which holds for a while.
    async fn ask_for_certificate(
        &self,
        transaction: &mut Transaction,
        zone: &ZoneId,
        per_minute: u64,
        now: Timestamp,
    ) -> Result<()> {
        let seen = self.log.read(&ASKED, zone.as_str()).await?;
        let asked = Asked::at(seen.whole(), now);
        if asked.blocked_until.is_none() && asked.count < per_minute {
            return transaction.put(&seen, &Asked { count: asked.count + 1, ..asked });
        }
        let until = asked.blocked_until.unwrap_or_else(|| now.later(BLOCKED));
        if asked.blocked_until.is_none() {
            let mut blocked = Transaction::default();
            blocked.put(&seen, &Asked { blocked_until: Some(until), ..asked })?;
            match self.log.commit(&blocked).await {
                // Who was faster asked for one more too many as well.
                Ok(_) | Err(RegistryError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(ZoneError::TooOften { per_minute, wait: until.since(now) }.into())
    }

    async fn take_turn(&self, key: &str, per_hour: u64) -> Result<Timestamp> {
        for attempt in 0..ATTEMPTS {
            let seen = self.log.read(&TURNS, key).await?;
            let (next, at) = turn(seen.whole(), per_hour, self.clock().now());
            let mut transaction = Transaction::default();
            transaction.put(&seen, &next)?;
            match self.log.commit(&transaction).await {
                Ok(_) => return Ok(at),
                Err(RegistryError::Conflict(_)) => step_aside(attempt).await,
                Err(error) => return Err(error),
            }
        }
        Err(RegistryError::Conflict(format!("turn of {key}")))
    }

    /// Forgets what a zone that is gone asked for.
    pub(super) async fn forget_asked(&self, transaction: &mut Transaction, zone: &ZoneId) -> Result<()> {
        let asked = self.log.read(&ASKED, zone.as_str()).await?;
        if asked.exists() {
            transaction.delete(&asked);
        }
        for authority in CertificateAuthority::ALL {
            let turn = self.log.read(&TURNS, &of_zone(*authority, zone)).await?;
            if turn.exists() {
                transaction.delete(&turn);
            }
        }
        Ok(())
    }
}
