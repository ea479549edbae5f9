//! For which custom hostname a certificate of a name is ordered: in all zones for one at a time.
//!
//! Several zones may wait for one name. Each would order a certificate of its own for it, and an authority counts them all. Owns
//! the record of whose order it is, which names its hostname: it holds as long as that hostname has an order, so that a
//! process which ends leaves nothing locked.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::hostnames::{HOSTNAMES, hostname_key};
use crate::collection::{ATTEMPTS, Collection, Transaction, step_aside};
use crate::error::RegistryError;
use crate::{Inner, Registry, Result};
use wasmyard_model::hostname::CustomHostname;
use wasmyard_model::ids::{CustomHostnameId, ZoneId};
use wasmyard_model::timestamp::Timestamp;

/// By the names, without `*.`.
const ORDERS: Collection<OrderOf> = Collection::at("order-of/");

/// How long it holds before there is an order: an authority is asked for it meanwhile.
const MAKING: Duration = Duration::from_secs(300);

/// Whose order of a name it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct OrderOf {
    zone: ZoneId,
    hostname: CustomHostnameId,
    /// When it was taken.
    at: Timestamp,
}

impl OrderOf {
    fn is_of(&self, hostname: &CustomHostname) -> bool {
        self.zone == hostname.zone && self.hostname == hostname.id
    }
}

impl Registry {
    /// Has the order of a name be a custom hostname's. False where another one's goes on: then nothing is to be ordered. Who is
    /// served under a name comes before those that only wait for it, so that nobody keeps it from whose it is.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn take_order(&self, hostname: &CustomHostname) -> Result<bool> {
        let inner = &self.inner;
        for attempt in 0..ATTEMPTS {
            let seen = inner.log.read(&ORDERS, hostname.name.base()).await?;
            if let Some(before) = seen.whole().filter(|before| !before.is_of(hostname))
                && inner.goes_on(&before, hostname).await?
            {
                return Ok(false);
            }
            let (zone, id, at) = (hostname.zone.clone(), hostname.id.clone(), inner.clock().now());
            let mut transaction = Transaction::default();
            transaction.put(&seen, &OrderOf { zone, hostname: id, at })?;
            match inner.log.commit(&transaction).await {
                Ok(_) => return Ok(true),
                Err(RegistryError::Conflict(_)) => step_aside(attempt).await,
                Err(error) => return Err(error),
            }
        }
        Err(RegistryError::Conflict(format!("order of {}", hostname.name.base())))
    }

    /// Whether the order of a name is still a custom hostname's, or nobody's.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn has_order(&self, hostname: &CustomHostname) -> Result<bool> {
        let seen = self.inner.log.read(&ORDERS, hostname.name.base()).await?;
        Ok(seen.whole().is_none_or(|order| order.is_of(hostname)))
    }

    /// Lets others order for the name, where the order is a custom hostname's.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn leave_order(&self, hostname: &CustomHostname) -> Result<()> {
        let mut transaction = Transaction::default();
        self.inner.forget_order(&mut transaction, hostname).await?;
        match self.inner.log.commit(&transaction).await {
            // Somebody has it already.
            Ok(_) | Err(RegistryError::Conflict(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Inner {
    /// Whether whoever has the order of a name keeps it from another one.
    async fn goes_on(&self, order: &OrderOf, other: &CustomHostname) -> Result<bool> {
        let key = hostname_key(&order.zone, &order.hostname);
        let Some(holder) = self.log.read(&HOSTNAMES, &key).await?.whole() else { return Ok(false) };
        if other.status.is_served() && !holder.status.is_served() {
            return Ok(false);
        }
        let issuing = holder.ssl.as_ref().and_then(|ssl| ssl.issuing.as_ref());
        let has_order = issuing.is_some_and(|issuing| issuing.order.is_some());
        let is_made = issuing.is_some() && self.clock().now().since(order.at) < MAKING;
        Ok(holder.name.base() == other.name.base() && (has_order || is_made))
    }

    /// Adds to a transaction that a custom hostname has the order of its name no more.
    pub(in super::super) async fn forget_order(
        &self,
        transaction: &mut Transaction,
        hostname: &CustomHostname,
    ) -> Result<()> {
        let seen = self.log.read(&ORDERS, hostname.name.base()).await?;
        if seen.whole().is_some_and(|order| order.is_of(hostname)) {
            transaction.delete(&seen);
        }
        Ok(())
    }
}
