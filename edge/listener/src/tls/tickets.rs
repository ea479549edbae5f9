//! Tickets: what a client brings back to take a session up again. Nothing is remembered of them here.
//!
//! Owns the keys that they are sealed with. A key follows from the installation's secret, the settings that a session
//! was agreed upon with, and the time: nodes that share the secret take each other's tickets, a ticket of lax settings is
//! worth nothing where they are strict, and an old one nothing at all.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};
use rustls::server::ProducesTickets;

/// How long one key seals tickets. It opens them for as long again.
const ROTATION: Duration = Duration::from_secs(6 * 60 * 60);
/// The time of a key is written before what it sealed.
const TIME_BYTES: usize = 8;
/// Longer ones are not ours: a session with a client's chain of certificates is far smaller.
const LONGEST: usize = 32 << 10;

/// What all keys of tickets follow from. Never printed.
#[derive(Clone)]
pub struct TicketSecret(Prk);

impl TicketSecret {
    /// Takes a secret that is good for this alone.
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(Salt::new(HKDF_SHA256, b"wasmyard tickets").extract(secret))
    }
}

impl fmt::Debug for TicketSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TicketSecret")
    }
}

/// What time it is.
pub(crate) type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// The tickets of one group of settings.
pub(crate) struct Tickets {
    secret: TicketSecret,
    /// What stands for the settings of the group.
    group: [u8; 32],
    clock: Clock,
    /// Keys that were needed, with their times: the present one, and the one before.
    keys: RwLock<Vec<(u64, Arc<RandomizedNonceKey>)>>,
}

impl Tickets {
    /// Tickets of a group with these settings, which may be long.
    pub(crate) fn new(secret: TicketSecret, settings: &[u8], clock: Clock) -> Self {
        let mut group = [0; 32];
        let hash = digest(&SHA256, settings);
        group.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
        Self { secret, group, clock, keys: RwLock::default() }
    }

    /// The number of the present time: one for each rotation.
    fn time(&self) -> u64 {
        let since = (self.clock)().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        since.as_secs() / ROTATION.as_secs()
    }

    fn key(&self, time: u64) -> Option<Arc<RandomizedNonceKey>> {
        let found = |keys: &[(u64, Arc<RandomizedNonceKey>)]| {
            keys.iter().find(|(of, _)| *of == time).map(|(_, key)| Arc::clone(key))
        };
        if let Some(key) = found(&self.keys.read().unwrap_or_else(PoisonError::into_inner)) {
            return Some(key);
        }
        let mut bytes = [0; 32];
        let info = [b"ticket".as_slice(), &time.to_be_bytes(), &self.group];
        self.secret.0.expand(&info, HKDF_SHA256).ok()?.fill(&mut bytes).ok()?;
        let key = Arc::new(RandomizedNonceKey::new(&AES_256_GCM, &bytes).ok()?);
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        // What is too old goes: who takes the memory of this process later cannot open it.
        let now = self.time();
        keys.retain(|(of, _)| of.abs_diff(now) <= 1 && *of != time);
        keys.push((time, Arc::clone(&key)));
        Some(key)
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        u32::try_from(ROTATION.as_secs()).unwrap_or(u32::MAX)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let time = self.time();
        let key = self.key(time)?;
        let mut sealed = plain.to_vec();
        let time = time.to_be_bytes();
        let nonce = key.seal_in_place_append_tag(Aad::from(time), &mut sealed).ok()?;
        Some([time.as_slice(), nonce.as_ref(), &sealed].concat())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        if cipher.len() > LONGEST {
            return None;
        }
        let (time, rest) = cipher.split_first_chunk::<TIME_BYTES>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        let number = u64::from_be_bytes(*time);
        // One ahead is a node's whose clock is.
        if number.abs_diff(self.time()) > 1 {
            return None;
        }
        let key = self.key(number)?;
        let mut sealed = sealed.to_vec();
        let plain = key.open_in_place(Nonce::from(nonce), Aad::from(*time), &mut sealed).ok()?;
        Some(plain.to_vec())
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Tickets")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn clock() -> (Arc<AtomicU64>, Clock) {
        let hours = Arc::new(AtomicU64::new(1_000_000));
        let shown = Arc::clone(&hours);
        let clock =
            move || SystemTime::UNIX_EPOCH + Duration::from_secs(shown.load(Ordering::Relaxed) * 60 * 60);
        (hours, Arc::new(clock))
    }

    fn tickets(secret: u8, group: &[u8], clock: &Clock) -> Tickets {
        Tickets::new(TicketSecret::new(&[secret; 32]), group, Arc::clone(clock))
    }

    #[test]
    fn a_ticket_is_good_for_its_secret_and_its_settings_alone() {
        let (_, clock) = clock();
        let lax = tickets(1, b"lax", &clock);
        let ticket = lax.encrypt(b"session").unwrap();
        assert!(!ticket.windows(7).any(|bytes| bytes == b"session"));
        assert_eq!(lax.decrypt(&ticket).unwrap(), b"session");
        assert_eq!(tickets(1, b"lax", &clock).decrypt(&ticket).unwrap(), b"session", "another node's");
        assert!(tickets(1, b"strict", &clock).decrypt(&ticket).is_none());
        assert!(tickets(2, b"lax", &clock).decrypt(&ticket).is_none());
    }

    #[test]
    fn a_ticket_lives_for_a_rotation_and_less_than_two_more() {
        let (hours, clock) = clock();
        let group = tickets(1, b"", &clock);
        let ticket = group.encrypt(b"session").unwrap();
        hours.fetch_add(6, Ordering::Relaxed);
        assert!(group.decrypt(&ticket).is_some());
        hours.fetch_add(6, Ordering::Relaxed);
        assert!(group.decrypt(&ticket).is_none());
        for _ in 0..100 {
            hours.fetch_add(6, Ordering::Relaxed);
            group.encrypt(b"session").unwrap();
        }
        assert!(group.keys.read().unwrap().len() <= 3);
    }

    #[test]
    fn what_is_no_ticket_is_none() {
        let (_, clock) = clock();
        let group = tickets(1, b"", &clock);
        let ticket = group.encrypt(b"session").unwrap();
        for length in 0..ticket.len() {
            assert!(group.decrypt(&ticket[..length]).is_none(), "{length}");
        }
        for place in 0..ticket.len() {
            let mut changed = ticket.clone();
            changed[place] ^= 1;
            assert!(group.decrypt(&changed).is_none(), "{place}");
        }
        assert!(group.decrypt(&vec![0; LONGEST + 1]).is_none());
    }
}
