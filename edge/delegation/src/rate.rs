//! How often one network is answered over UDP, where anybody can write another's address on a question.
//!
//! Owns a table of fixed size: networks that fall on one place share it. Whoever gets more than that is told to ask over TCP,
//! where nobody can speak for another; the answer that says so is no longer than the question.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

/// Places in the table.
const PLACES: usize = 4_096;
/// Answers that a network gets at once.
const BURST: u32 = 200;
/// How soon it gets one more.
const PER_ANSWER: Duration = Duration::from_millis(10);

/// Who was answered how often.
pub(crate) struct Rate {
    /// For each place: until when it has been answered ahead of its time.
    ahead: Vec<Option<Instant>>,
    hasher: RandomState,
}

impl Rate {
    pub(crate) fn new() -> Rate {
        Rate { ahead: vec![None; PLACES], hasher: RandomState::new() }
    }

    /// Whether one more answer may go to an address.
    pub(crate) fn takes(&mut self, from: IpAddr, now: Instant) -> bool {
        let hash = self.hasher.hash_one(network(from));
        let place = usize::try_from(hash % PLACES as u64).unwrap_or_default();
        let Some(ahead) = self.ahead.get_mut(place) else { return false };
        let next = ahead.map_or(now, |ahead| ahead.max(now)) + PER_ANSWER;
        if next > now + PER_ANSWER * BURST {
            return false;
        }
        *ahead = Some(next);
        true
    }
}

/// The network that an address counts for: /24 of IPv4, /56 of IPv6.
fn network(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(address) => u64::from(u32::from(address) >> 8),
        IpAddr::V6(address) => u64::try_from(u128::from(address) >> 72).unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_network_gets_so_many_answers_and_then_as_many_as_time_has_passed_for() {
        let mut rate = Rate::new();
        let now = Instant::now();
        let one: IpAddr = "192.0.2.1".parse().unwrap();
        let beside: IpAddr = "192.0.2.77".parse().unwrap();
        assert_eq!((0..1_000).filter(|_| rate.takes(one, now)).count(), 200);
        assert!(!rate.takes(beside, now), "the same network");
        let later = now + PER_ANSWER * 7;
        assert_eq!((0..1_000).filter(|_| rate.takes(beside, later)).count(), 7);
        let mut other = (0..64u8).map(|part| IpAddr::from([198, 51, part, 1]));
        assert!(other.any(|other| rate.takes(other, later)), "others are answered");
    }

    #[test]
    fn an_address_of_ipv4_in_the_form_of_ipv6_is_the_same_network() {
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), network("192.0.2.9".parse().unwrap()));
        assert_ne!(network("2001:db8::1".parse().unwrap()), network("2001:db9::1".parse().unwrap()));
    }
}
