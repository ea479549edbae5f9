//! What scripts let through, counted by keys that they choose: the service behind the rate limit binding.
//!
//! Owns the counts of this node, which are in memory alone: every node counts for itself, and a start begins at nothing.
//! A tenant's counts are its own, and bounded: keys that a visitor makes up cost the tenant its exactness, and nobody else
//! anything. Never waits, and never knows a guest or a request.

use std::collections::HashMap;
use std::hash::Hasher as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use siphasher::sip::SipHasher13;
use tokio::time::Instant;

/// Most keys that are counted of one tenant. Those beyond share one count.
const MOST_KEYS: usize = 4_096;
/// Most keys that are counted of all tenants together.
const MOST_OF_ALL: usize = 1 << 20;
/// Longest key, in bytes.
pub const MAX_KEY_BYTES: usize = 512;

/// How much is let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    /// How many.
    pub limit: u32,
    /// In how long.
    pub period: Duration,
}

/// All that is counted on this node. Cheap to clone.
#[derive(Clone)]
pub struct RateLimits {
    shared: Arc<Shared>,
    most_keys: usize,
    most_of_all: usize,
}

struct Shared {
    tenants: DashMap<Box<str>, Tenant>,
    /// Keys of all tenants.
    counted: AtomicUsize,
    began: Instant,
    /// Keys of hashes, so that nobody outside can make two keys share a count.
    secret: (u64, u64),
}

#[derive(Default)]
struct Tenant {
    windows: HashMap<u64, Window>,
    /// By limiter: what is counted of keys that have no room.
    others: HashMap<u64, Window>,
}

/// What was let through in one period, and in the one before.
#[derive(Clone, Copy, Default)]
struct Window {
    period: u64,
    now: u32,
    before: u32,
    /// How long a period is: a window is of no more use when two have passed.
    millis: u64,
}

/// What one tenant lets through. Cheap to clone.
#[derive(Clone)]
pub struct TenantRates {
    all: RateLimits,
    tenant: Arc<str>,
}

/// What one binding lets through. Cheap to clone.
#[derive(Clone)]
pub struct Limiter {
    rates: TenantRates,
    id: Arc<str>,
    rate: Rate,
}

/// A key that is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyTooLong {
    /// How many bytes it has.
    pub bytes: usize,
}

impl std::fmt::Display for KeyTooLong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes = self.bytes;
        write!(f, "the key has {bytes} bytes; a key of a rate limit has {MAX_KEY_BYTES} at most: hash it")
    }
}

impl std::error::Error for KeyTooLong {}

impl RateLimits {
    /// Counts that begin at nothing. `secret`: bits that nobody outside knows.
    #[must_use]
    pub fn new(secret: [u8; 16]) -> RateLimits {
        let secret = u128::from_le_bytes(secret);
        #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
        let secret = (secret as u64, (secret >> 64) as u64);
        let shared =
            Shared { tenants: DashMap::new(), counted: AtomicUsize::new(0), began: Instant::now(), secret };
        RateLimits { shared: Arc::new(shared), most_keys: MOST_KEYS, most_of_all: MOST_OF_ALL }
    }

    /// What one tenant lets through; none of its counts is any other's.
    #[must_use]
    pub fn of(&self, tenant: &str) -> TenantRates {
        TenantRates { all: self.clone(), tenant: Arc::from(tenant) }
    }

    /// How many keys are counted.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.shared.counted.load(Ordering::Relaxed)
    }

    fn hash(&self, id: &str, key: &str) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.shared.secret.0, self.shared.secret.1);
        hasher.write_usize(id.len());
        hasher.write(id.as_bytes());
        hasher.write(key.as_bytes());
        hasher.finish()
    }

    /// Forgets what is of no more use, of all tenants.
    fn sweep(&self, now: u64) {
        self.shared.tenants.retain(|_, tenant| {
            self.forget_old(tenant, now);
            !(tenant.windows.is_empty() && tenant.others.is_empty())
        });
    }

    fn forget_old(&self, tenant: &mut Tenant, now: u64) {
        let before = tenant.windows.len();
        tenant.windows.retain(|_, window| window.matters(now));
        tenant.others.retain(|_, window| window.matters(now));
        self.shared.counted.fetch_sub(before - tenant.windows.len(), Ordering::Relaxed);
    }
}

impl TenantRates {
    /// What is let through by one name, at a rate. Two of the same name share their counts.
    #[must_use]
    pub fn limiter(&self, id: &str, rate: Rate) -> Limiter {
        Limiter { rates: self.clone(), id: Arc::from(id), rate }
    }
}

impl Limiter {
    /// Whether one more is let through for this key; it is counted if it is.
    ///
    /// The rate holds over any period, about: what was let through in the period before counts by the part of it that is
    /// not over yet.
    ///
    /// # Errors
    /// [`KeyTooLong`].
    pub fn allow(&self, key: &str) -> Result<bool, KeyTooLong> {
        if key.len() > MAX_KEY_BYTES {
            return Err(KeyTooLong { bytes: key.len() });
        }
        let all = &self.rates.all;
        let now = u64::try_from(all.shared.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let hash = all.hash(&self.id, key);
        if let Some(mut tenant) = all.shared.tenants.get_mut(&*self.rates.tenant)
            && let Some(window) = tenant.windows.get_mut(&hash)
        {
            return Ok(window.allow(self.rate, now));
        }
        if all.keys() >= all.most_of_all {
            all.sweep(now);
        }
        let mut tenant = all.shared.tenants.entry(Box::from(&*self.rates.tenant)).or_default();
        if tenant.windows.len() >= all.most_keys {
            all.forget_old(&mut tenant, now);
        }
        if tenant.windows.len() >= all.most_keys || all.keys() >= all.most_of_all {
            // As if all of them were one: more is refused than should be, and never less.
            let others = all.hash(&self.id, "");
            return Ok(tenant.others.entry(others).or_default().allow(self.rate, now));
        }
        all.shared.counted.fetch_add(1, Ordering::Relaxed);
        Ok(tenant.windows.entry(hash).or_default().allow(self.rate, now))
    }
}

impl Window {
    fn allow(&mut self, rate: Rate, now: u64) -> bool {
        let millis = u64::try_from(rate.period.as_millis()).unwrap_or(u64::MAX).max(1);
        let (period, into) = (now / millis, now % millis);
        match period.saturating_sub(self.period) {
            0 => {}
            1 => (self.before, self.now) = (self.now, 0),
            _ => (self.before, self.now) = (0, 0),
        }
        (self.period, self.millis) = (period, millis);
        let of_before = u64::from(self.before) * (millis - into) / millis;
        let is_allowed = of_before + u64::from(self.now) < u64::from(rate.limit);
        self.now += u32::from(is_allowed);
        is_allowed
    }

    fn matters(&self, now: u64) -> bool {
        now / self.millis.max(1) <= self.period + 1
    }
}

impl std::fmt::Debug for RateLimits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RateLimits").field("keys", &self.keys()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for TenantRates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TenantRates").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
